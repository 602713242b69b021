"""What one tokenizer makes of every distinct chunk, and a batch's counts put together from it.

Every count of `TOKEN_FIELDS` adds up over chunks, since tokens never cross a cut. Only words can
lie across cuts: in "end." the cut before the point leaves two parts, neither of them a word. So
words that are one token are counted four ways for each chunk: with and without a part at its front,
with and without one at its back.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from string import ascii_letters, digits, punctuation
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.counts.boundaries import token_boundaries
from tokenize_lab.counts.bytes import TextBytes
from tokenize_lab.counts.chunks import NumberLists, grown
from tokenize_lab.counts.fields import TOKEN_FIELDS, TOKEN_INDEX
from tokenize_lab.counts.text import AnnotatedText
from tokenize_lab.counts.tokens import TokenCounts, count_encoded, single_tokens
from tokenize_lab.patterns import CutRule, chunk_starts
from tokenize_lab.tokenizer import Encoding, IntArray, Tokenizer

_TEXT_BYTES = 1 << 14
# What a chunk that begins with this character may stand behind; others begin a text.
_APART = {
    CutRule.GPT: {
        **dict.fromkeys(ascii_letters + punctuation + "\r\n", " 1"),
        **dict.fromkeys(digits, " a"),
    },
    CutRule.WHITESPACE: dict.fromkeys("\r\n", " 1"),
}


class JoinedChunks:
    """Distinct chunks, many in few texts, so that a library is called for each text.

    Chunks are laid end to end where the rule has a place to cut between them, and kept apart by a
    short word where it has not: " 1" or " a", which ends and begins at such places itself. A chunk
    that no such word helps, as one that begins with a letter beyond ASCII, begins a text.

    Attributes:
        chunks: as texts of their own, for counting.
    """

    def __init__(self, chunks: AnnotatedText, rule: CutRule) -> None:
        self.chunks = chunks
        self._rule = rule

    @cached_property
    def _joined(self) -> tuple[list[str], IntArray] | None:
        """The texts, and where each chunk begins in their bytes; None where they cannot be."""
        texts: list[str] = []
        begins: list[int] = []
        parts: list[str] = []
        size = at = 0
        apart, ends_blank = _APART[self._rule], False
        for chunk, length in zip(
            self.chunks.texts, self.chunks.text_bytes.byte_counts.tolist(), strict=True
        ):
            blank = chunk[0] in " \t"
            if size > _TEXT_BYTES or not (blank or chunk[0] in apart) or ends_blank:
                texts.append("".join(parts))
                at += size
                parts, size = [], 0
            if parts and not blank:
                parts.append(apart[chunk[0]])
                size += len(parts[-1])
            begins.append(at + size)
            parts.append(chunk)
            size += length
            ends_blank = chunk[-1].isspace()
        texts.append("".join(parts))
        starts = np.array(begins, np.int64)
        joined = TextBytes.of(texts)
        cuts = chunk_starts(joined, self._rule)
        edges = np.concatenate([starts, starts + self.chunks.text_bytes.byte_counts])
        known = np.append(cuts, len(joined.raw))
        whole = np.array_equal(known[np.searchsorted(known, edges)], edges)
        return (texts, starts) if whole else None

    def encode(self, tokenizer: Tokenizer, literals: Sequence[str]) -> Encoding:
        """Encode each chunk as a text of its own would be.

        Arguments:
            literals: added tokens of the tokenizer, none of which any chunk holds.
        """
        joined = self._joined
        if joined is None or any(literal in text for literal in literals for text in joined[0]):
            return tokenizer.encode_batch(self.chunks.texts)
        texts, begins = joined
        ids, _ = tokenizer.encode_batch(texts)
        sizes = tokenizer.token_bytes.lengths[ids]
        starts = np.cumsum(sizes, dtype=np.int64) - sizes
        first = np.searchsorted(starts, begins)
        lengths = np.searchsorted(starts, begins + self.chunks.text_bytes.byte_counts) - first
        stops = np.cumsum(lengths)
        return Encoding(
            ids[np.repeat(first - (stops - lengths), lengths) + np.arange(stops[-1])], lengths
        )


# Of so few texts each is long, and its chunks are counted before anything is looked up.
_FEW_TEXTS = 32
# Known of a text that is given back exactly, whatever the tokenizer; or counted otherwise.
_OF_TEXT = {
    *("token_bytes", "lost_bytes", "exact_documents", "comparable_bytes", "comparable_words"),
    *("pretokens", "pretoken_bytes"),
}
_DENSE = {"tokens", "single_token_words"}
_RARE = [i for name, i in TOKEN_INDEX.items() if name not in _OF_TEXT | _DENSE]


class ChunkedText(NamedTuple):
    """A batch in chunks, each by its number in a `ChunkTable`.

    Attributes:
        numbers: [chunks] int32.
        chunk_bounds: [texts + 1] int64, the chunk at which each text begins.
        variants: [kinds] int32, four times the number of a chunk, plus 1 where it begins inside a
            word, plus 2 where it ends inside one; those of a text lie together.
        times: [kinds] int64, how often it occurs there.
        bounds: [texts + 1] int64, the kind at which each text begins.
    """

    numbers: NDArray[np.int32]
    chunk_bounds: IntArray
    variants: NDArray[np.int32]
    times: IntArray
    bounds: IntArray


def chunked(text: TextBytes, starts: IntArray, numbers: NDArray[np.int32]) -> ChunkedText:
    """Return a batch whose chunks begin at `starts` and have these numbers."""
    bounds = np.searchsorted(starts, text.starts)
    inside = ~text.whitespace[starts]  # a cut always follows something that is no white space
    inside[bounds[:-1][text.byte_counts > 0]] = False
    variants = 4 * numbers + inside
    variants[:-1] += 2 * inside[1:]
    if len(text.characters) > _FEW_TEXTS:
        return ChunkedText(numbers, bounds, variants, np.ones(len(variants), np.int64), bounds)
    parts = [np.unique(variants[begin:end], return_counts=True) for begin, end in pairwise(bounds)]
    return ChunkedText(
        numbers,
        bounds,
        np.concatenate([kinds for kinds, _ in parts]),
        np.concatenate([times for _, times in parts]),
        np.append(0, np.cumsum([len(kinds) for kinds, _ in parts])),
    )


class TokenTable:
    """What a tokenizer makes of chunks 0, 1, 2, ... of a table."""

    def __init__(self, tokenizer: Tokenizer, literals: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._literals = literals
        self._ids = NumberLists()
        self._tokens: NDArray[np.int32] = np.zeros(0, np.int32)
        self._single: NDArray[np.int32] = np.zeros((0, 4), np.int32)
        self._rare_row: NDArray[np.int32] = np.zeros(0, np.int32)
        self._rare: NDArray[np.int32] = np.zeros((1, len(_RARE)), np.int32)  # the first is all zero
        self._rare_size = 1

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def nbytes(self) -> int:
        """Bytes of memory it takes."""
        arrays = (self._ids, self._tokens, self._single, self._rare_row, self._rare)
        return sum(array.nbytes for array in arrays)

    def extend(self, joined: JoinedChunks) -> bool:
        """Encode and count the chunks that come next; return whether all are given back exactly.

        If not, nothing is added.
        """
        chunks = joined.chunks
        encoding = joined.encode(self._tokenizer, self._literals)
        boundaries = token_boundaries(chunks.text_bytes, encoding, self._tokenizer)
        if not boundaries.exact.all():
            return False
        counts = count_encoded(chunks, encoding, self._tokenizer, boundaries).per_text
        begin, end = len(self), len(self) + len(counts)
        self._ids.extend(encoding.ids, encoding.lengths)
        self._tokens = grown(self._tokens, end)
        self._tokens[begin:end] = encoding.lengths
        self._single = grown(self._single, end)
        words = chunks.words
        if len(words):
            text = chunks.text_bytes
            single = single_tokens(words, boundaries)
            chunk = np.searchsorted(text.starts, words.first, side="right") - 1
            at_front = words.first == text.starts[chunk]
            at_back = words.last + 1 == text.starts[chunk + 1]
            for variant in range(4):
                kept = single & ~(at_front & (variant & 1 > 0)) & ~(at_back & (variant & 2 > 0))
                self._single[begin:end, variant] = np.bincount(chunk[kept], minlength=len(counts))
        rare = counts[:, _RARE]
        some = np.flatnonzero(rare.any(1))
        rows = np.arange(self._rare_size, self._rare_size + len(some))
        self._rare_row = grown(self._rare_row, end)
        self._rare_row[begin + some] = rows
        self._rare_size += len(some)
        self._rare = grown(self._rare, self._rare_size)
        self._rare[rows] = rare[some]
        return True

    def encoding(self, text: ChunkedText) -> Encoding:
        """Return the ids of a batch's texts."""
        ids, lengths = self._ids.read(text.numbers)
        return Encoding(ids, _sums(lengths, text.chunk_bounds))

    def counts(self, text: ChunkedText, words: IntArray, sizes: IntArray) -> TokenCounts:
        """Return everything but the pre-tokens.

        Arguments:
            words: [texts] words of each text.
            sizes: [texts] bytes of each.
        """
        table = np.zeros((len(sizes), len(TOKEN_FIELDS)), np.int64)
        chunks, times, bounds = text.variants >> 2, text.times, text.bounds
        columns = {
            "tokens": _sums(self._tokens[chunks] * times, bounds),
            "token_bytes": sizes,
            "exact_documents": np.ones(len(sizes), np.int64),
            "comparable_bytes": sizes,
            "comparable_words": words,
            "single_token_words": _sums(self._single.reshape(-1)[text.variants] * times, bounds),
        }
        for name, column in columns.items():
            table[:, TOKEN_INDEX[name]] = column
        rows = self._rare_row[chunks]
        at = np.flatnonzero(rows)
        rare = self._rare[rows[at]] * times[at, None]
        table[:, _RARE] = _sums(rare, np.searchsorted(at, bounds))
        ids, lengths = self._ids.read(chunks)
        # Floating point adds whole numbers exactly up to 2 ** 53.
        histogram = np.bincount(ids, weights=np.repeat(times, lengths))
        used = np.flatnonzero(histogram)
        return TokenCounts(table, used.astype(np.uint32), histogram[used].astype(np.int64))


def _sums(values: NDArray[np.integer], bounds: IntArray) -> IntArray:
    """Return the sums of values[bounds[i]:bounds[i + 1]], over the first axis."""
    if len(bounds) <= _FEW_TEXTS + 1:
        return np.array([values[a:b].sum(0, dtype=np.int64) for a, b in pairwise(bounds.tolist())])
    running = np.zeros((len(values) + 1, *values.shape[1:]), np.int64)
    np.cumsum(values, axis=0, out=running[1:])
    return np.diff(running[bounds], axis=0)
