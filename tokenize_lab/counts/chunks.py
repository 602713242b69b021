"""Distinct chunks of text, numbered as they are first met: whole arrays in, whole arrays out.

An open hash table in numpy. A chunk's slot follows from a 64-bit hash of its bytes, read eight at a
time; a chunk found by its hash is compared with the stored bytes, so that its number is exact.
"""

from array import array
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import count, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.counts.bytes import TextBytes
from tokenize_lab.cut_rules import CutRule, chunk_starts
from tokenize_lab.tokenizer import HEAD_MASKS, WINDOW, IntArray, windows


class NumberLists:
    """A growing list of lists of numbers: list i is `values[starts[i]:starts[i + 1]]`."""

    def __init__(self) -> None:
        self._starts: NDArray[np.uint32] = np.zeros(1, np.uint32)
        self._values: NDArray[np.uint32] = np.zeros(0, np.uint32)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def nbytes(self) -> int:
        """ByteArray of memory it takes."""
        return self._starts.nbytes + self._values.nbytes

    def extend(self, values: NDArray[np.uint32], lengths: IntArray) -> None:
        """Add lists that lie end to end in `values`."""
        begin, size = int(self._starts[self._size]), self._size + len(lengths)
        self._starts = grown(self._starts, size + 1)
        self._values = grown(self._values, begin + len(values))
        self._starts[self._size + 1 : size + 1] = begin + np.cumsum(lengths)
        self._values[begin : begin + len(values)] = values
        self._size = size

    def lengths(self, numbers: NDArray[np.integer]) -> IntArray:
        """Return how long the lists are: [n] int64."""
        lengths = self._starts[1:][numbers] - self._starts[numbers]
        return np.asarray(lengths, np.int64)

    def read(self, numbers: NDArray[np.integer]) -> tuple[NDArray[np.uint32], IntArray]:
        """Return the lists of these numbers end to end, and the length of each."""
        lengths = self.lengths(numbers)
        ends = np.cumsum(lengths)
        total = int(ends[-1]) if len(ends) else 0
        shift = self._starts[numbers] - (ends - lengths)
        return self._values[np.repeat(shift, lengths) + np.arange(total)], lengths


