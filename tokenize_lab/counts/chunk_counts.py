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
from tokenize_lab.counts.nested import Nested
from tokenize_lab.counts.text import AnnotatedText
from tokenize_lab.counts.tokens import TokenCounts, count_rare, single_tokens
from tokenize_lab.cut_rules import CutRule, chunk_starts, wide_marks
from tokenize_lab.tokenizer import BoolArray, Encoding, IntArray, Tokenizer

_TEXT_BYTES = 1 << 14
_BLANK, _BEGINS_TEXT = 0, 1  # others are the second character of the word that keeps chunks apart


def _aparts(words: dict[str, str]) -> NDArray[np.uint8]:
    """Return by the byte that a chunk begins with what it may stand behind: [256] uint8."""
    table = np.full(256, _BEGINS_TEXT, np.uint8)
    table[list(b" \t")] = _BLANK
    for characters, word in words.items():
        table[list(characters.encode())] = ord(word[1])
    return table


# " a" is one piece to split off, " 1" is two.
_GPT = _aparts({digits + punctuation + "\r\n": " a", ascii_letters + "'": " 1"})
_APART = {
    CutRule.GPT: _GPT,
    CutRule.GPT_RUNS: _GPT,
    CutRule.WHITESPACE: _aparts({"\r\n": " 1"}),
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
        self._encoded: dict[str, Encoding] = {}

    @cached_property
    def words(self) -> tuple[IntArray, list[BoolArray]]:
        """The chunk of each word; and [words] bool for each way that a chunk may stand: which words
        are whole where it has a part of one at its front (+ 1), and at its back (+ 2)."""
        words, starts = self.chunks.words, self.chunks.text_bytes.starts
        chunk = np.searchsorted(starts, words.first, side="right") - 1
        inside = words.first != starts[chunk]
        ended = words.last + 1 != starts[chunk + 1]
        return chunk, [np.ones(len(words), np.bool_), inside, ended, inside & ended]

    @cached_property
    def _joined(self) -> tuple[list[str], IntArray] | None:
        """The texts, and where each chunk begins in their bytes; None where they cannot be."""
        chunks = self.chunks.text_bytes
        lengths, starts = chunks.byte_counts, chunks.starts[:-1]
        if not len(lengths):
            return None
        apart = _APART[self._rule][chunks.data[starts]]
        if self._rule is not CutRule.WHITESPACE:
            marks = np.append(wide_marks(chunks), (False, False))
            apart[marks[starts]] = ord("a")
        begins_text = (apart == _BEGINS_TEXT) | (
            np.diff(np.cumsum(lengths + 2) // _TEXT_BYTES, prepend=-1) > 0
        )
        begins_text[1:] |= self._behind_space(apart[1:] == _BLANK)
        put = ~begins_text & (apart != _BLANK)
        begins = np.cumsum(lengths + 2 * put) - lengths
        data = np.zeros(int(begins[-1] + lengths[-1]), np.uint8)
        own = np.ones(len(data), np.bool_)
        for back, letters in ((2, ord(" ")), (1, apart[put])):
            own[begins[put] - back] = False
            data[begins[put] - back] = letters
        data[own] = chunks.data
        raw = data.tobytes()
        text_starts = np.append(begins[begins_text], len(raw))
        texts = [raw[a:b].decode() for a, b in pairwise(text_starts.tolist())]
        joined = TextBytes(raw, text_starts, np.array([len(text) for text in texts], np.int64))
        cuts = np.append(chunk_starts(joined, self._rule), len(raw))
        edges = np.concatenate([begins, begins + lengths])
        whole = np.array_equal(cuts[np.searchsorted(cuts, edges)], edges)
        return (texts, begins) if whole else None

    def _behind_space(self, blank: BoolArray) -> BoolArray:
        """Return which chunks, of all but the first, the white space before them keeps from being
        put there: [chunks - 1] bool. `blank`: which begin with a blank; others have one put."""
        chunks = self.chunks.text_bytes
        space, starts = chunks.whitespace, chunks.starts[1:-1]
        behind = space[starts - 1]
        if self._rule is not CutRule.GPT_RUNS:
            return behind
        text_next = ~np.append(space, True)[starts + 1] & (chunks.byte_counts[1:] > 1)
        wide = chunks.data[starts - 1] >= 0x80
        return behind & (wide | (blank & ~text_next))

    def encode(self, tokenizer: Tokenizer, literals: Sequence[str]) -> Encoding:
        """Encode each chunk as a text of its own would be.

        Arguments:
            literals: added tokens of the tokenizer, none of which any chunk holds.
        """
        joined = self._joined
        if joined is None or any(literal in text for literal in literals for text in joined[0]):
            raw, starts = self.chunks.text_bytes.raw, self.chunks.text_bytes.starts.tolist()
            return tokenizer.encode_batch([raw[a:b].decode() for a, b in pairwise(starts)])
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

    def encode_once(self, tokenizer: Tokenizer, literals: Sequence[str]) -> Encoding:
        """Encode as `encode` does, for several that ask for the same."""
        if tokenizer.name not in self._encoded:
            self._encoded[tokenizer.name] = self.encode(tokenizer, literals)
        return self._encoded[tokenizer.name]


# Of so few texts each is long, and its chunks are counted before anything is looked up.
_FEW_TEXTS = 32
# Known of a text that is given back exactly, whatever the tokenizer; or counted otherwise.
_OF_TEXT = {
    *("token_bytes", "lost_bytes", "exact_documents", "comparable_bytes", "comparable_words"),
    *("pretokens", "pretoken_bytes"),
}
_DENSE = {"tokens", "single_token_words"}
_RARE_INDEX = {
    name: place
    for place, name in enumerate(name for name in TOKEN_INDEX if name not in _OF_TEXT | _DENSE)
}
_RARE = [TOKEN_INDEX[name] for name in _RARE_INDEX]


class ChunkedText(NamedTuple):
    """A batch in chunks, each by its number in a `ChunkTable`.

    Attributes:
        numbers: [chunks] int32.
        chunk_bounds: [texts + 1] int64, the chunk at which each text begins.
        variants: [kinds] int32, four times the number of a chunk, plus 1 where it begins inside a
            word, plus 2 where it ends inside one; those of a text lie together.
        chunks: [kinds] int32, the numbers alone.
        times: [kinds] int64, how often it occurs there; None where all are listed one by one.
        bounds: [texts + 1] int64, the kind at which each text begins.
        distinct: [distinct chunks] int32, the numbers that occur in the batch.
        occurrences: [distinct chunks] int64, how often.
    """

    numbers: NDArray[np.int32]
    chunk_bounds: IntArray
    variants: NDArray[np.int32]
    chunks: NDArray[np.int32]
    times: IntArray | None
    bounds: IntArray
    distinct: NDArray[np.int32]
    occurrences: IntArray


def chunked(text: TextBytes, starts: IntArray, numbers: NDArray[np.int32]) -> ChunkedText:
    """Return a batch whose chunks begin at `starts` and have these numbers."""
    bounds = np.searchsorted(starts, text.starts)
    inside = ~text.whitespace[starts]  # where white space is before a cut, a blank is behind it
    inside[bounds[:-1][text.byte_counts > 0]] = False
    variants = 4 * numbers + inside
    variants[:-1] += 2 * inside[1:]
    distinct, occurrences = _times(numbers)
    if len(text.characters) > _FEW_TEXTS:
        one = variants, numbers, None, bounds
        return ChunkedText(numbers, bounds, *one, distinct, occurrences)
    parts = [_times(variants[begin:end]) for begin, end in pairwise(bounds.tolist())]
    kinds = np.concatenate([kinds for kinds, _ in parts])
    times = np.concatenate([times for _, times in parts])
    kind_bounds = np.append(0, np.cumsum([len(kinds) for kinds, _ in parts]))
    few = kinds, kinds >> 2, times, kind_bounds
    return ChunkedText(numbers, bounds, *few, distinct, occurrences)


# Numbers up to so many times as many as there are of them are counted in an array of all.
_DENSE_NUMBERS = 4


def _times(numbers: NDArray[np.int32]) -> tuple[NDArray[np.int32], IntArray]:
    """Return the distinct numbers, ascending, and how often each occurs."""
    if not len(numbers) or int(numbers.max()) > _DENSE_NUMBERS * len(numbers):
        distinct, times = np.unique(numbers, return_counts=True)
        return distinct, times.astype(np.int64)
    counts = np.bincount(numbers)
    found = np.flatnonzero(counts)
    return found.astype(np.int32), counts[found].astype(np.int64)


class TokenTable:
    """What a tokenizer makes of chunks 0, 1, 2, ... of a table."""

    def __init__(
        self, tokenizer: Tokenizer, literals: Sequence[str], nested: Nested | None
    ) -> None:
        """`literals`: added tokens, none of which any chunk holds. `nested`: how its tokens follow
        from another's of the same literals."""
        self._tokenizer, self._literals, self._nested = tokenizer, literals, nested
        self._ids = NumberLists()
        # A chunk has `LONGEST` bytes at most, so it has no more tokens, nor words.
        self._tokens: NDArray[np.uint16] = np.zeros(0, np.uint16)
        self._single: NDArray[np.uint16] = np.zeros((0, 4), np.uint16)
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
        encoding = self._encode(joined)
        boundaries = token_boundaries(chunks.text_bytes, encoding, self._tokenizer)
        if not boundaries.exact.all():
            return False
        begin, end = len(self), len(self) + len(encoding.lengths)
        self._ids.extend(encoding.ids, encoding.lengths)
        self._tokens = grown(self._tokens, end)
        self._tokens[begin:end] = encoding.lengths
        self._single = grown(self._single, end)
        if len(chunks.words):
            single = single_tokens(chunks.words, boundaries)
            chunk, whole = joined.words
            for variant, words in enumerate(whole):
                found = np.bincount(chunk[single & words], minlength=end - begin)
                self._single[begin:end, variant] = found
        columns: dict[str, IntArray] = {}
        used = np.flatnonzero(np.bincount(encoding.ids))
        count_rare(chunks, encoding, used, self._tokenizer, boundaries, columns.__setitem__)
        some = np.flatnonzero(np.logical_or.reduce([c != 0 for c in columns.values()] or [False]))
        rows = np.arange(self._rare_size, self._rare_size + len(some))
        self._rare_row = grown(self._rare_row, end)
        self._rare_row[begin + some] = rows
        self._rare_size += len(some)
        self._rare = grown(self._rare, self._rare_size)
        for name, column in columns.items():
            self._rare[rows, _RARE_INDEX[name]] = column[some]
        return True

    def _encode(self, joined: JoinedChunks) -> Encoding:
        if self._nested is None:
            return joined.encode(self._tokenizer, self._literals)
        return self._nested.of(joined.encode_once(self._nested.larger, self._literals))

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
        chunks, times, bounds = text.chunks, text.times, text.bounds
        tokens, single = self._tokens[chunks], self._single.reshape(-1)[text.variants]
        columns = {
            "tokens": _sums(tokens if times is None else tokens * times, bounds),
            "token_bytes": sizes,
            "exact_documents": np.ones(len(sizes), np.int64),
            "comparable_bytes": sizes,
            "comparable_words": words,
            "single_token_words": _sums(single if times is None else single * times, bounds),
        }
        for name, column in columns.items():
            table[:, TOKEN_INDEX[name]] = column
        rows = self._rare_row[chunks]
        at = np.flatnonzero(rows)
        rare = self._rare[rows[at]]
        if times is not None:
            rare = rare * times[at, None]
        table[:, _RARE] = _sums(rare, np.searchsorted(at, bounds))
        ids, lengths = self._ids.read(text.distinct)
        # Floating point adds whole numbers exactly up to 2 ** 53.
        histogram = np.bincount(ids, weights=np.repeat(text.occurrences, lengths))
        used = np.flatnonzero(histogram)
        return TokenCounts(table, used.astype(np.uint32), histogram[used].astype(np.int64))


def _sums(values: NDArray[np.integer], bounds: IntArray) -> IntArray:
    """Return the sums of values[bounds[i]:bounds[i + 1]], over the first axis."""
    if len(bounds) <= _FEW_TEXTS + 1:
        return np.array([values[a:b].sum(0, dtype=np.int64) for a, b in pairwise(bounds.tolist())])
    running = np.zeros((len(values) + 1, *values.shape[1:]), np.int64)
    np.cumsum(values, axis=0, out=running[1:])
    return np.diff(running[bounds], axis=0)
