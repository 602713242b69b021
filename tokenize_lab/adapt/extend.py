"""A vocabulary extended for further languages: new merges after the old ones, old ids kept."""

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from corpora.arguments import one_of, path, real, whole
from corpora.corpus import Corpus, joined
from corpora.document import utf8_length
from corpora.errors import InputError
from corpora.files import write_json, written_whole
from corpora.locks import being_written
from tokenize_lab.adapt.alphabet import (
    NewCharacter,
    counts_before,
    lacking_characters,
    with_characters,
)
from tokenize_lab.adapt.kept import kept_rows
from tokenize_lab.adapt.learn import FEWEST, NewMerge, OldWords, learn_merges, old_pieces
from tokenize_lab.adapt.native import RANKS, TEKKEN_FILE, native_files
from tokenize_lab.adapt.source import MergeSource, merge_source
from tokenize_lab.adapt.spare import MergeTree, removed_from
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer, huggingface_from_text
from tokenize_lab.forensics.audit import identity, token
from tokenize_lab.forensics.finding import TokenizerFinding
from tokenize_lab.progress import ReportProgress, silent
from tokenize_lab.tokenizer import Tokenizer, TokenKind
from tokenize_lab.tokenizer_spec import TokenizerSpec, load_tokenizers
from tokenize_lab.vocabulary_curves.curve import TRIED, CurveCounter, followed_on

FILE, EMBEDDING, IDS = "tokenizer.json", "embedding.json", "ids.json"
REUSES = ("", "unreachable", "unused")
MOSTLY = 0.5  # of a text's tokens
_LEAST_SHARE = 1e-18  # of documents: fewer than any text has
LISTED = 1000  # new tokens in the finding; embedding.json has all


@dataclass(frozen=True)
class Extension:
    """An extended vocabulary.

    Attributes:
        tokenizer: the new one.
        finding: what it gains and changes, ready for JSON.
        embedding: for each new id, the old ids whose mean its row may begin as.
        native: further files, by name: the same tokenizer in the form it came in.
    """

    tokenizer: HuggingFaceTokenizer
    finding: TokenizerFinding
    embedding: list[dict[str, Any]]
    native: dict[str, bytes]

    def save(self, folder: str | PathLike[str]) -> Path:
        """Write `tokenizer.json`, `embedding.json`, the finding, and `ranks.tiktoken` or
        `tekken.json` where the tokenizer was given as one; return the first's path.

        Raises:
            InputError: the folder cannot be written.
        """
        out = path("folder", folder)
        write_files(out, {FILE: self.tokenizer.serialized.encode("utf-8"), **self.native})
        rows = {"tokenizer": self.finding["tokenizer"]["spec"], "rows": self.embedding}
        write_json(out / EMBEDDING, rows)
        self.finding.save(out)
        return out / FILE


@contextlib.contextmanager
def kept_for(folder: Path, spec: str) -> Iterator[None]:
    """Keep a folder for a changed tokenizer, from before the work until it is written, and see
    that it replaces not the one that it is made of.

    Raises:
        InputError: nothing can be written there, another process is at it, or the given one would
            be overwritten.
    """
    given = TokenizerSpec.parse(spec).file
    made = (folder / name for name in (FILE, RANKS, TEKKEN_FILE))
    if given is not None and os.path.realpath(given) in map(os.path.realpath, made):
        raise InputError(f"{given}: would be overwritten by what is made of it; name another `out`")
    with being_written(folder):
        yield


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    """Write a tokenizer's files, each whole; native forms of a vocabulary made here before are
    removed.

    Raises:
        InputError: the folder cannot be written.
    """
    ours = any((folder / name).exists() for name in (EMBEDDING, IDS))
    for name in (RANKS, TEKKEN_FILE):
        if ours and name not in files and (folder / name).exists():
            (folder / name).unlink()
    for name, content in files.items():
        with written_whole(folder / name) as temporary:
            temporary.write_bytes(content)


class SplitBatch(NamedTuple):
    """Texts of one language, to learn from and to measure; how many there are, and bytes."""

    language: str
    learned: Sequence[str]
    unseen: Sequence[str]
    documents: int
    bytes: int


