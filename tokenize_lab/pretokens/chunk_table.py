"""Distinct chunks of text, numbered as they are first met: whole arrays in, whole arrays out.

An open hash table in numpy. A chunk's slot follows from a 64-bit hash of its bytes, read eight at a
time; a chunk found by its hash is compared with the stored bytes, so that its number is exact.
"""

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.token_bytes import HEAD_MASKS, WINDOW

_FIRST_SLOTS = 1 << 14
# Odd constants with well spread bits: the golden ratio's, and two of MurmurHash3's.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_LENGTH = np.uint64(0xC4CEB9FE1A85EC53)
_HALF = np.uint64(32)

LONGEST = 1024  # bytes of a chunk; text with longer ones repeats too little to be worth it


class ChunkTable:
    """Distinct chunks by number."""

    def __init__(self) -> None:
        self._slots = np.full(_FIRST_SLOTS, -1, np.int32)
        self._hashes = np.zeros(_FIRST_SLOTS // 2, np.uint64)
        self._starts = np.zeros(_FIRST_SLOTS // 2 + 1, np.int64)
        self._data = np.zeros(16 * _FIRST_SLOTS, np.uint8)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def nbytes(self) -> int:
        """Bytes of memory it takes."""
        parts = (self._slots, self._hashes, self._starts, self._data)
        return sum(part.nbytes for part in parts)

    def chunks(self, first: int = 0) -> list[bytes]:
        """Return the chunks from number `first` on."""
        starts = self._starts[first : self._size + 1].tolist()
        raw = self._data[starts[0] : starts[-1]].tobytes()
        begin = starts[0]
        return [raw[a - begin : b - begin] for a, b in zip(starts, starts[1:], strict=False)]

    def lengths(self) -> NDArray[np.int64]:
        """[chunks] int64, bytes of each."""
        return np.diff(self._starts[: self._size + 1])

    def find(
        self, windows: NDArray[np.uint64], starts: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.uint64]]:
        """Return the number of each chunk, -1 where it is new; and the chunks' hashes.

        Arguments:
            windows: [bytes + 1] eight bytes of the text from every position.
            starts: [n] where each chunk begins in it.
            lengths: [n] its bytes, one to `LONGEST`.

        Raises:
            HashCollisionError: two chunks of one hash; nothing can be said of the text.
        """
        hashes = _hashes(windows, starts, lengths)
        numbers = self._probe(hashes)
        known = np.flatnonzero(numbers >= 0)
        if len(known) == len(numbers):
            self._compare(numbers, windows, starts, lengths)
        else:
            self._compare(numbers[known], windows, starts[known], lengths[known])
        return numbers, hashes

    def add(
        self,
        text: NDArray[np.uint8],
        windows: NDArray[np.uint64],
        starts: NDArray[np.int64],
        lengths: NDArray[np.int64],
        hashes: NDArray[np.uint64],
    ) -> NDArray[np.int32]:
        """Number chunks that `find` did not know, in order of appearance; return their numbers.

        Arguments:
            text: [bytes], of which `windows` is a view.
            hashes: [n], from `find`.

        Raises:
            HashCollisionError: as `find`.
        """
        distinct, first = np.unique(hashes, return_index=True)
        order = np.argsort(first)
        distinct, first = distinct[order], first[order]
        self._store(text, starts[first], lengths[first])
        self._hashes[self._size : self._size + len(first)] = distinct
        self._size += len(first)
        if 2 * self._size > len(self._slots):
            self._slots = np.full(4 << self._size.bit_length(), -1, np.int32)
            self._place(np.arange(self._size))
        else:
            self._place(np.arange(self._size - len(first), self._size))
        numbers = self._probe(hashes)
        self._compare(numbers, windows, starts, lengths)
        return numbers

    def _probe(self, hashes: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Return the number stored under each hash, or -1."""
        slots = self._first_slots(hashes)
        numbers = self._slots[slots]
        pending = np.flatnonzero((self._hashes[numbers] != hashes) & (numbers >= 0))
        while len(pending):
            slots[pending] = (slots[pending] + 1) % len(self._slots)
            found = self._slots[slots[pending]]
            numbers[pending] = found
            pending = pending[(self._hashes[found] != hashes[pending]) & (found >= 0)]
        return numbers

    def _place(self, numbers: NDArray[np.int64]) -> None:
        """Put numbers whose hashes are not in the table into free slots."""
        slots = self._first_slots(self._hashes[numbers])
        while len(numbers):
            free = self._slots[slots] < 0
            self._slots[slots[free]] = numbers[free]  # of several for a slot, one stays
            lost = self._slots[slots] != numbers
            numbers, slots = numbers[lost], (slots[lost] + 1) % len(self._slots)

    def _first_slots(self, hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
        shift = np.uint64(64 - (len(self._slots).bit_length() - 1))
        return (hashes >> shift).astype(np.int64)

    def _store(
        self, text: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> None:
        """Copy the bytes of new chunks behind the others'."""
        begin, new = int(self._starts[self._size]), len(starts)
        ends = begin + np.cumsum(lengths)
        end = int(ends[-1])
        if end + WINDOW + 1 > len(self._data):
            self._data = np.concatenate([self._data, np.zeros(end, np.uint8)])
        if self._size + new > len(self._hashes):
            more = self._size + new
            self._hashes = np.concatenate([self._hashes, np.zeros(more, np.uint64)])
            self._starts = np.concatenate([self._starts, np.zeros(more, np.int64)])
        at = np.repeat(starts - (ends - lengths), lengths) + np.arange(begin, end)
        self._data[begin:end] = text[at]
        self._starts[self._size + 1 : self._size + new + 1] = ends

    def _compare(
        self,
        numbers: NDArray[np.int32],
        windows: NDArray[np.uint64],
        starts: NDArray[np.int64],
        lengths: NDArray[np.int64],
    ) -> None:
        """See that chunks are what is stored under their numbers."""
        stored = np.ndarray((len(self._data) - WINDOW,), "<u8", self._data, strides=(1,))
        theirs = self._starts[numbers]
        same = self._starts[numbers.astype(np.int64) + 1] - theirs == lengths
        if not same.all():
            raise HashCollisionError
        left, offset = None, 0
        while True:
            differ = stored[theirs + offset] ^ windows[starts + offset]
            differ &= HEAD_MASKS[np.minimum(lengths - offset, WINDOW)]
            if differ.any():
                raise HashCollisionError
            offset += WINDOW
            left = np.flatnonzero(lengths > offset)
            if not len(left):
                return
            theirs, starts, lengths = theirs[left], starts[left], lengths[left]


class HashCollisionError(Exception):
    """Two different chunks have one 64-bit hash: once in a text of astronomical size."""


def _hashes(
    windows: NDArray[np.uint64], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """Return a 64-bit hash of each chunk: [n] uint64."""
    hashes = lengths.astype(np.uint64) * _LENGTH
    hashes ^= windows[starts] & HEAD_MASKS[np.minimum(lengths, WINDOW)]
    hashes *= _GOLDEN
    left, offset = np.flatnonzero(lengths > WINDOW), WINDOW
    while len(left):
        part = hashes[left]
        part ^= part >> _HALF
        part ^= (
            windows[starts[left] + offset] & HEAD_MASKS[np.minimum(lengths[left] - offset, WINDOW)]
        )
        hashes[left] = part * _GOLDEN
        offset += WINDOW
        left = left[lengths[left] > offset]
    hashes ^= hashes >> _HALF
    hashes *= _MIX
    return hashes
