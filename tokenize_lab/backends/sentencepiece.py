"""SentencePiece models.

SentencePiece writes a space as U+2581 inside its vocabulary and back as a space when decoding, so a
text that itself contains U+2581 comes back with spaces in its place. No setting avoids it; a model
is called lossless here if that one character is all it can change, and the fidelity check on each
measured document finds it.

A model file is a protocol buffer (sentencepiece_model.proto). Only a few settings of it decide
whether text survives; they are read here from the wire format, without the protobuf library: a
sequence of (tag, payload) pairs (protobuf.dev/programming-guides/encoding).
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from corpora.errors import InputError, is_folder
from corpora.files import read_bytes
from tokenize_lab.backends.common import (
    LoadedTokenizer,
    difference_on_probes,
    message_of,
    short_name,
)
from tokenize_lab.backends.forms import holds_ranks
from tokenize_lab.tokenizer import Encoding, TokenBytes, TokenKind

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5

# Field numbers of sentencepiece_model.proto.
TRAINER_SPEC, NORMALIZER_SPEC = 2, 3
MODEL_TYPE, WHITESPACE_AS_SUFFIX, BYTE_FALLBACK = 3, 24, 35
NORMALIZER_NAME, CHARSMAP, DUMMY_PREFIX, REMOVE_WHITESPACE, ESCAPE_WHITESPACE = 1, 2, 3, 4, 5
MODEL_TYPES = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}


class ModelSettings(NamedTuple):
    """The settings of a SentencePiece model that decide which bytes its tokens stand for.

    Attributes:
        model_type: `unigram`, `bpe`, `word` or `char`.
        byte_fallback: characters outside the vocabulary become their bytes' own tokens.
        whitespace_as_suffix: the dummy space is put after the text, not before.
        normalizer: name of the normalisation rule.
        changes_characters: the model carries a normalisation map.
        add_dummy_prefix: one space is put before every text.
        remove_extra_whitespace: runs of spaces are folded, and those at the ends dropped.
        escape_whitespace: spaces are written as U+2581 inside the vocabulary.
    """

    model_type: str
    byte_fallback: bool
    whitespace_as_suffix: bool
    normalizer: str
    changes_characters: bool
    add_dummy_prefix: bool
    remove_extra_whitespace: bool
    escape_whitespace: bool


def model_settings(serialized: bytes) -> ModelSettings:
    """Read the settings from a model file's content.

    Raises:
        ValueError: the bytes are not a whole protocol buffer.
    """
    trainer: dict[int, int | bytes] = {}
    normalizer: dict[int, int | bytes] = {}
    for number, payload in _fields(serialized):
        if number == TRAINER_SPEC and isinstance(payload, bytes):
            trainer |= dict(_fields(payload))
        elif number == NORMALIZER_SPEC and isinstance(payload, bytes):
            normalizer |= dict(_fields(payload))
    name = normalizer.get(NORMALIZER_NAME, b"")
    return ModelSettings(
        model_type=MODEL_TYPES.get(int(trainer.get(MODEL_TYPE, 1)), "unknown"),
        byte_fallback=bool(trainer.get(BYTE_FALLBACK, False)),
        whitespace_as_suffix=bool(trainer.get(WHITESPACE_AS_SUFFIX, False)),
        normalizer=name.decode("utf-8", "replace") if isinstance(name, bytes) else "",
        changes_characters=bool(normalizer.get(CHARSMAP, b"")),
        add_dummy_prefix=bool(normalizer.get(DUMMY_PREFIX, True)),
        remove_extra_whitespace=bool(normalizer.get(REMOVE_WHITESPACE, True)),
        escape_whitespace=bool(normalizer.get(ESCAPE_WHITESPACE, True)),
    )


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (field number, value) for each field of a message, in order."""
    position, end = 0, len(message)
    while position < end:
        tag, position = _varint(message, position)
        wire_type = tag & 7
        if wire_type == VARINT:
            value, position = _varint(message, position)
            yield tag >> 3, value
            continue
        if wire_type == LENGTH_DELIMITED:
            size, position = _varint(message, position)
        elif wire_type in (FIXED64, FIXED32):
            size = 8 if wire_type == FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire_type} at byte {position}")
        if position + size > end:
            raise ValueError(f"it ends {position + size - end} bytes early")
        yield tag >> 3, message[position : position + size]
        position += size


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """Return the base-128 number at `position`, and the position after it."""
    value = shift = 0
    while position < len(message):
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise ValueError("it ends inside a number")


FILE_NAME = "tokenizer.model"
SPACE = "▁"  # U+2581, SentencePiece's visible space
REMEDY = "it is not a whole SentencePiece .model; fetch it again"


