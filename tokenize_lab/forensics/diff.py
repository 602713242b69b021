"""Two tokenizers side by side: their vocabularies, and how they cut the same text."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from corpora.corpus import Corpus
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
from tokenize_lab.backends.sentencepiece import SentencePieceTokenizer, model_settings
from tokenize_lab.backends.tiktoken import TiktokenTokenizer
from tokenize_lab.counts.cache import CountsCache
from tokenize_lab.forensics.audit import identity, script_counts, token
from tokenize_lab.forensics.cuts import CutCounts, Cuts, compare_cuts, ratio
from tokenize_lab.forensics.finding import TokenizerFinding
from tokenize_lab.progress import ReportProgress, silent
from tokenize_lab.tokenizer import IntArray, TokenBytes, Tokenizer, readable
from tokenize_lab.tokenizer_spec import load_tokenizers

LISTED = 200
# SentencePiece's names for its models, as `tokenizer.json` writes them.
_MODELS = {"bpe": "BPE", "unigram": "Unigram"}


def diff(
    first: object,
    second: object,
    corpora: Sequence[Corpus] = (),
    *,
    jobs: int = 1,
    cache: Path | None = None,
    progress: ReportProgress = silent,
) -> TokenizerFinding:
    """Compare two tokenizers: what they do to a text, which tokens they share, and how they cut.

    Lists hold at most `LISTED` entries; tokens as in `audit`.

    Arguments:
        first, second: tokenizers, or specs of them.
        corpora: text to be cut by both; none to compare the vocabularies alone.
        jobs: processes; 0 for one a core.
        cache: folder of counts already made, so that the same text is not cut twice.
        progress: told of each corpus, and of the bytes of text just read.

    Raises:
        InputError: from the tokenizers or the corpora.
    """
    a, b = load_tokenizers([first, second])
    kept = None if cache is None else CountsCache(cache)
    return TokenizerFinding(
        kind="diff",
        tokenizers=[identity(a), identity(b)],
        settings=_settings(a, b),
        vocabulary=_vocabulary(a.token_bytes, b.token_bytes),
        text=_text(compare_cuts(a, b, corpora, progress, jobs, kept)) if corpora else None,
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
