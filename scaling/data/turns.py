"""Whose window comes next, where a model reads several languages by shares.

The languages lie one after the other in one text, and each is cut into windows of its own; what a
share decides is how often a language's next window is read. So any number of mixtures are read from
one copy of the text, and which windows a step reads follows from its number alone.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from scaling.data.shards import Stream


class LanguageRange(NamedTuple):
    """Where the documents of a language lie in a stream.

    Attributes:
        begin, end: its first unit, and the one after its last.
        unit_bytes: bytes of raw text that a unit of it holds in the mean.
    """

    begin: int
    end: int
    unit_bytes: float


def language_ranges(stream: Stream, languages: int) -> list[LanguageRange]:
    """Return where each language lies; an empty range for one without documents.

    Raises:
        InputError: some language's documents do not lie side by side.
    """
    ranges = []
    for number in range(languages):
        which = np.flatnonzero(stream.languages == number)
        if not len(which):
            ranges.append(LanguageRange(0, 0, 1.0))
            continue
        first, last = int(which[0]), int(which[-1]) + 1
        if last - first != len(which):
            raise InputError(
                f"{stream.name}: its languages are interleaved, and shares are of languages that"
                " lie one after the other; prepare the text again, one text after another"
            )
        begin, end = int(stream.documents[first]), int(stream.documents[last])
        size = int(stream.byte_documents[last] - stream.byte_documents[first])
        ranges.append(LanguageRange(begin, end, size / max(1, end - begin)))
    return ranges


@dataclass(frozen=True)
class LanguageTurns:
    """An order of windows in which each language comes as evenly as its share allows.

    Window j of language k, from 0, stands at (j + 1/2) / q_k, and windows are read in the order of
    where they stand, a tie by the lower k. At every row each language is within K / 2 + 1 windows
    of its share, and any row is found without those before it.

    Attributes:
        shares: q, of all windows: [K], with a sum of 1; 0 for a language that is not read.
    """

    shares: NDArray[np.float64]

    def rows(self, first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the languages of the rows from `first` up to `last`, and which of its language's
        windows each is: int64 [rows] both."""
        slack = len(self.shares) + 1
        low, high = self._before(first - slack), self._before(last + slack)
        counts = high - low
        language = np.repeat(np.arange(len(counts)), counts)
        window = np.arange(len(language)) - np.repeat(np.cumsum(counts) - counts - low, counts)
        order = np.lexsort((language, (window + 0.5) / self.shares[language]))
        skipped = first - int(low.sum())
        order = order[skipped : skipped + last - first]
        return language[order], window[order]

    def _before(self, place: int) -> NDArray[np.int64]:
        """Return how many windows of each language stand at `place` or before it: [K]."""
        if place <= 0:
            return np.zeros(len(self.shares), np.int64)
        return np.floor(place * self.shares + 0.5).astype(np.int64)
