"""A measured folder as reports need it: rows by language, over everything and by domain, and what
the replicates let one claim: which is the largest, and which cannot be told from it.

All replicates are paired (see `corpora.bootstrap`), so a difference has an interval of its own,
narrower than those of what it compares. Intervals are not adjusted for the number of comparisons;
the report says so.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from corpora.bootstrap import DocumentBootstrap, Interval
from corpora.errors import InputError
from reports.charts.svg import Series, series_style
from tokenize_lab.counts.documents import CountsByDocument
from tokenize_lab.counts.fields import FIELD_INDEX
from tokenize_lab.counts.resampling import resampled
from tokenize_lab.counts.schema import Group, GroupCounts, aligned_languages, merged
from tokenize_lab.rates import gini
from tokenize_lab.results import Results, load_results
from tokenize_lab.rows import MeasureRow, measure_rows

K = TypeVar("K", bound=Hashable)

_KEPT = ("bytes", "tokens")


@dataclass(frozen=True)
class MeasuredValue:
    """A value, and its replicates where there are any: [replicates] or None."""

    value: float
    replicates: NDArray[np.float64] | None = None

    def minus(self, other: "MeasuredValue") -> "MeasuredValue":
        """Return the paired difference."""
        if self.replicates is None or other.replicates is None:
            return MeasuredValue(self.value - other.value)
        return MeasuredValue(self.value - other.value, self.replicates - other.replicates)

    def over(self, other: "MeasuredValue") -> "MeasuredValue":
        """Return the paired ratio. The other's value must not be 0."""
        value = self.value / other.value
        if self.replicates is None or other.replicates is None or (other.replicates == 0).any():
            return MeasuredValue(value)
        return MeasuredValue(value, self.replicates / other.replicates)


@dataclass
class Resamples:
    """Resampled bytes and tokens of groups, made at once for those that a report speaks of.

    Attributes:
        bootstrap: how they are made.
        parts: the groups.
    """

    bootstrap: DocumentBootstrap
    parts: Sequence[GroupCounts] = ()

    @cached_property
    def _drawn(self) -> dict[int, NDArray[np.float64]]:
        """[len(_KEPT), replicates] by the identity of a group that has them."""
        kept = [FIELD_INDEX[name] for name in _KEPT]
        return {
            id(self.parts[place]): sums.T[kept]
            for place, sums in resampled(self.parts, self.bootstrap)
        }

    def count(self, name: str, part: GroupCounts) -> MeasuredValue:
        """Return the bytes or tokens of one of the groups."""
        drawn = self._drawn.get(id(part))
        return MeasuredValue(
            float(part.total[FIELD_INDEX[name]]),
            None if drawn is None else drawn[_KEPT.index(name)],
        )

    def interval(self, estimate: MeasuredValue) -> Interval | None:
        """Return an estimate's interval, or None."""
        return self.bootstrap.interval(estimate.replicates)

    def gini(self, parts: Sequence[GroupCounts]) -> MeasuredValue:
        """Return the Gini coefficient of tokens over aligned languages."""
        costs = [self.count("tokens", part) for part in parts]
        value = float(gini([cost.value for cost in costs]))
        columns = [cost.replicates for cost in costs if cost.replicates is not None]
        if len(columns) < len(costs):
            return MeasuredValue(value)
        return MeasuredValue(value, gini(np.stack(columns, axis=-1)))


@dataclass(frozen=True)
class Extreme(Generic[K]):
    """The most extreme of several estimates.

    Attributes:
        best: the most extreme by its point estimate.
        tied: others whose paired difference from it has an interval that holds 0, nearest first;
            None where there are no intervals to say.
        next: the nearest that is told apart, or by point estimate where nothing can be.
        gap: how far it lies behind the best, at least 0; None where there is no next.
    """

    best: K
    tied: Sequence[K] | None
    next: K | None
    gap: MeasuredValue | None


def extreme(
    estimates: Mapping[K, MeasuredValue], resamples: Resamples, *, largest: bool = True
) -> Extreme[K]:
    """Return the largest (or smallest) of at least one estimate, and what ties with it."""
    sign = 1 if largest else -1
    best, *others = sorted(estimates, key=lambda key: -sign * estimates[key].value)
    gaps = {}
    for other in others:
        above, below = (best, other) if largest else (other, best)
        gaps[other] = estimates[above].minus(estimates[below])
    intervals = {other: resamples.interval(gap) for other, gap in gaps.items()}
    known = all(ends is not None for ends in intervals.values())
    tied = [other for other, ends in intervals.items() if ends is not None and ends[0] <= 0]
    following = next((other for other in others if not known or other not in tied), None)
    gap = None if following is None else gaps[following]
    return Extreme(best, tied if known else None, following, gap)


