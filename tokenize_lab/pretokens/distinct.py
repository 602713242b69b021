"""The distinct pre-tokens of a corpus, each split off once and numbered.

Merges never cross a pre-token, so whatever is to be known of a vocabulary's tokens on a text
follows from its distinct pre-tokens and how often each occurs. The text is cut where every pattern
of the family must cut (`cuts`); only distinct chunks are split by the pattern, lookahead included.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.pretokens.chunk_table import ChunkTable
from tokenize_lab.pretokens.cuts import chunk_starts, rule_of
from tokenize_lab.pretokens.lists import NumberLists
from tokenize_lab.text_bytes import TextBytes


class Pretokens(NamedTuple):
    """The pre-tokens of several texts, one after the other.

    Attributes:
        numbers: [pre-tokens] uint32, which distinct pre-token each is.
        lengths: [texts] int64, pre-tokens per text.
    """

    numbers: NDArray[np.uint32]
    lengths: NDArray[np.int64]


class PretokenIndex:
    """The distinct pre-tokens of all texts added so far.

    Memory grows with their number, not with the text: English has about 5,000 per megabyte in the
    first ten, and fewer later.

    Attributes:
        pieces: the UTF-8 bytes of each distinct pre-token; its place is its number.
    """

    def __init__(self, pattern: str) -> None:
        """`pattern` splits the text, and keeps every character of it."""
        import regex

        self.pieces: list[bytes] = []
        self._findall: Any = regex.compile(pattern).findall if pattern else lambda text: [text]
        self._rule = rule_of(pattern)
        self._numbers: dict[str, int] = {}
        self._table = ChunkTable()
        self._of_chunk = NumberLists()

    def add(self, texts: Sequence[str]) -> Pretokens:
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
        return Pretokens(pieces, np.diff(running[np.searchsorted(starts, text.starts)]))

    def _split(self, texts: Sequence[str]) -> Pretokens:
        """Split with the pattern itself."""
        numbers = self._numbers
        found: list[int] = []
        ends = np.zeros(len(texts) + 1, np.int64)
        for i, text in enumerate(texts):
            for piece in self._findall(text) if text else ():
                number = numbers.get(piece)
                if number is None:
                    number = numbers[piece] = len(numbers)
                    self.pieces.append(piece.encode())
                found.append(number)
            ends[i + 1] = len(found)
        return Pretokens(np.array(found, np.uint32), np.diff(ends))
