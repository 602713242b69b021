"""The distinct words of a text, pieces of a pattern, and how often each occurs.

Merges never leave a word, so all that a trainer of merges learns from a text are these. Text is cut
first at places where the pattern always ends a piece, and only distinct chunks between them are
split, by Python's `regex`; those with characters that libraries may class otherwise by Hugging
Face's library, which splits them when the tokenizer is used.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, count
from typing import NamedTuple

import numpy as np

from tokenize_lab.backends.characters import read_alike
from tokenize_lab.counts.bytes import TextBytes
from tokenize_lab.counts.chunks import ChunkTable, grown
from tokenize_lab.cut_rules import CutRule, chunk_starts
from tokenize_lab.tokenizer import IntArray

MOST_BYTES = 64 << 20  # of chunks kept at a time


class DistinctWords(NamedTuple):
    """Distinct words.

    Attributes:
        words: in order of first occurrence, or nearly so.
        counts: [words] int64, occurrences of each.
    """

    words: list[str]
    counts: IntArray


def word_counts(
    batches: Iterable[TextBytes], pattern: str, rule: CutRule, most_bytes: int = MOST_BYTES
) -> DistinctWords:
    """Count the words of all texts.

    Args:
        batches: texts, about a megabyte at a time.
        pattern: regular expression whose matches are the words; it matches all text.
        rule: where the pattern always ends a word.
        most_bytes: memory for chunks, beyond which they are split and forgotten.
    """
    words = _Words(_splitter(pattern))
    one = np.ones(1, np.int64)
    table, counts = ChunkTable(), np.zeros(0, np.int64)
    for text in batches:
        tally = table.tally(text.raw, chunk_starts(text, rule))
        if tally is None:
            words.add(text.texts, text.characters.sum(keepdims=True), one)
            continue
        counts = grown(counts, len(table))
        for numbers, times in tally:
            counts[numbers] += times
        if table.nbytes > most_bytes:
            _add_chunks(words, table, counts, rule)
            table, counts = ChunkTable(), np.zeros(0, np.int64)
    _add_chunks(words, table, counts, rule)
    return words.found()


_Split = Callable[[Sequence[str]], Iterator[list[str]]]


def _splitter(pattern: str) -> _Split:
    """Return what cuts each of several texts into words."""
    import regex
    from tokenizers import Regex, pre_tokenizers

    find = regex.compile(pattern).findall
    library = pre_tokenizers.Split(Regex(pattern), behavior="isolated").pre_tokenize_str

    def split(texts: Sequence[str]) -> Iterator[list[str]]:
        if read_alike("".join(texts)):
            return map(find, texts)
        return (
            find(text) if read_alike(text) else [word for word, _ in library(text)]
            for text in texts
        )

    return split


class _Words:
    """Adds up words."""

    def __init__(self, split: _Split) -> None:
        self._split = split
        # Each new word is given the next number.
        self._numbers: defaultdict[str, int] = defaultdict(count().__next__)
        self._counts = np.zeros(0, np.int64)

    def add(self, texts: Sequence[str], ends: IntArray, times: IntArray) -> None:
        """Count the words of texts, those of some parts of them more often than of others.

        Arguments:
            texts: that are split, each on its own.
            ends: [parts] where the parts end, in characters of all texts end to end.
            times: [parts] how often the words of each part count.
        """
        words = [*chain.from_iterable(self._split(texts))]
        last = np.cumsum(np.fromiter(map(len, words), np.int64, len(words)))
        numbers = np.fromiter(map(self._numbers.__getitem__, words), np.int64, len(words))
        self._counts = grown(self._counts, len(self._numbers))
        # Floating point adds whole numbers exactly up to 2 ** 53.
        found = np.bincount(numbers, times[np.searchsorted(ends, last)]).astype(np.int64)
        self._counts[: len(found)] += found

    def found(self) -> DistinctWords:
        """Return what has been added up."""
        return DistinctWords([*self._numbers], self._counts[: len(self._numbers)])


_TEXT_BYTES = 1 << 16  # of chunks that are split side by side


def _add_chunks(words: _Words, table: ChunkTable, counts: IntArray, rule: CutRule) -> None:
    """Add the words of chunks, each as often as it occurs.

    Chunks are split side by side where the pattern would end a word between any two of them.
    """
    text = table.text()
    if not len(text.characters):
        return
    begins = text.starts[:-1]
    starts = begins[np.diff(begins // _TEXT_BYTES, prepend=-1) != 0]
    joined = _joined(text, starts)
    # A cut may be owed to what stands before the chunk at its front: parted from it, it is none.
    while len(apart := np.setdiff1d(begins, chunk_starts(joined, rule), assume_unique=True)):
        starts = np.union1d(starts, apart)
        joined = _joined(text, starts)
    texts = joined.texts
    words.add(texts, np.cumsum(text.characters), grown(counts, len(text.characters)))


def _joined(text: TextBytes, starts: IntArray) -> TextBytes:
    """Return texts end to end as fewer ones, which begin at `starts`."""
    first = np.searchsorted(text.starts, starts)
    characters = np.add.reduceat(text.characters, first)
    return TextBytes(text.raw, np.append(starts, len(text.raw)), characters)
