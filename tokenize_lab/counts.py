"""Counts of a measured corpus: additive, grouped, in units that intervals can resample.

A unit is a document, or an aligned line, as long as there are at most `MOST_UNITS` of them in a
group; beyond that, every `MOST_UNITS`-th document falls into the same unit, so memory does not grow
with the corpus and units stay exchangeable. Units of equal number hold translations of one another
in a parallel corpus, and the same documents for every tokenizer.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.fields import FIELDS

MOST_UNITS = 2048


class Group(NamedTuple):
    """What a row of counts is about. A part that was summed over is None."""

    tokenizer: str
    corpus: str
    language: str | None
    domain: str | None
    document: str | None


@dataclass
class Histogram:
    """How often each id of a vocabulary occurs, kept as sorted ids and counts."""

    ids: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))
    occurrences: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    _waiting: list[tuple[NDArray[np.uint32], NDArray[np.int64]]] = field(default_factory=list)
    _waiting_size: int = 0

    def add(self, ids: NDArray[np.uint32], occurrences: NDArray[np.int64]) -> None:
        """Add occurrences; the sum is made when enough has gathered, or when asked for."""
        self._waiting.append((ids, occurrences))
        self._waiting_size += len(ids)
        if self._waiting_size > max(1 << 16, 4 * len(self.ids)):
            self.settle()

    def settle(self) -> "Histogram":
        """Sum what is waiting and return self."""
        if self._waiting:
            parts = [(self.ids, self.occurrences), *self._waiting]
            ids = np.concatenate([part[0] for part in parts])
            occurrences = np.concatenate([part[1] for part in parts])
            order = np.argsort(ids, kind="stable")
            ids = ids[order]
            first = np.flatnonzero(np.diff(ids, prepend=np.int64(-1)))
            self.ids = ids[first]
            self.occurrences = np.add.reduceat(occurrences[order], first)
            self._waiting, self._waiting_size = [], 0
        return self


@dataclass
class GroupCounts:
    """Counts of one group.

    Attributes:
        units: [units, len(FIELDS)] int64.
        histogram: of the group's token ids.
        aligned: whether units are numbered by alignment.
    """

    units: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, len(FIELDS)), np.int64))
    histogram: Histogram = field(default_factory=Histogram)
    aligned: bool = True

    @property
    def total(self) -> NDArray[np.int64]:
        """[len(FIELDS)] int64, the sum over all units."""
        return np.asarray(self.units.sum(0))

    def add(self, first_unit: int, table: NDArray[np.int64]) -> None:
        """Add documents' counts, [documents, len(FIELDS)], numbered on from `first_unit`."""
        while len(table):
            start = first_unit % MOST_UNITS
            part = table[: MOST_UNITS - start]
            stop = start + len(part)
            if stop > len(self.units):
                more = np.zeros((stop - len(self.units), len(FIELDS)), np.int64)
                self.units = np.concatenate([self.units, more])
            self.units[start:stop] += part
            first_unit += len(part)
            table = table[len(part) :]


def merged(counts: dict[Group, GroupCounts], keep: Iterable[str]) -> dict[Group, GroupCounts]:
    """Sum groups over every part not kept (`language`, `domain`, `document`); order is kept."""
    keep = set(keep)
    result: dict[Group, GroupCounts] = {}
    for group, part in counts.items():
        coarse = Group(
            group.tokenizer,
            group.corpus,
            group.language if "language" in keep else None,
            group.domain if "domain" in keep else None,
            group.document if "document" in keep else None,
        )
        into = result.setdefault(coarse, GroupCounts(aligned=part.aligned))
        into.aligned = into.aligned and part.aligned
        into.add(0, part.units)
        histogram = part.histogram.settle()
        into.histogram.add(histogram.ids, histogram.occurrences)
    for into in result.values():
        into.histogram.settle()
    return result