@dataclass(frozen=True, kw_only=True, repr=False)
class SentencePieceTokenizer(LoadedTokenizer):
    """A SentencePiece model; a worker is sent the model's own bytes."""

    serialized: bytes

    @cached_property
    def _processor(self) -> Any:
        import sentencepiece

        return sentencepiece.SentencePieceProcessor(model_proto=self.serialized)

    def encode_batch(self, texts: Sequence[str]) -> Encoding:
        """Encode each text; control symbols are never recognised in text by SentencePiece."""
        if not texts:
            return Encoding(np.zeros(0, np.uint32), np.zeros(0, np.int64))
        arrays = self._processor.EncodeAsNumpy(list(texts), num_threads=1)
        lengths = np.fromiter(map(len, arrays), np.int64, len(arrays))
        return Encoding(np.concatenate(arrays).view(np.uint32), lengths)

    def decode_batch(self, ids: Sequence[Sequence[int]]) -> list[bytes]:
        """Return what SentencePiece itself makes of each list of ids."""
        rows = [list(row) for row in ids]
        return (
            [text.encode() for text in self._processor.Decode(rows, num_threads=1)] if rows else []
        )

    def pretoken_count(self, text: str) -> int | None:
        """Return None: SentencePiece does not split a text before it merges."""
        return None


def load_sentencepiece(path: Path, spec: str, name: str = "") -> SentencePieceTokenizer:
    """Load a `.model` file, or the `tokenizer.model` of a folder.

    Raises:
        InputError: the file cannot be read or is not a whole SentencePiece model.
    """
    if is_folder(path):
        path = path / FILE_NAME
    called, content = name or short_name(path, FILE_NAME), read_bytes(path)
    if holds_ranks(content):
        raise InputError(f"{path}: holds tiktoken's ranks, no SentencePiece model; tiktoken:{path}")
    return sentencepiece_from_bytes(content, spec, called, str(path))


def sentencepiece_from_bytes(
    serialized: bytes, spec: str, name: str, place: str
) -> SentencePieceTokenizer:
    """Build the tokenizer from a model file's content; `place` names it in errors."""
    import sentencepiece

    try:
        settings = model_settings(serialized)
        processor = sentencepiece.SentencePieceProcessor(model_proto=serialized)
        size = processor.get_piece_size()
        table = _table(processor, size, settings)
    except (ValueError, RuntimeError, TypeError) as error:
        raise InputError(f"{place}: {REMEDY} ({message_of(error)})") from error
    if not size:
        raise InputError(f"{place}: {REMEDY} (it has no pieces)")
    reason = lossy_reason(settings)
    dummy = b" " if settings.add_dummy_prefix else b""
    tokenizer = SentencePieceTokenizer(
        spec=spec,
        name=name,
        sha256=hashlib.sha256(serialized).hexdigest(),
        vocabulary_size=size,
        token_bytes=table,
        prefix=b"" if settings.whitespace_as_suffix else dummy,
        suffix=dummy if settings.whitespace_as_suffix else b"",
        lossless=not reason,
        lossy_reason=reason,
        engine=f"sentencepiece {sentencepiece.__version__}",
        serialized=serialized,
    )
    if reason:
        return tokenizer
    difference = difference_on_probes(tokenizer)
    return replace(tokenizer, lossless=not difference, lossy_reason=difference)


def lossy_reason(settings: ModelSettings) -> str:
    """Return what in a model's settings makes it lose or change text, or an empty string."""
    if settings.changes_characters:
        rules = settings.normalizer or "own rules"
        return f"the model's normalisation ({rules}) changes characters"
    if settings.remove_extra_whitespace:
        return "the model folds runs of spaces and drops those at the ends"
    if settings.add_dummy_prefix and settings.whitespace_as_suffix:
        return "the model puts a space after the text"
    if not settings.byte_fallback:
        return "characters outside the vocabulary become <unk>: the model has no byte fallback"
    return ""


def _table(processor: Any, size: int, settings: ModelSettings) -> TokenBytes:
    pieces: list[bytes] = []
    kinds: list[int] = []
    for token_id, piece in enumerate(processor.IdToPiece(list(range(size)))):
        kind, raw = TokenKind.TEXT, b""
        if processor.IsByte(token_id):
            kind, raw = TokenKind.BYTE_FALLBACK, bytes([int(piece[1:-1], 16)])  # written <0x0A>
        elif processor.IsUnknown(token_id):
            kind = TokenKind.UNKNOWN
        elif processor.IsControl(token_id) or processor.IsUnused(token_id):
            kind = TokenKind.SPECIAL
        else:
            raw = (piece.replace(SPACE, " ") if settings.escape_whitespace else piece).encode()
        pieces.append(raw)
        kinds.append(kind)
    return TokenBytes.from_pieces(pieces, kinds)
