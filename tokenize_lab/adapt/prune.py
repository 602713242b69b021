"""A vocabulary pruned: fewer ids, and the text of a language kept encoded as before."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from corpora.arguments import path, whole
from corpora.corpus import Corpus
from corpora.errors import InputError
from corpora.files import write_json
from tokenize_lab.adapt.extend import FILE, IDS, LISTED, used_ids, write_files
from tokenize_lab.adapt.kept import kept_rows
from tokenize_lab.adapt.native import native_files
from tokenize_lab.adapt.source import MergeSource, merge_source
from tokenize_lab.adapt.spare import MergeTree
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer, huggingface_from_text
from tokenize_lab.forensics.audit import identity, tokens
from tokenize_lab.forensics.finding import TokenizerFinding
from tokenize_lab.merges.json_cut import cut_json
from tokenize_lab.progress import ReportProgress, silent
from tokenize_lab.tokenizer import IntArray
from tokenize_lab.tokenizer_spec import load_tokenizers


@dataclass(frozen=True)
class PrunedVocabulary:
    """A vocabulary of fewer ids.

    Attributes:
        tokenizer: the new one.
        finding: what went, and what it changes, ready for JSON.
        new_ids: [V] the new id of each old one, -1 where it went.
        native: further files, by name: the same tokenizer in the form it came in.
    """

    tokenizer: HuggingFaceTokenizer
    finding: TokenizerFinding
    new_ids: IntArray
    native: dict[str, bytes]

    def save(self, folder: str | PathLike[str]) -> Path:
        """Write `tokenizer.json`, `ids.json`, the finding, and `ranks.tiktoken` or `tekken.json`
        where the tokenizer was given as one; return the first's path.

        `ids.json` has `new_ids`, the new id of each old one or null, and `old_ids`, the rows of an
        embedding table that stay, in their new order.

        Raises:
            InputError: the folder cannot be written.
        """
        out = path("folder", folder)
        write_files(out, {FILE: self.tokenizer.serialized.encode("utf-8"), **self.native})
        ids: list[int] = self.new_ids.tolist()
        numbers: dict[str, Any] = {
            "tokenizer": self.finding["tokenizer"]["spec"],
            "new_ids": [None if new < 0 else new for new in ids],
            "old_ids": np.flatnonzero(self.new_ids >= 0).tolist(),
        }
        write_json(out / IDS, numbers)
        self.finding.save(out)
        return out / FILE


def prune(
    tokenizer: object,
    keep: Sequence[Corpus],
    *,
    to: int | None = None,
    drop: int | None = None,
    unused: bool = False,
    progress: ReportProgress = silent,
) -> PrunedVocabulary:
    """Prune a BPE: its last merges, or of those only what some text does not use.

    Ids close ranks in their order; alphabet, special and other added tokens always stay.

    Args:
        tokenizer: a BPE, or the spec of one.
        keep: text of the languages that are to be encoded as before; what changes is counted.
        to, drop: ids to be left, or to go; without either, as many as `unused` finds.
        unused: only tokens go that this text does not use and that are a part of none that stays,
            the last merges first: its encoding is the same, whatever was pruned.
        progress: told what is being done, and of the bytes of text just read.

    Raises:
        InputError: the tokenizer is no BPE, so many ids cannot go, or from the corpora.
    """
    if (to is None and drop is None and not unused) or (to is not None and drop is not None):
        raise InputError("`to` or `drop`: give one of them, or `unused` for all ids not used")
    (given,) = load_tokenizers([tokenizer])
    progress("reading merges", 0)
    source = merge_source(given)
    size = source.tokenizer.vocabulary_size
    wanted = None if to is None else size - whole("to", to, 1)
    wanted = wanted if drop is None else whole("drop", drop, 1)
    asked = f"`to` {to}" if drop is None else f"`drop` {drop}"
    if wanted is not None and not 0 < wanted < size:
        raise InputError(f"{asked}: {given.name} has {size} ids; ask for fewer")
    if unused:
        gone = _unused(source, keep, wanted, "`unused`" if wanted is None else asked, progress)
        kept = np.setdiff1d(np.arange(size), gone)
    else:
        assert wanted is not None
        kept = source.merges.kept(size - wanted, asked)
        gone = np.setdiff1d(np.arange(size), kept).tolist()
    made = _pruned(source, kept, unused)
    new_ids = np.full(size, -1, np.int64)
    new_ids[kept] = np.arange(len(kept))
    finding = TokenizerFinding(
        kind="prune",
        tokenizer=identity(given),
        pruned=identity(made),
        dropped=len(gone),
        unused=unused,
        kept=kept_rows(given, made, keep, new_ids, progress),
        tokens=tokens(source.tokenizer.token_bytes, gone[:LISTED]),
    )
    return PrunedVocabulary(made, finding, new_ids, native_files(given, made))


def _unused(
    source: MergeSource,
    keep: Sequence[Corpus],
    wanted: int | None,
    asked: str,
    progress: ReportProgress,
) -> list[int]:
    """Return ids that can go without changing the encoding of a text, the first to go first."""
    used = used_ids(source.tokenizer, keep, progress)
    progress("looking for leaves of the merge tree", 0)
    gone = MergeTree(source).unused_leaves(used, wanted)
    size = source.tokenizer.vocabulary_size
    if not gone or (wanted is not None and len(gone) < wanted):
        raise InputError(
            f"{asked}: only {len(gone)} of {size} ids can go without changing this text (made by a"
            " merge, not used there, and a part of no other); ask for that or fewer, or leave"
            " `unused` out"
        )
    return gone


def _pruned(source: MergeSource, kept: IntArray, unused: bool) -> HuggingFaceTokenizer:
    merges = source.merges
    applies = np.ones(len(merges.made), np.bool_) if unused else merges.sizes <= len(kept)
    cut = cut_json(source.content, merges, kept, applies)
    given = source.tokenizer
    text = json.dumps(cut, ensure_ascii=False)
    return huggingface_from_text(text, f"{given.spec}-{len(kept)}", given.name, given.spec)
