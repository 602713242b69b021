"""One batch, one tokenizer: where its tokens begin, and every additive count, per document."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.counts.boundaries import TokenBoundaries, lost_bytes
from tokenize_lab.counts.bytes import ByteRuns
from tokenize_lab.counts.fields import TOKEN_FIELDS, TOKEN_INDEX
from tokenize_lab.counts.text import AnnotatedText
from tokenize_lab.tokenizer import (
    BoolArray,
    Encoding,
    IntArray,
    Tokenizer,
    table_of,
)

# The pre-token ceiling needs the tokenizer's own splitter, which is slower than some encoders; only
# a sample of documents, evenly spaced over each batch, is split, and the rate is of that sample.
PRETOKEN_SAMPLE_SHARE = 1 / 64
PRETOKEN_SAMPLE_LEAST = 4096

Put = Callable[[str, IntArray], None]


class TokenCounts(NamedTuple):
    """What one tokenizer made of one batch.

    Attributes:
        per_text: [texts, len(TOKEN_FIELDS)] int64.
        ids: [used] uint32, the ids that occur, ascending.
        occurrences: [used] int64, how often each of them occurs.
    """

    per_text: IntArray
    ids: NDArray[np.uint32]
    occurrences: IntArray


class SampledPretokens(NamedTuple):
    """Pre-tokens of a sample of a batch.

    Attributes:
        pieces: [texts] int64, pre-tokens of the part of each text that was split.
        bytes: [texts] int64, bytes of that part.
    """

    pieces: IntArray
    bytes: IntArray


def count_encoded(
    text: AnnotatedText, encoding: Encoding, tokenizer: Tokenizer, boundaries: TokenBoundaries
) -> TokenCounts:
    """Count everything of `TOKEN_FIELDS` but the pre-tokens in a batch that has been encoded."""
    ids, per_text = encoding
    table = np.zeros((len(per_text), len(TOKEN_FIELDS)), np.int64)

    def put(name: str, column: IntArray) -> None:
        table[:, TOKEN_INDEX[name]] = column

    put("tokens", per_text)
    put("token_bytes", boundaries.token_bytes)
    put("lost_bytes", lost_bytes(text.text_bytes, encoding, tokenizer, boundaries.exact))
    put("exact_documents", boundaries.given_back.astype(np.int64))
    put("comparable_bytes", np.where(boundaries.exact, text.text_bytes.byte_counts, 0))

    histogram = np.bincount(ids) if len(ids) else np.zeros(0, np.int64)
    used = np.flatnonzero(histogram)
    count_rare(text, encoding, used, tokenizer, boundaries, put)
    if boundaries.exact.any():
        words = in_exact_texts(text, boundaries, text.words)
        if len(words):
            put("comparable_words", text.text_bytes.per_text(words.first))
            single = single_tokens(words, boundaries)
            put("single_token_words", _sum_per_text(text, words, single))
    if len(histogram) > tokenizer.vocabulary_size:  # ids of the encoding's own count as the last
        last = tokenizer.vocabulary_size - 1
        histogram[last] = histogram[last:].sum()
        used = np.flatnonzero(histogram[: last + 1])
    return TokenCounts(table, used.astype(np.uint32), histogram[used].astype(np.int64))


def count_rare(
    text: AnnotatedText,
    encoding: Encoding,
    used: IntArray,
    tokenizer: Tokenizer,
    boundaries: TokenBoundaries,
    put: Put,
) -> None:
    """Put what most texts have none of: odd tokens, long numbers, and what is counted in code.

    Arguments:
        used: the ids that occur.
        put: told the name and column of each count that is not all zero.
    """
    vocabulary = table_of(tokenizer, encoding)
    for name, flags in (
        ("unknown_tokens", vocabulary.unknown),
        ("byte_fallback_tokens", vocabulary.byte_fallback),
        ("split_character_tokens", vocabulary.splits_character),
    ):
        if flags[used].any():
            stops = np.append(0, np.cumsum(encoding.lengths))
            at = np.flatnonzero(np.take(flags, encoding.ids))
            put(name, np.diff(np.searchsorted(at, stops)))
    if not boundaries.exact.any():
        return
    _count_digits(text, boundaries, put)
    if text.is_code:
        for name, runs in (("indentation", text.indentation), ("operator", text.operators)):
            runs = in_exact_texts(text, boundaries, runs)
            put(f"{name}_bytes", _sum_per_text(text, runs, runs.lengths))
            put(f"{name}_tokens", _sum_per_text(text, runs, boundaries.inside(runs) + 1))


def in_exact_texts(text: AnnotatedText, boundaries: TokenBoundaries, runs: ByteRuns) -> ByteRuns:
    """Return the runs that lie in texts whose tokens give them back."""
    if boundaries.exact.all():
        return runs
    owner = np.searchsorted(text.text_bytes.starts, runs.first, side="right") - 1
    return runs.select(boundaries.exact[owner])


def _sum_per_text(
    text: AnnotatedText, runs: ByteRuns, values: NDArray[np.integer] | BoolArray
) -> IntArray:
    running = np.zeros(len(runs) + 1, np.int64)
    np.cumsum(values, out=running[1:])
    return np.diff(running[np.searchsorted(runs.first, text.text_bytes.starts)])


def single_tokens(words: ByteRuns, boundaries: TokenBoundaries) -> BoolArray:
    """Return which words, one or more, are one token: no boundary cuts it, and no token reaches
    into a neighbour."""
    opened = boundaries.opened
    apart = np.ones(len(words) + 1, np.bool_)
    apart[1:-1] = opened[words.first[1:]] > opened[words.last[:-1]]
    return np.asarray((boundaries.inside(words) == 0) & apart[:-1] & apart[1:])


def _count_digits(text: AnnotatedText, boundaries: TokenBoundaries, put: Put) -> None:
    """Compare boundaries inside long numbers with grouping by three from the right.

    Singh and Strouse (arXiv 2402.14903) find that such grouping helps arithmetic; counts are
    pooled over numbers, so that F1 = 2 hit / (found + expected).
    """
    numbers = in_exact_texts(text, boundaries, text.long_numbers)
    if not len(numbers):
        return
    expected = (numbers.lengths - 1) // 3
    owner = np.repeat(np.arange(len(numbers)), expected)
    nth = np.arange(len(owner)) - np.repeat(np.cumsum(expected) - expected, expected)
    hit = boundaries.opens[numbers.last[owner] + 1 - 3 * (nth + 1)]
    hits = np.bincount(owner, weights=hit, minlength=len(numbers)).astype(np.int64)
    put("digit_boundaries", _sum_per_text(text, numbers, boundaries.inside(numbers)))
    put("digit_boundaries_expected", _sum_per_text(text, numbers, expected))
    put("digit_boundaries_hit", _sum_per_text(text, numbers, hits))


def pretokens_sampled(text: AnnotatedText, tokenizer: Tokenizer) -> SampledPretokens | None:
    """Split a sample of the documents, evenly spaced; None where there is nothing to split."""
    sizes = text.text_bytes.byte_counts
    total = int(sizes.sum())
    if not total:
        return None
    budget = max(PRETOKEN_SAMPLE_LEAST, int(total * PRETOKEN_SAMPLE_SHARE))
    wanted = max(1, min(len(sizes), round(budget * len(sizes) / total)))
    chosen = np.unique(np.linspace(0, len(sizes) - 1, wanted).round().astype(np.int64))
    sample = SampledPretokens(np.zeros(len(sizes), np.int64), np.zeros(len(sizes), np.int64))
    for i in chosen.tolist():
        head = whole_words(text.texts[i], budget)
        count = tokenizer.pretoken_count(head)
        if count is None:
            return None
        sample.pieces[i] = count
        sample.bytes[i] = len(head.encode())
    return sample


def add_pretokens(counts: TokenCounts, sample: SampledPretokens | None) -> None:
    """Put a sample's pre-tokens into a batch's counts."""
    if sample is not None:
        counts.per_text[:, TOKEN_INDEX["pretokens"]] = sample.pieces
        counts.per_text[:, TOKEN_INDEX["pretoken_bytes"]] = sample.bytes


def whole_words(string: str, most: int) -> str:
    """Return the string, or its head up to a space before a word, where every splitter cuts; empty
    where a long string has no such place."""
    if len(string) <= most:
        return string
    end = most
    while end > 0 and not (string[end] == " " and not string[end - 1].isspace()):
        end -= 1
    return string[:end]
