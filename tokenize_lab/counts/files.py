"""Counts read back from the two tables of a measured folder, a column at a time.

A row is a unit, and a table of forty tokenizers on forty languages has millions of them: as a frame
it would fill gigabytes. A column is made narrow as soon as it is read, and groups are pieces of it.
"""

import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from tokenize_lab.counts.fields import FIELDS
from tokenize_lab.counts.narrow import Column, NarrowUnits, narrow
from tokenize_lab.counts.schema import Group, GroupCounts, Histogram
from tokenize_lab.tokenizer import IntArray

if TYPE_CHECKING:
    import polars as pl

PARTS = list(Group._fields)

# Counts that older folders do not have, as near as theirs allow.
_LATER: dict[str, tuple[tuple[str, ...], Callable[..., IntArray]]] = {
    "lost_bytes": (
        ("bytes", "token_bytes"),
        lambda size, carried: np.maximum(size - carried, 0),
    ),
    "comparable_bytes": (
        ("bytes", "exact_documents", "documents"),
        lambda size, exact, documents: size * exact // documents,
    ),
}


def read_counts(counts: bytes, histograms: bytes) -> dict[Group, GroupCounts]:
    """Return the counts of two Parquet files by group, in the order of the first.

    Raises:
        polars.exceptions.PolarsError, KeyError, ValueError: a file is damaged.
    """
    table = _Table(counts)
    columns = [table.narrow(name) for name in FIELDS]
    unit, aligned = table.narrow("unit"), table.column("aligned")
    result: dict[Group, GroupCounts] = {}
    for group, rows in table.groups():
        own = NarrowUnits.of([column[rows] for column in columns])
        own = own.at(unit[rows].astype(np.int64))  # units without documents are not in the file
        result[group] = GroupCounts(own, aligned=bool(aligned[rows.start]))
    table = _Table(histograms)
    ids = table.column("token_id").to_numpy().astype(np.uint32, copy=False)
    occurrences = table.narrow("occurrences")
    for group, rows in table.groups():
        result[group].histogram = Histogram(ids[rows], occurrences[rows])
    return result


class _Table:
    """A Parquet file whose rows of one group follow one another."""

    def __init__(self, content: bytes) -> None:
        import polars as pl

        self._content = content
        self._names = pl.read_parquet_schema(io.BytesIO(content))

    def column(self, name: str) -> "pl.Series":
        """Return a column."""
        import polars as pl

        if name not in self._names:
            raise KeyError(name)
        return pl.read_parquet(io.BytesIO(self._content), columns=[name])[name]

    def narrow(self, name: str) -> Column:
        """Return a column of counts in as few bytes as it needs."""
        if name not in self._names and name in _LATER:
            needed, made = _LATER[name]
            return narrow(made(*(self.column(other).to_numpy() for other in needed)))
        return narrow(self.column(name).to_numpy())

    def groups(self) -> Iterator[tuple[Group, slice]]:
        """Yield each group and its rows."""
        numbers = [self.column(name).rle_id().to_numpy() for name in PARTS]
        length = len(numbers[0])
        if not length:
            return
        first = np.ones(length, np.bool_)
        first[1:] = np.any([np.diff(of) != 0 for of in numbers], axis=0)
        starts = np.flatnonzero(first)
        keys = [self.column(name).gather(starts).to_list() for name in PARTS]
        ends = [*starts[1:].tolist(), length]
        for key, start, end in zip(zip(*keys, strict=True), starts.tolist(), ends, strict=True):
            yield Group(*key), slice(start, end)
