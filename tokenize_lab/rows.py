"""From grouped counts to the rows that people read: rates, intervals, comparisons.

Three comparisons need more than one group. Parity and premium set a language beside the reference
language over the lines that both have; Gini sets all languages of a tokenizer beside one another; a
difference sets a tokenizer beside the baseline on the same text. All replicates are paired.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from corpora.bootstrap import DocumentBootstrap
from tokenize_lab.counts.documents import CountsByDocument
from tokenize_lab.counts.fields import FIELD_INDEX, FIELDS
from tokenize_lab.counts.schema import Group, GroupCounts, aligned_languages, place_of, references
from tokenize_lab.intervals import GroupIntervals, group_intervals
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


def measure_rows(counts: Mapping[Group, GroupCounts], settings: RowSettings) -> list[MeasureRow]:
    """Return one row of counts, rates and intervals for each group, in order.

    NaN never appears: what is not defined or was not measured is None.
    """
    return list(iterate_rows(counts, settings))


def iterate_rows(
    counts: Mapping[Group, GroupCounts], settings: RowSettings
) -> Iterator[MeasureRow]:
    """Yield what `measure_rows` returns, one row at a time."""
    if isinstance(counts, CountsByDocument):
        for beside, piece in counts.beside(settings.reference):
            yield from islice(_rows(beside, settings), piece.start, piece.stop)
    elif counts:
        yield from _rows(counts, settings)


def _rows(counts: Mapping[Group, GroupCounts], settings: RowSettings) -> Iterator[MeasureRow]:
    totals = np.stack([part.total for part in counts.values()])
    rate_of = {name: rate_values(name, totals) for name in RATES}
    rates = {name: _numbers(values) for name, values in rate_of.items()}
    ranks = _ranks(counts, rates["bytes_per_token"], rates["lost_share"])
    places = {group: place for place, group in enumerate(counts)}
    pairs = _pairs(counts, settings.reference)
    ginis = _ginis(counts)
    found = group_intervals(counts, pairs, settings.baseline, settings.bootstrap)
    for i, (group, part) in enumerate(counts.items()):
        values = {name: column[i] for name, column in rates.items()}
        for name, counted in (("parity", "bytes"), ("premium", "tokens")):
            values[name] = _ratio(pairs.get(group), counted)
        values["gini"] = ginis.get(group)
        own, differences = found.get(group, GroupIntervals({}, {}))
        row: MeasureRow = {
            **group._asdict(),
            "word_segmenter": settings.word_segmenter,
            **dict(zip(FIELDS, totals[i].tolist(), strict=True)),
            **values,
            "rank": ranks[i],
            **_distribution(part, settings.vocabulary_sizes[group.tokenizer]),
            "intervals": {
                name: None if value is None else own.get(name) for name, value in values.items()
            },
        }
        baseline = group._replace(tokenizer=settings.baseline or group.tokenizer)
        if baseline != group and baseline in counts:
            beside = places[baseline]
            values = {name: _number(of[i] - of[beside]) for name, of in rate_of.items()}
            row["difference"] = {
                "baseline": settings.baseline,
                **{
                    name: {
                        "value": value,
                        "interval": None if value is None else differences.get(name),
                    }
                    for name, value in values.items()
                },
            }
        yield row


def rate_values(name: str, sums: IntArray) -> FloatArray:
    """Return a rate of [..., len(FIELDS)] counts, NaN also where it rests on too little text."""
    values = RATES[name].of(sums)
    if (rests_on := RATES[name].rests_on) is not None:
        # No share of nothing: there, nothing was measured either.
        values = np.where(RATES[rests_on].of(sums) < LEAST_COMPARABLE, np.nan, values)
    return values


def _ranks(
    counts: Mapping[Group, GroupCounts], rates: list[float | None], lost: list[float | None]
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


def _pairs(
    counts: Mapping[Group, GroupCounts], language: str
) -> dict[Group, tuple[GroupCounts, GroupCounts]]:
    """Return, for each aligned language that has lines in common with the reference, its counts and
    the reference's over these lines."""
    pairs = {}
    reference_of = references(counts, language)
    for group, part in counts.items():
        reference = reference_of.get(place_of(group))
        if reference is None or group.language is None or not part.aligned:
            continue
        other = counts[reference]
        if np.array_equal(part.column("documents"), other.column("documents")):
            pairs[group] = part, other
        elif (common := _over_common_lines(part, other)) is not None:
            pairs[group] = common
    return pairs


def _over_common_lines(
    part: GroupCounts, other: GroupCounts
) -> tuple[GroupCounts, GroupCounts] | None:
    """Return the counts of two languages over the lines that both have; None where units hold
    several lines, of which it is not known which are missing."""
    rows = min(part.size, other.size)
    lines = np.stack([each.column("documents")[:rows] for each in (part, other)])
    common = np.flatnonzero((lines > 0).all(0))
    if not len(common) or lines.max() > 1:
        return None
    return GroupCounts(part.narrow.of_units(common)), GroupCounts(other.narrow.of_units(common))


def _ratio(pair: tuple[GroupCounts, GroupCounts] | None, counted: str) -> float | None:
    i = FIELD_INDEX[counted]
    if pair is None or not pair[1].total[i]:
        return None
    return float(pair[0].total[i] / pair[1].total[i])


def _ginis(counts: Mapping[Group, GroupCounts]) -> dict[Group, float | None]:
    """Return the Gini coefficient for every language that is part of one."""
    result: dict[Group, float | None] = {}
    tokens = FIELD_INDEX["tokens"]
    for groups in aligned_languages(counts).values():
        value = _number(gini([counts[group].total[tokens] for group in groups]))
        result |= dict.fromkeys(groups, value)
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
