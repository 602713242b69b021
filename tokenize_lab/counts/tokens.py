"""One batch, one tokenizer: where its tokens begin, and every additive count, per document."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.counts.bytes import ByteRuns, TextBytes
from tokenize_lab.counts.fields import TOKEN_FIELDS, TOKEN_INDEX
from tokenize_lab.counts.text import AnnotatedText
from tokenize_lab.tokenizer import (
    HEAD_MASKS,
    WINDOW,
    BoolArray,
    Encoding,
    IntArray,
    TokenBytes,
    Tokenizer,
    table_of,
    windows,
)


@dataclass(frozen=True)
class TokenBoundaries:
    """Token boundaries of a batch, laid over its bytes.

    Attributes:
        exact: [texts] bool, whether the tokens' bytes are the text's bytes.
        token_bytes: [texts] int64, bytes the tokens stand for, the tokenizer's prefix left out.
        opens: [bytes + 1] int8, 1 where a token of an exact text begins.
    """

    exact: BoolArray
    token_bytes: IntArray
    opens: NDArray[np.int8]

    @cached_property
    def opened(self) -> NDArray[np.int32]:
        """[bytes + 1] int32, how many tokens begin at or before each byte."""
        return np.cumsum(self.opens, dtype=np.int32)

    def inside(self, runs: ByteRuns) -> NDArray[np.int32]:
        """Return how many boundaries cut each run: [runs] int32."""
        return self.opened[runs.last] - self.opened[runs.first]


def token_boundaries(text: TextBytes, encoding: Encoding, tokenizer: Tokenizer) -> TokenBoundaries:
    """Lay the tokens over the text and compare every byte.

    Bytes are compared eight at a time through overlapping 64-bit views of text and table, so the
    cost follows the number of tokens; no token is decoded.
    """
    table = table_of(tokenizer, encoding)
    lengths = encoding.lengths
    ids = encoding.ids.astype(np.int64)
    stops = np.cumsum(lengths)
    sizes = np.take(table.lengths, ids)
    trimmed, skips = _prefix_bytes(tokenizer.prefix, table, ids, stops - lengths, lengths)
    sizes[trimmed] -= skips
    if tokenizer.suffix:
        trimmed = _with_suffix(tokenizer.suffix, table, ids, stops[lengths > 0] - 1)
        skips = np.zeros(len(trimmed), np.int32)
        sizes[trimmed] -= len(tokenizer.suffix)

    ends = np.zeros(len(ids) + 1, np.int64)
    np.cumsum(sizes, out=ends[1:])
    begins = ends[stops - lengths]
    token_bytes = ends[stops] - begins
    exact = token_bytes == text.byte_counts
    # Texts whose tokens have the wrong length push the later ones out of place, or past the end.
    out_of_place = text.starts[:-1] - begins
    starts = ends[:-1]
    if out_of_place.any() or ends[-1] > len(text.raw):
        starts = np.minimum(starts + np.repeat(out_of_place, lengths), len(text.raw))
    wrong = _differing(text.raw, starts, table, ids, sizes, trimmed, skips)
    exact[np.searchsorted(stops, wrong, side="right")] = False

    opens = np.zeros(len(text.raw) + 1, np.int8)
    opens[starts if exact.all() else starts[np.repeat(exact, lengths)]] = 1
    return TokenBoundaries(exact, token_bytes, opens)


def _prefix_bytes(
    prefix: bytes, table: TokenBytes, ids: IntArray, firsts: IntArray, lengths: IntArray
) -> tuple[IntArray, NDArray[np.int32]]:
    """Return which tokens hold part of the tokenizer's prefix, and how many bytes of it, each.

    Texts whose tokens do not begin with all of it have none.

    Arguments:
        firsts: the index of each text's first token, of `lengths` tokens in all.
    """
    places: list[IntArray] = [firsts[:0]]
    skips: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
    owners: list[IntArray] = [firsts[:0]]
    texts = np.flatnonzero(lengths) if prefix else firsts[:0]
    found = np.zeros(len(lengths), np.int64)
    depth = 0
    while len(texts):  # once, where the first token holds all of the prefix
        place = firsts[texts] + depth
        token_and_found, which = np.unique(
            ids[place] * len(prefix) + found[texts], return_inverse=True
        )
        held = [
            _held(table[i // len(prefix)], prefix[i % len(prefix) :])
            for i in token_and_found.tolist()
        ]
        skip = np.array(held, np.int32)[which]
        is_prefix = skip >= 0
        texts, skip = texts[is_prefix], skip[is_prefix]
        places.append(place[is_prefix])
        skips.append(skip)
        owners.append(texts)
        found[texts] += skip
        depth += 1
        texts = texts[(found[texts] < len(prefix)) & (lengths[texts] > depth)]
    place, skip = np.concatenate(places), np.concatenate(skips)
    whole = (skip > 0) & (found[np.concatenate(owners)] == len(prefix))
    return place[whole], skip[whole]


def _with_suffix(suffix: bytes, table: TokenBytes, ids: IntArray, lasts: IntArray) -> IntArray:
    """Return which of the texts' last tokens end with the tokenizer's suffix."""
    distinct, inverse = np.unique(ids[lasts], return_inverse=True)
    ending = [table[i].endswith(suffix) for i in distinct.tolist()]
    return lasts[np.array(ending, np.bool_)[inverse]]


def _held(token: bytes, prefix: bytes) -> int:
    """Return how many bytes of the prefix a token holds at its front; -1 where it is another."""
    if token.startswith(prefix):
        return len(prefix)
    return len(token) if prefix.startswith(token) else -1


def _differing(
    text: bytes,
    starts: IntArray,
    table: TokenBytes,
    ids: IntArray,
    sizes: NDArray[np.int32],
    trimmed: IntArray,
    skips: NDArray[np.int32],
) -> IntArray:
    """Return the indices of tokens whose bytes differ from the text's at their place.

    Arguments:
        starts: [tokens] where each token lies in `text`.
        sizes: [tokens] bytes of each, without prefix and suffix.
        trimmed: tokens with part of either, the first `skips` bytes prefix.
    """
    of_text = windows(text)
    differ = (of_text[starts] ^ np.take(table.heads, ids)) & np.take(table.head_masks, ids)
    skipped = np.zeros(len(ids) if len(trimmed) else 0, np.int64)
    if len(trimmed):
        skipped[trimmed] = skips
        at = table.starts[ids[trimmed]] + skips
        mask = HEAD_MASKS[np.minimum(sizes[trimmed], WINDOW)]
        differ[trimmed] = (of_text[starts[trimmed]] ^ table.windows[at]) & mask
    wrong = [np.flatnonzero(differ)]
    left = np.flatnonzero(sizes > WINDOW)
    offset = WINDOW
    while len(left):
        at = table.starts[ids[left]] + offset
        if len(skipped):
            at += skipped[left]
        mask = HEAD_MASKS[np.minimum(sizes[left] - offset, WINDOW)]
        text_at = np.minimum(starts[left] + offset, len(text))
        wrong.append(left[((of_text[text_at] ^ table.windows[at]) & mask) != 0])
        offset += WINDOW
        left = left[sizes[left] > offset]
    return np.concatenate(wrong)


# The pre-token ceiling needs the tokenizer's own splitter, which is slower than some encoders; only
# a sample of documents, evenly spaced over each batch, is split, and the rate is of that sample.
PRETOKEN_SAMPLE_SHARE = 1 / 64
PRETOKEN_SAMPLE_LEAST = 4096

_Put = Callable[[str, IntArray], None]


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
    put("exact_documents", boundaries.exact.astype(np.int64))
    put("comparable_bytes", np.where(boundaries.exact, text.text_bytes.byte_counts, 0))

    histogram = np.bincount(ids) if len(ids) else np.zeros(0, np.int64)
    used = np.flatnonzero(histogram)
    stops = np.cumsum(per_text)
    vocabulary = table_of(tokenizer, encoding)
    for name, flags in (
        ("unknown_tokens", vocabulary.unknown),
        ("byte_fallback_tokens", vocabulary.byte_fallback),
        ("split_character_tokens", vocabulary.splits_character),
    ):
        if flags[used].any():
            flagged = np.searchsorted(np.flatnonzero(np.take(flags, ids)), np.append(0, stops))
            put(name, np.diff(flagged))

    if boundaries.exact.any():
        words = in_exact_texts(text, boundaries, text.words)
        if len(words):
            put("comparable_words", text.text_bytes.per_text(words.first))
            single = single_tokens(words, boundaries)
            put("single_token_words", _sum_per_text(text, words, single))
        _count_digits(text, boundaries, put)
        if text.is_code:
            for name, runs in (("indentation", text.indentation), ("operator", text.operators)):
                runs = in_exact_texts(text, boundaries, runs)
                put(f"{name}_bytes", _sum_per_text(text, runs, runs.lengths))
                put(f"{name}_tokens", _sum_per_text(text, runs, boundaries.inside(runs) + 1))
    if len(histogram) > tokenizer.vocabulary_size:  # ids of the encoding's own count as the last
        last = tokenizer.vocabulary_size - 1
        histogram[last] = histogram[last:].sum()
        used = np.flatnonzero(histogram[: last + 1])
    return TokenCounts(table, used.astype(np.uint32), histogram[used].astype(np.int64))


_TEXTS_AT_ONCE = 1024  # 256 counts each


def lost_bytes(
    text: TextBytes, encoding: Encoding, tokenizer: Tokenizer, exact: BoolArray
) -> IntArray:
    """Return how many bytes of each text its tokens do not carry: [texts] int64.

    Of each of the 256 values, by how much the text has more bytes than its tokens. What they put in
    of other values makes up for nothing, and what they only move is not lost.
    """
    table = table_of(tokenizer, encoding)
    data = np.frombuffer(table.data, np.uint8)
    stops = np.cumsum(encoding.lengths)
    lost = np.zeros(len(exact), np.int64)
    inexact = np.flatnonzero(~exact)
    for first in range(0, len(inexact), _TEXTS_AT_ONCE):
        texts = inexact[first : first + _TEXTS_AT_ONCE]
        lengths = encoding.lengths[texts]
        owner, at = _members(text.starts[texts], text.byte_counts[texts])
        lacking = _byte_counts(owner, text.data[at], len(texts))
        owner, at = _members(stops[texts] - lengths, lengths)
        ids = encoding.ids[at].astype(np.int64)
        token, at = _members(table.starts[ids], table.lengths[ids])
        lacking -= _byte_counts(owner[token], data[at], len(texts))
        firsts = np.cumsum(lengths) - lengths
        prefixed, skips = _prefix_bytes(tokenizer.prefix, table, ids, firsts, lengths)
        _, at = _members(table.starts[ids[prefixed]], skips)
        ends = np.cumsum(lengths)
        opened = np.searchsorted(ends, np.repeat(prefixed, skips), side="right")
        lacking += _byte_counts(opened, data[at], len(texts))
        if tokenizer.suffix:
            closing = _with_suffix(tokenizer.suffix, table, ids, ends[lengths > 0] - 1)
            closed = np.searchsorted(ends, closing, side="right")
            for byte in tokenizer.suffix:
                lacking[closed, byte] += 1
        lost[texts] = np.maximum(lacking, 0).sum(1)
    return lost


def _members(starts: IntArray, lengths: NDArray[np.integer]) -> tuple[IntArray, IntArray]:
    """Return which run each member of runs is of, and its index."""
    owner = np.repeat(np.arange(len(lengths)), lengths)
    return owner, np.arange(len(owner)) + np.repeat(starts + lengths - np.cumsum(lengths), lengths)


def _byte_counts(owner: IntArray, values: NDArray[np.uint8], owners: int) -> IntArray:
    """Return how often each owner has each value: [owners, 256] int64."""
    return np.bincount(owner << 8 | values, minlength=owners << 8).reshape(owners, 256)


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


def _count_digits(text: AnnotatedText, boundaries: TokenBoundaries, put: _Put) -> None:
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
