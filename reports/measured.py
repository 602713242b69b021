"""A measured folder as reports need it: rows by language, over everything and by domain."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from reports.paired import Resamples
from reports.palette import SeriesStyle, series_style
from tokenize_lab.alignment import aligned_languages
from tokenize_lab.bootstrap import Bootstrap
from tokenize_lab.counts import MOST_UNITS, Group, GroupCounts, merged
from tokenize_lab.fields import FIELDS
from tokenize_lab.results import Results, load_results
from tokenize_lab.rows import Row, RowSettings, measure_rows


@dataclass(frozen=True)
class Series:
    """One tokenizer: what provenance says of it, and how it is drawn."""

    name: str
    facts: dict[str, Any]
    style: SeriesStyle


@dataclass(frozen=True)
class CorpusResults:
    """One corpus under every tokenizer.

    Attributes:
        index: its place in the report, from 0.
        name: as measured.
        parallel: whether it was declared to hold translations.
        tokenizers: names, in the order of the report.
        counts: by tokenizer and language.
        rows: one for each of these.
        overall: by tokenizer, over all languages and domains.
        domains: one row for each tokenizer and domain; empty unless there are several.
        samples: see `tokenize_lab.samples`.
    """

    index: int
    name: str
    parallel: bool
    tokenizers: Sequence[str]
    counts: dict[Group, GroupCounts]
    rows: Sequence[Row]
    overall: dict[str, Row]
    domains: Sequence[Row]
    samples: Sequence[dict[str, Any]]

    @cached_property
    def languages(self) -> list[str]:
        """Languages, from the best compressed to the worst: by the geometric mean of bytes per
        token over tokenizers."""
        logs: dict[str, list[float]] = {}
        for row in self.rows:
            rate = row["bytes_per_token"]
            logs.setdefault(row["language"], []).append(np.log(rate) if rate else -np.inf)
        return sorted(logs, key=lambda language: (-np.mean(logs[language]), language))

    @cached_property
    def cells(self) -> dict[tuple[str, str], Row]:
        """Rows by language and tokenizer."""
        return {(row["language"], row["tokenizer"]): row for row in self.rows}

    @cached_property
    def aligned(self) -> dict[str, Sequence[Group]]:
        """By tokenizer, the languages that hold the same aligned lines; empty if fewer than 2."""
        return {tokenizer: own for (tokenizer, _), own in aligned_languages(self.counts).items()}

    @cached_property
    def pooled(self) -> dict[str, GroupCounts]:
        """By tokenizer, counts over all languages and domains."""
        return {group.tokenizer: part for group, part in merged(self.counts, []).items()}

    @cached_property
    def lossy(self) -> set[str]:
        """Tokenizers under which some text of this corpus did not come back exactly."""
        return {name for name, row in self.overall.items() if (row["exact_share"] or 0) < 1}

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
    """Derive every row from the counts."""
    record = results.provenance
    settings = record["settings"]
    replicates, seed = settings["replicates"], settings["seed"]
    bootstrap = Bootstrap(replicates, seed) if replicates else None
    series = [
        Series(facts["name"], facts, series_style(i))
        for i, facts in enumerate(record["tokenizers"])
    ]
    row_settings = RowSettings(
        {one.name: one.facts["vocabulary_size"] for one in series},
        settings["word_segmenter"],
        settings["reference"],
        settings["baseline"],
        bootstrap,
    )
    counts = documents_as_units(results.counts)
    by_language = merged(counts, ["language"])
    rows = measure_rows(by_language, row_settings)
    overall = measure_rows(merged(counts, []), row_settings)
    domains = measure_rows(merged(counts, ["domain"]), row_settings)
    corpora = []
    for index, facts in enumerate(record["corpora"]):
        name = facts["name"]
        of_domains = [row for row in domains if row["corpus"] == name]
        several = len({row["domain"] for row in of_domains}) > 1
        corpora.append(
            CorpusResults(
                index,
                name,
                facts["parallel"],
                [one.name for one in series],
                {group: part for group, part in by_language.items() if group.corpus == name},
                [row for row in rows if row["corpus"] == name],
                {row["tokenizer"]: row for row in overall if row["corpus"] == name},
                of_domains if several else [],
                [sample for sample in results.samples if sample["corpus"] == name],
            )
        )
    return Measured(series, corpora, Resamples(bootstrap), record)


def documents_as_units(counts: dict[Group, GroupCounts]) -> dict[Group, GroupCounts]:
    """Make documents that were counted apart the units of their language and domain again.

    Aligned documents of one name take one number, so that they stay paired. Counts that are not by
    document are returned as they are.
    """
    if all(group.document is None for group in counts):
        return counts
    numbers: dict[tuple[Any, ...], dict[str | None, int]] = {}
    result: dict[Group, GroupCounts] = {}
    for group, part in counts.items():
        whole = group._replace(document=None)
        into = result.setdefault(whole, GroupCounts(aligned=part.aligned))
        into.aligned = into.aligned and part.aligned
        shared = (group.corpus,) if part.aligned else (group.corpus, group.language, group.domain)
        known = numbers.setdefault(shared, {})
        unit = known.setdefault(group.document, len(known)) % MOST_UNITS
        if unit >= len(into.units):
            more = np.zeros((unit + 1 - len(into.units), len(FIELDS)), np.int64)
            into.units = np.concatenate([into.units, more])
        into.units[unit] += part.units.sum(0)
    return result
