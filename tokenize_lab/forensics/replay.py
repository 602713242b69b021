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

from tokenize_lab.forensics.merges import Merge
from tokenize_lab.tokenizer import FloatArray, IntArray


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
    text = _Text(words)
    changes: list[tuple[IntArray, IntArray, IntArray]] = []
    steps: list[IntArray] = []

    def note(step: int, positions: IntArray, sign: int) -> None:
        changes.append((text.keys(positions), text.word[positions], np.full(len(positions), sign)))
        steps.append(np.full(len(positions), step))

    begins = np.flatnonzero(text.after >= 0)
    note(0, begins, 1)
    text.index(begins)
    for step, merge in enumerate(merges, 1):
        places = text.places(merge)
        if len(places):
            second = text.after[places]
            touched = np.concatenate([text.before[places], places, second])
            note(step, text.open(touched), -1)
            text.join(places, merge.result)
            fresh = text.open(np.concatenate([text.before[places], places]))
            note(step, fresh, 1)
            text.index(fresh)
    keys = np.concatenate([part[0] for part in changes])
    word = np.concatenate([part[1] for part in changes])
    sign = np.concatenate([part[2] for part in changes])
    wanted = [text.key(merge.left, merge.right) for merge in merges]
    return _history(keys, np.concatenate(steps), word, sign, wanted, len(words))


def _history(
    keys: IntArray,
    steps: IntArray,
    word: IntArray,
    sign: IntArray,
    wanted: Sequence[int],
    words: int,
) -> PairHistory:
    """Sort the changes into stretches."""
    from scipy.sparse import csr_array

    total = len(wanted)
    inside = steps < total  # the last merge's own changes are after the last step
    keys, steps, word, sign = keys[inside], steps[inside], word[inside], sign[inside]
    known, pair = np.unique(keys, return_inverse=True)
    change, stretch = np.unique(pair * total + steps, return_inverse=True)
    matrix = csr_array((sign.astype(np.float64), (stretch, word)), shape=(len(change), words))
    matrix.sum_duplicates()
    of_pair, begin = np.divmod(change, max(total, 1))
    end = np.append(begin[1:], total)
    last = np.append(of_pair[1:] != of_pair[:-1], True)
    end[last] = total
    number = np.minimum(np.searchsorted(known, wanted), max(len(known) - 1, 0))
    at = np.searchsorted(change, number * total + np.arange(total), side="right") - 1
    merged = np.full(total, -1)
    if len(known):
        met = (known[number] == wanted) & (at >= 0) & (of_pair[at] == number)
        merged[met] = at[met]
    return PairHistory(total, of_pair, begin, end, merged, matrix)


class _Text:
    """All words' symbols one after the other, linked to their neighbours."""

    def __init__(self, words: Sequence[Sequence[int]]) -> None:
        lengths = np.fromiter(map(len, words), np.int64, len(words))
        size = int(lengths.sum())
        self.symbol = np.fromiter((s for word in words for s in word), np.int64, size)
        self.word = np.repeat(np.arange(len(words)), lengths)
        ends = np.cumsum(lengths)
        places = np.arange(size)
        self.after = places + 1
        self.after[ends[lengths > 0] - 1] = -1
        self.before = places - 1
        self.before[(ends - lengths)[lengths > 0]] = -1
        self.alive = np.ones(size, np.bool_)
        self._places: dict[int, list[IntArray]] = {}

    def key(self, left: int, right: int) -> int:
        """Return one number for a pair of ids."""
        return left << 32 | right

    def keys(self, positions: IntArray) -> IntArray:
        """Return the pair that begins at each position."""
        return np.asarray(self.symbol[positions] << 32 | self.symbol[self.after[positions]])

    def open(self, positions: IntArray) -> IntArray:
        """Return the positions, each once, at which a pair begins."""
        positions = np.unique(positions)
        positions = positions[positions >= 0]
        return positions[self.alive[positions] & (self.after[positions] >= 0)]

    def index(self, positions: IntArray) -> None:
        """Remember where pairs are; places that are lost later are sorted out when asked for."""
        keys = self.keys(positions)
        order = np.argsort(keys, kind="stable")
        keys, positions = keys[order], positions[order]
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        parts = np.split(positions, first)[1:]
        for key, part in zip(keys[first].tolist(), parts, strict=True):
            self._places.setdefault(key, []).append(part)

    def places(self, merge: Merge) -> IntArray:
        """Return where a merge applies, in order; of places that overlap, the leftmost."""
        noted = self._places.pop(self.key(merge.left, merge.right), None)
        if noted is None:
            return np.zeros(0, np.int64)
        found = self.open(np.concatenate(noted))
        right = self.after[found]
        found = found[(self.symbol[found] == merge.left) & (self.symbol[right] == merge.right)]
        if merge.left == merge.right and len(found):
            follows = np.append(False, self.after[found[:-1]] == found[1:])
            place = np.arange(len(found))
            run = np.maximum.accumulate(np.where(follows, 0, place))
            found = found[(place - run) % 2 == 0]
        return np.asarray(found)

    def join(self, places: IntArray, result: int) -> None:
        """Make each pair one symbol."""
        second = self.after[places]
        third = self.after[second]
        self.symbol[places] = result
        self.alive[second] = False
        self.after[places] = third
        linked = third >= 0
        self.before[third[linked]] = places[linked]