@dataclass(frozen=True)
class CorpusResults:
    """One corpus under every tokenizer.

    Attributes:
        index: its place in the report, from 0.
        name: as measured.
        parallel: whether it was declared to hold translations.
        tokenizers: names, in the order of the report.
        counts: by tokenizer and language.
        pooled: by tokenizer, over all languages and domains.
        rows: one for each of the counts.
        overall: by tokenizer, over all languages and domains.
        domains: one row for each tokenizer and domain; empty unless there are several.
        samples: see `tokenize_lab.results`.
    """

    index: int
    name: str
    parallel: bool
    tokenizers: Sequence[str]
    counts: dict[Group, GroupCounts]
    pooled: dict[str, GroupCounts]
    rows: Sequence[MeasureRow]
    overall: dict[str, MeasureRow]
    domains: Sequence[MeasureRow]
    samples: Sequence[dict[str, Any]]

    @cached_property
    def languages(self) -> list[str]:
        """Languages, from the best compressed to the worst: by the geometric mean of bytes per
        token over tokenizers that lose no text, if there are any."""
        kept = [row for row in self.rows if row["tokenizer"] not in self.losing]
        logs: dict[str, list[float]] = {}
        for row in kept or self.rows:
            rate = row["bytes_per_token"]
            logs.setdefault(row["language"], []).append(np.log(rate) if rate else -np.inf)
        return sorted(logs, key=lambda language: (-np.mean(logs[language]), language))

    @cached_property
    def cells(self) -> dict[tuple[str, str], MeasureRow]:
        """Rows by language and tokenizer."""
        return {(row["language"], row["tokenizer"]): row for row in self.rows}

    @cached_property
    def aligned(self) -> dict[str, Sequence[Group]]:
        """By tokenizer, the languages that hold the same aligned lines; empty if fewer than 2."""
        return {
            tokenizer: groups for (tokenizer, _), groups in aligned_languages(self.counts).items()
        }

    @cached_property
    def losing(self) -> set[str]:
        """Tokenizers whose tokens do not carry all of this corpus's text: they are ranked apart."""
        return {name for name, row in self.overall.items() if row["lost_bytes"]}

    def reader(self, rate: str) -> Callable[[str, str], tuple[float, Interval | None] | None]:
        """Return what tells a rate and its interval by language and tokenizer, if measured."""

        def read(language: str, tokenizer: str) -> tuple[float, Interval | None] | None:
            row = self.cells.get((language, tokenizer))
            if row is None or row[rate] is None:
                return None
            return row[rate], row["intervals"].get(rate)

        return read

    @property
    def compared(self) -> bool:
        """Whether languages can be set beside the reference language, line by line."""
        return any(row["premium"] is not None for row in self.rows)

    @property
    def with_intervals(self) -> str:
        """What a caption says of intervals: nothing, where the text allows none."""
        rows = [*self.rows, *self.overall.values()]
        return ", with 95 % intervals" if any(any(r["intervals"].values()) for r in rows) else ""

    def incomparable(self, reference: str) -> str:
        """Return why languages cannot be compared line by line."""
        if not self.parallel:
            return (
                "The texts of this corpus are not translations of one another, so what a language "
                "pays for the same content is not measured: no parity, premium, Gini or Lorenz "
                "curve."
            )
        return (
            f"No language of this corpus begins with {reference}, the reference that parity and "
            "premium were to compare with; measure again with --reference."
        )


@dataclass(frozen=True)
class Measured:
    """Everything a report says, before it is put into words."""

    series: Sequence[Series]
    corpora: Sequence[CorpusResults]
    resamples: Resamples
    provenance: dict[str, Any]

    @property
    def reference(self) -> str:
        """The language that parity and premium compare with."""
        return str(self.provenance["settings"]["reference"])

    @property
    def baseline(self) -> str:
        """The tokenizer that differences are taken to."""
        return str(self.provenance["settings"]["baseline"])

    @property
    def several(self) -> bool:
        """Whether there is more than one corpus."""
        return len(self.corpora) > 1


def read_measured(folder: Path) -> Measured:
    """Read a folder that `tokenize-lab measure` wrote, and derive every row.

    Raises:
        InputError: it is not there, is not complete, or is damaged.
    """
    return measured(load_results(folder))


def measured(results: Results) -> Measured:
    """Derive every row from the counts.

    Raises:
        InputError: a corpus has no text.
    """
    record = results.provenance
    series = [
        Series(facts["name"], series_style(i, tokenizer=True), facts)
        for i, facts in enumerate(record["tokenizers"])
    ]
    row_settings = results.row_settings
    counts = results.counts
    if isinstance(counts, CountsByDocument):
        counts = counts.as_units()
    by_language = merged(counts, ["language"])
    pooled = merged(counts, [])
    rows = measure_rows(by_language, row_settings)
    overall = measure_rows(pooled, row_settings)
    several = _of_several_domains(counts)
    domains = measure_rows(merged(several, ["domain"]), row_settings)
    corpora = []
    for index, facts in enumerate(record["corpora"]):
        name = facts["name"]
        if not any(group.corpus == name for group in pooled):
            raise InputError(f"{name}: no text of this corpus was counted; measure without it")
        corpora.append(
            CorpusResults(
                index,
                name,
                facts["parallel"],
                [tokenizer.name for tokenizer in series],
                {group: part for group, part in by_language.items() if group.corpus == name},
                {group.tokenizer: part for group, part in pooled.items() if group.corpus == name},
                [row for row in rows if row["corpus"] == name],
                {row["tokenizer"]: row for row in overall if row["corpus"] == name},
                [row for row in domains if row["corpus"] == name],
                [sample for sample in results.samples if sample["corpus"] == name],
            )
        )
    known = [*by_language.values(), *pooled.values()]
    return Measured(series, corpora, Resamples(row_settings.bootstrap, known), record)


def _of_several_domains(counts: Mapping[Group, GroupCounts]) -> dict[Group, GroupCounts]:
    """Return the counts of corpora that have more than one domain."""
    domains: dict[str, set[str | None]] = {}
    for group in counts:
        domains.setdefault(group.corpus, set()).add(group.domain)
    return {group: part for group, part in counts.items() if len(domains[group.corpus]) > 1}