def extend(
    tokenizer: object,
    corpora: Sequence[Corpus],
    *,
    add: int,
    keep: Sequence[Corpus] = (),
    unchanged: bool = False,
    reuse: str = "",
    unseen: float = 0.1,
    progress: ReportProgress = silent,
) -> Extension:
    """Extend a BPE by new merges, learned on its own encoding of some text, inside its pieces.

    A vocabulary of characters that falls back to bytes gets the text's characters first.

    Args:
        tokenizer: a BPE, or the spec of one.
        corpora: text to learn from.
        add: new ids.
        keep: text of languages that are to be encoded as before; what changes is counted.
        unchanged: leave out merges that would fire in that text, so that nothing changes there.
        reuse: give ids away that no text leads to (`unreachable`), or that are not used in any text
            given here (`unused`), before new ones are appended; a part of another token never goes.
        unseen: share of each language's documents, evenly spaced, that is not learned from: bytes
            per token are of these. 0 measures on what was learned from.
        progress: told what is being done, and of the bytes of text just read.

    Raises:
        InputError: the tokenizer is no BPE, the text has fewer merges to learn, a new token would
            be spelt like a special one, or from the corpora.
    """
    whole("add", add, 1)
    every = _every(real("unseen", unseen, 0, 0.5))
    one_of("reuse", reuse, REUSES)
    if unchanged and not keep:
        raise InputError("`unchanged`: of which text? give some to `keep`")
    (given,) = load_tokenizers([tokenizer])
    progress("reading merges", 0)
    source = merge_source(given)
    corpus = joined(corpora)
    followed = followed_on(source.tokenizer, _first_texts(corpus))
    words, kept = OldWords(followed), OldWords(followed)
    read: dict[str, tuple[int, int]] = {}
    for part in _split(corpus, every, "reading", progress):
        words.add(part.learned)
        documents, size = read.get(part.language, (0, 0))
        read[part.language] = documents + part.documents, size + part.bytes
    for kept_corpus in keep if unchanged else ():
        for batch in kept_corpus.batches():
            kept.add(batch.texts)
            progress("reading what is kept", sum(map(utf8_length, batch.texts)))
    old_kinds = source.tokenizer.token_bytes.kinds
    reused = _reused(source, reuse, add, [corpus, *keep], progress)
    removed_from(source, reused)
    new_ids = [*reused, *range(len(old_kinds), len(old_kinds) + add - len(reused))]
    characters = lacking_characters(source, words.characters(), kept.characters(), new_ids, FEWEST)
    if reused or characters:
        source = with_characters(source, characters)
        followed = followed_on(source.tokenizer, _first_texts(corpus))
        words, kept = words.under(followed), kept.under(followed)
    progress("learning merges", 0)
    merges = learn_merges(source, words, new_ids[len(characters) :], kept.pairs())
    if len(characters) + len(merges) < add:
        found = len(characters) + len(merges)
        raise InputError(_too_few(source, corpus, add, found, unchanged))
    made = _extended(source, merges, given)
    old = np.setdiff1d(np.arange(len(old_kinds)), reused)
    if not np.array_equal(made.token_bytes.kinds[old], old_kinds[old]):
        raise InputError(
            f"{given.spec}: one of its added tokens would be taken for text once it is extended; "
            "give a tokenizer.json whose vocabulary has its added tokens"
        )
    new = [(m.token_id, [m.left, m.right], m.times) for m in merges]
    new = [*((c.token_id, c.pieces, c.times) for c in characters), *new]
    table = made.token_bytes
    finding = TokenizerFinding(
        kind="extend",
        tokenizer=identity(given),
        extended=identity(made),
        added=add,
        characters=len(characters),
        reused=reused,
        reuse=reuse,
        corpus=corpus.name,
        unseen=unseen,
        unchanged=unchanged,
        parallel=corpus.parallel,
        languages=[
            {**row, "read": dict(zip(("documents", "bytes"), read[row["language"]], strict=True))}
            for row in _curves(made, corpus, every, (characters, len(merges)), progress)
        ],
        kept=kept_rows(given, made, keep, progress=progress),
        tokens=[
            {**token(table, i), "parts": parts, "count": times} for i, parts, times in new[:LISTED]
        ],
    )
    before = old_pieces(merges, {c.token_id: c.pieces for c in characters})
    given_away = set(reused)
    embedding = [
        {**token(table, i), "mean_of": before[i], "reused": i in given_away} for i, _, _ in new
    ]
    return Extension(made, finding, embedding, native_files(given, made))


def _every(unseen: float) -> int:
    return round(1 / max(unseen, _LEAST_SHARE)) if unseen else 0


def _first_texts(corpus: Corpus) -> list[str]:
    """Return a few texts that a corpus begins with, to try ways of splitting on."""
    first = next(corpus.batches(), None)
    return list(first.texts[:TRIED]) if first else []


