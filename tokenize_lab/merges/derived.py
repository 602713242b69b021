"""A BPE tokenizer cut to its first merges, as a tokenizer of its own.

Merges are learned in order, and each joins what the ones before it made: the first of them are what
training would have learned had it stopped there. So one training gives a tokenizer of every size.

BPE-dropout (Provilkov et al. 2020, arXiv 1910.13267): merges left out at random while encoding.

At each step every merge that is possible is left out with probability p, on its own; the one of
lowest rank among the others is done; where none is left, the piece is finished. So p = 0 is plain
encoding and p = 1 gives the symbols, bytes mostly. Models trained on text cut in ever new ways
learn what tokens are made of. A merge left out is drawn for again at the next step of its piece, so
in long pieces (no split, superwords) little but the order changes until p comes near 1.

The libraries draw from a generator that cannot be seeded, so the encoder is our own. What is drawn
follows from the seed and the text alone: the same text has the same tokens whatever stands beside
it, in whatever process; another seed cuts it in another way.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from typing import Any

import numpy as np

from corpora.errors import InputError
from tokenize_lab.backends.common import declared_fields, encoding_of
from tokenize_lab.backends.huggingface import (
    KEPT_PARTS,
    HuggingFaceTokenizer,
    huggingface_from_text,
)
from tokenize_lab.backends.kept import kept
from tokenize_lab.backends.tiktoken import TiktokenTokenizer
from tokenize_lab.merges.apply import merge_piece
from tokenize_lab.merges.json_cut import cut_json
from tokenize_lab.merges.merge_list import Merges
from tokenize_lab.merges.read import DerivedTokenizer, MaskedTokenizer, merges_of
from tokenize_lab.tokenizer import Encoding, IntArray, TokenBytes, Tokenizer, TokenKind
from tokenize_lab.vocabulary_curves.following import Followed


def truncated(tokenizer: Tokenizer, vocabulary_size: int) -> Tokenizer:
    """Return the tokenizer with its first merges only, as many as leave `vocabulary_size` ids.

    Special tokens and the alphabet count among these ids and are always kept. Ids stay in their
    order and close ranks; those of a vocabulary trained here do not change.

    Raises:
        InputError: it is no BPE, its merge list is not closed, or the size lies below its alphabet
            or above its vocabulary.
    """
    spec = f"truncated:{vocabulary_size}:{tokenizer.spec}"
    name = f"truncated:{vocabulary_size}:{tokenizer.name}"

    def cut() -> Tokenizer:
        merges = merges_of(tokenizer)
        return _cut(tokenizer, merges, merges.kept(vocabulary_size, spec), spec, name)

    if not isinstance(tokenizer, HuggingFaceTokenizer):
        return cut()
    whole = tokenizer.serialized.encode()
    found: Any = kept(whole, (spec, name), KEPT_PARTS, cut)
    return found  # type: ignore[no-any-return]


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
    stay = merges.kept(round((1 - share) * merges.vocabulary_size), spec)
    table = tokenizer.token_bytes
    used = np.zeros(len(table), np.bool_)
    used[stay] = True
    return MaskedTokenizer(
        spec=spec,
        name=name,
        sha256=_digest("masked", len(stay), tokenizer),
        vocabulary_size=tokenizer.vocabulary_size,
        token_bytes=TokenBytes.from_pieces(
            [table[i] if used[i] else b"" for i in range(len(table))],
            np.where(used, table.kinds, TokenKind.SPECIAL).astype(np.uint8),
        ),
        source=_cut(tokenizer, merges, stay, spec, name),
        ids=stay.astype(np.uint32),
    )


def _cut(tokenizer: Tokenizer, merges: Merges, stay: IntArray, spec: str, name: str) -> Tokenizer:
    if isinstance(tokenizer, TiktokenTokenizer):
        table = tokenizer.token_bytes
        pieces = [table[i] for i in stay.tolist()]
        place = {old: new for new, old in enumerate(stay.tolist())}
        return replace(
            tokenizer,
            spec=spec,
            name=name,
            sha256=_digest("truncated", len(stay), tokenizer),
            vocabulary_size=len(stay),
            token_bytes=TokenBytes.from_pieces(pieces, table.kinds[stay]),
            specials=tuple((name, place[i]) for name, i in tokenizer.specials),
        )
    assert isinstance(tokenizer, HuggingFaceTokenizer)
    content = json.loads(tokenizer.serialized)
    cut = cut_json(content, merges, stay, merges.sizes <= len(stay))
    return huggingface_from_text(json.dumps(cut, ensure_ascii=False), spec, name, spec)


def _digest(how: str, size: int, tokenizer: Tokenizer) -> str:
    return hashlib.sha256(f"{how}\0{size}\0{tokenizer.sha256}".encode()).hexdigest()


@dataclass(frozen=True, repr=False)
class DropoutTokenizer(DerivedTokenizer):
    """A BPE that leaves out merges of its source at random.

    Attributes:
        share: p, the probability of leaving out a merge, from 0 to 1.
        seed: of the draws.
    """

    share: float
    seed: int

    @property
    def engine(self) -> str:
        """Our own encoder, over the library's pieces and merges."""
        return f"tokenize-lab, {self.source.engine}"

    @cached_property
    def _merges(self) -> Merges:
        return merges_of(self.source)

    @cached_property
    def _followed(self) -> Followed:
        return Followed(self.source, self._merges)

    def encode_batch(self, texts: Sequence[str]) -> Encoding:
        """Encode each text on its own, with draws of its own."""
        if self.share == 0:
            return self.source.encode_batch(texts)
        return encoding_of(map(self._encode, texts))

    def _encode(self, text: str) -> list[int]:
        digest = hashlib.sha256(f"{self.seed}\0{text}".encode()).digest()
        draw = Random(digest).random  # of which Python promises the same numbers for ever
        rank_of, made = self._merges.rank_of_pair.get, self._merges.made_by_rank
        symbols = self._followed.symbols_of(text)
        ids, tokens, start = symbols.ids.tolist(), [], 0
        for length in symbols.lengths.tolist():
            piece = ids[start : start + length]
            tokens += merge_piece(piece, rank_of, made, lambda: draw() < self.share).tokens
            start += length
        return tokens

    def __getstate__(self) -> dict[str, Any]:
        return declared_fields(self)


def with_dropout(tokenizer: Tokenizer, share: float, seed: int) -> DropoutTokenizer:
    """Return the tokenizer with BPE-dropout.

    Args:
        share: p, from 0 to 1.
        seed: of the draws, not negative.

    Raises:
        InputError: the share or the seed is out of range, or the tokenizer is no BPE whose merges
            can be followed.
    """
    how = f"dropout:{share:g}{f'@{seed}' if seed else ''}"
    spec = f"{how}:{tokenizer.spec}"
    if not 0 <= share <= 1:
        raise InputError(f"{spec}: the share of merges left out must be from 0 to 1")
    if seed < 0:
        raise InputError(f"{spec}: the seed must not be negative")
    made = DropoutTokenizer(
        spec=spec,
        name=f"{how}:{tokenizer.name}",
        sha256=hashlib.sha256(
            f"dropout\0{share!r}\0{seed}\0{tokenizer.sha256}".encode()
        ).hexdigest(),
        vocabulary_size=tokenizer.vocabulary_size,
        token_bytes=tokenizer.token_bytes,
        source=tokenizer,
        share=share,
        seed=seed,
    )
    made.encode_batch(["a"])  # a tokenizer that cannot be followed is refused now
    return made