def grown(array: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the array, or a copy with room for `size` rows and half as many more, of zeros."""
    if size <= len(array):
        return array
    larger = np.zeros((size + size // 2, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger


LONGEST = 1024  # bytes of a chunk; text with longer ones repeats too little to be worth it
_FIRST_SLOTS = 1 << 14
# Odd constants with well spread bits: the golden ratio's, and two of MurmurHash3's.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_LENGTH = np.uint64(0xC4CEB9FE1A85EC53)
_HALF = np.uint64(32)

ByteArray = NDArray[np.uint8]
WordArray = NDArray[np.uint64]


class ChunkTable:
    """Distinct chunks by number."""

    def __init__(self) -> None:
        self._size = 0
        self._slots: NDArray[np.int32] = np.full(_FIRST_SLOTS, -1, np.int32)
        self._hashes: WordArray = np.zeros(0, np.uint64)
        self._starts: IntArray = np.zeros(1, np.int64)
        self._lengths: NDArray[np.int32] = np.zeros(0, np.int32)
        self._data: ByteArray = np.zeros(WINDOW, np.uint8)

    def __len__(self) -> int:
        return self._size

    @property
    def nbytes(self) -> int:
        """ByteArray of memory it takes."""
        arrays = (self._slots, self._hashes, self._starts, self._lengths, self._data)
        return sum(array.nbytes for array in arrays)

    def chunks(self, first: int = 0) -> list[bytes]:
        """Return the chunks from number `first` on."""
        text = self.text(first)
        return [text.raw[begin:end] for begin, end in pairwise(text.starts.tolist())]

    def text(self, first: int = 0) -> TextBytes:
        """Return the chunks from number `first` on as texts, one after the other."""
        starts = self._starts[first : self._size + 1]
        data = self._data[starts[0] : starts[-1]]
        starts = starts - starts[0]
        running = np.zeros(len(data) + 1, np.int64)
        np.cumsum((data & 0xC0) != 0x80, out=running[1:])
        return TextBytes(data.tobytes(), starts, np.diff(running[starts]))

    def numbers(
        self, raw: bytes, starts: IntArray, most_new: float = 1.0
    ) -> NDArray[np.int32] | None:
        """Return the number of each chunk of a text, new ones added: [n] int32.

        Arguments:
            raw: the text.
            starts: [n] where its chunks begin: ascending, from zero.
            most_new: share of the text's bytes that distinct new chunks may be.

        Returns:
            None where the text is of no use here: it is empty or has a chunk longer than `LONGEST`,
            it has too many new ones (none is added then), or, once in a text of astronomical size,
            two chunks of one hash.
        """
        lengths = np.diff(starts, append=len(raw))
        if not len(starts) or int(lengths.max()) > LONGEST:
            return None
        return self._numbers(raw, starts, lengths, most_new)

    def tally(
        self, raw: bytes, starts: IntArray
    ) -> list[tuple[NDArray[np.int32], IntArray]] | None:
        """Return how often each chunk occurs in a text, new ones numbered.

        Chunks of up to `WINDOW` bytes are integers, which are sorted in less time than each is
        looked up.

        Arguments: as of `numbers`.

        Returns:
            numbers of distinct chunks and the occurrences of each, of short chunks and of longer
            ones; or None, as `numbers` does.
        """
        lengths = np.diff(starts, append=len(raw))
        if not len(starts) or int(lengths.max()) > LONGEST:
            return None
        # Where zeros are text, an integer does not tell how long its chunk is.
        short = lengths <= (0 if b"\0" in raw else WINDOW)
        keys = windows(raw)[starts[short]] & HEAD_MASKS[lengths[short]]
        keys.sort()
        first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
        distinct = keys[first]
        their_lengths = np.searchsorted(HEAD_MASKS, distinct)
        places = np.arange(len(distinct)) * WINDOW
        shorter = self._numbers(distinct.astype("<u8").tobytes(), places, their_lengths)
        longer = self._numbers(raw, starts[~short], lengths[~short])
        if shorter is None or longer is None:
            return None
        found, times = np.unique(longer, return_counts=True)
        return [(shorter, np.diff(first, append=len(keys))), (found, times)]

    def _numbers(
        self, raw: bytes, starts: IntArray, lengths: IntArray, most_new: float = 1.0
    ) -> NDArray[np.int32] | None:
        """Return `numbers` of chunks that may lie anywhere in a text."""
        views = windows(raw)
        hashes = _hashes(views, starts, lengths)
        numbers = self._probe(hashes)
        new = np.flatnonzero(numbers < 0)
        if len(new):
            first = new[np.sort(np.unique(hashes[new], return_index=True)[1])]
            if int(lengths[first].sum()) > most_new * len(raw):
                return None
            self._add(np.frombuffer(raw, np.uint8), starts[first], lengths[first], hashes[first])
            numbers[new] = self._probe(hashes[new])
        return numbers if self._holds(numbers, views, starts, lengths) else None

    def _add(self, text: ByteArray, starts: IntArray, lengths: IntArray, hashes: WordArray) -> None:
        """Number chunks of a text, no two of one hash, that are not in the table yet."""
        size, begin = self._size + len(starts), int(self._starts[self._size])
        ends = begin + np.cumsum(lengths)
        self._hashes = grown(self._hashes, size)
        self._starts = grown(self._starts, size + 1)
        self._data = grown(self._data, int(ends[-1]) + WINDOW)
        self._lengths = grown(self._lengths, size)
        self._hashes[self._size : size] = hashes
        self._lengths[self._size : size] = lengths
        self._starts[self._size + 1 : size + 1] = ends
        # From a place in the table to the place in the text.
        shift = np.repeat(starts - (ends - lengths), lengths)
        self._data[begin : ends[-1]] = text[shift + np.arange(begin, ends[-1])]
        unplaced, self._size = self._size, size
        if 2 * size > len(self._slots):
            self._slots = np.full(4 << size.bit_length(), -1, np.int32)
            unplaced = 0
        self._place(np.arange(unplaced, size))

    def _place(self, numbers: IntArray) -> None:
        """Put numbers into free slots, each at or after the one its hash points to."""
        slots = self._slots_of(self._hashes[numbers])
        while len(numbers):
            free = self._slots[slots] < 0
            self._slots[slots[free]] = numbers[free]  # of several for a slot, one stays
            lost = self._slots[slots] != numbers
            numbers, slots = numbers[lost], (slots[lost] + 1) % len(self._slots)

    def _probe(self, hashes: WordArray) -> NDArray[np.int32]:
        """Return the number stored under each hash, or -1."""
        if not self._size:
            return np.full(len(hashes), -1, np.int32)
        slots = self._slots_of(hashes)
        numbers = self._slots[slots]
        pending = np.flatnonzero((self._hashes[numbers] != hashes) & (numbers >= 0))
        while len(pending):
            slots[pending] = (slots[pending] + 1) % len(self._slots)
            found = self._slots[slots[pending]]
            numbers[pending] = found
            pending = pending[(self._hashes[found] != hashes[pending]) & (found >= 0)]
        return numbers

    def _slots_of(self, hashes: WordArray) -> IntArray:
        bits = len(self._slots).bit_length() - 1
        return (hashes >> np.uint64(64 - bits)).astype(np.int64)

    def _holds(
        self, numbers: NDArray[np.int32], views: WordArray, starts: IntArray, lengths: IntArray
    ) -> bool:
        """Whether every chunk is, byte by byte, the one stored under its number.

        Of chunks of one length up to `WINDOW`, no two have the same hash: only longer ones are
        compared.
        """
        if not np.array_equal(self._lengths[numbers], lengths):
            return False
        left = np.flatnonzero(lengths > WINDOW)
        ours, starts, lengths = self._starts[numbers[left]], starts[left], lengths[left]
        stored = np.ndarray((len(self._data) - WINDOW + 1,), np.dtype("<u8"), self._data, 0, (1,))
        while len(starts):
            differ = (stored[ours] ^ views[starts]) & HEAD_MASKS[np.minimum(lengths, WINDOW)]
            if differ.any():
                return False
            left = np.flatnonzero(lengths > WINDOW)
            ours, starts = ours[left] + WINDOW, starts[left] + WINDOW
            lengths = lengths[left] - WINDOW
        return True


def _hashes(views: WordArray, starts: IntArray, lengths: IntArray) -> WordArray:
    """Return a 64-bit hash of each chunk: [n].

    Every step is one to one, so up to `WINDOW` bytes the hash and the length are the chunk.
    """
    hashes = lengths.astype(np.uint64) * _LENGTH
    hashes ^= views[starts] & HEAD_MASKS[np.minimum(lengths, WINDOW)]
    hashes *= _GOLDEN
    left, offset = np.flatnonzero(lengths > WINDOW), WINDOW
    while len(left):
        part = hashes[left]
        part ^= part >> _HALF
        mask = HEAD_MASKS[np.minimum(lengths[left] - offset, WINDOW)]
        hashes[left] = (part ^ views[starts[left] + offset] & mask) * _GOLDEN
        offset += WINDOW
        left = left[lengths[left] > offset]
    hashes ^= hashes >> _HALF
    hashes *= _MIX
    return hashes


class PretokenNumbers(NamedTuple):
    """The pre-tokens of several texts, one after the other.

    Attributes:
        numbers: [pre-tokens] uint32, which distinct pre-token each is.
        lengths: [texts] int64, pre-tokens per text.
    """

    numbers: NDArray[np.uint32]
    lengths: IntArray


class PretokenIndex:
    """The distinct pre-tokens of all texts added so far, each split off once and numbered.

    Merges never cross a pre-token, so whatever is to be known of a vocabulary's tokens on a text
    follows from its distinct pre-tokens and how often each occurs. Where it is known at which
    places the splitter always cuts, only distinct chunks between them are split.

    Memory grows with their number, not with the text: English has about 5,000 per megabyte in the
    first ten, and fewer later.
    """

    def __init__(self, split: Callable[[str], Sequence[str]], rule: CutRule | None = None) -> None:
        """`split` cuts a text into its pre-tokens; `rule` is where it always does, if known."""
        self._split_text, self._rule = split, rule
        # Each new piece is given the next number.
        self._numbers: defaultdict[str, int] = defaultdict(count().__next__)
        self._table = ChunkTable()
        self._of_chunk = NumberLists()

    @property
    def pieces(self) -> list[str]:
        """Each distinct pre-token, at the place of its number."""
        return list(self._numbers)

    def add(self, texts: Sequence[str]) -> PretokenNumbers:
        """Split the texts, each on its own."""
        if self._rule is None:
            return self._split(texts)
        text = TextBytes.of(texts)
        starts = chunk_starts(text, self._rule)
        numbers = self._table.numbers(text.raw, starts)
        if numbers is None:
            return self._split(texts)
        unsplit = self._table.chunks(len(self._of_chunk))
        self._of_chunk.extend(*self._split([chunk.decode() for chunk in unsplit]))
        pieces, per_chunk = self._of_chunk.read(numbers)
        running = np.append(0, np.cumsum(per_chunk))
        return PretokenNumbers(pieces, np.diff(running[np.searchsorted(starts, text.starts)]))

    def _split(self, texts: Sequence[str]) -> PretokenNumbers:
        number, split = self._numbers.__getitem__, self._split_text
        found = array("I")
        ends = np.zeros(len(texts) + 1, np.int64)
        for index, text in enumerate(texts):
            found.extend(map(number, split(text)))
            ends[index + 1] = len(found)
        numbers = np.frombuffer(found, np.uint32) if found else np.zeros(0, np.uint32)
        return PretokenNumbers(numbers, np.diff(ends))
