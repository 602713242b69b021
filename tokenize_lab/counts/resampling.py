"""Resampled counts of many groups: one matrix product for all that have as many units.

Each count of each group is a column, the resamples are rows of weights, and their product is every
sum at once. Groups of as many units share the weights, which are drawn once; what tokenizers of one
text have in common is one column. Whole numbers far below 2^53 add up exactly, so neither the order
of groups nor how they fall into blocks changes a digit.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from corpora.bootstrap import DocumentBootstrap
from tokenize_lab.counts.fields import FIELD_INDEX
from tokenize_lab.counts.narrow import CountColumn, NarrowUnits
from tokenize_lab.counts.schema import GroupCounts
from tokenize_lab.tokenizer import FloatArray, IntArray

_MOST_SUMS = 1 << 21  # resampled sums held at a time: 16 MB


def resampled(
    parts: Sequence[GroupCounts], bootstrap: DocumentBootstrap
) -> Iterator[tuple[int, FloatArray]]:
    """Yield the place of each group and its resampled counts, [replicates, len(FIELDS)].

    Groups of as many units follow one another, in their order; those of fewer than two have none.
    Units without documents are not resampled: a domain of a parallel corpus leaves the units of
    other domains empty.
    """
    if not bootstrap.replicates:
        return
    by_size: dict[int, list[int]] = {}
    for place, part in enumerate(parts):
        if part.size > 1:
            by_size.setdefault(int(np.count_nonzero(part.column("documents"))), []).append(place)
    for size in sorted(size for size in by_size if size > 1):
        block = _Block(bootstrap)
        for place in by_size[size]:
            block.add(place, parts[place].narrow)
            if len(block.columns) * bootstrap.replicates > _MOST_SUMS:
                yield from block.sums()
                block = _Block(bootstrap)
        yield from block.sums()


def resampled_alone(part: GroupCounts, bootstrap: DocumentBootstrap) -> FloatArray | None:
    """Return one group's resampled counts, [replicates, len(FIELDS)]; None for fewer than two
    units."""
    return next((sums for _, sums in resampled([part], bootstrap)), None)


class _Block:
    """Distinct columns of several groups of as many units."""

    def __init__(self, bootstrap: DocumentBootstrap) -> None:
        self.columns: list[CountColumn] = []
        self._bootstrap = bootstrap
        self._known: dict[tuple[str, bytes], int] = {}
        self._groups: list[tuple[int, IntArray]] = []

    def add(self, place: int, table: NarrowUnits) -> None:
        """Add a group by the columns that no other has."""
        filled = np.flatnonzero(table.column(FIELD_INDEX["documents"]))
        if len(filled) < table.units:
            table = table.of_units(filled)
        own = []
        for column in table.columns:
            known_as = column.dtype.str, column.tobytes()
            if known_as not in self._known:
                self._known[known_as] = len(self.columns)
                self.columns.append(column)
            own.append(self._known[known_as])
        self._groups.append((place, np.array([*own, -1])[table.places]))

    def sums(self) -> Iterator[tuple[int, FloatArray]]:
        """Yield the place and the resampled counts of each group."""
        if not self._groups:
            return
        nothing = np.zeros_like(self.columns[0])  # the last, which place -1 is
        table = np.array([*self.columns, nothing], np.float64)
        sums = self._bootstrap.sums(table.T)
        assert sums is not None
        for place, columns in self._groups:
            yield place, sums.T[columns].T
