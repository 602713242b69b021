"""A certificate of bytes: what a text's tokens add up to, by several ways of counting, and where a
way goes wrong.

Bits per byte divide by the bytes of a text. Whoever adds them up token by token, with a table made
some other way, divides by something else; scoreboards got it wrong more than once. By the usual
ways it goes wrong:

    replacement_character   a token that is no whole characters is decoded to U+FFFD, three bytes
    byte_fallback_mark      the mark of a space, U+2581, has no token and stands as three fallback
                            bytes for one space; or a fallback byte counts as its name, <0x41>
    space_twice             the space before a word is counted with the word, and once more
    space_mark              the mark of a space is counted as its own three bytes
    space_left_out          the space before a word is not counted (decoders strip it)
    prefix                  the space that the tokenizer puts before a text is counted as its own
    special_as_text         a special token counts as the text of its name
    normalisation           the tokenizer changes a text before it encodes it, so that its tokens
                            are of another text
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from corpora.corpus import Corpus
from corpora.document import utf8_length
from corpora.errors import InputError
from tokenize_lab.backends.running_text import Decoding
from tokenize_lab.backends.tiktoken import TiktokenTokenizer
from tokenize_lab.counts.boundaries import token_boundaries
from tokenize_lab.counts.bytes import TextBytes
from tokenize_lab.forensics.audit import identity, token
from tokenize_lab.forensics.byte_table import ByteCounts, audited
from tokenize_lab.forensics.finding import TokenizerFinding
from tokenize_lab.merges.dynamic import refuse_dynamic
from tokenize_lab.progress import ReportProgress, silent
from tokenize_lab.tokenizer import IntArray, Tokenizer, TokenKind
from tokenize_lab.tokenizer_spec import load_tokenizers

DECODED = "decoding each token alone"
LISTED = 20  # tokens at fault of each way
_MARK = "\u2581".encode()
_IDS_AT_ONCE = 4096


@dataclass
class TokenTally:
    """How often each id occurs in a text, and what its bytes come to there.

    Attributes:
        times: [V] occurrences.
        trimmed: [V] bytes of the tokenizer's prefix among its own, where it opens a text.
        after_boundary: for each way of counting, [V] occurrences after a boundary, or at the
            beginning of a text.
        bytes, documents: of the text.
        token_bytes: what all tokens stand for, prefixes left out.
        marks: of them, bytes too many where three fallback bytes stand for a space.
        inexact: documents that their tokens do not give back.
    """

    times: IntArray
    trimmed: IntArray
    after_boundary: list[IntArray]
    bytes: int = 0
    documents: int = 0
    token_bytes: int = 0
    marks: int = 0
    inexact: int = 0

    def add(self, texts: Sequence[str], tokenizer: Tokenizer, ways: Sequence[ByteCounts]) -> int:
        """Encode a batch and add it; return its bytes."""
        text, encoding = TextBytes.of(texts), tokenizer.encode_batch(texts)
        ids, lengths = encoding.ids.astype(np.int64), encoding.lengths
        stops, size = np.cumsum(lengths), len(self.times)
        firsts = (stops - lengths)[lengths > 0]
        self.times += np.bincount(ids, minlength=size)
        opens = np.bincount(ids[firsts], minlength=size)
        for i in np.flatnonzero(opens).tolist() if tokenizer.prefix else ():
            if tokenizer.token_bytes[i].startswith(tokenizer.prefix):
                self.trimmed[i] += int(opens[i]) * len(tokenizer.prefix)
        for way, after in zip(ways, self.after_boundary, strict=True):
            behind = np.zeros(len(ids), np.bool_)
            behind[1:] = way.boundary[ids[:-1]]
            behind[firsts] = True
            after += np.bincount(ids[behind], minlength=size)
        found = token_boundaries(text, encoding, tokenizer)
        self.documents += len(lengths)
        self.inexact += int((~found.exact).sum())
        self.token_bytes += int(found.token_bytes.sum())
        for i in np.flatnonzero(~found.exact).tolist():
            self.marks += 2 * _marks(tokenizer, ids[stops[i] - lengths[i] : stops[i]])
        added = int(text.byte_counts.sum())
        self.bytes += added
        return added


def _marks(tokenizer: Tokenizer, ids: IntArray) -> int:
    """Return how often three fallback bytes in a row are the mark of a space."""
    table = tokenizer.token_bytes
    raw = bytes(table[i][0] if table.byte_fallback[i] else 0 for i in ids.tolist())
    return raw.count(_MARK)


def decoded_alone(tokenizer: Tokenizer) -> ByteCounts | None:
    """Return the usual wrong count: each id decoded by itself, in UTF-8; None without a decoder."""
    if not isinstance(tokenizer, Decoding):
        return None
    size = tokenizer.vocabulary_size
    count = np.zeros(size, np.int64)
    ranked = isinstance(tokenizer, TiktokenTokenizer)  # whose engine knows no special ids
    used = np.flatnonzero(tokenizer.token_bytes.lengths).tolist() if ranked else list(range(size))
    for start in range(0, len(used), _IDS_AT_ONCE):
        some = used[start : start + _IDS_AT_ONCE]
        for i, raw in zip(some, tokenizer.decode_batch([[i] for i in some]), strict=True):
            count[i] = utf8_length(raw.decode("utf-8", "replace"))
    return ByteCounts.plain(DECODED, count)


def certificate(
    tokenizer: object,
    corpora: Sequence[Corpus] = (),
    *,
    theirs: ByteCounts | None = None,
    nats: float | None = None,
    total: bool = False,
    progress: ReportProgress = silent,
) -> TokenizerFinding:
    """Count a text's bytes by its tokens, as audited, by decoding each alone, and by another table.

    Arguments:
        tokenizer: one, or the spec of one.
        corpora: text.
        theirs: another's counts.
        nats: cross-entropy of a model on the text, a token; bits per byte follow for every way.
        total: `nats` is the sum over the text instead.
        progress: told of the bytes of text just counted.

    Raises:
        InputError: from the tokenizer or the corpora; `nats` without text; ids that stand for other
            bytes in every batch.
    """
    if nats is not None and (not corpora or not (nats > 0 and math.isfinite(nats))):
        raise InputError("`nats`: a positive number of nats, on a text of `corpus`; give both")
    (loaded,) = load_tokenizers([tokenizer])
    refuse_dynamic(loaded)
    progress("decoding every id", 0)
    ways = [way for way in (audited(loaded), decoded_alone(loaded), theirs) if way is not None]
    size = loaded.vocabulary_size
    times, trimmed, *after = (np.zeros(size, np.int64) for _ in range(2 + len(ways)))
    tally = TokenTally(times, trimmed, after)
    for corpus in corpora:
        for batch in corpus.batches():
            progress(f"counting {corpus.name}", tally.add(batch.texts, loaded, ways))
    tokens = int(tally.times.sum())
    whole = None if nats is None else nats if total else nats * tokens
    return TokenizerFinding(
        kind="bytes",
        tokenizer=identity(loaded),
        text={
            "documents": tally.documents,
            "bytes": tally.bytes,
            "tokens": tokens,
            "documents_not_given_back": tally.inexact,
        }
        if corpora
        else None,
        nats=whole,
        bits_per_byte=_bits_per_byte(whole, tally.bytes),
        ways=[_way(loaded, way, i, tally, whole) for i, way in enumerate(ways)],
    )


def _way(
    tokenizer: Tokenizer, way: ByteCounts, place: int, tally: TokenTally, nats: float | None
) -> dict[str, Any]:
    """Return what a way of counting comes to, and by what it is off."""
    lengths = tokenizer.token_bytes.lengths.astype(np.int64)
    spaces = (tally.times - tally.after_boundary[place]) * way.leading_space
    off = way.count * tally.times + spaces - (lengths * tally.times - tally.trimmed)
    if place == 0:  # audited: prefixes are known for what they are
        off = np.zeros_like(off)
    differing = np.flatnonzero((way.count + way.leading_space != lengths) | (off != 0))
    kinds = {i: fault_class(tokenizer, way, i, int(off[i])) for i in differing.tolist()}
    classes = Counter[str]()
    for i, kind in kinds.items():
        classes[kind] += int(off[i])
    classes["byte_fallback_mark"] += tally.marks
    classes["normalisation"] += tally.token_bytes - tally.bytes - tally.marks
    counted = tally.token_bytes + int(off.sum())
    worst = sorted(kinds, key=lambda i: (-abs(int(off[i])), i))
    return {
        "name": way.name,
        "ids": dict(Counter(kinds.values()).most_common()),
        "bytes": counted,
        "off": counted - tally.bytes,
        "classes": {kind: bytes_off for kind, bytes_off in classes.most_common() if bytes_off},
        "tokens": [
            {
                **token(tokenizer.token_bytes, i),
                "class": kinds[i],
                "counted": int(way.count[i]) + int(way.leading_space[i]),
                "bytes": int(lengths[i]),
                "times": int(tally.times[i]),
                "off": int(off[i]),
            }
            for i in worst[:LISTED]
        ],
        "bits_per_byte": _bits_per_byte(nats, counted),
    }


def fault_class(tokenizer: Tokenizer, way: ByteCounts, token_id: int, off: int) -> str:
    """Return in which of the usual ways an id is counted wrong.

    Arguments:
        off: bytes too many of it, in all of a text.
    """
    table = tokenizer.token_bytes
    raw, kind = table[token_id], TokenKind(table.kinds[token_id])
    counted, space_besides = int(way.count[token_id]), bool(way.leading_space[token_id])
    if kind in (TokenKind.SPECIAL, TokenKind.UNKNOWN):
        return "special_as_text"
    if counted + space_besides == len(raw):
        return "prefix" if off > 0 else "space_left_out"
    if space_besides and counted == len(raw) and raw.startswith(b" "):
        return "space_twice"
    if kind is TokenKind.BYTE_FALLBACK and counted == len("<0x00>"):
        return "byte_fallback_mark"
    replaced = raw.decode("utf-8", "replace")
    if "\ufffd" in replaced and counted == utf8_length(replaced):
        return "replacement_character"
    if counted == utf8_length(replaced.replace(" ", "\u2581")):
        return "space_mark"
    if raw.startswith(b" ") and counted == len(raw) - 1:
        return "space_left_out"
    return "other"


def _bits_per_byte(nats: float | None, count: int) -> float | None:
    return nats / math.log(2) / count if nats is not None and count else None
