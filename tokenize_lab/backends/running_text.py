"""What a library's own decoder makes of each id in running text, beside the table of bytes.

An id is decoded between two letters whose own text is known, and what stands between them is its
text there: at the ends of a text decoders strip, and between tokens some put a space. A token that
is no whole characters is completed by single bytes that have ids. What differs, or cannot be shown
so (its bytes are in no text, or the bytes that would complete them have no ids), is named.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from tokenize_lab.forensics.utf8 import cut_of, texts_around
from tokenize_lab.tokenizer import TokenBytes, Tokenizer, quoted, readable

Decode = Callable[[Sequence[Sequence[int]]], Sequence[bytes]]
LETTERS = "xaoi0的"
_IDS_AT_ONCE = 4096
_SAMPLED, _TRIED = 500, 20
_LOST = "\ufffd".encode()


@runtime_checkable
class Decoding(Protocol):
    """A tokenizer whose library decodes."""

    def decode_batch(self, ids: Sequence[Sequence[int]]) -> list[bytes]:
        """Return what the library itself makes of each list of ids, special ones too."""
        ...


class Frame(NamedTuple):
    """A letter to decode ids between, so that they stand in running text.

    Attributes:
        ids: of the letter.
        first, last: its bytes where it opens a text, and where it ends one.
        prefix, suffix: what the decoder puts before a token, unless it opens a text; or after one,
            unless it ends a text.
    """

    ids: tuple[int, ...]
    first: bytes
    last: bytes
    prefix: bytes = b""
    suffix: bytes = b""

    def within(self, decoded: bytes) -> bytes | None:
        """Return what stands between the two letters, or None where they do not stand there."""
        inner = len(decoded) - len(self.last)
        framed = decoded.startswith(self.first) and decoded.endswith(self.last)
        return decoded[len(self.first) : inner] if framed and inner >= len(self.first) else None


def frame_of(
    letters: Iterable[tuple[Sequence[int], bytes]], decode: Decode, ids: Sequence[int]
) -> Frame | None:
    """Return the first letter that can be framed with, or None.

    Arguments:
        letters: ids that may serve, and the bytes that they are taken to stand for.
        ids: of the vocabulary, some of which decide between readings of a space between two tokens.
    """
    for letter, raw in letters:
        one, two, three = decode([tuple(letter) * times for times in (1, 2, 3)])
        joint = len(two) - 2 * len(one)
        if not letter or raw not in one or joint < 0:
            continue
        front, back = two[: len(two) - len(one)], two[len(one) :]
        before = Frame(tuple(letter), one, back, prefix=back[:joint])
        after = Frame(tuple(letter), front, one, suffix=front[len(one) :])
        if two == before.first + before.last and three == two + back:
            if not joint:
                return before
            sample = ids[:: max(1, len(ids) // _SAMPLED)]
            return max((before, after), key=lambda frame: _framed(frame, decode, sample))
    return None


def _framed(frame: Frame, decode: Decode, ids: Sequence[int]) -> int:
    """Return how many of the ids stand in the frame."""
    rows = decode([[*frame.ids, i, *frame.ids] for i in ids])
    return sum(frame.within(decoded) is not None for decoded in rows)


def running_bytes(frame: Frame, decode: Decode, ids: Sequence[int]) -> dict[int, bytes]:
    """Return each id's bytes between two letters, of those that are whole characters there."""
    found = {}
    for some in _some(ids):
        rows = decode([[*frame.ids, i, *frame.ids] for i in some])
        for i, decoded in zip(some, rows, strict=True):
            inner = frame.within(decoded)
            if inner is not None and _LOST not in inner:
                found[i] = inner
    return found


def _some(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + _IDS_AT_ONCE] for start in range(0, len(ids), _IDS_AT_ONCE))


