"""Tokens laid over the bytes of a text: where they begin, whether they are its, what is lost."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.counts.bytes import ByteRuns, TextBytes
from tokenize_lab.tokenizer import (
    HEAD_MASKS,
    WINDOW,
    BoolArray,
    Encoding,
    IntArray,
    TokenBytes,
    Tokenizer,
    table_of,
    way_back,
    windows,
)


@dataclass(frozen=True)
class TokenBoundaries:
    """Token boundaries of a batch, laid over its bytes.

    Attributes:
        exact: [texts] bool, whether the tokens' bytes are the text's bytes.
        given_back: [texts] bool, whether the library's decoder makes the text of them.
        token_bytes: [texts] int64, bytes the tokens stand for, the tokenizer's prefix left out.
        opens: [bytes + 1] int8, 1 where a token of an exact text begins.
    """

    exact: BoolArray
    given_back: BoolArray
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
    put = np.where(_put_before(text, tokenizer), lengths, 0)
    trimmed, skips = _prefix_bytes(tokenizer.prefix, table, ids, stops - lengths, put)
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
    return TokenBoundaries(exact, _given_back(text, encoding, tokenizer, exact), token_bytes, opens)


def _put_before(text: TextBytes, tokenizer: Tokenizer) -> BoolArray:
    """Return which texts the tokenizer puts its prefix before: [texts] bool."""
    if not way_back(tokenizer).unless_there:
        return np.ones(len(text.byte_counts), np.bool_)
    return ~_begin_with(text, tokenizer.prefix)


def _begin_with(text: TextBytes, front: bytes) -> BoolArray:
    ends = pairwise(text.starts.tolist())
    return np.array([text.raw.startswith(front, *both) for both in ends], np.bool_)


def _given_back(
    text: TextBytes, encoding: Encoding, tokenizer: Tokenizer, exact: BoolArray
) -> BoolArray:
    """Return which texts the library's decoder makes of their tokens: [texts] bool."""
    taken, _, unknown = way_back(tokenizer)
    prefix, found = tokenizer.prefix, exact.copy()
    if taken != prefix:
        left = _put_before(text, tokenizer) & (text.byte_counts > 0) & bool(prefix)
        found &= ~left
    if taken and (taken != prefix or way_back(tokenizer).unless_there):
        found &= _put_before(text, tokenizer) & bool(prefix) | ~_begin_with(text, taken)
    lost = np.flatnonzero(table_of(tokenizer, encoding).unknown[encoding.ids])
    if not len(lost):
        return found
    # What stands for lost text gives back the text that says just that.
    table, stops = table_of(tokenizer, encoding), np.cumsum(encoding.lengths)
    for i in np.unique(np.searchsorted(stops, lost, side="right")).tolist():
        begin, end = text.starts[i : i + 2].tolist()
        own, ids = text.raw[begin:end], encoding.ids[stops[i] - encoding.lengths[i] : stops[i]]
        whole = b"".join(unknown if table.unknown[j] else table[j] for j in ids.tolist())
        back = whole.removesuffix(tokenizer.suffix).removeprefix(taken)
        found[i] = bool(unknown) and unknown in own and back == own
    return found


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
    inexact, put = np.flatnonzero(~exact), _put_before(text, tokenizer)
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
        own = np.where(put[texts], lengths, 0)
        prefixed, skips = _prefix_bytes(tokenizer.prefix, table, ids, firsts, own)
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
