"""Vocabularies that tiktoken's engine encodes: OpenAI's encodings, `.tiktoken` files, and tekken.

A `.tiktoken` file is a line `base64(token) rank` per token. It holds neither the pattern that
splits text nor the special tokens; OpenAI's own files are recognised by their SHA-256, and any
other is told its pattern: `tiktoken:FILE@cl100k_base`.
"""

import base64
import binascii
import codecs
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from corpora.errors import InputError, did_you_mean, is_file, is_present, location
from corpora.files import read_bytes
from tokenize_lab.backends.common import MOST_UNUSED, LoadedTokenizer, encoding_of
from tokenize_lab.patterns import GPT2, GPT4, GPT4O
from tokenize_lab.tokenizer import Encoding, TokenBytes, TokenKind

# tiktoken's regular expressions end in `\s+(?!\S)`, and its matcher keeps a note of every space it
# might have to give back: at 400,000 in a row it works, at a million its stack overflows.
LONG_BLANK = 100_000
_LONG_BLANK = re.compile(rf"\s{{{LONG_BLANK}}}")


@dataclass(frozen=True, kw_only=True, repr=False)
class TiktokenTokenizer(LoadedTokenizer):
    """A byte-level BPE vocabulary in tiktoken's engine.

    The table is all a worker is sent: a token's rank is its id less `first_id`.

    Attributes:
        pattern: the regular expression that splits a text into the pieces merges stay inside.
        first_id: id of the token of rank 0.
    """

    pattern: str
    first_id: int = 0

    @cached_property
    def _core(self) -> Any:
        import tiktoken

        table, first = self.token_bytes, self.first_id
        ids = np.flatnonzero(table.kinds == TokenKind.TEXT).tolist()
        ranks = {table[i]: i - first for i in ids}
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
        encoding = encoding_of(map(encode, texts))
        if not self.first_id:
            return encoding
        return Encoding(encoding.ids + np.uint32(self.first_id), encoding.lengths)

    def decode_batch(self, ids: Sequence[Sequence[int]]) -> list[bytes]:
        """Return what the engine itself makes of each list of ids."""
        first = self.first_id
        return [self._core.decode_bytes([i - first for i in row]) for row in ids]

    def pretoken_count(self, text: str) -> int | None:
        """Return into how many pieces the pattern splits the text."""
        return sum(1 for _ in self._splitter.finditer(text))

    def _encode_by_pieces(self, text: str) -> list[int]:
        """Encode as the engine does, the pattern matched by a library that does not recurse."""
        encode = self._core.encode_single_piece
        pieces = (match[0].encode("utf-8") for match in self._splitter.finditer(text))
        return [token_id for piece in pieces for token_id in encode(piece)]


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


class TiktokenEncoding(NamedTuple):
    """What one of OpenAI's encodings has besides its ranks.

    Attributes:
        pattern: what splits a text. vocabulary_size: special tokens included.
        sha256: of its `.tiktoken` file, or empty where it is distributed otherwise.
    """

    pattern: str
    vocabulary_size: int
    sha256: str


# Sizes and hashes: tiktoken_ext/openai_public.py.
ENCODINGS = {
    "gpt2": TiktokenEncoding(GPT2, 50257, ""),
    "r50k_base": TiktokenEncoding(
        GPT2, 50257, "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"
    ),
    "p50k_base": TiktokenEncoding(
        GPT2, 50281, "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069"
    ),
    "cl100k_base": TiktokenEncoding(
        GPT4, 100277, "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
    ),
    "o200k_base": TiktokenEncoding(
        GPT4O, 200019, "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
    ),
}
_DEFAULT = "cl100k_base"


