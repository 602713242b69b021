"""What a SentencePiece model file says about itself, read without the protobuf library.

A model file is a protocol buffer (sentencepiece_model.proto). Only a few settings of it decide
whether text survives; they are read here from the wire format, which is a sequence of
(tag, payload) pairs: protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator
from typing import NamedTuple

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
