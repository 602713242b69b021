"""What every tokenizer offers, whichever library stands behind it.

Decoding a token to text and counting the text's bytes is the field's most reported mistake: a token
that holds half a character decodes to U+FFFD, which is three bytes long. Every byte count in this
project goes through one table from ids to raw bytes instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


class TokenKind(IntEnum):
    """What an id stands for."""

    TEXT = 0
    BYTE_FALLBACK = 1  # one raw byte of a character the vocabulary lacks
    UNKNOWN = 2  # the text is lost; it has no bytes
    SPECIAL = 3  # control tokens and unused ids: no bytes, never part of a text


WINDOW = 8  # bytes compared at a time
HEAD_MASKS = np.array([(1 << 8 * n) - 1 for n in range(WINDOW + 1)], np.uint64)


def windows(data: bytes) -> NDArray[np.uint64]:
    """Return the 8 bytes from every position as one little-endian integer: [bytes + 1] uint64.

    A view that overlaps itself, zeros past the end: comparing two of its entries under one of
    `HEAD_MASKS` compares up to eight bytes at once.
    """
    return np.ndarray((len(data) + 1,), np.dtype("<u8"), data + bytes(WINDOW), strides=(1,))


@dataclass(frozen=True)
class TokenBytes:
    """The raw bytes of every id of one vocabulary.

    Attributes:
        data: all ids' bytes, one after the other.
        starts: [V + 1] int64; id i holds `data[starts[i]:starts[i + 1]]`.
        kinds: [V] uint8 of `TokenKind`.
    """

    data: bytes
    starts: NDArray[np.int64]
    kinds: NDArray[np.uint8]

    @classmethod
    def from_pieces(
        cls, pieces: Sequence[bytes], kinds: Sequence[int] | NDArray[np.uint8]
    ) -> "TokenBytes":
        """Build the table from each id's bytes and kind, in order of id."""
        assert len(pieces) == len(kinds)
        starts = np.zeros(len(pieces) + 1, np.int64)
        np.cumsum([len(piece) for piece in pieces], out=starts[1:])
        return cls(b"".join(pieces), starts, np.asarray(kinds, np.uint8))

    def __reduce__(self) -> tuple[type["TokenBytes"], tuple[object, ...]]:
        # What is derived stays behind: a worker derives what it needs.
        return type(self), (self.data, self.starts, self.kinds)

    def followed_by(self, other: "TokenBytes") -> "TokenBytes":
        """Return the table with further ids after its own."""
        starts = np.concatenate([self.starts, other.starts[1:] + len(self.data)])
        kinds = np.concatenate([self.kinds, other.kinds])
        return type(self)(self.data + other.data, starts, kinds)

    def from_id(self, first: int) -> "TokenBytes":
        """Return the table without the ids below `first`; the next is 0."""
        starts = self.starts[first:]
        return type(self)(self.data[starts[0] :], starts - starts[0], self.kinds[first:])

    def __len__(self) -> int:
        return len(self.kinds)

    def __getitem__(self, token_id: int) -> bytes:
        return self.data[self.starts[token_id] : self.starts[token_id + 1]]

    @cached_property
    def lengths(self) -> NDArray[np.int32]:
        """[V] int32, bytes per id."""
        return np.diff(self.starts).astype(np.int32)

    @cached_property
    def starts_inside(self) -> NDArray[np.bool_]:
        """[V] bool: the token begins inside a character (its first byte continues one)."""
        flags = np.zeros(len(self), np.bool_)
        filled = np.flatnonzero(self.lengths)
        first = np.frombuffer(self.data, np.uint8)[self.starts[:-1][filled]]
        flags[filled] = (first & 0xC0) == 0x80
        return flags

    @cached_property
    def ends_inside(self) -> NDArray[np.bool_]:
        """[V] bool: the token ends inside a character (its last one lacks bytes).

        In valid UTF-8 a token ends inside a character exactly where the next one starts inside it,
        so one pass over the last three bytes of each id decides. Continuation bytes alone do not
        say whether more follow; they count as starting inside, not as ending there.
        """
        flags = np.zeros(len(self), np.bool_)
        data = np.frombuffer(self.data, np.uint8)
        lengths = self.lengths
        for back, least_lead in ((1, 0xC0), (2, 0xE0), (3, 0xF0)):
            # A lead byte `back` places from the end that announces more than `back` bytes.
            long_enough = np.flatnonzero(lengths >= back)
            lead = data[self.starts[1:][long_enough] - back]
            flags[long_enough] |= lead >= least_lead
        return flags

    @cached_property
    def unknown(self) -> NDArray[np.bool_]:
        """[V] bool: the token stands for lost text."""
        return np.asarray(self.kinds == TokenKind.UNKNOWN)

    @cached_property
    def byte_fallback(self) -> NDArray[np.bool_]:
        """[V] bool: the token is one raw byte of a character outside the vocabulary."""
        return np.asarray(self.kinds == TokenKind.BYTE_FALLBACK)

    @cached_property
    def splits_character(self) -> NDArray[np.bool_]:
        """[V] bool: the token starts or ends inside a character."""
        return self.starts_inside | self.ends_inside

    @cached_property
    def windows(self) -> NDArray[np.uint64]:
        """[bytes + 1] uint64, eight bytes of the table from every position."""
        return windows(self.data)

    @cached_property
    def heads(self) -> NDArray[np.uint64]:
        """[V] uint64, the first eight bytes of each id; `head_masks` says which of them count."""
        return np.asarray(self.windows[self.starts[:-1]])

    @cached_property
    def head_masks(self) -> NDArray[np.uint64]:
        """[V] uint64, the mask over `heads`."""
        return np.asarray(HEAD_MASKS[np.minimum(self.lengths, WINDOW)])