def load_tiktoken(where: str, spec: str) -> TiktokenTokenizer:
    """Load an encoding by name, or a `.tiktoken` file, with `@NAME` for another's pattern.

    Raises:
        InputError: unknown name, no network to fetch it, or a torn file.
    """
    if where in ENCODINGS:
        return _named(where, spec)
    file, _, pattern_of = where.partition("@") if not is_present(Path(where)) else (where, "", "")
    path = Path(file)
    if not is_file(path):
        if path.suffix == ".tiktoken" or "/" in file:
            raise InputError(f"{path}: no such file")
        near = did_you_mean(where, ENCODINGS)
        raise InputError(f"{spec}: no such encoding{near} (known: {', '.join(ENCODINGS)})")
    if pattern_of and pattern_of not in ENCODINGS:
        near = did_you_mean(pattern_of, ENCODINGS)
        raise InputError(f"{spec}: no encoding {pattern_of!r} to take the pattern from{near}")
    return _from_file(path, spec, pattern_of)


def read_ranks(path: Path, content: bytes) -> dict[bytes, int]:
    """Return the rank of each token of a `.tiktoken` file.

    Raises:
        InputError: naming the first line that is not `base64 rank` or whose rank lies far beyond
            the number of tokens, or a byte without a token.
    """
    ranks: dict[bytes, int] = {}
    taken: set[int] = set()
    lines = content.removeprefix(codecs.BOM_UTF8).splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            encoded, written = line.split()
            token, rank = base64.b64decode(encoded, validate=True), int(written)
        except (ValueError, binascii.Error) as error:
            place = location(path, number)
            raise InputError(f"{place}: not `base64 rank`; fetch it again") from error
        possible = 0 <= rank < len(lines) + MOST_UNUSED
        if token in ranks or rank in taken or not possible or not token:
            place = location(path, number)
            raise InputError(f"{place}: rank {rank} or its token comes twice, or cannot be")
        ranks[token] = rank
        taken.add(rank)
    missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
    if missing:
        raise InputError(f"{path}: no token for byte 0x{missing[0]:02X}; the file is not whole")
    return ranks


def _from_file(path: Path, spec: str, pattern_of: str) -> TiktokenTokenizer:
    content = read_bytes(path)
    ranks = read_ranks(path, content)
    digest = hashlib.sha256(content).hexdigest()
    official = next((name for name, known in ENCODINGS.items() if known.sha256 == digest), "")
    encoding = pattern_of or official or _DEFAULT
    size = ENCODINGS[official].vocabulary_size if official else max(ranks.values()) + 1
    name = path.stem if encoding == path.stem else f"{path.stem}@{encoding}"
    return _tokenizer(spec, name, ranks, ENCODINGS[encoding].pattern, size)


def _named(name: str, spec: str) -> TiktokenTokenizer:
    import tiktoken

    try:
        loaded = tiktoken.get_encoding(name)
    except Exception as error:  # whatever the network, the cache or the hash check raise
        raise InputError(
            f"{spec}: tiktoken cannot fetch it ({type(error).__name__}); set TIKTOKEN_CACHE_DIR to "
            f"a folder that has it, or give the file: tiktoken:{name}.tiktoken"
        ) from error
    return tiktoken_from_encoding(loaded, spec, name, ENCODINGS[name].vocabulary_size)


def tiktoken_from_encoding(
    encoding: Any, spec: str, name: str = "", size: int = 0
) -> TiktokenTokenizer:
    """Return a `tiktoken.Encoding` as a tokenizer; its special tokens are ids without bytes.

    Args:
        name: for tables, its own by default.
        size: of the vocabulary, special tokens included; as it says itself by default.
    """
    ranks, pattern = encoding._mergeable_ranks, encoding._pat_str
    return _tokenizer(spec, name or encoding.name, ranks, pattern, size or encoding.n_vocab)


def _tokenizer(
    spec: str, name: str, ranks: dict[bytes, int], pattern: str, size: int
) -> TiktokenTokenizer:
    import tiktoken

    table = table_of_ranks(ranks, size)
    digest = hashlib.sha256(b"tiktoken\0" + pattern.encode() + b"\0" + table.data)
    digest.update(table.starts.tobytes())
    return TiktokenTokenizer(
        spec=spec,
        name=name,
        sha256=digest.hexdigest(),
        vocabulary_size=size,
        token_bytes=table,
        engine=f"tiktoken {tiktoken.__version__}",
        pattern=pattern,
    )
