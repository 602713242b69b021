"""The symbols that merging a piece starts from, and the pieces that are tokens as they stand."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.merges.lookup import NONE
from tokenize_lab.merges.merge_list import Merges
from tokenize_lab.token_bytes import TokenKind
from tokenize_lab.tokenizers.byte_alphabet import UTF8_BYTES, byte_to_character
from tokenize_lab.tokenizers.huggingface import HuggingFaceTokenizer
from tokenize_lab.tokenizers.tiktoken import TiktokenTokenizer


class Symbols(NamedTuple):
    """Pieces as merging finds them.

    Attributes:
        ids: [symbols] int32, piece after piece.
        lengths: [pieces] int64.
        whole: [pieces] int32, the vocabulary size from which the piece is taken whole; `NONE` where
            it never is.
    """

    ids: NDArray[np.int32]
    lengths: NDArray[np.int64]
    whole: NDArray[np.int32]


class ByteSymbols:
    """Of byte-level vocabularies: a symbol for each byte of a stretch of text."""

    def __init__(self, byte_ids: NDArray[np.int32], whole: Mapping[bytes, int]) -> None:
        """Take [256] ids of bytes, and the sizes from which pieces are taken whole."""
        self._ids, self._whole = byte_ids, whole

    def of(self, pieces: Sequence[str] | Sequence[bytes]) -> Symbols:
        """Return the pieces' symbols."""
        encoded = [piece.encode() if isinstance(piece, str) else piece for piece in pieces]
        data = np.frombuffer(b"".join(encoded), np.uint8)
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        return Symbols(self._ids[data], lengths, _whole_sizes(encoded, self._whole))


class CharacterSymbols:
    """Of any `tokenizer.json`: a symbol for each character, or what stands for it.

    As its library does: a character outside the vocabulary becomes its bytes' tokens, if it falls
    back to bytes and all are there; else the unknown token, once for a run if it is told to fuse;
    else nothing.
    """

    def __init__(self, model: Mapping[str, Any], whole: Mapping[str, int]) -> None:
        self._vocab: dict[str, int] = model["vocab"]
        self._prefix = model.get("continuing_subword_prefix") or ""
        self._suffix = model.get("end_of_word_suffix") or ""
        self._falls_back = bool(model.get("byte_fallback"))
        self._fuses = bool(model.get("fuse_unk"))
        self._unknown = self._vocab.get(model.get("unk_token") or "")
        self._whole = whole

    def of(self, pieces: Sequence[str] | Sequence[bytes]) -> Symbols:
        """Return the symbols of pieces of characters."""
        ids: list[int] = []
        ends = np.zeros(len(pieces) + 1, np.int64)
        for index, piece in enumerate(pieces):
            assert isinstance(piece, str)
            self._add(piece, ids)
            ends[index + 1] = len(ids)
        return Symbols(np.asarray(ids, np.int32), np.diff(ends), _whole_sizes(pieces, self._whole))

    def _add(self, piece: str, ids: list[int]) -> None:
        last = len(piece) - 1
        fusible = False
        for place, character in enumerate(piece):
            spelt = f"{self._prefix if place else ''}{character}"
            spelt += self._suffix if place == last else ""
            own = self._vocab.get(spelt)
            if own is not None:
                ids.append(own)
                fusible = False
                continue
            fallen = [self._vocab.get(f"<0x{byte:02X}>") for byte in spelt.encode()]
            if self._falls_back and None not in fallen:
                ids += [one for one in fallen if one is not None]
            elif self._unknown is not None and not fusible:
                ids.append(self._unknown)
                fusible = self._fuses


def byte_symbols(
    tokenizer: TiktokenTokenizer | HuggingFaceTokenizer, merges: Merges
) -> ByteSymbols | None:
    """Return the symbols of stretches of text; None where some byte has no symbol of its own."""
    sizes = merges.token_sizes.tolist()
    if isinstance(tokenizer, TiktokenTokenizer):
        table = tokenizer.token_bytes
        ids = {table[i]: i for i in np.flatnonzero(table.kinds == TokenKind.TEXT).tolist()}
    else:
        model = json.loads(tokenizer.serialized)["model"]
        alphabet = {character: bytes([byte]) for byte, character in byte_to_character().items()}
        marked = model.get("continuing_subword_prefix") or model.get("end_of_word_suffix")
        ids = {
            b"".join(map(alphabet.__getitem__, piece)): token_id
            for piece, token_id in model["vocab"].items()
            if not marked and all(character in alphabet for character in piece)
        }
    if not all(bytes([byte]) in ids for byte in UTF8_BYTES):
        return None
    byte_ids = np.asarray([ids.get(bytes([byte]), -1) for byte in range(256)], np.int32)
    whole = {raw: sizes[i] for raw, i in ids.items()} if merges.whole_pieces else {}
    return ByteSymbols(byte_ids, whole)


def character_symbols(tokenizer: HuggingFaceTokenizer, merges: Merges) -> CharacterSymbols:
    """Return the symbols of pieces in the vocabulary's own characters."""
    model = json.loads(tokenizer.serialized)["model"]
    sizes = merges.token_sizes.tolist()
    vocab = model["vocab"] if merges.whole_pieces else {}
    return CharacterSymbols(model, {piece: sizes[i] for piece, i in vocab.items()})


def _whole_sizes(pieces: Sequence[Any], whole: Mapping[Any, int]) -> NDArray[np.int32]:
    if not whole:
        return np.full(len(pieces), NONE)
    never = int(NONE)
    return np.fromiter((whole.get(piece, never) for piece in pieces), np.int32, len(pieces))
