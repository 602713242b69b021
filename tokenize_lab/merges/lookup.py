"""Pairs of ids to their rank, for many pairs at once: a hash table in two arrays."""

import numpy as np
from numpy.typing import NDArray

NONE = np.int32(np.iinfo(np.int32).max)  # the rank of a pair that never merges
_EMPTY = np.uint64(np.iinfo(np.uint64).max)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: Knuth's hash
_HALF = np.uint64(32)
_SLOTS_PER_PAIR = 4


class PairRanks:
    """The rank of every pair of tokens that merges, by open addressing with linear probing."""

    def __init__(
        self, left: NDArray[np.int32], right: NDArray[np.int32], rank: NDArray[np.int32]
    ) -> None:
        bits = max(4, (max(1, len(rank)) * _SLOTS_PER_PAIR - 1).bit_length())
        self._shift, self._mask = np.uint64(64 - bits), (1 << bits) - 1
        self._keys = np.full(1 << bits, _EMPTY)
        self._ranks = np.full(1 << bits, NONE)
        keys = _keys(left, right)
        slots = self._slots(keys)
        waiting = np.arange(len(keys))
        while len(waiting):
            free = self._keys[slots[waiting]] == _EMPTY
            # Of those that want one free slot, the last to be written has it.
            self._keys[slots[waiting[free]]] = keys[waiting[free]]
            placed = self._keys[slots[waiting]] == keys[waiting]
            self._ranks[slots[waiting[placed]]] = rank[waiting[placed]]
            waiting = waiting[~placed]
            slots[waiting] = (slots[waiting] + 1) & self._mask

    def of(self, left: NDArray[np.int32], right: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the ranks of pairs, [N] int32; `NONE` where there is none.

        Ids below zero stand for no token, and merge with nothing.
        """
        keys = _keys(left, right)
        slots = self._slots(keys)
        found = self._keys[slots]
        ranks = self._ranks[slots]
        other = np.flatnonzero(found != keys)
        ranks[other] = NONE
        probed = other[found[other] != _EMPTY]
        while len(probed):
            slots[probed] = (slots[probed] + 1) & self._mask
            found = self._keys[slots[probed]]
            hit = found == keys[probed]
            ranks[probed[hit]] = self._ranks[slots[probed[hit]]]
            probed = probed[~hit & (found != _EMPTY)]
        return ranks

    def _slots(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        return ((keys * _GOLDEN) >> self._shift).astype(np.int64)


def _keys(left: NDArray[np.int32], right: NDArray[np.int32]) -> NDArray[np.uint64]:
    return (left.astype(np.uint32).astype(np.uint64) << _HALF) | right.astype(np.uint32)
