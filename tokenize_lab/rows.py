"""From grouped counts to the rows that people read: rates, intervals, comparisons.

Three comparisons need more than one group. Parity and premium set a language beside the reference
language over the lines that both have; Gini sets all languages of a tokenizer beside one another; a
difference sets a tokenizer beside the baseline on the same text. All replicates are paired.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from corpora.bootstrap import DocumentBootstrap, Interval
from tokenize_lab.counts.fields import FIELD_INDEX, FIELDS
from tokenize_lab.counts.schema import Group, GroupCounts, aligned_languages, place_of, references
from tokenize_lab.rates import (
    LEAST_COMPARABLE,
    RATES,
    RENYI_ORDERS,
    gini,
    renyi_efficiency,
    zipf_slope,
)
from tokenize_lab.tokenizer import FloatArray, IntArray

if TYPE_CHECKING:
    import polars as pl

MeasureRow = dict[str, Any]

RELATIVE_RATES = {
    "parity": "bytes of this language / bytes of the reference over the same aligned lines",
    "premium": "tokens of this language / tokens of the reference over the same aligned lines",
    "gini": "Gini coefficient of tokens per aligned line over the tokenizer's languages",
}


def flat_row(row: MeasureRow) -> MeasureRow:
    """Return a row without rows inside: an interval as two values, a difference as three."""
    flat = {k: v for k, v in row.items() if not isinstance(v, dict)}
    for name, interval in row["intervals"].items():
        flat[f"{name}_low"], flat[f"{name}_high"] = interval or (None, None)
    for name, difference in row.get("difference", {}).items():
        if isinstance(difference, dict):
            flat[f"{name}_difference"] = difference["value"]
            interval = difference["interval"] or (None, None)
            flat[f"{name}_difference_low"], flat[f"{name}_difference_high"] = interval
    return flat


def rows_frame(rows: Iterable[MeasureRow]) -> "pl.DataFrame":
    """Return rows as a table."""
    import polars as pl
    import polars.selectors as cs

    frame = pl.DataFrame(
        [flat_row(row) for row in rows],
        schema_overrides=dict.fromkeys(Group._fields, pl.String),
        infer_schema_length=None,
    )
    return frame.with_columns(cs.by_dtype(pl.Null).cast(pl.Float64))  # what no row has


@dataclass(frozen=True)
class RowSettings:
    """How rows are derived.

    Attributes:
        vocabulary_sizes: declared V by tokenizer.
        word_segmenter: the segmenter behind `words`.
        reference: language that parity and premium compare with, or a prefix of it (`eng`).
        baseline: tokenizer that differences compare with, or None for no differences.
        bootstrap: how intervals are made.
    """

    vocabulary_sizes: dict[str, int]
    word_segmenter: str
    reference: str = "eng"
    baseline: str | None = None
    bootstrap: DocumentBootstrap = field(default_factory=DocumentBootstrap)


class _Sums(NamedTuple):
    """A group's counts, summed: the estimate, and its replicates if there are any."""

    total: IntArray
    replicates: FloatArray | None

    @classmethod
    def of(cls, part: GroupCounts, bootstrap: DocumentBootstrap) -> "_Sums":
        return cls(part.total, part.resampled(bootstrap))


def measure_rows(counts: dict[Group, GroupCounts], settings: RowSettings) -> list[MeasureRow]:
    """Return one row of counts, rates and intervals for each group, in order.

    NaN never appears: what is not defined or was not measured is None.
    """
    return list(iterate_rows(counts, settings))


def iterate_rows(counts: dict[Group, GroupCounts], settings: RowSettings) -> Iterator[MeasureRow]:
    """Yield what `measure_rows` returns, one row at a time."""
    if not counts:
        return
    bootstrap = settings.bootstrap
    totals = np.stack([part.total for part in counts.values()])
    rates = {name: _numbers(rate_values(name, totals)) for name in RATES}
    ranks = _ranks(counts, rates["bytes_per_token"], rates["lost_share"])

    @lru_cache(maxsize=128)  # references and baselines come again; the rest need not be kept
    def sums_of(group: Group) -> _Sums:
        return _Sums.of(counts[group], bootstrap)

    ginis = _ginis(counts, bootstrap)
    reference_of = references(counts, settings.reference)
    for i, (group, part) in enumerate(counts.items()):
        sums = sums_of(group)
        values = {name: column[i] for name, column in rates.items()}
        intervals = {
            name: None
            if values[name] is None or sums.replicates is None
            else bootstrap.interval(rate.of(sums.replicates))
            for name, rate in RATES.items()
        }
        pair = None
        reference = reference_of.get(place_of(group))
        if reference is not None and group.language is not None and part.aligned:
            if np.array_equal(_documents(part), _documents(counts[reference])):
                pair = sums, sums_of(reference)
            else:
                pair = _over_common_lines(part, counts[reference], bootstrap)
        for name, counted in (("parity", "bytes"), ("premium", "tokens")):
            values[name], intervals[name] = _ratio(pair, counted, bootstrap)
        values["gini"], intervals["gini"] = ginis.get(group, (None, None))
        row: MeasureRow = {
            **group._asdict(),
            "word_segmenter": settings.word_segmenter,
            **dict(zip(FIELDS, sums.total.tolist(), strict=True)),
            **values,
            "rank": ranks[i],
            **_distribution(part, settings.vocabulary_sizes[group.tokenizer]),
            "intervals": intervals,
        }
        baseline = group._replace(tokenizer=settings.baseline or group.tokenizer)
        if baseline != group and baseline in counts:
            difference = _difference(sums, sums_of(baseline), bootstrap)
            row["difference"] = {"baseline": settings.baseline, **difference}
        yield row


