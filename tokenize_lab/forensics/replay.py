"""Merges replayed over distinct words: every pair's count at every step.

A merge changes the counts of few pairs, so what is kept is the changes: change e says that from
step t on the pair p has so many more or fewer places in each word. They depend on the words alone,
not on how frequent the words are, so one replay serves every weighting of them: a language, a
mixture, a resample.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.forensics.merges import Merge
from tokenize_lab.tokenizer import FloatArray, IntArray

Positions = NDArray[np.int32]  # of symbols in all text, or numbers of words


@dataclass(frozen=True)
class PairHistory:
    """Counts of pairs over the steps of a merge list.

    A *stretch* is a pair between two changes of its count. Stretches are in order of pair, then of
    time, and a pair's stretches follow on one another.

    Attributes:
        steps: T, how many merges were replayed.
        pair: [stretches] int64, number of the pair.
        begin, end: [stretches] int64, steps: the count stands before merges begin..end - 1.
        merged: [T] int64, the stretch of the pair that each merge joins; -1 if it never occurs.
        changes: sparse [stretches, words], places gained in each word at the stretch's beginning.
    """

    steps: int
    pair: IntArray
    begin: IntArray
    end: IntArray
    merged: IntArray
    changes: Any

    def counts(self, weights: FloatArray) -> FloatArray:
        """Return each stretch's count under weights of the words: [stretches, columns]."""
        running: FloatArray = np.cumsum(self.changes @ weights, axis=0)
        # A pair's first stretch begins at zero: take off what the pairs before it came to.
        first = np.flatnonzero(np.diff(self.pair, prepend=-1))
        lengths = np.diff(np.append(first, len(self.pair)))
        before = np.zeros((len(first), weights.shape[1]))
        before[1:] = running[first[1:] - 1]
        return np.asarray(np.maximum(running - np.repeat(before, lengths, axis=0), 0.0))


def replay(words: Sequence[Sequence[int]], merges: Sequence[Merge]) -> PairHistory:
    """Apply the merges in order to words given as ids of their smallest symbols."""
    changes = _noted(words, merges)
    wanted = [changes.pairs.get(_pair_key(merge.left, merge.right), -1) for merge in merges]
    return changes.history(np.array(wanted, np.int64), len(words))


def _noted(words: Sequence[Sequence[int]], merges: Sequence[Merge]) -> "_Changes":
    """Return what all merges but the last change; the text's own memory is free again then."""
    text = _Text(words)
    changes = _Changes()

    def note(step: int, positions: Positions, sign: int) -> None:
        changes.note(step, text.keys(positions), text.word[positions], sign)

    begins = np.flatnonzero(text.after >= 0).astype(np.int32)
    note(0, begins, 1)
    text.index(begins)
    last = len(merges) - 1  # its own changes are after the last step
    for step, merge in enumerate(merges[:last], 1):
        places = text.places(merge)
        if len(places):
            second = text.after[places]
            touched = np.concatenate([text.before[places], places, second])
            note(step, text.open(touched), -1)
            text.join(places, merge.result)
            fresh = text.open(np.concatenate([text.before[places], places]))
            note(step, fresh, 1)
            text.index(fresh)
    return changes


def _pair_key(left: int, right: int) -> int:
    """Return one number for a pair of ids."""
    return left << 32 | right


