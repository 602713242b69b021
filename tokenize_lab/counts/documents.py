"""Counts of documents kept apart, in columns.

An object for each document and tokenizer takes two kilobytes; a million of them are to fit beside
everything else. Names are kept once for all tokenizers, counts as narrow as they are.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from typing import NamedTuple

import numpy as np

from corpora.languages import begins_with
from tokenize_lab.counts.fields import FIELDS
from tokenize_lab.counts.narrow import NarrowUnits, narrowed
from tokenize_lab.counts.schema import MOST_UNITS, Group, GroupCounts
from tokenize_lab.tokenizer import IntArray

_DIFFERENT = "tokenizers have counts of different documents"


class DocumentPlace(NamedTuple):
    """Where documents are from, and whether their names tell translations of one another."""

    corpus: str
    language: str | None
    domain: str | None
    aligned: bool


class CountsByDocument(Mapping[Group, GroupCounts]):
    """Counts of documents, one unit each; groups are in the order met."""

    def __init__(self) -> None:
        self._numbers: dict[DocumentPlace, dict[str, int]] = {}
        self._names: dict[DocumentPlace, list[str]] = {}
        self._tables: dict[tuple[str, DocumentPlace], _RowBlocks] = {}
        self._met: list[_Met] = []

    def add(
        self, tokenizer: str, place: DocumentPlace, documents: Sequence[str], table: IntArray
    ) -> None:
        """Add a tokenizer's counts, [documents, len(FIELDS)]; those of a name known add up.

        Raises:
            ValueError: another tokenizer has counts of documents of this place that it has not.
        """
        numbers, names = self._numbers.setdefault(place, {}), self._names.setdefault(place, [])
        new = [*dict.fromkeys(name for name in documents if name not in numbers)]
        numbers.update(zip(new, range(len(names), len(names) + len(new)), strict=True))
        names += new
        rows = np.array([numbers[name] for name in documents], np.int64)
        into = self._tables.setdefault((tokenizer, place), _RowBlocks())
        begin = len(into)
        into.add(rows, table)
        if len(into) > begin:
            self._met.append(_Met(place, begin, len(into), tokenizer))

    def __len__(self) -> int:
        return sum(map(len, self._tables.values()))

    def __iter__(self) -> Iterator[Group]:
        return chain.from_iterable(self.pieces())

    def __getitem__(self, group: Group) -> GroupCounts:
        for (tokenizer, place), table in self._tables.items():
            row = self._numbers[place].get(str(group.document))
            if row is not None and Group(tokenizer, *place[:3], str(group.document)) == group:
                return GroupCounts(table.of_rows(np.array([row])), aligned=place.aligned)
        raise KeyError(group)

    def pieces(self) -> Iterator[dict[Group, GroupCounts]]:
        """Yield the groups in order, some documents at a time."""
        for (place, begin, end), met in groupby(self._met, lambda part: part[:3]):
            yield self._of(place, np.arange(begin, end), [part.tokenizer for part in met])

    def beside(self, reference: str) -> Iterator[tuple[dict[Group, GroupCounts], slice]]:
        """Yield the pieces among what their rows are made of.

        Arguments:
            reference: language that aligned documents are compared with, or how its code begins.

        Returns:
            The same documents under every tokenizer, and in the reference language, languages in
            the order met; and which of these groups are the piece.
        """
        for (place, begin, end), met in groupby(self._met, lambda part: part[:3]):
            first, size = [part.tokenizer for part in met], 0
            of_place = [tokenizer for tokenizer, other in self._tables if other == place]
            tokenizers = [*dict.fromkeys([*first, *of_place])]
            found: dict[Group, GroupCounts] = {}
            for other in self._compared(place, reference):
                rows = np.arange(begin, end)
                if other == place:
                    size = len(found)
                else:
                    known = self._numbers[other]
                    names = self._names[place][begin:end]
                    rows = np.array([known[name] for name in names if name in known], np.int64)
                found |= self._of(other, rows, tokenizers)
            yield found, slice(size, size + len(first) * (end - begin))

    def _of(
        self, place: DocumentPlace, rows: IntArray, tokenizers: Sequence[str]
    ) -> dict[Group, GroupCounts]:
        names = [self._names[place][row] for row in rows.tolist()]
        return {
            Group(tokenizer, *place[:3], name): GroupCounts(row[None], aligned=place.aligned)
            for tokenizer in tokenizers
            for name, row in zip(names, self._tables[tokenizer, place].of_rows(rows), strict=True)
        }

    def _compared(self, place: DocumentPlace, reference: str | None) -> list[DocumentPlace]:
        """Return a place and the reference language's, in the order met."""
        if reference is None or not place.aligned or place.language is None:
            return [place]
        return [
            other
            for other in self._names
            if other._replace(language=place.language) == place
            and (other == place or begins_with(other.language or "", reference))
        ]

    def check(self) -> None:
        """See that every tokenizer has the same documents.

        Raises:
            ValueError: one has not.
        """
        tokenizers = {tokenizer for tokenizer, _ in self._tables}
        for place, names in self._names.items():
            for tokenizer in tokenizers:
                if len(self._tables.get((tokenizer, place), ())) != len(names):
                    raise ValueError(_DIFFERENT)

    def merged(self, keep: Iterable[str]) -> "CountsByDocument":
        """Sum over every part not kept, of `language` and `domain`; order is kept."""
        kept = {"language", "domain"}.intersection(keep)
        if len(kept) == 2:
            return self
        result = CountsByDocument()
        for place, begin, end, tokenizer in self._met:
            coarse = place._replace(**dict.fromkeys({"language", "domain"} - kept))  # type: ignore[arg-type]
            table = self._tables[tokenizer, place].of_rows(np.arange(begin, end))
            result.add(tokenizer, coarse, self._names[place][begin:end], table)
        return result

    def as_units(self) -> dict[Group, GroupCounts]:
        """Return the counts of languages and domains, whose units the documents are.

        Aligned documents of one name take one number, so that they stay paired.
        """
        result: dict[Group, GroupCounts] = {}
        shared: dict[str, dict[str, int]] = {}
        for place, begin, end, tokenizer in self._met:
            rows = np.arange(begin, end)
            numbers = rows
            if place.aligned:
                known = shared.setdefault(place.corpus, {})
                names = self._names[place][begin:end]
                numbers = np.array([known.setdefault(name, len(known)) for name in names])
            units = numbers % MOST_UNITS
            into = result.setdefault(Group(tokenizer, *place[:3], None), GroupCounts())
            table = np.zeros((max(into.size, int(units.max()) + 1), len(FIELDS)), np.int64)
            table[: into.size] = into.units
            np.add.at(table, units, self._tables[tokenizer, place].of_rows(rows))
            into.kept, into.aligned = table, into.aligned and place.aligned
        return result


