"""Counts of a measured corpus: additive, grouped, in units that intervals can resample.

A unit is a document, or an aligned line, as long as a corpus holds at most `MOST_UNITS` of them;
beyond that, documents far apart share a unit, so memory does not grow with the corpus and units
stay exchangeable. Documents are numbered over the whole corpus, aligned lines by their alignment:
groups can be merged without merging units, units of equal number hold translations of one another
in a parallel corpus, and the same documents for every tokenizer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.languages import begins_with
from tokenize_lab.counts.fields import FIELD_INDEX, FIELDS
from tokenize_lab.counts.narrow import CountColumn, NarrowUnits, narrowed
from tokenize_lab.tokenizer import IntArray

MOST_UNITS = 2048


class Group(NamedTuple):
    """What a row of counts is about. A part that was summed over is None."""

    tokenizer: str
    corpus: str
    language: str | None
    domain: str | None
    document: str | None


# Never written to, so every group without tokens may hold the same ones.
_NO_IDS = np.zeros(0, np.uint32)
_NO_OCCURRENCES = np.zeros(0, np.int64)
_NO_UNITS = np.zeros((0, len(FIELDS)), np.int64)


@dataclass(slots=True)
class Histogram:
    """How often each id of a vocabulary occurs, kept as sorted ids and counts."""

    ids: NDArray[np.uint32] = field(default_factory=lambda: _NO_IDS)
    occurrences: CountColumn = field(default_factory=lambda: _NO_OCCURRENCES)
    _waiting: list[tuple[NDArray[np.uint32], CountColumn]] = field(default_factory=list)
    _waiting_size: int = 0

    def add(self, ids: NDArray[np.uint32], occurrences: CountColumn) -> None:
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
            self.occurrences = np.add.reduceat(occurrences[order], first, dtype=np.int64)
            self._waiting, self._waiting_size = [], 0
        return self


@dataclass(slots=True)
class GroupCounts:
    """Counts of one group.

    Attributes:
        kept: [units, len(FIELDS)] int64, or the same in fewer bytes.
        histogram: of the group's token ids.
        aligned: whether units are numbered by alignment.
    """

    kept: IntArray | NarrowUnits = field(default_factory=lambda: _NO_UNITS)
    histogram: Histogram = field(default_factory=Histogram)
    aligned: bool = True

    @property
    def units(self) -> IntArray:
        """[units, len(FIELDS)] int64."""
        return self.kept.wide() if isinstance(self.kept, NarrowUnits) else self.kept

    @property
    def narrow(self) -> NarrowUnits:
        """The units in few bytes."""
        return self.kept if isinstance(self.kept, NarrowUnits) else narrowed(self.kept)

    @property
    def size(self) -> int:
        """How many units there are."""
        return self.kept.units if isinstance(self.kept, NarrowUnits) else len(self.kept)

    @property
    def total(self) -> IntArray:
        """[len(FIELDS)] int64, the sum over all units."""
        if isinstance(self.kept, NarrowUnits):
            return self.kept.total
        return np.asarray(self.kept.sum(0))

    def column(self, name: str) -> IntArray:
        """Return [units] of one count."""
        place = FIELD_INDEX[name]
        if isinstance(self.kept, NarrowUnits):
            return self.kept.column(place)
        return self.kept[:, place]

    def add(self, first_document: int, table: IntArray) -> None:
        """Add documents' counts, [documents, len(FIELDS)], numbered on from `first_document`."""
        self.kept = with_documents(self.units, first_document, table)


def with_documents(units: IntArray, first_document: int, table: IntArray) -> IntArray:
    """Return [units, columns] with documents' counts, [documents, columns], added to their units.

    `units` is changed where it is long enough; documents are numbered on from `first_document`.
    """
    while len(table):
        members = units_of(first_document, len(table))
        needed = int(members.max()) + 1
        if needed > len(units):
            more = np.zeros((needed - len(units), units.shape[1]), np.int64)
            units = np.concatenate([units, more])
        units[members] += table[: len(members)]
        first_document += len(members)
        table = table[len(members) :]
    return units


def units_of(first_document: int, documents: int) -> IntArray:
    """Return the units of consecutive documents, up to the next multiple of `MOST_UNITS`.

    Each run of `MOST_UNITS` documents fills every unit once, turned by an amount of its own, so
    that text which repeats with any period is still spread over the units.
    """
    turn, place = divmod(first_document, MOST_UNITS)
    numbers = np.arange(place, min(place + documents, MOST_UNITS))
    # Knuth's multiplicative hash; zero for the first run, which stays in order.
    return (numbers + (turn * 2654435761 >> 9)) % MOST_UNITS


def merged(counts: Mapping[Group, GroupCounts], keep: Iterable[str]) -> dict[Group, GroupCounts]:
    """Sum groups over every part not kept (`language`, `domain`, `document`); order is kept.

    A group that is summed with no other is returned itself.
    """
    keep = set(keep)
    members: dict[Group, list[GroupCounts]] = {}
    for group, part in counts.items():
        coarse = Group(
            group.tokenizer,
            group.corpus,
            group.language if "language" in keep else None,
            group.domain if "domain" in keep else None,
            group.document if "document" in keep else None,
        )
        members.setdefault(coarse, []).append(part)
    return {group: _sum(parts) for group, parts in members.items()}


def _sum(parts: Sequence[GroupCounts]) -> GroupCounts:
    """Return the counts of several groups, units of equal number added up."""
    histogram = Histogram()
    if len(parts) == 1:
        parts[0].histogram.settle()
        return parts[0]
    table = np.zeros((max(part.size for part in parts), len(FIELDS)), np.int64)
    for part in parts:
        units = part.units
        table[: len(units)] += units
        settled = part.histogram.settle()
        histogram.add(settled.ids, settled.occurrences)
    histogram.settle()
    return GroupCounts(narrowed(table), histogram, all(part.aligned for part in parts))


class Place(NamedTuple):
    """A group but for its language: what is compared across languages."""

    tokenizer: str
    corpus: str
    domain: str | None
    document: str | None


def place_of(group: Group) -> Place:
    """Return the group's place."""
    return Place(group.tokenizer, group.corpus, group.domain, group.document)


def references(counts: Mapping[Group, GroupCounts], language: str) -> dict[Place, Group]:
    """Return, for each place, the group of the first language that begins with `language`, or is
    of it: `en-GB` of `eng`."""
    result: dict[Place, Group] = {}
    for group, part in counts.items():
        if group.language is not None and part.aligned and begins_with(group.language, language):
            result.setdefault(place_of(group), group)
    return result


def aligned_languages(
    counts: Mapping[Group, GroupCounts],
) -> dict[tuple[str, str], Sequence[Group]]:
    """Return, by tokenizer and corpus, the aligned languages that hold every line.

    Languages that lack lines are left out, as are rows split further than by language: their costs
    are not the same text's. Fewer than two languages are none.
    """
    by_place: dict[tuple[str, str], list[Group]] = {}
    for group, part in counts.items():
        whole = group.language is not None and group.domain is None and group.document is None
        if whole and part.aligned:
            by_place.setdefault((group.tokenizer, group.corpus), []).append(group)
    result: dict[tuple[str, str], Sequence[Group]] = {}
    for key, groups in by_place.items():
        lines = {group: counts[group].column("documents") for group in groups}
        fullest = max(lines.values(), key=np.sum)
        complete = [group for group in groups if np.array_equal(lines[group], fullest)]
        if len(complete) > 1:
            result[key] = complete
    return result