class _Changes:
    """What was noted of pairs, step by step, in as little room as it takes."""

    def __init__(self) -> None:
        self.pairs: dict[int, int] = {}  # the number of each, in order of their first appearance
        self._columns: tuple[list[NDArray[Any]], ...] = ([], [], [], [])  # one list for each part

    def note(self, step: int, keys: IntArray, word: Positions, sign: int) -> None:
        """Remember that from `step` on each pair has a place more or fewer in each word."""
        known, which = np.unique(keys, return_inverse=True)
        numbers = [self.pairs.setdefault(key, len(self.pairs)) for key in known.tolist()]
        pair = np.array(numbers, np.int32)[which]
        signs, steps = np.full(len(word), sign, np.int8), np.full(len(word), step, np.int32)
        parts: tuple[NDArray[Any], ...] = (pair, word, signs, steps)
        for column, part in zip(self._columns, parts, strict=True):
            column.append(part)

    def history(self, wanted: IntArray, words: int) -> PairHistory:
        """Sort what was noted into stretches.

        Arguments:
            wanted: [steps] the number of the pair that each step merges, -1 for one never seen.
            words: how many there are.
        """
        from scipy.sparse import csr_array

        total = len(wanted)
        # A pair's changes were noted in order of time, which a stable sort keeps.
        order = np.argsort(np.concatenate(self._columns[0]), kind="stable").astype(np.int32)
        joined = []
        for column in self._columns:
            joined.append(np.concatenate(column)[order])
            column.clear()
        pair, word, sign, step = joined
        del order
        differs = (pair[1:] != pair[:-1]) | (step[1:] != step[:-1])
        first = np.flatnonzero(np.append(len(pair) > 0, differs)).astype(np.int64)
        of_pair, begin = pair[first].astype(np.int64), step[first].astype(np.int64)
        matrix = csr_array(
            (sign.astype(np.float32), word, np.append(first, len(word))), shape=(len(first), words)
        )
        matrix.sum_duplicates()
        end = np.append(begin[1:], total)
        end[np.append(of_pair[1:] != of_pair[:-1], True)] = total
        at = (
            np.searchsorted(of_pair * total + begin, wanted * total + np.arange(total), "right") - 1
        )
        met = (at >= 0) & (wanted >= 0)
        met[met] = of_pair[at[met]] == wanted[met]
        return PairHistory(total, of_pair, begin, end, np.where(met, at, -1), matrix)


class _Text:
    """All words' symbols one after the other, linked to their neighbours."""

    def __init__(self, words: Sequence[Sequence[int]]) -> None:
        lengths = np.fromiter(map(len, words), np.int64, len(words))
        size = int(lengths.sum())
        self.symbol = np.fromiter((s for word in words for s in word), np.int32, size)
        self.word = np.repeat(np.arange(len(words), dtype=np.int32), lengths)
        ends = np.cumsum(lengths)
        places = np.arange(size, dtype=np.int32)
        self.after = places + 1
        self.after[ends[lengths > 0] - 1] = -1
        self.before = places - 1
        self.before[(ends - lengths)[lengths > 0]] = -1
        self.alive = np.ones(size, np.bool_)
        self._places: dict[int, list[Positions]] = {}

    def keys(self, positions: Positions) -> IntArray:
        """Return the pair that begins at each position."""
        left, right = self.symbol[positions], self.symbol[self.after[positions]]
        return np.asarray(left.astype(np.int64) << 32 | right)  # as `_pair_key`

    def open(self, positions: Positions) -> Positions:
        """Return the positions, each once, at which a pair begins."""
        positions = np.unique(positions)
        positions = positions[positions >= 0]
        return positions[self.alive[positions] & (self.after[positions] >= 0)]

    def index(self, positions: Positions) -> None:
        """Remember where pairs are; places that are lost later are sorted out when asked for."""
        keys = self.keys(positions)
        order = np.argsort(keys, kind="stable")
        keys, positions = keys[order], positions[order]
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        parts = np.split(positions, first)[1:]
        for key, part in zip(keys[first].tolist(), parts, strict=True):
            self._places.setdefault(key, []).append(part)

    def places(self, merge: Merge) -> Positions:
        """Return where a merge applies, in order; of places that overlap, the leftmost."""
        noted = self._places.pop(_pair_key(merge.left, merge.right), None)
        if noted is None:
            return np.zeros(0, np.int32)
        found = self.open(np.concatenate(noted))
        right = self.after[found]
        found = found[(self.symbol[found] == merge.left) & (self.symbol[right] == merge.right)]
        if merge.left == merge.right and len(found):
            follows = np.append(False, self.after[found[:-1]] == found[1:])
            place = np.arange(len(found))
            run = np.maximum.accumulate(np.where(follows, 0, place))
            found = found[(place - run) % 2 == 0]
        return np.asarray(found)

    def join(self, places: Positions, result: int) -> None:
        """Make each pair one symbol."""
        second = self.after[places]
        third = self.after[second]
        self.symbol[places] = result
        self.alive[second] = False
        self.after[places] = third
        linked = third >= 0
        self.before[third[linked]] = places[linked]
