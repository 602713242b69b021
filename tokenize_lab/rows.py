"""From grouped counts to the rows that people read: rates, intervals, comparisons.

Three comparisons need more than one group. Parity and premium set a language beside the reference
language over the same aligned lines; Gini sets all languages of a tokenizer beside one another; a
difference sets a tokenizer beside the baseline on the same text. All replicates are paired.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.bootstrap import Bootstrap
from tokenize_lab.counts import Group, GroupCounts
from tokenize_lab.distribution import RENYI_ORDERS, gini, renyi_efficiency, zipf_slope
from tokenize_lab.fields import FIELD_INDEX, FIELDS
from tokenize_lab.rates import RATES

Row = dict[str, Any]

RELATIVE_RATES = {
    "parity": "bytes of this language / bytes of the reference over the same aligned lines",
    "premium": "tokens of this language / tokens of the reference over the same aligned lines",
    "gini": "Gini coefficient of tokens per aligned line over the tokenizer's languages",
}


@dataclass(frozen=True)
class RowSettings:
    """How rows are derived.

    Attributes:
        vocabulary_sizes: declared V by tokenizer.
        word_segmenter: the segmenter behind `words`.
        reference: language that parity and premium compare with, or a prefix of it (`eng`).
        baseline: tokenizer that differences compare with, or None for no differences.
        bootstrap: how intervals are made, or None for none.
    """

    vocabulary_sizes: dict[str, int]
    word_segmenter: str
    reference: str = "eng"
    baseline: str | None = None
    bootstrap: Bootstrap | None = field(default_factory=Bootstrap)


@dataclass(frozen=True)
class _Sums:
    """A group's counts, summed: the estimate, and its replicates if there are any."""

    total: NDArray[np.int64]
    replicates: NDArray[np.float64] | None


def measure_rows(counts: dict[Group, GroupCounts], settings: RowSettings) -> list[Row]:
    """Return one row of counts, rates and intervals for each group, in order.

    NaN never appears: what is not defined or was not measured is None.
    """
    bootstrap = settings.bootstrap
    sums = {
        group: _Sums(part.total, bootstrap.sums(part) if bootstrap else None)
        for group, part in counts.items()
    }
    ginis = _ginis(counts, sums, bootstrap)
    rows = []
    for group, part in counts.items():
        row: Row = {**group._asdict(), "word_segmenter": settings.word_segmenter}
        row |= {name: int(part.total[FIELD_INDEX[name]]) for name in FIELDS}
        values, intervals = _rates(sums[group], bootstrap)
        for name, counted in (("parity", "bytes"), ("premium", "tokens")):
            reference = _reference(group, counts, settings.reference)
            values[name], intervals[name] = _ratio(
                sums[group], sums[reference] if reference else None, counted, bootstrap
            )
        values["gini"], intervals["gini"] = ginis.get((group.tokenizer, group.corpus), (None, None))
        row |= values
        row |= _distribution(part, settings.vocabulary_sizes[group.tokenizer])
        row["intervals"] = intervals
        baseline = group._replace(tokenizer=settings.baseline or group.tokenizer)
        if baseline != group and baseline in sums:
            row["difference"] = {
                "baseline": settings.baseline,
                **_difference(sums[group], sums[baseline], bootstrap),
            }
        rows.append(row)
    return rows


def _rates(sums: _Sums, bootstrap: Bootstrap | None) -> tuple[Row, Row]:
    values: Row = {}
    intervals: Row = {}
    for name, rate in RATES.items():
        values[name] = _number(rate.of(sums.total))
        intervals[name] = None
        if bootstrap and sums.replicates is not None and values[name] is not None:
            intervals[name] = bootstrap.interval(rate.of(sums.replicates))
    return values, intervals


def _difference(sums: _Sums, baseline: _Sums, bootstrap: Bootstrap | None) -> Row:
    result: Row = {}
    for name, rate in RATES.items():
        value = _number(rate.of(sums.total) - rate.of(baseline.total))
        interval = None
        if bootstrap and sums.replicates is not None and baseline.replicates is not None:
            interval = bootstrap.interval(rate.of(sums.replicates) - rate.of(baseline.replicates))
        result[name] = {"value": value, "interval": interval if value is not None else None}
    return result


def _reference(group: Group, counts: dict[Group, GroupCounts], language: str) -> Group | None:
    """Return the group of the reference language whose lines align with this group's."""
    if group.language is None or not counts[group].aligned:
        return None
    for other, part in counts.items():
        if other.language is None or not part.aligned or not other.language.startswith(language):
            continue
        same_place = other._replace(language=group.language) == group
        if same_place and np.array_equal(_documents(part), _documents(counts[group])):
            return other
    return None


def _documents(part: GroupCounts) -> NDArray[np.int64]:
    return part.units[:, FIELD_INDEX["documents"]]


def _ratio(
    above: _Sums, below: _Sums | None, counted: str, bootstrap: Bootstrap | None
) -> tuple[float | None, Any]:
    if below is None:
        return None, None
    i = FIELD_INDEX[counted]
    value = _number(np.float64(above.total[i]) / below.total[i]) if below.total[i] else None
    if not bootstrap or above.replicates is None or below.replicates is None or value is None:
        return value, None
    return value, bootstrap.interval(above.replicates[:, i] / below.replicates[:, i])


def _ginis(
    counts: dict[Group, GroupCounts], sums: dict[Group, _Sums], bootstrap: Bootstrap | None
) -> dict[tuple[str, str], tuple[float | None, Any]]:
    """Return Gini and its interval for each tokenizer and corpus with aligned languages."""
    result = {}
    tokens = FIELD_INDEX["tokens"]
    for key, groups in aligned_languages(counts).items():
        value = _number(gini([sums[group].total[tokens] for group in groups]))
        replicates = [sums[group].replicates for group in groups]
        interval = None
        if bootstrap and value is not None and all(r is not None for r in replicates):
            columns = [r[:, tokens] for r in replicates if r is not None]
            interval = bootstrap.interval(gini(np.stack(columns, axis=-1)))
        result[key] = (value, interval)
    return result


def aligned_languages(counts: dict[Group, GroupCounts]) -> dict[tuple[str, str], Sequence[Group]]:
    """Return, by tokenizer and corpus, the aligned languages that hold the same lines.

    Empty where rows are split further than by language: their costs are not whole languages'.
    """
    result: dict[tuple[str, str], list[Group]] = {}
    for group, part in counts.items():
        whole = group.language is not None and group.domain is None and group.document is None
        if whole and part.aligned:
            known = result.setdefault((group.tokenizer, group.corpus), [])
            if not known or np.array_equal(_documents(counts[known[0]]), _documents(part)):
                known.append(group)
    return {key: groups for key, groups in result.items() if len(groups) > 1}


def _distribution(part: GroupCounts, vocabulary_size: int) -> Row:
    """Measures of the id distribution. They have no interval: resampled text holds fewer distinct
    ids than the text itself, so replicates of an entropy are biased, not spread about it."""
    histogram = part.histogram.settle().occurrences
    used = len(histogram)
    row: Row = {"vocabulary_size": vocabulary_size, "distinct_tokens": used if used else None}
    row["vocabulary_use"] = used / vocabulary_size if used else None
    row["zipf_slope"] = zipf_slope(histogram)
    for order in RENYI_ORDERS:
        row[f"renyi_{order:g}_declared"] = renyi_efficiency(histogram, order, vocabulary_size)
        row[f"renyi_{order:g}_observed"] = renyi_efficiency(histogram, order, used)
    return row


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
