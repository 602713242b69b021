"""Many chunks in few texts, so that a library is called for each text and not for each chunk.

Chunks are laid end to end where the rule has a place to cut between them, and kept apart by a short
word where it has not: " 1" or " a", which ends and begins at such places itself. A chunk that no
such word helps, as one that begins with a letter beyond ASCII, begins a text.
"""

from collections.abc import Sequence
from functools import cached_property
from string import ascii_letters, digits, punctuation

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.pretokens.cuts import CutRule, chunk_starts
from tokenize_lab.text_bytes import TextBytes
from tokenize_lab.text_counts import AnnotatedText
from tokenize_lab.tokenizer import Encoding, Tokenizer

_TEXT_BYTES = 1 << 14
# What a chunk that begins with this character may stand behind; others begin a text.
_APART = {
    CutRule.GPT: {
        **dict.fromkeys(ascii_letters + punctuation + "\r\n", " 1"),
        **dict.fromkeys(digits, " a"),
    },
    CutRule.WHITESPACE: dict.fromkeys("\r\n", " 1"),
}


class JoinedChunks:
    """Distinct chunks that are encoded together.

    Attributes:
        chunks: as texts of their own, for counting.
    """

    def __init__(self, chunks: AnnotatedText, rule: CutRule) -> None:
        self.chunks = chunks
        self._rule = rule

    @cached_property
    def _joined(self) -> tuple[list[str], NDArray[np.int64]] | None:
        """The texts, and where each chunk begins in their bytes; None where they cannot be."""
        texts: list[str] = []
        begins: list[int] = []
        parts: list[str] = []
        size = at = 0
        apart, ends_blank = _APART[self._rule], False
        for chunk, length in zip(
            self.chunks.texts, self.chunks.text_bytes.byte_counts.tolist(), strict=True
        ):
            blank = chunk[0] in " \t"
            if size > _TEXT_BYTES or not (blank or chunk[0] in apart) or ends_blank:
                texts.append("".join(parts))
                at += size
                parts, size = [], 0
            if parts and not blank:
                parts.append(apart[chunk[0]])
                size += len(parts[-1])
            begins.append(at + size)
            parts.append(chunk)
            size += length
            ends_blank = chunk[-1].isspace()
        texts.append("".join(parts))
        starts = np.array(begins, np.int64)
        joined = TextBytes.of(texts)
        cuts = chunk_starts(joined, self._rule)
        edges = np.concatenate([starts, starts + self.chunks.text_bytes.byte_counts])
        known = np.append(cuts, len(joined.raw))
        whole = np.array_equal(known[np.searchsorted(known, edges)], edges)
        return (texts, starts) if whole else None

    def encode(self, tokenizer: Tokenizer, literals: Sequence[str]) -> Encoding:
        """Encode each chunk as a text of its own would be.

        Arguments:
            literals: added tokens of the tokenizer, none of which any chunk holds.
        """
        joined = self._joined
        if joined is None or any(literal in text for literal in literals for text in joined[0]):
            return tokenizer.encode_batch(self.chunks.texts)
        texts, begins = joined
        ids, _ = tokenizer.encode_batch(texts)
        sizes = tokenizer.token_bytes.lengths[ids]
        starts = np.cumsum(sizes, dtype=np.int64) - sizes
        first = np.searchsorted(starts, begins)
        lengths = np.searchsorted(starts, begins + self.chunks.text_bytes.byte_counts) - first
        stops = np.cumsum(lengths)
        return Encoding(
            ids[np.repeat(first - (stops - lengths), lengths) + np.arange(stops[-1])], lengths
        )