def rate_values(name: str, sums: IntArray) -> FloatArray:
    """Return a rate of [..., len(FIELDS)] counts, NaN also where it rests on too little text."""
    values = RATES[name].of(sums)
    if (rests_on := RATES[name].rests_on) is not None:
        # No share of nothing: there, nothing was measured either.
        values = np.where(RATES[rests_on].of(sums) < LEAST_COMPARABLE, np.nan, values)
    return values


def _ranks(
    counts: dict[Group, GroupCounts], rates: list[float | None], lost: list[float | None]
) -> list[int | None]:
    """Return each group's rank by bytes per token among the tokenizers of the same text, from 1;
    None where text is lost, so that its tokens stand for less than they seem to."""
    found: dict[Group, list[float]] = {}
    kept = [rate if not share else None for rate, share in zip(rates, lost, strict=True)]
    for group, rate in zip(counts, kept, strict=True):
        if rate is not None:
            found.setdefault(group._replace(tokenizer=""), []).append(rate)
    return [
        None if rate is None else 1 + sum(r > rate for r in found[group._replace(tokenizer="")])
        for group, rate in zip(counts, kept, strict=True)
    ]


def _difference(sums: _Sums, baseline: _Sums, bootstrap: DocumentBootstrap) -> MeasureRow:
    result: MeasureRow = {}
    for name, rate in RATES.items():
        value = _number(rate_values(name, sums.total) - rate_values(name, baseline.total))
        interval = None
        if value is not None and sums.replicates is not None and baseline.replicates is not None:
            interval = bootstrap.interval(rate.of(sums.replicates) - rate.of(baseline.replicates))
        result[name] = {"value": value, "interval": interval}
    return result


def _over_common_lines(
    part: GroupCounts, other: GroupCounts, bootstrap: DocumentBootstrap
) -> tuple[_Sums, _Sums] | None:
    """Return the sums of two languages over the lines that both have; None where units hold several
    lines, of which it is not known which are missing."""
    rows = min(len(part.units), len(other.units))
    lines = np.stack([_documents(part)[:rows], _documents(other)[:rows]])
    common = (lines > 0).all(0)
    if not common.any() or lines.max() > 1:
        return None
    above, below = (
        _Sums.of(GroupCounts(units[:rows][common]), bootstrap)
        for units in (part.units, other.units)
    )
    return above, below


def _documents(part: GroupCounts) -> IntArray:
    return part.units[:, FIELD_INDEX["documents"]]


def _ratio(
    pair: tuple[_Sums, _Sums] | None, counted: str, bootstrap: DocumentBootstrap
) -> tuple[float | None, Interval | None]:
    i = FIELD_INDEX[counted]
    if pair is None or not pair[1].total[i]:
        return None, None
    above, below = pair
    value = float(above.total[i] / below.total[i])
    if above.replicates is None or below.replicates is None:
        return value, None
    with np.errstate(divide="ignore", invalid="ignore"):
        # A resample of empty lines alone has no ratio; `interval` then gives none.
        return value, bootstrap.interval(above.replicates[:, i] / below.replicates[:, i])


def _ginis(
    counts: dict[Group, GroupCounts], bootstrap: DocumentBootstrap
) -> dict[Group, tuple[float | None, Interval | None]]:
    """Return Gini and its interval for every language that is part of one."""
    result: dict[Group, tuple[float | None, Interval | None]] = {}
    tokens = FIELD_INDEX["tokens"]
    for groups in aligned_languages(counts).values():
        value = _number(gini([counts[group].units[:, tokens].sum() for group in groups]))
        sums = [counts[group].resampled(bootstrap, [tokens]) for group in groups]
        columns = [drawn[:, tokens] for drawn in sums if drawn is not None]
        interval = None
        if value is not None and columns:
            interval = bootstrap.interval(gini(np.stack(columns, axis=-1)))
        result |= dict.fromkeys(groups, (value, interval))
    return result


def _distribution(part: GroupCounts, vocabulary_size: int) -> MeasureRow:
    """Measures of the id distribution. They have no interval: resampled text holds fewer distinct
    ids than the text itself, so replicates of an entropy are biased, not spread about it."""
    histogram = part.histogram.settle().occurrences
    used = len(histogram)
    row: MeasureRow = {
        "vocabulary_size": vocabulary_size,
        "distinct_tokens": used or None,
        "vocabulary_use": used / vocabulary_size if used else None,
        "zipf_slope": zipf_slope(histogram) if used else None,
    }
    for order in RENYI_ORDERS:
        row[f"renyi_{order:g}_declared"] = renyi_efficiency(histogram, order, vocabulary_size)
        row[f"renyi_{order:g}_observed"] = renyi_efficiency(histogram, order, used)
    return row


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _numbers(values: FloatArray) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]
