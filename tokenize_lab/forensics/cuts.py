"""How two tokenizers cut the same text: batch by batch, in any process, and kept by content."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np

from corpora.corpus import Corpus
from corpora.document import Batch
from tokenize_lab.counts.batches import content_sha256, tokenizer_key
from tokenize_lab.counts.boundaries import TokenBoundaries, lost_bytes, token_boundaries
from tokenize_lab.counts.bytes import ByteRuns, TextBytes
from tokenize_lab.counts.cache import CountsCache
from tokenize_lab.progress import ReportProgress, silent
from tokenize_lab.tokenizer import BoolArray, Encoding, IntArray, Tokenizer, table_of
from tokenize_lab.workers import characters, map_here

# Part of every key: raise it whenever the meaning of a count changes.
CUTS_VERSION = 1
# By word as bytes and its cuts, how often it is cut so by A and by B.
WordCuts = Counter[tuple[bytes, tuple[int, ...], tuple[int, ...]]]
LONGEST_WORD = 60  # bytes; longer runs without a space are no words to be shown


@dataclass
class CutCounts:
    """How a text is cut, in numbers that add up.

    Attributes:
        documents: those that both give back exactly.
        inexact: those that one of them does not; compared where the tokens of both lie in the text.
        same_documents: of the exact ones, cut at the same places.
        text_bytes, bytes: of the text, and of what is compared of it.
        same_bytes: of tokens that both have at the same place.
        lost_a, lost_b: bytes of the text that the tokens of either do not carry.
        tokens_a, tokens_b: of either, in what is compared.
        boundaries, shared_boundaries: places where either, or both, cut inside a document.
    """

    documents: int = 0
    inexact: int = 0
    same_documents: int = 0
    text_bytes: int = 0
    lost_a: int = 0
    lost_b: int = 0
    bytes: int = 0
    same_bytes: int = 0
    tokens_a: int = 0
    tokens_b: int = 0
    boundaries: int = 0
    shared_boundaries: int = 0

    def add(self, other: "CutCounts") -> None:
        """Add another's counts."""
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def row(self) -> dict[str, Any]:
        """Return the counts and their ratios; null where nothing was compared."""
        return {
            "documents": self.documents,
            "documents_not_compared": self.inexact,
            "same_documents": self.same_documents,
            "bytes": self.bytes,
            "compared_share": ratio(self.bytes, self.text_bytes),
            "lost_share": [ratio(lost, self.text_bytes) for lost in (self.lost_a, self.lost_b)],
            "same_bytes": self.same_bytes,
            "tokens": [self.tokens_a, self.tokens_b],
            "boundaries": self.boundaries,
            "shared_boundaries": self.shared_boundaries,
            "same_document_share": ratio(self.same_documents, self.documents),
            "same_byte_share": ratio(self.same_bytes, self.bytes),
            "shared_boundary_share": ratio(self.shared_boundaries, self.boundaries),
            "tokens_b_over_a": ratio(self.tokens_b, self.tokens_a),
        }


@dataclass
class Cuts:
    """How two tokenizers cut a corpus.

    Attributes:
        languages: counts by language.
        words: cut differently, and how often.
    """

    languages: dict[str, CutCounts] = field(default_factory=dict)
    words: WordCuts = field(default_factory=Counter)


def compare_cuts(
    a: Tokenizer,
    b: Tokenizer,
    corpora: Sequence[Corpus],
    progress: ReportProgress = silent,
    jobs: int = 1,
    cache: CountsCache | None = None,
) -> Cuts:
    """Encode the corpora with both and compare where they cut; in `jobs` processes, as `map_here`.

    A document that either does not give back byte for byte is compared where tokens of both lie in
    it, as far as they can be laid. Words are runs between white space; a cut at a word's own ends
    is not counted as one.

    Raises:
        InputError: from the corpora, or a cache that cannot be written.
    """
    cuts = Cuts()
    stream = ((corpus, batch) for corpus in corpora for batch in corpus.batches())
    start, cost = (
        partial(partial, kept_or_compared, a, b, cache),
        lambda batch: 2 * characters(batch),
    )
    found = map_here(stream, start, jobs=jobs, cost=cost, tokenizers=(a, b))
    for corpus, batch, (counts, words) in found:
        cuts.languages.setdefault(batch.language, CutCounts()).add(counts)
        cuts.words.update(words)
        progress(f"reading {corpus.name}", counts.text_bytes)
    return cuts


