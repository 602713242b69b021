"""The distinct pieces of texts where only a function can split them; see `pretokens.distinct`."""

from array import array
from collections import defaultdict
from collections.abc import Sequence
from itertools import count

import numpy as np

from tokenize_lab.pretokens.distinct import Pretokens
from tokenize_lab.vocab_curve.splitting import Split


class DistinctPieces:
    """The distinct pieces of all texts added so far, as `PretokenIndex` has them of a pattern."""

    def __init__(self, split: Split) -> None:
        """`split` cuts a text into its pieces."""
        self._split = split
        # Each new piece is given the next number.
        self._numbers: defaultdict[str, int] = defaultdict(count().__next__)

    @property
    def pieces(self) -> list[str]:
        """Each distinct piece, at the place of its number."""
        return list(self._numbers)

    def add(self, texts: Sequence[str]) -> Pretokens:
        """Split the texts, each on its own."""
        number, split = self._numbers.__getitem__, self._split
        found = array("I")
        ends = np.zeros(len(texts) + 1, np.int64)
        for index, text in enumerate(texts):
            found.extend(map(number, split(text)))
            ends[index + 1] = len(found)
        numbers = np.frombuffer(found, np.uint32) if found else np.zeros(0, np.uint32)
        return Pretokens(numbers, np.diff(ends))
