"""A batch of texts as one array of UTF-8 bytes, and the classes of its bytes.

What is counted in a text (words, numbers, indentation) is found here once, in whole-array
operations, and then compared with the token boundaries of every tokenizer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.tokenizer import BoolArray, IntArray

_FEW_TEXTS = 32  # each of so few is looked at in turn
_WIDE_SPACE_LEADS = b"\xc2\xe1\xe2\xe3"
# Every white space of Unicode 16 beyond ASCII, as str.isspace() has it.
WIDE_SPACES = (
    "\x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
)
# What str.split() separates at within ASCII.
ASCII_SPACES = bytes([*range(0x09, 0x0E), *range(0x1C, 0x20), 0x20])
DIGITS = b"0123456789"


def members(data: bytes, wanted: bytes) -> BoolArray:
    """Return which bytes of `data` are among `wanted`: [bytes] bool."""
    return np.frombuffer(data.translate(_membership(wanted)), np.bool_)


@cache
def _membership(wanted: bytes) -> bytes:
    return bytes(byte in wanted for byte in range(256))


class ByteRuns:
    """ByteRuns of bytes: `first[i]` to `last[i]`, both included, in order and not overlapping."""

    def __init__(self, first: IntArray, last: IntArray) -> None:
        assert first.shape == last.shape
        self.first = first
        self.last = last

    def __len__(self) -> int:
        return len(self.first)

    @classmethod
    def none(cls) -> "ByteRuns":
        """Return no runs."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64))

    def select(self, keep: BoolArray) -> "ByteRuns":
        """Return the runs for which `keep` is true."""
        return ByteRuns(self.first[keep], self.last[keep])

    @property
    def lengths(self) -> IntArray:
        """[runs] bytes of each run."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class TextBytes:
    """Texts as bytes.

    Attributes:
        raw: all texts' UTF-8 bytes, one text after the other.
        starts: [texts + 1] int64, where each text begins; the last entry is the number of bytes.
        characters: [texts] int64, code points of each text.
    """

    raw: bytes
    starts: IntArray
    characters: IntArray

    @classmethod
    def of(cls, texts: Sequence[str]) -> "TextBytes":
        """Encode the texts; they hold no lone surrogates (readers refuse those)."""
        encoded = [text.encode() for text in texts]
        starts = np.zeros(len(texts) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, encoded), np.int64, len(texts)), out=starts[1:])
        characters = np.fromiter(map(len, texts), np.int64, len(texts))
        return cls(b"".join(encoded), starts, characters)

    @property
    def texts(self) -> list[str]:
        """The texts themselves, decoded."""
        return [self.raw[begin:end].decode() for begin, end in pairwise(self.starts.tolist())]

    @cached_property
    def data(self) -> NDArray[np.uint8]:
        """[bytes] uint8, a view of `raw`."""
        return np.frombuffer(self.raw, np.uint8)

    @property
    def byte_counts(self) -> IntArray:
        """[texts] bytes of each text."""
        return np.diff(self.starts)

    @property
    def is_ascii(self) -> bool:
        """Whether no text holds a character beyond ASCII."""
        return int(self.characters.sum()) == len(self.raw)

    @cached_property
    def whitespace(self) -> BoolArray:
        """[bytes] bool, whether the byte belongs to white space, as `str.split()` sees it."""
        space = members(self.raw, ASCII_SPACES)
        wide = self.wide_spaces
        if len(wide):
            space = space.copy()
            for byte in (1, 2, 3):
                space[np.maximum(wide.last - byte + 1, wide.first)] = True
        return space

    @cached_property
    def wide_spaces(self) -> ByteRuns:
        """The characters beyond ASCII that are white space, each by itself."""
        none = np.zeros(0, np.int64)
        first, last = [none], [none]
        leads = none if self.is_ascii else np.flatnonzero(members(self.raw, _WIDE_SPACE_LEADS))
        if len(leads):
            padded = np.frombuffer(self.raw + b"\0\0", np.uint8)
            code = padded[leads].astype(np.uint32) << 16
            code |= padded[leads + 1].astype(np.uint32) << 8
            for size in (2, 3):
                if size == 3:
                    code |= padded[leads + 2]
                hits = leads[np.isin(code, _wide_codes(size))]
                first.append(hits)
                last.append(hits + size - 1)
        begins, ends = np.concatenate(first), np.concatenate(last)
        order = np.argsort(begins)
        return ByteRuns(begins[order], ends[order])

    def digit_runs(self, least: int) -> ByteRuns:
        """Return the maximal runs of at least `least`, two or more, ASCII digits within a text."""
        assert least >= 2
        digits = members(self.raw, DIGITS)
        if len(digits) < least:
            return ByteRuns.none()
        # begins[i]: digits from i to i + least - 1, none of them in the next text.
        begins = digits[: len(digits) - least + 1].copy()
        for offset in range(1, least):
            begins &= digits[offset : len(digits) - least + 1 + offset]
            crossing = self.starts[1:-1] - offset
            begins[crossing[(crossing >= 0) & (crossing < len(begins))]] = False
        at = np.flatnonzero(begins)
        first = np.diff(at, prepend=-2) > 1
        last = np.diff(at, append=len(self.raw) + 1) > 1
        return ByteRuns(at[first], at[last] + least - 1)

    def runs(self, member: BoolArray) -> ByteRuns:
        """Return the maximal runs of bytes for which `member` is true; none crosses two texts."""
        if len(member) == 0:
            return ByteRuns.none()
        inner = self._inner()
        closes = member.copy()
        closes[:-1] &= ~member[1:]
        before = inner[inner > 0] - 1
        closes[before] = member[before]
        return ByteRuns(np.flatnonzero(self._opens(member)), np.flatnonzero(closes))

    def runs_begun(self, member: BoolArray) -> IntArray:
        """Return how many of the runs of `runs` each text has: [texts] int64."""
        opens = self._opens(member)
        if len(self.characters) > _FEW_TEXTS:
            return self.per_text(np.flatnonzero(opens))
        ends = pairwise(self.starts.tolist())
        return np.array([np.count_nonzero(opens[a:b]) for a, b in ends], np.int64)

    def _inner(self) -> IntArray:
        """Return where texts begin that have others before them."""
        inner = self.starts[1:-1]
        return inner[inner < len(self.raw)]

    def _opens(self, member: BoolArray) -> BoolArray:
        """Return where runs begin: [bytes] bool."""
        opens = member.copy()
        opens[1:] &= ~member[:-1]
        opens[self._inner()] = member[self._inner()]
        return opens

    def per_text(self, positions: IntArray) -> IntArray:
        """Return how many of the sorted byte positions fall in each text: [texts] int64."""
        return np.diff(np.searchsorted(positions, self.starts))


@cache
def _wide_codes(size: int) -> NDArray[np.uint32]:
    """The white spaces of `size` bytes, as their bytes in the upper part of 24 bits."""
    codes = [raw.ljust(3, b"\0") for c in WIDE_SPACES if len(raw := c.encode()) == size]
    return np.array([int.from_bytes(code, "big") for code in codes], np.uint32)
