"""Vocabularies that tiktoken's engine encodes: OpenAI's encodings, `.tiktoken` files, and tekken.

A `.tiktoken` file is a line `base64(token) rank` per token. It holds neither the pattern that
splits text nor the special tokens. Published files are recognised by their SHA-256; any other is
told its pattern: `tiktoken:FILE@PATTERN`, the name of an encoding or of a pattern, or a file that
holds a regular expression.
"""

import base64
import binascii
import codecs
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from corpora.errors import InputError, did_you_mean, is_file, is_present, location
from corpora.files import read_bytes
from tokenize_lab.backends import apart
from tokenize_lab.backends.common import (
    MOST_UNUSED,
    LoadedTokenizer,
    difference_on_probes,
    encoding_of,
    message_of,
    refuse_gaps,
    refused_whole,
    short_name,
)
from tokenize_lab.backends.encodings import BY_NAME, DEFAULT_ENCODING, ENCODINGS, FILES
from tokenize_lab.backends.kept import kept
from tokenize_lab.backends.swift import SwiftEngine
from tokenize_lab.backends.watched import encode_apart, pieces_apart
from tokenize_lab.patterns import PATTERNS, PUBLISHED, rule_of
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
        specials: names and ids of the special tokens, as far as they are known.
        tekken_version: of the form of its file, where that is a tekken.json.
    """

    pattern: str
    first_id: int = 0
    specials: tuple[tuple[str, int], ...] = ()
    tekken_version: str = ""

    @cached_property
    def _core(self) -> Any:
        import tiktoken

        table, first = self.token_bytes, self.first_id
        data, starts = table.data, table.starts.tolist()
        ids = np.flatnonzero(table.kinds == TokenKind.TEXT).tolist()
        ranks = {data[starts[i] : starts[i + 1]]: i - first for i in ids}
        encoding = tiktoken.Encoding(
            self.name, pat_str=self.pattern, mergeable_ranks=ranks, special_tokens={}
        )
        return encoding._core_bpe

    @cached_property
    def _splitter(self) -> Any:
        import regex

        return regex.compile(self.pattern)

    @cached_property
    def swift(self) -> SwiftEngine | None:
        """The engine for much text; None where the pattern may not be read alike by both."""
        if rule_of(self.pattern) is None:
            return None
        return SwiftEngine(self.token_bytes.from_id(self.first_id), self.pattern, self._ranks)

    @property
    def _is_strange(self) -> bool:
        return not apart.inside and self.pattern not in PUBLISHED

    def encode_batch(self, texts: Sequence[str]) -> Encoding:
        """Encode each text; no special token is known to the engine, so none is recognised.

        Raises:
            TextError: the pattern is no published one, and takes too long over a text.
        """
        if self._is_strange:
            return encode_apart(self, texts)
        if any(len(text) >= LONG_BLANK and _LONG_BLANK.search(text) for text in texts):
            encoding = encoding_of(map(self._encode_by_pieces, texts))
        elif self.swift is None:
            encoding = self._ranks(texts)
        else:
            encoding = self.swift.encode_batch(texts)
        if not self.first_id:
            return encoding
        return Encoding(encoding.ids + np.uint32(self.first_id), encoding.lengths)

    def encode_pieces(self, pieces: Iterable[bytes]) -> Encoding:
        """Encode each piece, which is not split."""
        return encoding_of(map(self._core.encode_single_piece, pieces))

    def _ranks(self, texts: Sequence[str]) -> Encoding:
        return encoding_of(map(self._core.encode_ordinary, texts))

    def decode_batch(self, ids: Sequence[Sequence[int]]) -> list[bytes]:
        """Return what the engine itself makes of each list of ids."""
        first = self.first_id
        return [self._core.decode_bytes([i - first for i in row]) for row in ids]

    def pretoken_count(self, text: str) -> int | None:
        """Return into how many pieces the pattern splits the text; raises as `encode_batch`."""
        if self._is_strange:
            return pieces_apart(self, text)
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
        kinds[first_id + rank] = TokenKind.TEXT if piece else TokenKind.SPECIAL
    return TokenBytes.from_pieces(pieces, kinds)


def file_and_pattern(where: str) -> tuple[str, str]:
    """Return the file that `FILE@PATTERN` names, and the pattern; empty where none is told."""
    if is_present(Path(where)):
        return where, ""
    places = [place for place, character in enumerate(where) if character == "@"]
    files = (place for place in places if is_file(Path(where[:place])))
    place = next(files, places[-1] if places else len(where))
    return where[:place], where[place + 1 :]


def load_tiktoken(where: str, spec: str) -> TiktokenTokenizer:
    """Load an encoding by name, by the name of a model, or a file; `FILE@PATTERN` splits text by
    another's pattern, or by the regular expression in a file.

    Raises:
        InputError: unknown name, no network to fetch it, a torn file, or no such pattern.
    """
    if where in ENCODINGS:
        return _named(where, spec)
    file, told = file_and_pattern(where)
    path = Path(file)
    if is_file(path):
        return _from_file(path, spec, told)
    if path.suffix in (".tiktoken", ".model") or ("/" in file and not told):
        raise InputError(f"{path}: no such file")
    from tiktoken.model import MODEL_TO_ENCODING, encoding_name_for_model

    try:
        encoding = encoding_name_for_model(where)
    except KeyError:
        near = did_you_mean(where, [*ENCODINGS, *MODEL_TO_ENCODING])
        known = f"known: {', '.join(ENCODINGS)}, and OpenAI's models, as gpt-4o"
        raise InputError(f"{spec}: no such encoding or model{near} ({known})") from None
    return replace(_named(encoding, spec), name=where)


def _pattern(told: str, spec: str) -> tuple[str, str]:
    """Return a pattern's short name and the regular expression.

    Raises:
        InputError: there is no such pattern, or it is no regular expression.
    """
    known = {name: encoding.pattern for name, encoding in (ENCODINGS | FILES).items()}
    known |= {name: pattern for name, pattern in PATTERNS.items() if pattern}
    if told in known:
        return told, known[told]
    path = Path(told)
    if not is_file(path):
        near = did_you_mean(told, known)
        names = ", ".join(known)
        raise InputError(
            f"{spec}: no encoding {told!r} to take the pattern from, no pattern or file of "
            f"that name{near} (known: {names})"
        )
    import regex
    import tiktoken

    try:
        pattern = read_bytes(path).decode("utf-8-sig").rstrip("\r\n")
        regex.compile(pattern)
        letters = {bytes([byte]): byte for byte in range(256)}
        tiktoken.Encoding("own", pat_str=pattern, mergeable_ranks=letters, special_tokens={})
    except (UnicodeDecodeError, ValueError, regex.error) as error:
        raise InputError(f"{path}: not a regular expression ({message_of(error)})") from error
    return path.stem, pattern


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
            # Whisper's file has an empty token, which no text leads to.
            token = b"" if encoded == b"=" else base64.b64decode(encoded, validate=True)
            rank = int(written)
        except (ValueError, binascii.Error) as error:
            place = location(path, number)
            raise InputError(f"{place}: not `base64 rank`; fetch it again") from error
        possible = 0 <= rank < len(lines) + MOST_UNUSED
        if token in ranks or rank in taken or not possible:
            place = location(path, number)
            raise InputError(f"{place}: rank {rank} or its token comes twice, or cannot be")
        ranks[token] = rank
        taken.add(rank)
    missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
    if missing:
        raise InputError(f"{path}: no token for byte 0x{missing[0]:02X}; the file is not whole")
    return ranks


KEPT_PARTS = (TiktokenTokenizer, TokenBytes)  # what `kept` is told that one is made of


def _from_file(path: Path, spec: str, told: str) -> TiktokenTokenizer:
    content = read_bytes(path)
    # What follows from the path, and from a pattern's file, is not in the content.
    own = read_bytes(Path(told)).hex() if is_file(Path(told)) else ""
    asked = ("tiktoken", str(path.absolute()), told, own)
    loaded = kept(content, asked, KEPT_PARTS, lambda: _of_content(path, content, spec, told))
    return replace(loaded, spec=spec)


def _of_content(path: Path, content: bytes, spec: str, told: str) -> TiktokenTokenizer:
    if content.lstrip().startswith(b"{"):
        return _of_javascript(path, content, spec, told)
    ranks = read_ranks(path, content)
    digest = hashlib.sha256(content).hexdigest()
    published = ((name, known) for name, known in (ENCODINGS | FILES).items())
    official = next((name for name, known in published if known.sha256 == digest), "")
    size = (ENCODINGS | FILES)[official].vocabulary_size if official else max(ranks.values()) + 1
    guess = next(
        (of for name, of in BY_NAME.items() if path.name.startswith(name)), DEFAULT_ENCODING
    )
    pattern_of, pattern = _pattern(told or official or guess, spec)
    stem = short_name(path, "tokenizer.model")
    name = stem if pattern_of == stem else f"{stem}@{pattern_of}"
    remark = ""
    if not told and not official:
        remark = (
            f"{path.name} does not say how text is split; the pattern of {pattern_of} was taken "
            f"(another one: tiktoken:{path}@PATTERN)"
        )
    tokenizer = _tokenizer(spec, name, ranks, pattern, size, remark)
    if not is_file(Path(told)):
        return tokenizer
    difference = difference_on_probes(tokenizer)  # a pattern of one's own may leave text out
    return replace(tokenizer, lossless=not difference, lossy_reason=difference)


def _of_javascript(path: Path, content: bytes, spec: str, told: str) -> TiktokenTokenizer:
    """Load what programs in JavaScript ship, as Claude's claude.json: the pattern, and lines of a
    first rank and the tokens from there on."""
    try:
        written = json.loads(content)
        pattern, size = written["pat_str"], written["explicit_n_vocab"]
        special = written["special_tokens"].values()
        ranks: dict[bytes, int] = {}
        for line in written["bpe_ranks"].splitlines():
            _, first, *tokens = line.split(" ")
            for place, token in enumerate(tokens):
                ranks[base64.b64decode(token, validate=True)] = int(first) + place
        largest = max([*ranks.values(), *special, size - 1])
        if len({*ranks.values()}) < len(ranks) or b"" in ranks or min(ranks.values()) < 0:
            raise ValueError("a rank or a token comes twice")
        if any(bytes([byte]) not in ranks for byte in range(256)):
            raise ValueError("a byte is missing")
        if not isinstance(pattern, str):
            raise ValueError("its pattern is no text")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: not whole ranks in JSON ({error!r}); fetch it again") from error
    refuse_gaps(str(path), largest, len(ranks))
    pattern_of, pattern = _pattern(told, spec) if told else ("", pattern)
    name = f"{path.stem}@{pattern_of}" if told else path.stem
    with refused_whole(str(path), "file of ranks"):
        tokenizer = _tokenizer(spec, name, ranks, pattern, largest + 1)
        difference = difference_on_probes(tokenizer)
    return replace(
        tokenizer,
        lossless=not difference,
        lossy_reason=difference,
        specials=_sorted(written["special_tokens"]),
    )


def _sorted(specials: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(specials.items(), key=lambda entry: entry[1]))


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
    tokenizer = _tokenizer(spec, name or encoding.name, ranks, pattern, size or encoding.n_vocab)
    return replace(tokenizer, specials=_sorted(encoding._special_tokens))


def _tokenizer(
    spec: str, name: str, ranks: dict[bytes, int], pattern: str, size: int, remark: str = ""
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
        remark=remark,
        engine=f"tiktoken {tiktoken.__version__}",
        pattern=pattern,
    )
