"""The pair of tokens that tiktoken's way merges last, of all tokens of a vocabulary at once.

A token alone is merged as any text: again and again the two neighbours whose merge has the lowest
rank, of equals the leftmost. Each token is a row of arrays, and each step merges one pair of every
row.

Only pairs of a given list are known here, while tiktoken merges any two tokens that make a third.
That does not matter where the last pair of every token is in the list (see
`tokenize_lab.backends.huggingface_fast`): of the tokens of which it is not, consider a shortest.
What stands side by side within it makes shorter tokens only, in their last pairs, which are listed;
so its own last pair is found as it is, and found to be missing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.tokenizer import IntArray

_BYTES = 256
_NO_RANK = np.iinfo(np.int32).max
_RankArray = NDArray[np.int32]


class Pairs:
    """Pairs of tokens that are merged, each with its rank."""

    def __init__(self, left: _RankArray, right: _RankArray, rank: _RankArray) -> None:
        """Ranks of both parts and of what they make, [n] each; of equal pairs the first counts."""
        keys, first = np.unique(_key(left, right), return_index=True)
        # One more, which no pair has, so that every search ends at a key.
        self._keys = np.append(keys, np.iinfo(np.int64).max)
        self._first, self._ranks = np.append(first, -1), np.append(rank[first], _NO_RANK)

    def find(self, left: _RankArray, right: _RankArray) -> IntArray:
        """Return the place of each pair in the list, or -1."""
        index, held = self._search(left, right)
        return np.where(held, self._first[index], -1)

    def ranks(self, left: _RankArray, right: _RankArray) -> _RankArray:
        """Return the rank of each pair, or the largest number there is."""
        index, held = self._search(left, right)
        return np.where(held, self._ranks[index], np.int32(_NO_RANK))

    def _search(self, left: _RankArray, right: _RankArray) -> tuple[IntArray, NDArray[np.bool_]]:
        keys = _key(left, right)
        index = np.searchsorted(self._keys, keys)
        return index, self._keys[index] == keys


def _key(left: _RankArray, right: _RankArray) -> IntArray:
    return left.astype(np.int64) << 32 | right


class LastPairs(NamedTuple):
    """Ranks of the two tokens that are merged last, [tokens] each; -1 where merging stops before
    two are left."""

    left: _RankArray
    right: _RankArray


def last_pairs(tokens: Sequence[bytes], pairs: Pairs) -> LastPairs:
    """Return the last pair of each token of two bytes or more; single bytes are their own ranks."""
    found = LastPairs(*(np.full(len(tokens), -1, np.int32) for _ in range(2)))
    lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
    for places in _alike(lengths):
        width = max(int(lengths[places].max()), 2)
        rows = b"".join(tokens[place].ljust(width, b"\0") for place in places.tolist())
        matrix = np.frombuffer(rows, np.uint8).reshape(len(places), width).astype(np.int32)
        for of_all, of_these in zip(found, _merged(matrix, lengths[places], pairs), strict=True):
            of_all[places] = of_these
    return found


def _alike(lengths: IntArray) -> Iterator[IntArray]:
    """Yield the places of tokens of similar length."""
    doublings = np.ceil(np.log2(np.maximum(lengths, 2))).astype(np.int64)
    for doubling in np.unique(doublings):
        yield np.flatnonzero(doublings == doubling)


@dataclass(frozen=True)
class _Rows:
    """Tokens that are being merged, [rows, bytes] each: by the byte at which a part begins, the
    part's rank, where the next one begins and where the last one did, and the rank of the merge
    with the next one. `row` is [rows], which token it is; `count`, [rows], parts that are left."""

    parts: _RankArray
    next: _RankArray
    last: _RankArray
    merges: _RankArray
    row: IntArray
    count: IntArray

    def select(self, keep: NDArray[np.bool_]) -> "_Rows":
        return _Rows(
            self.parts[keep],
            self.next[keep],
            self.last[keep],
            self.merges[keep],
            self.row[keep],
            self.count[keep],
        )


def _merged(matrix: _RankArray, lengths: IntArray, pairs: Pairs) -> LastPairs:
    """Return the last pairs of tokens, whose bytes fill the front of each row."""
    height, width = matrix.shape
    found = LastPairs(*(np.full(height, -1, np.int32) for _ in range(2)))
    octets = np.arange(_BYTES, dtype=np.int32)
    of_bytes = pairs.ranks(octets.repeat(_BYTES), np.tile(octets, _BYTES))
    merges = np.full((height, width), _NO_RANK, np.int32)
    merges[:, :-1] = of_bytes[matrix[:, :-1] * _BYTES + matrix[:, 1:]]
    places = np.arange(width, dtype=np.int32)
    merges[places + 1 >= lengths[:, None]] = _NO_RANK
    every = np.broadcast_to(places, (height, width))
    rows = _Rows(matrix, every + 1, every - 1, merges, np.arange(height), lengths.copy())
    while len(rows.row):
        two = rows.count == 2
        found.left[rows.row[two]] = rows.parts[two, 0]
        found.right[rows.row[two]] = rows.parts[two, rows.next[two, 0]]
        rows = rows.select(~two & (rows.merges.min(axis=1, initial=_NO_RANK) < _NO_RANK))
        _merge(rows, lengths[rows.row], pairs)
    return found


def _merge(rows: _Rows, lengths: IntArray, pairs: Pairs) -> None:
    """Merge the first pair of the lowest rank in every row."""
    each = np.arange(len(rows.row))
    at = rows.merges.argmin(axis=1)
    rank = rows.merges[each, at]
    gone = rows.next[each, at]
    after = rows.next[each, gone]
    rows.parts[each, at] = rank
    rows.next[each, at] = after
    rows.merges[each, at] = rows.merges[each, gone] = _NO_RANK
    inner = np.flatnonzero(after < lengths)
    rows.last[inner, after[inner]] = at[inner]
    rows.merges[inner, at[inner]] = pairs.ranks(rank[inner], rows.parts[inner, after[inner]])
    before = rows.last[each, at]
    inner = np.flatnonzero(before >= 0)
    rows.merges[inner, before[inner]] = pairs.ranks(rows.parts[inner, before[inner]], rank[inner])
    rows.count[:] -= 1
