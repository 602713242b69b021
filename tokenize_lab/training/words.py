"""The distinct words of a text, pieces of a pattern, and how often each occurs.

Merges never leave a word, so all that a trainer of merges learns from a text are these. Text is cut
first at places where the pattern always ends a piece, and only distinct chunks between them are
split, by Python's `regex`; chunks with characters that libraries may class otherwise are split by
Hugging Face's library, which splits them when the tokenizer is used.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.backends.characters import read_alike
from tokenize_lab.counts.bytes import TextBytes
from tokenize_lab.counts.chunks import ChunkTable
from tokenize_lab.patterns import CutRule, chunk_starts

MOST_BYTES = 64 << 20  # of chunks kept at a time


class DistinctWords(NamedTuple):
    """Distinct words.

    Attributes:
        words: in order of first occurrence, or nearly so.
        counts: [words] int64, occurrences of each.
    """

    words: list[str]
    counts: NDArray[np.int64]


def word_counts(
    batches: Iterable[Sequence[str]], pattern: str, rule: CutRule, most_bytes: int = MOST_BYTES
) -> DistinctWords:
    """Count the words of all texts.

    Args:
        batches: texts, about a megabyte at a time.
        pattern: regular expression whose matches are the words; it matches all text.
        rule: where the pattern always ends a word.
        most_bytes: memory for chunks, beyond which they are split and forgotten.
    """
    split = _splitter(pattern)
    found: dict[str, int] = {}
    table, counts = ChunkTable(), np.zeros(0, np.int64)
    for texts in batches:
        text = TextBytes.of(texts)
        numbers = table.numbers(text.raw, chunk_starts(text, rule))
        if numbers is None:
            _add(found, split(texts), [1] * len(texts))
            continue
        new = np.bincount(numbers, minlength=len(table))
        new[: len(counts)] += counts
        counts = new
        if table.nbytes > most_bytes:
            _add_chunks(found, split, table, counts)
            table, counts = ChunkTable(), np.zeros(0, np.int64)
    _add_chunks(found, split, table, counts)
    return DistinctWords(list(found), np.fromiter(found.values(), np.int64, len(found)))


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


def _add_chunks(
    found: dict[str, int], split: _Split, table: ChunkTable, counts: NDArray[np.int64]
) -> None:
    _add(found, split([chunk.decode() for chunk in table.chunks()]), counts.tolist())


def _add(found: dict[str, int], split: Iterable[list[str]], times: Sequence[int]) -> None:
    for words, count in zip(split, times, strict=True):
        for word in words:
            found[word] = found.get(word, 0) + count
