"""The text a tokenizer is trained on: read from its corpus as often as a trainer needs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.corpus import Corpus
from corpora.document import utf8_length
from corpora.errors import InputError
from tokenize_lab.backends.simple import CODE_POINTS
from tokenize_lab.progress import ReportProgress, silent


class TextFacts(NamedTuple):
    """What a training text was.

    Attributes:
        sha256: of every document's UTF-8 bytes, each followed by a byte FF (in no UTF-8 text).
        documents: how many.
        bytes: of all documents, line ends between them not counted.
    """

    sha256: str
    documents: int
    bytes: int


@dataclass(frozen=True)
class TrainingText:
    """A corpus to train on; `progress` is told what is being done and the bytes just read."""

    corpus: Corpus
    progress: ReportProgress = silent

    def batches(self, doing: str) -> Iterator[list[str]]:
        """Yield the texts, about a megabyte at a time."""
        for batch in self.corpus.batches():
            yield list(batch.texts)
            self.progress(doing, sum(map(utf8_length, batch.texts)))

    def texts(self, doing: str) -> Iterator[str]:
        """Yield the texts one by one."""
        for texts in self.batches(doing):
            yield from texts

    def spelt_with(self, alphabet: NDArray[np.int64], other: str) -> Iterator[str]:
        """Yield the texts with `other` in place of every character outside the alphabet."""
        table = np.full(CODE_POINTS, ord(other), np.uint32)
        table[alphabet] = alphabet
        for text in self.texts("reading"):
            yield table[code_points(text)].tobytes().decode("utf-32-le")

    def character_counts(self) -> NDArray[np.int64]:
        """Return [0x110000] int64: how often each code point occurs."""
        counts = np.zeros(CODE_POINTS, np.int64)
        for texts in self.batches("counting characters"):
            found = np.bincount(code_points("".join(texts)))
            counts[: len(found)] += found
        return counts


def code_points(text: str) -> NDArray[np.uint32]:
    """Return the code points of a text."""
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)


def by_frequency(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the code points that occur, the most frequent first, equals by code point."""
    present = np.flatnonzero(counts)
    return present[np.argsort(-counts[present], kind="stable")]


# Hugging Face's BPE trainer takes words' 64-bit counts into signed 32-bit counts of pairs; past
# the largest, pairs that occur most often would come last, without a word.
LARGEST_COUNT = (1 << 31) - 1


def countable(text: TrainingText, doing: str) -> Iterator[str]:
    """Yield the texts one by one while no pair of bytes occurs more often than can be counted.

    Two tokens side by side put the last byte of one beside the first byte of the other, so no pair
    of tokens ever occurs more often than the commonest pair of bytes.

    Raises:
        InputError: a pair occurs too often.
    """
    counts = np.zeros(1 << 16, np.int64)
    for texts in text.batches(doing):
        data = np.frombuffer("".join(texts).encode("utf-8"), np.uint8).astype(np.uint16)
        counts += np.bincount((data[:-1] << 8) | data[1:], minlength=1 << 16)
        if counts.max() > LARGEST_COUNT:
            pair = bytes(divmod(int(counts.argmax()), 256))
            raise InputError(
                f"{text.corpus.name}: too long to train on, the bytes {pair!r} occur together more "
                f"than {LARGEST_COUNT:,} times, which the trainer cannot count; give a part of it"
            )
        yield from texts
