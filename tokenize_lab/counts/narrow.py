"""Counts of units in as few bytes as they need.

Of some thirty counts most are nothing, or the same as another: of a tokenizer that loses no text,
as many documents are exact as there are. Each distinct column is kept once, in the narrowest type
that holds it, which takes a tenth of the memory of the table, and a resample sums it once.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.tokenizer import IntArray

CountColumn = NDArray[np.unsignedinteger | np.int64]
_NARROW = (np.uint8, np.uint16, np.uint32)


class NarrowUnits(NamedTuple):
    """A table of counts by its distinct columns.

    Attributes:
        units: rows of the table.
        columns: [units] each; those of nothing but zeros are left out.
        places: [len(FIELDS)] which of these a count is, -1 for nothing.
        total: [len(FIELDS)] int64, the sum over all units.
    """

    units: int
    columns: tuple[CountColumn, ...]
    places: NDArray[np.int8]
    total: IntArray

    @classmethod
    def of(cls, columns: Sequence[CountColumn]) -> "NarrowUnits":
        """Return the table whose columns these are: at least one, each [units], none below 0."""
        places, kept = np.full(len(columns), -1, np.int8), list[CountColumn]()
        known: dict[tuple[str, bytes], int] = {}
        total = np.array([column.sum(dtype=np.int64) for column in columns], np.int64)
        for i, column in enumerate(columns):
            if total[i]:
                known_as = column.dtype.str, column.tobytes()
                if known_as not in known:
                    known[known_as] = len(kept)
                    # A copy: what it is a piece of need not be kept for it.
                    kept.append(np.frombuffer(known_as[1], column.dtype))
                places[i] = known[known_as]
        return cls(len(columns[0]), tuple(kept), places, total)

    def column(self, place: int) -> IntArray:
        """Return [units] of one count."""
        if self.places[place] < 0:
            return np.zeros(self.units, np.int64)
        return np.asarray(self.columns[self.places[place]], np.int64)

    def wide(self) -> IntArray:
        """Return [units, len(FIELDS)], a copy."""
        table = np.zeros((self.units, len(self.places)), np.int64)
        for i, place in enumerate(self.places.tolist()):
            if place >= 0:
                table[:, i] = self.columns[place]
        return table

    def of_units(self, kept: IntArray) -> "NarrowUnits":
        """Return the table of the units of these numbers."""
        columns = tuple(column[kept] for column in self.columns)
        sums = [*(column.sum(dtype=np.int64) for column in columns), 0]
        return NarrowUnits(len(kept), columns, self.places, np.array(sums, np.int64)[self.places])

    def at(self, numbers: IntArray) -> "NarrowUnits":
        """Return the table with its units at these numbers, ascending, and nothing between."""
        if len(numbers) == numbers[-1] + 1:
            return self
        columns = tuple(np.zeros(numbers[-1] + 1, column.dtype) for column in self.columns)
        for spread, column in zip(columns, self.columns, strict=True):
            spread[numbers] = column
        return self._replace(units=int(numbers[-1]) + 1, columns=columns)


def narrow(column: IntArray) -> CountColumn:
    """Return a column of counts in the narrowest type that holds them."""
    least, most = (int(column.min()), int(column.max())) if len(column) else (0, 0)
    fitting = (kind for kind in _NARROW if least >= 0 and most <= np.iinfo(kind).max)
    return column.astype(next(fitting, np.int64))


def narrowed(units: IntArray) -> NarrowUnits:
    """Return [units, len(FIELDS)] in few bytes."""
    return NarrowUnits.of([narrow(column) for column in np.ascontiguousarray(units.T)])
