"""A BPE tokenizer, followed merge by merge: what it does to pieces of text at every size."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from tokenize_lab.backends.common import PROBES
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
from tokenize_lab.backends.simple import UTF8_BYTES, byte_to_character
from tokenize_lab.backends.tiktoken import TiktokenTokenizer
from tokenize_lab.counts.chunks import PretokenIndex
from tokenize_lab.merges.apply import Merger, merge_piece
from tokenize_lab.merges.merge_list import NONE, Merges
from tokenize_lab.tokenizer import IntArray, Tokenizer, TokenKind
from tokenize_lab.vocabulary_curves.splitting import AddedPiece, CurveSplitting, splittings_of


class FollowedSymbols(NamedTuple):
    """Pieces as merging finds them.

    Attributes:
        ids: [symbols] int32, piece after piece.
        lengths: [pieces] int64.
        whole: [pieces] int32, the vocabulary size from which the piece is taken whole; `NONE` where
            it never is.
    """

    ids: NDArray[np.int32]
    lengths: IntArray
    whole: NDArray[np.int32]


class ByteSymbols:
    """Of byte-level vocabularies: a symbol for each byte of a stretch of text."""

    def __init__(self, byte_ids: NDArray[np.int32], whole: Mapping[bytes, int]) -> None:
        """Take [256] ids of bytes, and the sizes from which pieces are taken whole."""
        self._ids, self._whole = byte_ids, whole

    def of(self, pieces: Sequence[str]) -> FollowedSymbols:
        """Return the pieces' symbols."""
        encoded = [piece.encode() for piece in pieces]
        data = np.frombuffer(b"".join(encoded), np.uint8)
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        return FollowedSymbols(self._ids[data], lengths, _whole_sizes(encoded, self._whole))


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

    def of(self, pieces: Sequence[str]) -> FollowedSymbols:
        """Return the symbols of pieces of characters."""
        ids: list[int] = []
        ends = np.zeros(len(pieces) + 1, np.int64)
        for index, piece in enumerate(pieces):
            self._add(piece, ids)
            ends[index + 1] = len(ids)
        return FollowedSymbols(
            np.asarray(ids, np.int32), np.diff(ends), _whole_sizes(pieces, self._whole)
        )

    def _add(self, piece: str, ids: list[int]) -> None:
        last = len(piece) - 1
        fusible = False
        for place, character in enumerate(piece):
            spelt = f"{self._prefix if place else ''}{character}"
            spelt += self._suffix if place == last else ""
            token_id = self._vocab.get(spelt)
            if token_id is not None:
                ids.append(token_id)
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


_PROBED = 20  # added tokens


def _added_probes(tokenizer: Tokenizer) -> list[str]:
    """Return texts with added tokens inside words, beside spaces, and side by side."""
    if not isinstance(tokenizer, HuggingFaceTokenizer):
        return []
    added = json.loads(tokenizer.serialized).get("added_tokens") or ()
    contents = [t["content"] for t in added if not t.get("special")][:_PROBED]
    return [f"a{c}b {c} one  {c}  {c}{c}\n" for c in contents]


def _whole_sizes(pieces: Sequence[Any], whole: Mapping[Any, int]) -> NDArray[np.int32]:
    if not whole:
        return np.full(len(pieces), NONE)
    never = int(NONE)
    return np.fromiter((whole.get(piece, never) for piece in pieces), np.int32, len(pieces))


class Losses(NamedTuple):
    """By how many tokens pieces grow shorter, and from which vocabulary size.

    Attributes:
        symbols: [pieces] int64, tokens of each piece where nothing merges.
        piece: [losses] int64, which piece grows shorter.
        size: [losses] int32, the vocabulary size from which it does.
        tokens: [losses] int64, by how many tokens.
    """

    symbols: IntArray
    piece: IntArray
    size: NDArray[np.int32]
    tokens: IntArray


