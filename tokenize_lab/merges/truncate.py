"""A BPE tokenizer cut to its first merges, as a tokenizer of its own.

Merges are learned in order, and each joins what the ones before it made: the first of them are what
training would have learned had it stopped there. So one training gives a tokenizer of every size.
"""

import hashlib
import json
from dataclasses import replace

import numpy as np

from corpora.errors import InputError
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer, huggingface_from_text
from tokenize_lab.backends.huggingface_json import written_merges
from tokenize_lab.backends.tiktoken import TiktokenTokenizer
from tokenize_lab.merges.merge_list import Merges
from tokenize_lab.merges.read import MaskedTokenizer, bpe_model, merges_of
from tokenize_lab.tokenizer import IntArray, TokenBytes, Tokenizer, TokenKind


def truncated(tokenizer: Tokenizer, vocabulary_size: int) -> Tokenizer:
    """Return the tokenizer with its first merges only, as many as leave `vocabulary_size` ids.

    Special tokens and the alphabet count among these ids and are always kept. Ids stay in their
    order and close ranks; those of a vocabulary trained here do not change.

    Raises:
        InputError: it is no BPE, its merge list is not closed, or the size lies below its alphabet
            or above its vocabulary.
    """
    spec = f"truncated:{vocabulary_size}:{tokenizer.spec}"
    merges = merges_of(tokenizer)
    kept = merges.kept(vocabulary_size, spec)
    name = f"truncated:{vocabulary_size}:{tokenizer.name}"
    return _cut(tokenizer, merges, kept, spec, name)


def masked(tokenizer: Tokenizer, share: float) -> MaskedTokenizer:
    """Return the tokenizer with a share of its vocabulary unused: the last merges are left out.

    It keeps (1 - share) V ids, rounded, under their own numbers, and declares all V, so that a
    model over it has the parameters and costs the FLOPs of the full vocabulary ("Compute Optimal
    Tokenization", arXiv 2605.01188).

    Args:
        share: of the ids to leave out, from 0 to less than 1.

    Raises:
        InputError: as `truncated`, or the share is out of range.
    """
    spec, name = f"masked:{share:g}:{tokenizer.spec}", f"masked:{share:g}:{tokenizer.name}"
    if not 0 <= share < 1:
        raise InputError(f"{spec}: the share left out must be from 0 to less than 1")
    merges = merges_of(tokenizer)
    kept = merges.kept(round((1 - share) * merges.vocabulary_size), spec)
    table = tokenizer.token_bytes
    used = np.zeros(len(table), np.bool_)
    used[kept] = True
    return MaskedTokenizer(
        spec=spec,
        name=name,
        sha256=_digest("masked", len(kept), tokenizer),
        vocabulary_size=tokenizer.vocabulary_size,
        token_bytes=TokenBytes.from_pieces(
            [table[i] if used[i] else b"" for i in range(len(table))],
            np.where(used, table.kinds, TokenKind.SPECIAL).astype(np.uint8),
        ),
        source=_cut(tokenizer, merges, kept, spec, name),
        ids=kept.astype(np.uint32),
    )


def _cut(tokenizer: Tokenizer, merges: Merges, kept: IntArray, spec: str, name: str) -> Tokenizer:
    if isinstance(tokenizer, TiktokenTokenizer):
        table = tokenizer.token_bytes
        pieces = [table[i] for i in kept.tolist()]
        return replace(
            tokenizer,
            spec=spec,
            name=name,
            sha256=_digest("truncated", len(kept), tokenizer),
            vocabulary_size=len(kept),
            token_bytes=TokenBytes.from_pieces(pieces, table.kinds[kept]),
        )
    assert isinstance(tokenizer, HuggingFaceTokenizer)
    return huggingface_from_text(_cut_json(tokenizer, merges, kept), spec, name, spec)


def _cut_json(tokenizer: HuggingFaceTokenizer, merges: Merges, kept: IntArray) -> str:
    content = json.loads(tokenizer.serialized)
    model = bpe_model(content, tokenizer.spec)
    place = np.full(merges.vocabulary_size, -1)
    place[kept] = np.arange(len(kept))
    applies = (merges.sizes <= len(kept)) & (place[merges.left] >= 0) & (place[merges.right] >= 0)
    written = written_merges(model)
    model["merges"] = [written[i] for i in np.flatnonzero(applies).tolist()]
    model["vocab"] = {
        piece: int(place[token_id])
        for piece, token_id in model["vocab"].items()
        if place[token_id] >= 0
    }
    for token in content.get("added_tokens") or ():
        token["id"] = int(place[token["id"]])
    if not np.array_equal(place[kept], kept):
        content["post_processor"] = None  # it would put special tokens in by their old ids
    return json.dumps(content, ensure_ascii=False)


def _digest(how: str, size: int, tokenizer: Tokenizer) -> str:
    return hashlib.sha256(f"{how}\0{size}\0{tokenizer.sha256}".encode()).hexdigest()
