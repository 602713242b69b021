"""The merges of a loaded tokenizer: of a `tokenizer.json`, or of ranks that tiktoken would take."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
from tokenize_lab.backends.huggingface_json import BYTE_TOKEN, written_merges
from tokenize_lab.backends.tiktoken import TiktokenTokenizer
from tokenize_lab.merges.merge_list import Merges, listed_merges, ranked_merges
from tokenize_lab.tokenizer import (
    Encoding,
    ShownShort,
    TokenBytes,
    Tokenizer,
    TokenKind,
    WayBack,
    way_back,
)


@dataclass(frozen=True, repr=False)
class DerivedTokenizer(ShownShort):
    """A tokenizer that does not use all merges of its own kind, encoded by way of another.

    Attributes:
        source: the tokenizer behind it.
    """

    spec: str
    name: str
    sha256: str
    vocabulary_size: int
    token_bytes: TokenBytes
    source: Tokenizer

    @property
    def prefix(self) -> bytes:
        """Bytes put before every text."""
        return self.source.prefix

    @property
    def suffix(self) -> bytes:
        """Bytes put after every text."""
        return self.source.suffix

    @property
    def way_back(self) -> WayBack:
        """How its library decodes."""
        return way_back(self.source)

    @property
    def lossless(self) -> bool:
        """Whether bytes of tokens equal bytes of text."""
        return self.source.lossless

    @property
    def lossy_reason(self) -> str:
        """Why not, where they do not."""
        return self.source.lossy_reason

    @property
    def engine(self) -> str:
        """What encodes."""
        return self.source.engine

    def pretoken_count(self, text: str) -> int | None:
        """Return into how many pieces the text is split."""
        return self.source.pretoken_count(text)


@dataclass(frozen=True, repr=False)
class MaskedTokenizer(DerivedTokenizer):
    """A tokenizer cut short that keeps its full vocabulary's ids and declared size.

    The source is the one of as many ids as are used; the ids that are masked have no bytes.

    Attributes:
        ids: [used] uint32, the full vocabulary's id of each of the source's ids.
    """

    ids: NDArray[np.uint32]

    def encode_batch(self, texts: Sequence[str]) -> Encoding:
        """Encode each text, in ids of the full vocabulary."""
        encoding = self.source.encode_batch(texts)
        return Encoding(self.ids[encoding.ids], encoding.lengths)


Content = dict[str, Any]


def merges_of(tokenizer: Tokenizer) -> Merges:
    """Return the tokenizer's merges in order.

    Raises:
        InputError: it is no BPE, its merges are not to be had, or its list is not closed.
    """
    if isinstance(tokenizer, TiktokenTokenizer):
        table = tokenizer.token_bytes
        ids = np.flatnonzero(table.kinds == TokenKind.TEXT).tolist()
        return ranked_merges([(table[i], i) for i in ids], tokenizer.vocabulary_size)
    if isinstance(tokenizer, HuggingFaceTokenizer):
        content = json.loads(tokenizer.serialized)
        return _of_json(content, tokenizer.spec, tokenizer.vocabulary_size)
    if isinstance(tokenizer, MaskedTokenizer):
        raise InputError(
            f"{tokenizer.spec}: is masked already; cut it first: masked:.75:truncated:V:"
        )
    raise InputError(
        f"{tokenizer.spec}: has no list of merges to cut; only a BPE's tokenizer.json, tiktoken "
        "encodings and mistral:tekken have one"
    )


def bpe_model(content: Content, spec: str) -> Content:
    """Return the BPE model of a tokenizer.json's content.

    Raises:
        InputError: it is of another kind.
    """
    model: Content = content["model"]
    kind = model.get("type") or ("BPE" if "merges" in model else "another kind")
    if kind != "BPE":
        raise InputError(f"{spec}: is {kind}, which has no merges; only a BPE can be cut")
    return model


def _of_json(content: Content, spec: str, vocabulary_size: int) -> Merges:
    model = bpe_model(content, spec)
    vocab: dict[str, int] = model["vocab"]
    marked = len(model.get("continuing_subword_prefix") or "")
    whole_pieces = bool(model.get("ignore_merges", False))
    written = written_merges(model)
    made = [f"{left}{right[marked:]}" for left, right in written]
    added = {token["content"] for token in content.get("added_tokens") or ()}
    _refuse_repeated(written, spec)
    if not whole_pieces:
        _refuse_unclosed(written, made, _symbols(model, added), spec)
    return listed_merges(
        [(vocab[left], vocab[right]) for left, right in written],
        [vocab[piece] for piece in made],
        vocabulary_size,
        fixed={vocab[piece] for piece in added if piece in vocab},
        whole_pieces=whole_pieces,
    )


def _symbols(model: Content, added: set[str]) -> set[str]:
    """Return what merging starts from: characters, byte tokens, and tokens found beforehand."""
    before, after = model.get("continuing_subword_prefix") or "", model.get("end_of_word_suffix")
    return {
        piece
        for piece in model["vocab"]
        if len(piece.removeprefix(before).removesuffix(after or "")) <= 1
        or BYTE_TOKEN.fullmatch(piece)
    } | {*added, *([model["unk_token"]] if model.get("unk_token") else [])}


def _refuse_repeated(written: list[tuple[str, str]], spec: str) -> None:
    if len(set(written)) == len(written):
        return
    seen: set[tuple[str, str]] = set()
    for number, pair in enumerate(written, 1):
        if pair in seen:
            raise InputError(
                f"{spec}: {_named(number, pair)} comes twice, so merges have no one order"
            )
        seen.add(pair)


def _refuse_unclosed(
    written: list[tuple[str, str]], made: list[str], known: set[str], spec: str
) -> None:
    """Refuse a list in which a token needs what only a later merge makes, or none.

    Some lists give several pairs for one token, side by side; one of them is enough, the others
    wait until their own parts are made.
    """
    waiting: tuple[int, str] | None = None
    for place, ((left, right), piece) in enumerate(zip(written, made, strict=True)):
        if waiting is not None and waiting[1] != piece:
            break
        if piece in known or (left in known and right in known):
            known.add(piece)
            waiting = None
        elif waiting is None:
            waiting = place, piece
    if waiting is None:
        return
    left, right = written[waiting[0]]
    missing = right if left in known else left
    raise InputError(
        f"{spec}: a merge list that is not closed: {_named(waiting[0] + 1, (left, right))} needs "
        f"{missing!r}, which no merge before it makes; such a list cannot be cut"
    )


def _named(number: int, pair: tuple[str, str]) -> str:
    return f"merge {number} ({pair[0]!r} + {pair[1]!r})"
