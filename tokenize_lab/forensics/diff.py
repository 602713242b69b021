"""Two tokenizers side by side: their vocabularies, and how they cut the same text."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from corpora.corpus import Corpus
from corpora.document import Batch
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
from tokenize_lab.backends.sentencepiece import SentencePieceTokenizer, model_settings
from tokenize_lab.backends.tiktoken import TiktokenTokenizer
from tokenize_lab.counts.bytes import ByteRuns, TextBytes
from tokenize_lab.counts.tokens import TokenBoundaries, lost_bytes, token_boundaries
from tokenize_lab.forensics.audit import identity, script_counts, token
from tokenize_lab.forensics.finding import TokenizerFinding
from tokenize_lab.progress import ReportProgress, silent
from tokenize_lab.tokenizer import BoolArray, Encoding, IntArray, TokenBytes, Tokenizer, readable
from tokenize_lab.tokenizer_spec import load_tokenizers
from tokenize_lab.workers import characters, map_here

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
) -> Cuts:
    """Encode the corpora with both and compare where they cut; in `jobs` processes, as `map_here`.

    A document that either does not give back byte for byte is compared where tokens of both lie in
    it, as far as they can be laid. Words are runs between white space; a cut at a word's own ends
    is not counted as one.

    Raises:
        InputError: from the corpora.
    """
    cuts = Cuts()
    stream = ((corpus, batch) for corpus in corpora for batch in corpus.batches())
    start, cost = partial(partial, compare_batch, a, b), lambda batch: 2 * characters(batch)
    found = map_here(stream, start, jobs=jobs, cost=cost, tokenizers=(a, b))
    for corpus, batch, (counts, words) in found:
        cuts.languages.setdefault(batch.language, CutCounts()).add(counts)
        cuts.words.update(words)
        progress(f"reading {corpus.name}", counts.text_bytes)
    return cuts


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
    table, raw = tokenizer.token_bytes, text.raw
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


LISTED = 200
# SentencePiece's names for its models, as `tokenizer.json` writes them.
_MODELS = {"bpe": "BPE", "unigram": "Unigram"}


def diff(
    first: object,
    second: object,
    corpora: Sequence[Corpus] = (),
    *,
    jobs: int = 1,
    progress: ReportProgress = silent,
) -> TokenizerFinding:
    """Compare two tokenizers: what they do to a text, which tokens they share, and how they cut.

    Lists hold at most `LISTED` entries; tokens as in `audit`.

    Arguments:
        first, second: tokenizers, or specs of them.
        corpora: text to be cut by both; none to compare the vocabularies alone.
        jobs: processes; 0 for one a core.
        progress: told of each corpus, and of the bytes of text just read.

    Raises:
        InputError: from the tokenizers or the corpora.
    """
    a, b = load_tokenizers([first, second])
    return TokenizerFinding(
        kind="diff",
        tokenizers=[identity(a), identity(b)],
        settings=_settings(a, b),
        vocabulary=_vocabulary(a.token_bytes, b.token_bytes),
        text=_text(compare_cuts(a, b, corpora, progress, jobs)) if corpora else None,
    )


def _text(cuts: Cuts) -> dict[str, Any]:
    whole = CutCounts()
    for part in cuts.languages.values():
        whole.add(part)
    return {
        "all": whole.row(),
        "languages": [
            {"language": language, **part.row()}
            for language, part in sorted(cuts.languages.items())
        ],
        "words": _words(cuts),
        "words_cut_differently": len({word for word, _, _ in cuts.words}),
    }


def _words(cuts: Cuts) -> list[dict[str, Any]]:
    """Return the words for which the most tokens are at stake, then the most frequent; `a` and `b`
    are the bytes before which either cuts them."""
    ordered = sorted(
        cuts.words.items(),
        key=lambda item: (-abs(len(item[0][1]) - len(item[0][2])) * item[1], -item[1], item[0]),
    )
    return [
        {
            "hex": word.hex(),
            "text": readable(word),
            "count": count,
            "a": [place + 1 for place in cut_by_a],
            "b": [place + 1 for place in cut_by_b],
            "tokens_saved_by_a": (len(cut_by_b) - len(cut_by_a)) * count,
        }
        for (word, cut_by_a, cut_by_b), count in ordered[:LISTED]
    ]


def _vocabulary(a: TokenBytes, b: TokenBytes) -> dict[str, Any]:
    """Compare by raw bytes; of ids with the same bytes the first counts."""
    first, second = _by_bytes(a), _by_bytes(b)
    shared = [raw for raw in first if raw in second]
    only_a = [i for raw, i in first.items() if raw not in second]
    only_b = [i for raw, i in second.items() if raw not in first]
    places = np.array([[first[raw], second[raw]] for raw in shared], np.int64).reshape(-1, 2)
    # Ranks among the shared ones alone, so that a shift of all ids is no move.
    ranks = places.argsort(0, kind="stable").argsort(0, kind="stable")
    moves = ranks[:, 1] - ranks[:, 0]
    farthest = np.argsort(-np.abs(moves), kind="stable")[:LISTED]
    return {
        "sizes": [len(first), len(second)],
        "shared": len(shared),
        "own": [len(only_a), len(only_b)],
        "shared_share": ratio(len(shared), len(first) + len(second) - len(shared)),
        "same_id": int((places[:, 0] == places[:, 1]).sum()),
        "rank_correlation": _spearman(ranks),
        "median_move": float(np.median(np.abs(moves))) if len(moves) else None,
        "moves": [
            {**token(a, int(places[i, 0])), "ids": places[i].tolist(), "ranks": ranks[i].tolist()}
            for i in farthest.tolist()
            if moves[i]
        ],
        "scripts": [script_counts(a, only_a), script_counts(b, only_b)],
        "examples": [
            [token(a, i) for i in only_a[:LISTED]],
            [token(b, i) for i in only_b[:LISTED]],
        ],
    }


def _by_bytes(table: TokenBytes) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for i in np.flatnonzero(table.lengths).tolist():
        found.setdefault(table[i], i)
    return found


def _spearman(ranks: IntArray) -> float | None:
    """Return the rank correlation; None for fewer than two."""
    if len(ranks) < 2:
        return None
    return float(np.corrcoef(ranks.T)[0, 1])


def _settings(a: Tokenizer, b: Tokenizer) -> list[dict[str, Any]]:
    """Return what the two do to a text before merging: a row for each setting."""
    of_a, of_b = settings_of(a), settings_of(b)
    return [
        {"setting": name, "a": of_a[name], "b": of_b[name], "same": of_a[name] == of_b[name]}
        for name in of_a
    ]


def settings_of(tokenizer: Tokenizer) -> dict[str, str]:
    """Return what is done to a text, by name; empty where nothing is."""
    model, normaliser, pattern = "", "", ""
    if isinstance(tokenizer, TiktokenTokenizer):
        model, pattern = "BPE", tokenizer.pattern
    elif isinstance(tokenizer, HuggingFaceTokenizer):
        content = json.loads(tokenizer.serialized)
        model = content["model"].get("type", "")
        normaliser = _written(content.get("normalizer"))
        pattern = _written(content.get("pre_tokenizer"))
    elif isinstance(tokenizer, SentencePieceTokenizer):
        settings = model_settings(tokenizer.serialized)
        model = _MODELS.get(settings.model_type, settings.model_type)
        normaliser = settings.normalizer if settings.changes_characters else ""
    return {
        "model": model or tokenizer.engine,
        "normaliser": normaliser,
        "split before merging": pattern,
        "put before every text": readable(tokenizer.prefix),
        "gives text back": "yes" if tokenizer.lossless else f"no: {tokenizer.lossy_reason}",
    }


def _written(part: Any) -> str:
    return "" if part is None else json.dumps(part, ensure_ascii=False, sort_keys=True)
