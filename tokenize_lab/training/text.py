"""The text a tokenizer is trained on: read from its corpus as often as a trainer needs."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.corpus import Corpus
from corpora.document import utf8_length
from corpora.errors import InputError
from tokenize_lab.backends.simple import CODE_POINTS
from tokenize_lab.counts.bytes import TextBytes
from tokenize_lab.patterns import pattern_named, rule_of
from tokenize_lab.progress import ReportProgress, silent
from tokenize_lab.training.words import DistinctWords, word_counts


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


class FactSums:
    """Adds up what a training text is, batch by batch."""

    def __init__(self) -> None:
        self._digest, self._documents, self._bytes = hashlib.sha256(), 0, 0

    def add(self, text: TextBytes) -> None:
        """Note more texts."""
        raw = memoryview(text.raw)
        for begin, end in pairwise(text.starts.tolist()):
            self._digest.update(raw[begin:end])
            self._digest.update(b"\xff")
        self._documents += len(text.characters)
        self._bytes += len(raw)

    def facts(self) -> TextFacts:
        """Return what has been added up."""
        return TextFacts(self._digest.hexdigest(), self._documents, self._bytes)


class CountedText(NamedTuple):
    """A training text by its distinct words, and its facts."""

    words: DistinctWords
    facts: TextFacts


@dataclass(frozen=True)
class TrainingText:
    """A corpus to train on; `progress` is told what is being done and the bytes just read."""

    corpus: Corpus
    progress: ReportProgress = silent
    _counted: dict[str, CountedText] = field(default_factory=dict, repr=False, compare=False)

    def batches(self, doing: str) -> Iterator[list[str]]:
        """Yield the texts, about a megabyte at a time."""
        for batch in self.corpus.batches():
            yield list(batch.texts)
            self.progress(doing, sum(map(utf8_length, batch.texts)))

    def counted(self, pattern: str) -> CountedText | None:
        """Return the text's words by a pattern's name, counted when first asked for; None where it
        is not known at which places that pattern always ends a word.

        Raises:
            InputError: a pair of bytes stands in words too often to be counted.
        """
        expression = pattern_named(pattern)
        rule = rule_of(expression)
        if rule is None:
            return None
        if pattern not in self._counted:
            sums = FactSums()
            batches = self._noted(sums, "counting words")
            words = word_counts(batches, expression, rule)
            _refuse_uncountable(self, _pair_counts(words))
            self._counted[pattern] = CountedText(words, sums.facts())
        return self._counted[pattern]

    def _noted(self, sums: FactSums, doing: str) -> Iterator[TextBytes]:
        for texts in self.batches(doing):
            text = TextBytes.of(texts)
            sums.add(text)
            yield text

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
    counts = np.zeros(_PAIRS, np.int64)
    for texts in text.batches(doing):
        counts += np.bincount(_pairs("".join(texts).encode("utf-8")), minlength=_PAIRS)
        _refuse_uncountable(text, counts)
        yield from texts


_PAIRS = 1 << 16


def _pairs(data: bytes) -> NDArray[np.integer]:
    """Return every two bytes side by side as a number."""
    array = np.frombuffer(data, np.uint8).astype(np.uint16)
    return (array[:-1] << 8) | array[1:]


def _pair_counts(words: DistinctWords) -> NDArray[np.int64]:
    """Return how often each two bytes stand side by side within words: [65536]."""
    encoded = [word.encode("utf-8") for word in words.words]
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    times = np.repeat(words.counts, lengths)
    times[np.cumsum(lengths)[:-1] - 1] = 0  # the last byte of a word and the first of the next
    # Floating point adds whole numbers exactly up to 2 ** 53.
    counts = np.bincount(_pairs(b"".join(encoded)), weights=times[:-1], minlength=_PAIRS)
    return counts.astype(np.int64)


def _refuse_uncountable(text: TrainingText, counts: NDArray[np.int64]) -> None:
    if counts.max() > LARGEST_COUNT:
        pair = bytes(divmod(int(counts.argmax()), 256))
        raise InputError(
            f"{text.corpus.name}: too long to train on, the bytes {pair!r} occur together more "
            f"than {LARGEST_COUNT:,} times, which the trainer cannot count; give a part of it"
        )
