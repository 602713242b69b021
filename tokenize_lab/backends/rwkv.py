"""RWKV's vocabulary: a text is cut from the left, each time at the longest token that fits.

A line of the file is an id, the token as Python writes a string or bytes, and its bytes' number.
Nothing is evaluated: only literals are read.
"""

import ast
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from corpora.errors import InputError, location
from corpora.files import read_bytes
from tokenize_lab.backends.common import (
    MOST_UNUSED,
    LoadedTokenizer,
    encoding_of,
)
from tokenize_lab.tokenizer import Encoding, TokenBytes, TokenKind

_LONGEST_LINE = 4096


@dataclass(frozen=True, kw_only=True, repr=False)
class LongestMatchTokenizer(LoadedTokenizer):
    """A vocabulary of which the longest token that fits is taken, from left to right."""

    @cached_property
    def _ids(self) -> dict[bytes, int]:
        table = self.token_bytes
        return {table[i]: i for i in np.flatnonzero(table.lengths).tolist()}

    @cached_property
    def _sizes(self) -> dict[bytes, list[int]]:
        """Of each two bytes that tokens begin with: how long such tokens are, the longest first."""
        sizes: dict[bytes, set[int]] = {}
        for token in self._ids:
            if len(token) > 1:
                sizes.setdefault(token[:2], set()).add(len(token))
        return {start: sorted(found, reverse=True) for start, found in sizes.items()}

    def encode_batch(self, texts: Sequence[str]) -> Encoding:
        """Encode each text on its own."""
        return encoding_of(self._encode(text.encode("utf-8")) for text in texts)

    def _encode(self, raw: bytes) -> list[int]:
        ids, sizes = self._ids, self._sizes
        found: list[int] = []
        at, end = 0, len(raw)
        while at < end:
            for size in sizes.get(raw[at : at + 2], ()):
                token_id = ids.get(raw[at : at + size])
                if token_id is not None and at + size <= end:
                    break
            else:
                size, token_id = 1, ids[raw[at : at + 1]]
            found.append(token_id)
            at += size
        return found

    def decode_batch(self, ids: Sequence[Sequence[int]]) -> list[bytes]:
        """Return the bytes of each list of ids."""
        return [b"".join(map(self.token_bytes.__getitem__, row)) for row in ids]

    def pretoken_count(self, text: str) -> int | None:
        """Return None: nothing confines a token."""
        return None


def load_rwkv(path: Path, spec: str) -> LongestMatchTokenizer:
    """Load RWKV's `rwkv_vocab_*.txt`.

    Raises:
        InputError: the file cannot be read, naming the first line that is no token, or a byte that
            has none.
    """
    content = read_bytes(path)
    tokens: dict[int, bytes] = {}
    lines = content.splitlines()
    for number, line in enumerate(lines, 1):
        token_id, token = _token(line, path, number)
        if token_id in tokens or token_id > len(lines) + MOST_UNUSED:
            raise InputError(f"{location(path, number)}: id {token_id} comes twice, or cannot be")
        tokens[token_id] = token
    known = {*tokens.values()}
    missing = [byte for byte in range(256) if bytes([byte]) not in known]
    if missing or len(known) < len(tokens):
        what = f"no token for byte 0x{missing[0]:02X}" if missing else "a token comes twice"
        raise InputError(f"{path}: {what}; the file is not whole")
    size = max(tokens) + 1
    pieces = [tokens.get(i, b"") for i in range(size)]
    kinds = [TokenKind.TEXT if piece else TokenKind.SPECIAL for piece in pieces]
    return LongestMatchTokenizer(
        spec=spec,
        name=path.stem,
        sha256=hashlib.sha256(content).hexdigest(),
        vocabulary_size=size,
        token_bytes=TokenBytes.from_pieces(pieces, kinds),
        engine="tokenize-lab",
    )


def _token(line: bytes, path: Path, number: int) -> tuple[int, bytes]:
    """Return the id and the bytes of a line."""
    try:
        written = line.decode("utf-8")
        if len(written) > _LONGEST_LINE:
            raise ValueError
        before, _, rest = written.partition(" ")
        literal, _, size = rest.rpartition(" ")
        token = ast.literal_eval(literal)
        raw = token.encode("utf-8") if isinstance(token, str) else token
        if not isinstance(raw, bytes) or not raw or len(raw) != int(size) or int(before) < 0:
            raise ValueError
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        place = location(path, number)
        raise InputError(f"{place}: not `id 'token' bytes`; fetch it again") from error
    return int(before), raw