class _Met(NamedTuple):
    """Rows of a place that were met first under a tokenizer."""

    place: DocumentPlace
    begin: int
    end: int
    tokenizer: str


class _RowBlocks:
    """Rows of counts that others are added to, in blocks of few bytes."""

    def __init__(self) -> None:
        self._begins: list[int] = []
        self._blocks: list[NarrowUnits] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, rows: IntArray, table: IntArray) -> None:
        """Add [n, len(FIELDS)] to the rows of these numbers, new ones among them."""
        new = rows >= self._size
        for i, held in self._blocks_of(rows[~new]):
            block = self._blocks[i].wide()
            np.add.at(block, rows[~new][held] - self._begins[i], table[~new][held])
            self._blocks[i] = narrowed(block)
        if not new.any():
            return
        rows = rows[new] - self._size
        block = np.zeros((int(rows.max()) + 1, len(FIELDS)), np.int64)
        if not np.bincount(rows).all():
            raise ValueError(_DIFFERENT)
        np.add.at(block, rows, table[new])
        self._begins.append(self._size)
        self._blocks.append(narrowed(block))
        self._size += len(block)

    def of_rows(self, rows: IntArray) -> IntArray:
        """Return [rows, len(FIELDS)] of these numbers."""
        result = np.zeros((len(rows), len(FIELDS)), np.int64)
        for i, held in self._blocks_of(rows):
            result[held] = self._blocks[i].of_units(rows[held] - self._begins[i]).wide()
        return result

    def _blocks_of(self, rows: IntArray) -> Iterator[tuple[int, IntArray]]:
        """Yield each block that has some of the rows, and which these are."""
        if not len(rows):
            return
        first = bisect_right(self._begins, int(rows.min())) - 1
        last = bisect_right(self._begins, int(rows.max()))
        blocks = np.searchsorted(self._begins[first:last], rows, "right") - 1
        for i in np.unique(blocks).tolist():
            yield first + i, np.flatnonzero(blocks == i)