class Followed:
    """A tokenizer whose merges are known.

    Attributes:
        tokenizer: the tokenizer.
        base_size: the least vocabulary size it can be cut to.
    """

    def __init__(self, tokenizer: Tokenizer, merges: Merges, texts: Sequence[str] = ()) -> None:
        """Choose the fastest way to split that gives the tokenizer's own counts.

        Args:
            tokenizer: a BPE.
            merges: its own.
            texts: to try it on, beside those that tokenizers trip over.

        Raises:
            InputError: no way gives its counts.
        """
        assert isinstance(tokenizer, TiktokenTokenizer | HuggingFaceTokenizer)
        self.tokenizer = tokenizer
        self.base_size = merges.base_size
        self._merges = merges
        self._merger = Merger(merges)
        self._symbols: ByteSymbols | CharacterSymbols
        self._way: CurveSplitting
        tried = [*PROBES, *_added_probes(tokenizer), *texts]
        wanted = tokenizer.encode_batch(tried).lengths
        of_bytes = byte_symbols(tokenizer, merges)
        for way in splittings_of(tokenizer):
            if way.raw and of_bytes is None:
                continue
            if way.raw:
                assert of_bytes is not None
                self._symbols = of_bytes
            else:
                assert isinstance(tokenizer, HuggingFaceTokenizer)
                self._symbols = character_symbols(tokenizer, merges)
            self._way = way
            if np.array_equal(self.tokens_of(tried), wanted):
                return
        raise InputError(
            f"{tokenizer.spec}: its pieces and merges do not account for its tokens on texts tried "
            "beforehand, so there is no curve of it; measure it cut to a few sizes instead: "
            f"-t truncated:V:{tokenizer.spec}"
        )

    def symbols_of(self, text: str) -> FollowedSymbols:
        """Return what merging the text's pieces starts from."""
        pieces = self._way.split(text)
        symbols = self._symbols.of(pieces)
        added = [(i, p.token_id) for i, p in enumerate(pieces) if isinstance(p, AddedPiece)]
        if added:
            firsts = np.cumsum(symbols.lengths) - symbols.lengths
            for i, token_id in added:
                symbols.ids[firsts[i]] = token_id
        return symbols

    def distinct(self) -> PretokenIndex:
        """Return an empty collection of pieces, which splits as the tokenizer does."""
        return PretokenIndex(self._way.split, self._way.rule)

    def merged(self, pieces: Sequence[str]) -> Iterator[list[int]]:
        """Yield each piece's tokens where it is merged; nothing where it is taken whole."""
        ids, lengths, whole = self._symbols.of(pieces)
        rank_of, made = self._merges.rank_of_pair.get, self._merges.made_by_rank
        symbols, taken, start = ids.tolist(), (whole < NONE).tolist(), 0
        for length, as_it_is in zip(lengths.tolist(), taken, strict=True):
            piece = symbols[start : start + length]
            start += length
            yield [] if as_it_is else merge_piece(piece, rank_of, made).tokens

    def losses(self, pieces: Sequence[str]) -> Losses:
        """Return how the pieces' tokens grow fewer with the vocabulary."""
        ids, lengths, whole = self._symbols.of(pieces)
        applied = self._merger.apply(ids, lengths)
        if (whole == NONE).all():
            return Losses(lengths, applied.piece, applied.size, np.ones(len(applied.piece), int))
        # A piece taken whole skips what merges would be done later, and all that are left.
        early = applied.size < whole[applied.piece]
        piece, size = applied.piece[early], applied.size[early]
        left = lengths - np.bincount(piece, minlength=len(lengths)) - 1
        taken = np.flatnonzero((whole < NONE) & (left > 0))
        return Losses(
            lengths,
            np.concatenate([piece, taken]),
            np.concatenate([size, whole[taken]]),
            np.concatenate([np.ones(len(piece), np.int64), left[taken]]),
        )

    def tokens_of(self, texts: Sequence[str]) -> IntArray:
        """Return each text's tokens under the full vocabulary, [texts] int64."""
        distinct = self.distinct()
        numbers, counts = distinct.add(texts)
        losses = self.losses(distinct.pieces)
        tokens = losses.symbols.copy()
        np.subtract.at(tokens, losses.piece, losses.tokens)
        running = np.append(0, np.cumsum(tokens[numbers]))
        return np.diff(running[np.cumsum(counts)], prepend=0)
