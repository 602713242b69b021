"""The intervals of rows, made size by size: what a resample is drawn for once serves all of them.

Every replicate is paired: of a rate over tokenizers, of a cost over languages.
"""

from collections.abc import Mapping
from itertools import chain
from typing import NamedTuple

import numpy as np

from corpora.bootstrap import DocumentBootstrap, Interval
from tokenize_lab.counts.fields import FIELD_INDEX
from tokenize_lab.counts.resampling import resampled, resampled_alone
from tokenize_lab.counts.schema import Group, GroupCounts, aligned_languages
from tokenize_lab.rates import RATES, gini
from tokenize_lab.tokenizer import FloatArray

NamedIntervals = dict[str, Interval | None]
_COSTS = ("bytes", "tokens")  # what parity and premium are ratios of


class GroupIntervals(NamedTuple):
    """The intervals of a group, by name; without those that it has none of.

    Attributes:
        rates: of its rates, of parity, premium and Gini.
        differences: of its rates less the baseline's.
    """

    rates: NamedIntervals
    differences: NamedIntervals


def group_intervals(
    counts: Mapping[Group, GroupCounts],
    pairs: Mapping[Group, tuple[GroupCounts, GroupCounts]],
    baseline: str | None,
    bootstrap: DocumentBootstrap,
) -> dict[Group, GroupIntervals]:
    """Return the intervals of every group of two units or more.

    Arguments:
        pairs: a group's counts and those of its reference language, over the same lines.
        baseline: the tokenizer that differences are taken to.
    """
    found: dict[Group, GroupIntervals] = {}
    ginis = aligned_languages(counts)
    groups = _text_by_text(counts, baseline)
    parts = [counts[group] for group in groups]
    compared = {id(part): part for pair in pairs.values() for part in pair}
    compared |= {id(counts[group]): counts[group] for group in chain(*ginis.values())}
    known = {id(part) for part in parts}
    parts += [part for place, part in compared.items() if place not in known]
    costs: dict[int, FloatArray] = {}
    standard = _Baseline(counts, baseline, bootstrap)
    for place, sums in resampled(parts, bootstrap):
        if id(parts[place]) in compared:
            costs[id(parts[place])] = sums.T[[FIELD_INDEX[name] for name in _COSTS]]
        if place < len(groups):
            drawn = _rates(sums)
            intervals = dict(zip(RATES, bootstrap.intervals(drawn), strict=True))
            beside = standard.rates(groups[place], drawn)
            differences: NamedIntervals = {}
            if beside is not None:
                ends = bootstrap.intervals(drawn - beside)
                differences = dict(zip(RATES, ends, strict=True))
            found[groups[place]] = GroupIntervals(intervals, differences)
    for group, (above, below) in pairs.items():
        if id(above) in costs and id(below) in costs:
            with np.errstate(divide="ignore", invalid="ignore"):
                # A resample of empty lines alone has no ratio, and then there is no interval.
                ratios = costs[id(above)] / costs[id(below)]
            ends = bootstrap.intervals(ratios)
            found[group].rates.update(zip(("parity", "premium"), ends, strict=True))
    for members in ginis.values():
        drawn_costs = [costs[id(counts[g])][1] for g in members if id(counts[g]) in costs]
        if drawn_costs:
            interval = bootstrap.interval(gini(np.stack(drawn_costs, axis=-1)))
            for group in members:
                found[group].rates["gini"] = interval
    return found


def _text_by_text(counts: Mapping[Group, GroupCounts], baseline: str | None) -> list[Group]:
    """Return groups of two units or more, those of one text together, the baseline's first."""
    texts: dict[Group, list[Group]] = {}
    for group, part in counts.items():
        if part.size > 1:
            of_text = texts.setdefault(group._replace(tokenizer=""), [])
            of_text.insert(0 if group.tokenizer == baseline else len(of_text), group)
    return [*chain(*texts.values())]


def _rates(sums: FloatArray) -> FloatArray:
    """Return [len(RATES), replicates] of resampled counts."""
    return np.stack([rate.of(sums) for rate in RATES.values()])


class _Baseline:
    """The baseline's replicates on the text at hand."""

    def __init__(
        self,
        counts: Mapping[Group, GroupCounts],
        baseline: str | None,
        bootstrap: DocumentBootstrap,
    ) -> None:
        self._counts, self._name, self._bootstrap = counts, baseline, bootstrap
        self._text: Group | None = None
        self._drawn: FloatArray | None = None

    def rates(self, group: Group, drawn: FloatArray) -> FloatArray | None:
        """Return the baseline's rates, [len(RATES), replicates], on the text of a group whose own
        are given; None for the baseline itself, or where it did not read that text."""
        if self._name is None:
            return None
        text = group._replace(tokenizer=self._name)
        if text == group:
            self._text, self._drawn = text, drawn
            return None
        if text != self._text:
            # Of another number of units: it comes at another time.
            sums = None
            if text in self._counts:
                sums = resampled_alone(self._counts[text], self._bootstrap)
            self._text, self._drawn = text, None if sums is None else _rates(sums)
        return self._drawn
