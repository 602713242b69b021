"""Vocabularies that tiktoken's engine encodes: OpenAI's encodings, and Mistral's tekken."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tokenize_lab.backends.common import declared_fields, encoding_of
from tokenize_lab.tokenizer import Encoding, TokenBytes, TokenKind

# tiktoken's regular expressions end in `\s+(?!\S)`, and its matcher keeps a note of every space it
# might have to give back: at 400,000 in a row it works, at a million its stack overflows.
LONG_BLANK = 100_000
_LONG_BLANK = re.compile(rf"\s{{{LONG_BLANK}}}")


@dataclass(frozen=True)
class TiktokenTokenizer:
    """A byte-level BPE vocabulary in tiktoken's engine.

    The table is all a worker is sent: a token's rank is its id less `first_id`.

    Attributes:
        pattern: the regular expression that splits a text into the pieces merges stay inside.
        first_id: id of the token of rank 0.
    """

    spec: str
    name: str
    sha256: str
    vocabulary_size: int
    token_bytes: TokenBytes
    engine: str
    pattern: str
    first_id: int = 0
    prefix: bytes = b""
    lossless: bool = True
    lossy_reason: str = ""

    @cached_property
    def _core(self) -> Any:
        import tiktoken

        table, first = self.token_bytes, self.first_id
        ranks = {
            table[i]: i - first for i in np.flatnonzero(table.kinds == TokenKind.TEXT).tolist()
        }
        encoding = tiktoken.Encoding(
            self.name, pat_str=self.pattern, mergeable_ranks=ranks, special_tokens={}
        )
        return encoding._core_bpe

    @cached_property
    def _splitter(self) -> Any:
        import regex

        return regex.compile(self.pattern)

    def encode_batch(self, texts: Sequence[str]) -> Encoding:
        """Encode each text; no special token is known to the engine, so none is recognised."""
        encode = self._core.encode_ordinary
        if any(len(text) >= LONG_BLANK and _LONG_BLANK.search(text) for text in texts):
            encode = self._encode_by_pieces
        encoding = encoding_of(encode, texts)
        if not self.first_id:
            return encoding
        return Encoding(encoding.ids + np.uint32(self.first_id), encoding.lengths)

    def pretoken_count(self, text: str) -> int | None:
        """Return into how many pieces the pattern splits the text."""
        return sum(1 for _ in self._splitter.finditer(text))

    def _encode_by_pieces(self, text: str) -> list[int]:
        """Encode as the engine does, the pattern matched by a library that does not recurse."""
        encode = self._core.encode_single_piece
        pieces = (match[0].encode("utf-8") for match in self._splitter.finditer(text))
        return [token_id for piece in pieces for token_id in encode(piece)]

    def __getstate__(self) -> dict[str, Any]:
        return declared_fields(self)


def table_of_ranks(ranks: Mapping[bytes, int], size: int, first_id: int = 0) -> TokenBytes:
    """Return the table of `size` ids in which a token of rank r has id `first_id + r`.

    Ids that no token has (special ones, and gaps) have no bytes.
    """
    pieces = [b""] * size
    kinds = np.full(size, TokenKind.SPECIAL, np.uint8)
    for piece, rank in ranks.items():
        pieces[first_id + rank] = piece
        kinds[first_id + rank] = TokenKind.TEXT
    return TokenBytes.from_pieces(pieces, kinds)