def _split(
    corpus: Corpus, every: int, doing: str, progress: ReportProgress
) -> Iterator[SplitBatch]:
    """Yield a corpus's batches, every so many documents of a language held back."""
    seen: dict[str, int] = {}
    for batch in corpus.batches():
        first = seen.get(batch.language, 0)
        seen[batch.language] = first + len(batch.texts)
        held = [every and (first + i) % every == every - 1 for i in range(len(batch.texts))]
        learned = [text for text, back in zip(batch.texts, held, strict=True) if not back]
        unseen = [text for text, back in zip(batch.texts, held, strict=True) if back]
        size = sum(map(utf8_length, batch.texts))
        measured = unseen if every else learned
        yield SplitBatch(batch.language, learned, measured, len(batch.texts), size)
        progress(doing, size)


def _reused(
    source: MergeSource, reuse: str, most: int, corpora: Sequence[Corpus], progress: ReportProgress
) -> list[int]:
    """Return ids that new tokens may have, ascending, at most so many."""
    if not reuse:
        return []
    tree = MergeTree(source)
    if reuse == "unreachable":
        progress("looking for ids that no text leads to", 0)
        return sorted(tree.unreachable())[:most]
    # Parts go after what is made of them, so these are counted off before they are put in order.
    return sorted(tree.unused_leaves(used_ids(source.tokenizer, corpora, progress), most))


def used_ids(
    tokenizer: Tokenizer, corpora: Sequence[Corpus], progress: ReportProgress = silent
) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Return which ids come out of some text: [V] bool."""
    used = np.zeros(tokenizer.vocabulary_size, np.bool_)
    for corpus in corpora:
        for batch in corpus.batches():
            used[tokenizer.encode_batch(batch.texts).ids] = True
            progress("looking for ids in use", sum(map(utf8_length, batch.texts)))
    return used


def _too_few(source: MergeSource, corpus: Corpus, add: int, found: int, unchanged: bool) -> str:
    ids = source.tokenizer.encode_batch(_first_texts(corpus)).ids
    if (source.tokenizer.token_bytes.kinds[ids] == TokenKind.UNKNOWN).mean() > MOSTLY:
        return (
            f"`add` {add}: {corpus.name} has only {found} merges to learn, since most of its tokens"
            f" are unknown: {source.tokenizer.name} lacks its characters and falls back to no"
            " bytes; give a BPE of bytes or with byte fallback"
        )
    but = " that do not fire in the text kept" if unchanged else ""
    return (
        f"`add` {add}: {corpus.name} has only {found} merges to learn{but} (pairs of tokens,"
        f" inside pieces, that stand there {FEWEST} times or more); ask for that or fewer, or give"
        " more text"
    )


def _extended(
    source: MergeSource, merges: Sequence[NewMerge], given: Tokenizer
) -> HuggingFaceTokenizer:
    """Return the tokenizer with the merges appended."""
    model = source.model
    spelt = {token_id: piece for piece, token_id in model["vocab"].items()}
    spelt |= {merge.token_id: merge.piece for merge in merges}
    as_words = bool(model["merges"]) and isinstance(model["merges"][0], str)
    for merge in merges:
        model["vocab"][merge.piece] = merge.token_id
        pair = [spelt[merge.left], spelt[merge.right]]
        model["merges"].append(" ".join(pair) if as_words else pair)
    # Added tokens that the model does not know are numbered by its size, which has changed.
    for name, token_id in source.specials.items():
        model["vocab"].setdefault(name, token_id)
    text = json.dumps(source.content, ensure_ascii=False)
    return huggingface_from_text(text, f"{given.spec}+{len(merges)}", given.name, given.spec)


def _curves(
    made: HuggingFaceTokenizer,
    corpus: Corpus,
    every: int,
    new: tuple[Sequence[NewCharacter], int],
    progress: ReportProgress,
) -> list[dict[str, Any]]:
    """Return the tokens of each language's held back text at every number of new ids, from 0.

    Arguments:
        new: characters, and how many merges come after them.
    """
    characters, merges = new
    followed = followed_on(made, _first_texts(corpus))
    counter = CurveCounter(followed, ())
    there: dict[str, OldWords] = {}
    for part in _split(corpus, every, "counting tokens at every number of new ids", progress):
        counter.add(part.language, 0, part.unseen)
        if characters:
            there.setdefault(part.language, OldWords(followed)).add(part.unseen)
    rows = []
    for language, curve in sorted(counter.curves().items()):
        known = there[language].characters() if characters else Counter[str]()
        tokens = counts_before(curve.tokens[-merges - 1 :].tolist(), characters, known)
        rows.append(
            {
                "language": language,
                "documents": curve.documents,
                "bytes": curve.bytes,
                "pretokens": curve.pieces,
                "tokens": tokens,
            }
        )
    return rows
