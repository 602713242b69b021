"""Many chunks in few texts, so that a library is called for each text and not for each chunk.

Chunks are laid end to end where the rule has a place to cut between them, and kept apart by a short
word where it has not: " 1" or " a", which ends and begins at such places itself.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.pretokens.cuts import CutRule, chunk_starts
from tokenize_lab.text_bytes import TextBytes
from tokenize_lab.text_counts import AnnotatedText
from tokenize_lab.tokenizer import Encoding, Tokenizer

_TEXT_BYTES = 1 << 14
_APART = (" 1", " a")  # after which chunks of letters, and of digits, begin a piece


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
        for chunk, length in zip(
            self.chunks.texts, self.chunks.text_bytes.byte_counts.tolist(), strict=True
        ):
            if parts and chunk[:1] not in (" ", "\t"):
                between = _APART[chunk[:1].isdecimal()]
                parts.append(between)
                size += len(between)
            begins.append(at + size)
            parts.append(chunk)
            size += length
            if size > _TEXT_BYTES or chunk[-1:].isspace():
                texts.append("".join(parts))
                at += size
                parts, size = [], 0
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
        stops = np.cumsum(tokenizer.token_bytes.lengths[ids], dtype=np.int64)
        starts = stops - tokenizer.token_bytes.lengths[ids]
        first = np.searchsorted(starts, begins)
        lengths = np.searchsorted(starts, begins + self.chunks.text_bytes.byte_counts) - first
        kept = np.zeros(len(ids) + 1, np.int8)
        np.add.at(kept, first, 1)
        np.add.at(kept, first + lengths, -1)
        return Encoding(ids[np.cumsum(kept[:-1], dtype=np.int8) > 0], lengths)