def kept_or_compared(
    a: Tokenizer, b: Tokenizer, cache: CountsCache | None, batch: Batch
) -> tuple[CutCounts, WordCuts]:
    """Return how two tokenizers cut a batch, from the cache where it is there."""
    if cache is None:
        return compare_batch(a, b, batch)
    content = content_sha256(TextBytes.of(batch.texts))
    key = (content, f"cuts {CUTS_VERSION}", tokenizer_key(a), tokenizer_key(b))
    stored = cache.get(_restored, *key)
    if stored is not None:
        return stored
    found = compare_batch(a, b, batch)
    cache.put(_arrays(*found), *key)
    return found


def _arrays(counts: CutCounts, words: WordCuts) -> list[IntArray]:
    """Return counts, and words' numbers, bytes and cuts, as arrays; what is ragged with lengths."""
    parts = [[list(each[i]) for each in words] for i in range(3)]
    ragged = [
        array
        for part in parts
        for array in ([len(each) for each in part], [value for each in part for value in each])
    ]
    return [
        np.asarray(array, np.int64)
        for array in (list(vars(counts).values()), list(words.values()), *ragged)
    ]


def _restored(arrays: Sequence[IntArray]) -> tuple[CutCounts, WordCuts]:
    counts, times, *ragged = (array.tolist() for array in arrays)
    parts = []
    for lengths, values in zip(ragged[::2], ragged[1::2], strict=True):
        ends = accumulate(lengths)
        parts.append([values[end - n : end] for n, end in zip(lengths, ends, strict=True)])
    words = WordCuts()
    for word, first, second, number in zip(*parts, times, strict=True):
        words[bytes(word), tuple(first), tuple(second)] = number
    names = vars(CutCounts())
    return CutCounts(**dict(zip(names, counts, strict=True))), words


def compare_batch(a: Tokenizer, b: Tokenizer, batch: Batch) -> tuple[CutCounts, WordCuts]:
    """Return how two tokenizers cut a batch."""
    text, counts, words = TextBytes.of(batch.texts), CutCounts(), WordCuts()
    encodings = [tokenizer.encode_batch(batch.texts) for tokenizer in (a, b)]
    pairs = list(zip(encodings, (a, b), strict=True))
    cuts = [token_boundaries(text, encoding, tokenizer) for encoding, tokenizer in pairs]
    exact = cuts[0].exact & cuts[1].exact
    counts.lost_a, counts.lost_b = (
        int(lost_bytes(text, *pair, its.exact).sum()) for pair, its in zip(pairs, cuts, strict=True)
    )
    # Not the number of cuts: a token may hold nothing but the tokenizer's own prefix.
    counts.tokens_a, counts.tokens_b = (int(each.lengths[exact].sum()) for each in encodings)
    sides = [lay(text, *pair, its, exact) for pair, its in zip(pairs, cuts, strict=True)]
    _add(counts, words, text, exact, sides)
    return counts, words