class Encoding(NamedTuple):
    """The tokens of several texts, one after the other.

    Attributes:
        ids: [tokens] uint32, all texts' token ids in order; no special tokens were added.
        lengths: [texts] int64, tokens per text.
    """

    ids: NDArray[np.uint32]
    lengths: NDArray[np.int64]


class OpenEncoding(Encoding):
    """An encoding that has ids of its own beside the vocabulary's.

    Attributes:
        table: the raw bytes of all its ids.
    """

    table: TokenBytes

    @classmethod
    def of(
        cls, ids: NDArray[np.uint32], lengths: NDArray[np.int64], table: TokenBytes
    ) -> "OpenEncoding":
        """Return one with its table."""
        made = cls(ids, lengths)
        made.table = table
        return made


def table_of(tokenizer: "Tokenizer", encoding: Encoding) -> TokenBytes:
    """Return the raw bytes of an encoding's ids."""
    return encoding.table if isinstance(encoding, OpenEncoding) else tokenizer.token_bytes


class Tokenizer(Protocol):
    """A map from text to token ids, and from token ids back to raw bytes.

    Implementations are picklable, so that worker processes need not load them again.

    Attributes:
        spec: the string it was asked for by, e.g. `mistral:v3`.
        name: short name for tables and reports.
        sha256: of everything that determines its ids; the cache is keyed by it.
        vocabulary_size: declared size V, special tokens included (rows of an embedding table).
        token_bytes: the raw bytes of every id.
        prefix: bytes the tokenizer puts before every non-empty text (SentencePiece's dummy
            prefix: one space); they are no part of the text and are never counted as its bytes.
        suffix: bytes it puts after every non-empty text, likewise.
        lossless: whether bytes of tokens equal bytes of text for every text, by construction.
        lossy_reason: why not, where it is not; empty otherwise.
        engine: the library and version that encodes.
    """

    @property
    def spec(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def vocabulary_size(self) -> int: ...
    @property
    def token_bytes(self) -> TokenBytes: ...
    @property
    def prefix(self) -> bytes: ...
    @property
    def suffix(self) -> bytes: ...
    @property
    def lossless(self) -> bool: ...
    @property
    def lossy_reason(self) -> str: ...
    @property
    def engine(self) -> str: ...

    def encode_batch(self, texts: Sequence[str]) -> Encoding:
        """Encode each text on its own, single-threaded; text that looks like a special token is
        encoded as the ordinary text it is."""
        ...

    def pretoken_count(self, text: str) -> int | None:
        """Return into how many pieces merges are confined, or None where there is no such split."""
        ...


class WayBack(NamedTuple):
    """What a library's decoder does at the front of a text, and in place of what is lost.

    A text is given back where this makes the text of its tokens' bytes, which is not the same as
    that the bytes are the text's: some decoders leave the space that was put before a text, others
    take one off that was not.

    Attributes:
        taken: bytes that it takes off the front of a text that begins with them.
        unless_there: whether the tokenizer puts its prefix before those texts alone that do not
            begin with it.
        unknown: what it writes for lost text.
    """

    taken: bytes
    unless_there: bool = False
    unknown: bytes = b""


def way_back(tokenizer: Tokenizer) -> WayBack:
    """Return how a tokenizer's library decodes; by default it takes off what was put before."""
    told: WayBack | None = getattr(tokenizer, "way_back", None)
    return WayBack(tokenizer.prefix) if told is None else told


class ShownShort:
    """A tokenizer whose `repr` leaves its tables out."""

    def __repr__(self: Tokenizer) -> str:
        return f"<tokenizer {self.name}: {self.vocabulary_size:,} ids, by {self.engine}>"


LONGEST = 20


def describe(tokenizer: Tokenizer, longest: int = LONGEST) -> dict[str, Any]:
    """Return a tokenizer's facts, ready for JSON.

    Shares are of the ids that have bytes. A token that is not whole characters begins or ends
    inside one, or is a single byte of one; its text is written with `\\xNN` for such bytes.
    """
    table = tokenizer.token_bytes
    filled = np.flatnonzero(table.lengths)
    broken = np.count_nonzero(table.splits_character[filled])
    order = filled[np.argsort(-table.lengths[filled], kind="stable")][:longest]
    return {
        "spec": tokenizer.spec,
        "name": tokenizer.name,
        "engine": tokenizer.engine,
        "sha256": tokenizer.sha256,
        "vocabulary_size": tokenizer.vocabulary_size,
        "lossless": tokenizer.lossless,
        "lossy_reason": tokenizer.lossy_reason,
        "remark": getattr(tokenizer, "remark", ""),
        "prefix": readable(tokenizer.prefix),
        "ids_by_kind": {
            kind.name.lower(): int(np.count_nonzero(table.kinds == kind)) for kind in TokenKind
        },
        "mean_bytes_per_id": float(table.lengths[filled].mean()) if len(filled) else None,
        "share_not_whole_characters": float(broken / len(filled)) if len(filled) else None,
        "longest_tokens": [
            {"id": i, "bytes": int(table.lengths[i]), "text": readable(table[i])}
            for i in order.tolist()
        ],
    }


def readable(raw: bytes) -> str:
    """Return bytes as text, with `\\xNN` for what is not UTF-8."""
    return raw.decode("utf-8", "backslashreplace")


def quoted(text: str) -> str:
    """Return a text in quotes, with escapes for what a terminal would not show, or would obey."""
    return "'" + "".join(c if c.isprintable() else repr(c)[1:-1] for c in text) + "'"
