"""Where tokens begin in the raw bytes of their texts, and which texts they give back exactly."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.text_bytes import Runs, TextBytes
from tokenize_lab.token_bytes import HEAD_MASKS, WINDOW, TokenBytes, windows
from tokenize_lab.tokenizer import Encoding, Tokenizer


@dataclass(frozen=True)
class TokenBoundaries:
    """Token boundaries of a batch, laid over its bytes.

    Attributes:
        exact: [texts] bool, whether the tokens' bytes are the text's bytes.
        token_bytes: [texts] int64, bytes the tokens stand for, the tokenizer's prefix left out.
        opens: [bytes + 1] int8, 1 where a token of an exact text begins.
    """

    exact: NDArray[np.bool_]
    token_bytes: NDArray[np.int64]
    opens: NDArray[np.int8]

    @cached_property
    def opened(self) -> NDArray[np.int32]:
        """[bytes + 1] int32, how many tokens begin at or before each byte."""
        return np.cumsum(self.opens, dtype=np.int32)

    def inside(self, runs: Runs) -> NDArray[np.int32]:
        """Return how many boundaries cut each run: [runs] int32."""
        return self.opened[runs.last] - self.opened[runs.first]


def token_boundaries(text: TextBytes, encoding: Encoding, tokenizer: Tokenizer) -> TokenBoundaries:
    """Lay the tokens over the text and compare every byte.

    Bytes are compared eight at a time through overlapping 64-bit views of text and table, so the
    cost follows the number of tokens; no token is decoded.
    """
    table = tokenizer.token_bytes
    lengths = encoding.lengths
    ids = encoding.ids.astype(np.int64)
    stops = np.cumsum(lengths)
    opening = (stops - lengths)[lengths > 0]
    skip = _prefix_bytes(tokenizer, ids[opening])
    sizes = np.take(table.lengths, ids)
    sizes[opening] -= skip

    ends = np.zeros(len(ids) + 1, np.int64)
    np.cumsum(sizes, out=ends[1:])
    begins = ends[stops - lengths]
    token_bytes = ends[stops] - begins
    exact = token_bytes == text.byte_counts
    exact[lengths > 0] &= skip == len(tokenizer.prefix)
    # Texts whose tokens have the wrong length push the later ones out of place.
    out_of_place = text.starts[:-1] - begins
    starts = ends[:-1]
    if out_of_place.any():
        starts = np.minimum(starts + np.repeat(out_of_place, lengths), len(text.raw))
    wrong = _differing(text.raw, starts, table, ids, sizes, opening, skip)
    exact[np.searchsorted(stops, wrong, side="right")] = False

    opens = np.zeros(len(text.raw) + 1, np.int8)
    opens[starts if exact.all() else starts[np.repeat(exact, lengths)]] = 1
    return TokenBoundaries(exact, token_bytes, opens)


def _prefix_bytes(tokenizer: Tokenizer, opening_ids: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return how many bytes of each text's first token are the tokenizer's prefix, not text."""
    prefix = tokenizer.prefix
    if not prefix or not len(opening_ids):
        return np.zeros(len(opening_ids), np.int32)
    distinct, inverse = np.unique(opening_ids, return_inverse=True)
    begins = [tokenizer.token_bytes[int(i)].startswith(prefix) for i in distinct]
    return np.where(begins, len(prefix), 0).astype(np.int32)[inverse]


def _differing(
    text: bytes,
    starts: NDArray[np.int64],
    table: TokenBytes,
    ids: NDArray[np.int64],
    sizes: NDArray[np.int32],
    opening: NDArray[np.int64],
    skip: NDArray[np.int32],
) -> NDArray[np.int64]:
    """Return the indices of tokens whose bytes differ from the text's at their place.

    Arguments:
        starts: [tokens] where each token lies in `text`.
        sizes: [tokens] bytes of each, without the prefix.
        opening: the first token of each text; `skip` of its bytes are prefix.
    """
    of_text = windows(text)
    differ = (of_text[starts] ^ np.take(table.heads, ids)) & np.take(table.head_masks, ids)
    prefixed = opening[skip > 0]
    skipped = np.zeros(len(ids) if len(prefixed) else 0, np.int64)
    if len(prefixed):
        skipped[opening] = skip
        at = table.starts[ids[prefixed]] + skipped[prefixed]
        mask = HEAD_MASKS[np.minimum(sizes[prefixed], WINDOW)]
        differ[prefixed] = (of_text[starts[prefixed]] ^ table.windows[at]) & mask
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
