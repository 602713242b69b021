"""The byte tokenizer: one token per UTF-8 byte, 256 of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tokenize_lab.token_bytes import TokenBytes, TokenKind
from tokenize_lab.tokenizer import Encoding
from tokenize_lab.tokenizers.flat import declared_fields


@dataclass(frozen=True)
class ByteTokenizer:
    """Ids are the text's UTF-8 bytes; one byte per token, by definition."""

    spec: str = "byte"
    name: str = "byte"
    sha256: str = hashlib.sha256(b"tokenize-lab: UTF-8 bytes").hexdigest()
    vocabulary_size: int = 256
    prefix: bytes = b""
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
