"""The distinct pieces of texts, numbered, and which of them each text is made of."""

from array import array
from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.vocab_curve.splitting import Split


class Numbered(NamedTuple):
    """The pieces of several texts, one after the other.

    Attributes:
        numbers: [pieces] uint32, which distinct piece each is.
        lengths: [texts] int64, pieces per text.
    """

    numbers: NDArray[np.uint32]
    lengths: NDArray[np.int64]


class DistinctPieces:
    """The distinct pieces of all texts added so far."""

    def __init__(self, split: Split) -> None:
        """`split` cuts a text into its pieces."""
        self._split = split
        # Each new piece is given the next number.
        self._numbers: defaultdict[str, int] = defaultdict(count().__next__)

    @property
    def pieces(self) -> list[str]:
        """Each distinct piece, at the place of its number."""
        return list(self._numbers)

    def add(self, texts: Sequence[str]) -> Numbered:
        """Split the texts, each on its own."""
        number, split = self._numbers.__getitem__, self._split
        found = array("I")
        ends = np.zeros(len(texts) + 1, np.int64)
        for index, text in enumerate(texts):
            found.extend(map(number, split(text)))
            ends[index + 1] = len(found)
        numbers = np.frombuffer(found, np.uint32) if found else np.zeros(0, np.uint32)
        return Numbered(numbers, np.diff(ends))