@dataclass(frozen=True)
class BytesProof:
    """How the bytes of ids agree with what the library decodes them to.

    Attributes:
        shown: ids whose bytes are what the library's decoder makes of them in running text.
        differing: what it makes of those of which it is something else.
        open: ids with bytes that cannot be decoded so: their bytes are in no text, or not in one
            that this vocabulary's bytes complete.
        why: why nothing was decoded, or empty.
    """

    shown: int
    differing: dict[int, bytes]
    open: list[int]
    why: str = ""

    def summary(self, table: TokenBytes) -> str:
        """Return it as a line that names the first of the ids that are not shown."""
        if self.why:
            return f"not compared: {self.why}"
        parts = [f"{self.shown:,} as its library decodes them"]
        if self.differing:
            i, raw = next(iter(self.differing.items()))
            more = f"{len(self.differing):,} otherwise"
            parts.append(f"{more} (id {i}: {_quoted(table[i])}, decoded {_quoted(raw)})")
        if self.open:
            i = self.open[0]
            parts.append(f"{len(self.open):,} that no text can show (id {i}: {_quoted(table[i])})")
        return "; ".join(parts)

    def as_json(self, table: TokenBytes) -> dict[str, Any]:
        """Return it with every id that is not shown by name."""
        return {
            "shown": self.shown,
            "differing": [
                {"id": i, "text": readable(table[i]), "decoded": readable(raw)}
                for i, raw in self.differing.items()
            ],
            "open": [{"id": i, "text": readable(table[i])} for i in self.open],
            "why": self.why,
        }


def bytes_proof(tokenizer: Tokenizer) -> BytesProof:
    """Compare the bytes of every id with what the tokenizer's library decodes it to.

    Ids without bytes (unused, control tokens, the one for unknown text) have nothing to compare.
    """
    table = tokenizer.token_bytes
    filled = np.flatnonzero(table.lengths).tolist()
    if not isinstance(tokenizer, Decoding):
        return BytesProof(0, {}, filled, "it has no decoder of its own")
    decode = tokenizer.decode_batch
    letters = (
        (tokenizer.encode_batch([letter]).ids.tolist(), letter.encode()) for letter in LETTERS
    )
    words = ((i, table[i].strip()) for i in filled)
    own = (((i,), word) for i, word in words if word.isalnum() and word.isascii())
    frame = frame_of([*letters, *islice(own, _TRIED)], decode, filled)
    if frame is None:
        return BytesProof(0, {}, filled, "its decoder gives no letter back")
    single = _single_bytes(table)
    differing: dict[int, bytes] = {}
    unshown: list[int] = []
    for some in _some(filled):
        tried = []
        for i in some:
            around = _completed(table[i], single)
            if around is None:
                unshown.append(i)
            else:
                tried.append((i, *around))
        rows = [[*frame.ids, *before, i, *after, *frame.ids] for i, before, after, _ in tried]
        for (i, *_, whole), decoded in zip(tried, decode(rows), strict=True):
            inner = frame.within(decoded)
            if inner != whole:
                differing[i] = decoded if inner is None else inner
    return BytesProof(len(filled) - len(differing) - len(unshown), differing, unshown)


def _single_bytes(table: TokenBytes) -> dict[int, int]:
    """Return the id of each byte beyond ASCII that has one of its own."""
    ids = np.flatnonzero(table.lengths == 1).tolist()
    return {table[i][0]: i for i in ids if table[i][0] >= 0x80}


def _completed(raw: bytes, single: dict[int, int]) -> tuple[list[int], list[int], bytes] | None:
    """Return the ids that complete a token to whole characters, before and after, and the whole."""
    cut = cut_of(raw)
    if cut is None:
        return None
    if not cut.tail and not cut.head:
        return [], [], raw
    whole = next(texts_around(cut, 1)).encode()
    before = whole[: whole.index(raw)]
    after = whole[len(before) + len(raw) :]
    if any(byte not in single for byte in before + after):
        return None
    return [single[byte] for byte in before], [single[byte] for byte in after], whole


def _quoted(raw: bytes) -> str:
    return quoted(readable(raw))
