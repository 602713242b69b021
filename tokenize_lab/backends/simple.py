"""Tokenizers without a file: bytes, 256 of them, and the characters of all of Unicode."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.backends.common import declared_fields
from tokenize_lab.tokenizer import Encoding, ShownShort, TokenBytes, TokenKind


@dataclass(frozen=True, repr=False)
class ByteTokenizer(ShownShort):
    """Ids are the text's UTF-8 bytes; one byte per token, by definition."""

    spec: str = "byte"
    name: str = "byte"
    sha256: str = hashlib.sha256(b"tokenize-lab: UTF-8 bytes").hexdigest()
    vocabulary_size: int = 256
    prefix: bytes = b""
    suffix: bytes = b""
    lossless: bool = True
    lossy_reason: str = ""
    engine: str = "tokenize-lab"

    @cached_property
    def token_bytes(self) -> TokenBytes:
        """The 256 bytes."""
        return TokenBytes(bytes(range(256)), np.arange(257), np.full(256, TokenKind.TEXT, np.uint8))

    def encode_batch(self, texts: Sequence[str]) -> Encoding:
        """Encode each text as its UTF-8 bytes."""
        encoded = [text.encode("utf-8") for text in texts]
        ids = np.frombuffer(b"".join(encoded), np.uint8).astype(np.uint32)
        return Encoding(ids, np.fromiter(map(len, encoded), np.int64, len(encoded)))

    def pretoken_count(self, text: str) -> int | None:
        """Return None: nothing is merged."""
        return None

    def __getstate__(self) -> dict[str, Any]:
        return declared_fields(self)


CODE_POINTS = 0x110000
# First and last + 1 code point, bytes each, the first byte's mark. Between the third and fourth run
# lie the surrogates, which no text contains: ids without bytes.
RUNS = (
    (0x0, 0x80, 1, 0x00),
    (0x80, 0x800, 2, 0xC0),
    (0x800, 0xD800, 3, 0xE0),
    (0xE000, 0x10000, 3, 0xE0),
    (0x10000, 0x110000, 4, 0xF0),
)


@dataclass(frozen=True, repr=False)
class CharacterTokenizer(ShownShort):
    """Ids are code points, so V is 1,114,112 whatever the text.

    A character vocabulary of the usual kind, learned from a corpus, is a trained tokenizer.
    """

    spec: str = "character"
    name: str = "character"
    sha256: str = hashlib.sha256(b"tokenize-lab: Unicode code points").hexdigest()
    vocabulary_size: int = CODE_POINTS
    prefix: bytes = b""
    suffix: bytes = b""
    lossless: bool = True
    lossy_reason: str = ""
    engine: str = "tokenize-lab"

    @cached_property
    def token_bytes(self) -> TokenBytes:
        """The UTF-8 bytes of every code point."""
        return code_point_table()

    def encode_batch(self, texts: Sequence[str]) -> Encoding:
        """Encode each text as its code points."""
        ids = np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32)
        return Encoding(ids, np.fromiter(map(len, texts), np.int64, len(texts)))

    def pretoken_count(self, text: str) -> int | None:
        """Return None: nothing is merged."""
        return None

    def __getstate__(self) -> dict[str, Any]:
        return declared_fields(self)


def code_point_table() -> TokenBytes:
    """Return the UTF-8 bytes of all 1,114,112 code points, surrogates having none.

    UTF-8 (RFC 3629, section 3) is the code point's bits in groups of six from the right, each in a
    byte that begins with 10, under a first byte that announces how many there are.
    """
    runs: list[NDArray[np.uint8]] = []
    lengths = np.zeros(CODE_POINTS, np.int64)
    for first, last, length, lead in RUNS:
        points = np.arange(first, last, dtype=np.uint32)
        run = np.empty((len(points), length), np.uint8)
        for place in range(length):
            bits = points >> (6 * (length - 1 - place))
            run[:, place] = lead | bits if place == 0 else 0x80 | (bits & 0x3F)
        runs.append(run.ravel())
        lengths[first:last] = length
    starts = np.zeros(CODE_POINTS + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    kinds = np.where(lengths == 0, np.uint8(TokenKind.SPECIAL), np.uint8(TokenKind.TEXT))
    return TokenBytes(np.concatenate(runs).tobytes(), starts, kinds)


PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
UTF8_BYTES = [*range(0x80), *range(0x80, 0xC0), *range(0xC2, 0xF5)]  # those any text can contain


@cache
def byte_to_character() -> dict[int, str]:
    """Return the character that stands for each of the 256 bytes in the byte-level alphabet.

    GPT-2 (Radford et al. 2019) wrote its merges as text, and so gave every byte a visible
    character: printable Latin-1 bytes stand for themselves, the 68 others are numbered on from
    U+0100 in order. Hugging Face's `ByteLevel` uses the same alphabet.
    """
    hidden = sorted({*range(256)} - {*PRINTABLE})
    visible = {byte: chr(byte) for byte in PRINTABLE}
    return visible | {byte: chr(0x100 + place) for place, byte in enumerate(hidden)}


def character_to_byte() -> dict[str, int]:
    """Return the byte for which each of the 256 characters stands."""
    return {character: byte for byte, character in byte_to_character().items()}


def bytes_spelt(piece: str) -> bytes | None:
    """Return the bytes that a piece stands for; None where it has characters outside the byte-level
    alphabet."""
    try:
        return piece.translate(_octets()).encode("latin-1")
    except UnicodeEncodeError:
        return None


@cache
def _octets() -> dict[int, str]:
    outside = dict.fromkeys(range(256), "\u0100")  # as all characters from there on
    return outside | {ord(character): chr(byte) for character, byte in character_to_byte().items()}