def lay(
    text: TextBytes,
    encoding: Encoding,
    tokenizer: Tokenizer,
    cuts: TokenBoundaries,
    exact: BoolArray,
) -> tuple[BoolArray, BoolArray]:
    """Return where tokens begin, and which bytes lie in a token: [bytes] bool each.

    In texts that are not exact each token is looked for from the end of the one before: there, or
    at the next place that has its bytes. A token that has none is passed over, as is other text.

    Arguments:
        exact: [texts] which texts are given back, so that nothing needs to be looked for.
    """
    held = np.repeat(exact, text.byte_counts)
    opens = cuts.opens[:-1].astype(np.bool_) & held
    stops = np.cumsum(encoding.lengths)
    table, raw = table_of(tokenizer, encoding), text.raw
    for i in np.flatnonzero(~exact).tolist():
        at, end = int(text.starts[i]), int(text.starts[i + 1])
        ids = encoding.ids[stops[i] - encoding.lengths[i] : stops[i]].tolist()
        for place, token_id in enumerate(ids):
            piece = table[token_id]
            if place == 0 and not raw.startswith(piece, at, end):
                piece = piece.removeprefix(tokenizer.prefix)
            if not piece:
                continue
            begin = at
            if not raw.startswith(piece, at, end):
                begin = raw.find(piece, at, end)
                if begin < 0:
                    continue
            opens[begin] = True
            at = begin + len(piece)
            held[begin:at] = True
    return opens, held


def _add(
    counts: CutCounts,
    words: WordCuts,
    text: TextBytes,
    exact: BoolArray,
    sides: Sequence[tuple[BoolArray, BoolArray]],
) -> None:
    counts.documents += int(exact.sum())
    counts.inexact += int((~exact).sum())
    counts.text_bytes += len(text.raw)
    inside = sides[0][1] & sides[1][1]
    first, second = (opens & inside for opens, _ in sides)
    in_part = np.repeat(~exact, text.byte_counts)
    counts.tokens_a += int((first & in_part).sum())
    counts.tokens_b += int((second & in_part).sum())
    counts.bytes += int(inside.sum())
    differs = np.flatnonzero((first != second) & ~in_part)
    owner = np.searchsorted(text.starts, differs, side="right") - 1
    counts.same_documents += int(exact.sum()) - len(np.unique(owner))
    # A first byte, of a document or of what is compared of it, is no cut.
    begins = inside.copy()
    begins[1:] &= ~inside[:-1]
    begins[text.starts[:-1][text.byte_counts > 0]] = True
    counts.boundaries += int(((first | second) & ~begins).sum())
    counts.shared_boundaries += int((first & second & ~begins).sum())
    counts.same_bytes += _same_bytes(text, first, second, inside)
    _note_words(words, text, first, second, inside)


def _same_bytes(text: TextBytes, first: BoolArray, second: BoolArray, inside: BoolArray) -> int:
    """Return the bytes of tokens that begin and end at the same places: between two neighbouring
    places where either cuts, both of them cuts of both."""
    places = np.flatnonzero(first | second | ~inside)
    if not len(places):
        return 0
    both = np.append((first & second)[places], True)
    both[:-1] |= ~inside[places]
    ends = np.append(places, len(text.raw))
    same = both[:-1] & both[1:] & inside[places]
    return int(np.diff(ends)[same].sum())


def _note_words(
    words: WordCuts,
    text: TextBytes,
    first: BoolArray,
    second: BoolArray,
    inside: BoolArray,
) -> None:
    runs = text.runs(~text.whitespace & inside)
    runs = runs.select(runs.lengths <= LONGEST_WORD)
    differing = np.append(0, np.cumsum(first != second))
    # Cuts inside a word: after its first byte, up to its last.
    cut = differing[runs.last + 1] > differing[runs.first + 1]
    for begin, end in _pairs(runs.select(cut)):
        raw = text.raw[begin : end + 1]
        cut_by_a = tuple(np.flatnonzero(first[begin + 1 : end + 1]).tolist())
        cut_by_b = tuple(np.flatnonzero(second[begin + 1 : end + 1]).tolist())
        words[raw, cut_by_a, cut_by_b] += 1


def _pairs(runs: ByteRuns) -> list[tuple[int, int]]:
    return list(zip(runs.first.tolist(), runs.last.tolist(), strict=True))


def ratio(above: int, below: int) -> float | None:
    """Return a share; None of nothing."""
    return above / below if below else None
