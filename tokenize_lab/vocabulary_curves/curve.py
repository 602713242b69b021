"""Tokens of a text at every vocabulary size, counted in one pass.

Every distinct piece of text is merged once, and counts as often as it occurs; what each merge saves
is added up by the vocabulary size from which it is done.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from corpora.document import utf8_length
from tokenize_lab.counts.chunks import PretokenNumbers
from tokenize_lab.counts.schema import with_documents
from tokenize_lab.merges.read import merges_of
from tokenize_lab.tokenizer import FloatArray, IntArray, Tokenizer
from tokenize_lab.vocabulary_curves.following import Followed, Losses

CHUNK_BYTES = 32 << 20  # of text whose pieces are kept apart at once
TRIED = 64  # texts that splitting is tried on, from the start of a corpus
TRIED_CHARACTERS = 2000


@dataclass
class TokenCurve:
    """Tokens of a text by vocabulary size.

    Attributes:
        first_size: the least size, alphabet and special tokens.
        documents: texts counted.
        bytes: UTF-8 bytes of them.
        pieces: stretches that merges stay inside.
        tokens: [last - first + 1] int64, tokens at every size from `first_size` up.
        sizes: [G] sizes that units are kept at.
        units: [units, 2 + G] int64: documents, bytes and tokens at `sizes` of each unit of the
            bootstrap (see `tokenize_lab.counts`).
    """

    first_size: int
    tokens: IntArray
    sizes: IntArray
    documents: int = 0
    bytes: int = 0
    pieces: int = 0
    units: IntArray = field(default_factory=lambda: np.zeros((0, 2), np.int64))

    def add(self, other: "TokenCurve") -> None:
        """Add the counts of other text, of the same tokenizer and sizes."""
        self.tokens = self.tokens + other.tokens
        self.documents += other.documents
        self.bytes += other.bytes
        self.pieces += other.pieces
        shorter, longer = sorted((self.units, other.units), key=len)
        self.units = longer.copy()
        self.units[: len(shorter)] += shorter

    def at(self, size: int) -> int:
        """Return the tokens at a vocabulary size."""
        return int(self.tokens[size - self.first_size])

    @property
    def bytes_per_token(self) -> FloatArray:
        """[last - first + 1] float64, by size; NaN for no text."""
        rates = np.full(len(self.tokens), np.nan)
        np.divide(self.bytes, self.tokens, out=rates, where=self.tokens > 0)
        return rates


@dataclass(frozen=True)
class _Part:
    """Documents of one group: their numbers, bytes and pieces."""

    group: str
    first_document: int
    bytes: IntArray
    pieces: PretokenNumbers


def followed_on(tokenizer: Tokenizer, texts: Sequence[str]) -> Followed:
    """Return a BPE whose merges are known, its way of splitting tried on the first of some texts.

    Raises:
        InputError: as `merges_of` and `Followed`.
    """
    tried = [text[:TRIED_CHARACTERS] for text in texts[:TRIED]]
    return Followed(tokenizer, merges_of(tokenizer), tried)


class CurveCounter:
    """Counts texts of several groups under one tokenizer; memory does not grow with them."""

    def __init__(self, followed: Followed, sizes: Sequence[int]) -> None:
        """Make ready to count.

        Args:
            followed: a BPE, as `followed_on` returns it.
            sizes: vocabulary sizes at which units are kept for intervals.
        """
        self._followed = followed
        self._sizes = np.asarray(sizes, np.int64)
        self._last = followed.tokenizer.vocabulary_size
        self._curves: dict[str, TokenCurve] = {}
        self._begin()

    def _begin(self) -> None:
        self._distinct = self._followed.distinct()
        self._parts: list[_Part] = []
        self._held = 0

    def add(self, group: str, first_document: int, texts: Sequence[str]) -> None:
        """Count texts; they are numbered on from `first_document` for the bootstrap's units."""
        sizes = np.fromiter(map(utf8_length, texts), np.int64, len(texts))
        self._parts.append(_Part(group, first_document, sizes, self._distinct.add(texts)))
        self._held += int(sizes.sum())
        if self._held >= CHUNK_BYTES:
            self._settle()

    def curves(self) -> dict[str, TokenCurve]:
        """Return the curve of each group, in the order met."""
        self._settle()
        for curve in self._curves.values():
            assert curve.tokens[-1] >= 0
        return self._curves

    def _settle(self) -> None:
        """Merge the pieces held, and add what their occurrences come to."""
        losses = self._followed.losses(self._distinct.pieces)
        by_step = self._by_step(losses)
        for group in dict.fromkeys(part.group for part in self._parts):
            parts = [part for part in self._parts if part.group == group]
            self._count(group, parts, losses, by_step)
        self._begin()

    def _count(self, group: str, parts: list[_Part], losses: Losses, by_step: Any) -> None:
        first = self._followed.base_size
        pieces = len(losses.symbols)
        times = np.zeros(pieces, np.int64)
        for part in parts:
            times += np.bincount(part.pieces.numbers, minlength=pieces)
        # Sums stay far below 2^53, so weights in floating point are exact.
        saved = np.bincount(
            losses.size - first,
            weights=losses.tokens * times[losses.piece],
            minlength=self._last - first + 1,
        ).astype(np.int64)
        tokens = int(losses.symbols @ times) - np.cumsum(saved)
        curve = self._curves.get(group)
        if curve is None:
            empty = np.zeros((0, 2 + len(self._sizes)), np.int64)
            curve = TokenCurve(first, np.zeros_like(tokens), self._sizes, units=empty)
            self._curves[group] = curve
        curve.tokens += tokens
        curve.pieces += int(times.sum())
        for part in parts:
            curve.documents += len(part.bytes)
            curve.bytes += int(part.bytes.sum())
            if len(self._sizes):
                table = np.column_stack(
                    [
                        np.ones(len(part.bytes), np.int64),
                        part.bytes,
                        _by_document(part, losses, by_step),
                    ]
                )
                curve.units = with_documents(curve.units, part.first_document, table)

    def _by_step(self, losses: Losses) -> Any:
        """Return by how many tokens each piece grows shorter between the sizes that units are kept
        at: [pieces, G] sparse."""
        from scipy.sparse import csr_array

        step = np.searchsorted(self._sizes, losses.size)
        within = step < len(self._sizes)
        return csr_array(
            (losses.tokens[within], (losses.piece[within], step[within])),
            shape=(len(losses.symbols), len(self._sizes)),
        )


def _by_document(part: _Part, losses: Losses, by_step: Any) -> IntArray:
    """Return [documents, G] tokens at the sizes that units are kept at."""
    from scipy.sparse import csr_array

    numbers, lengths = part.pieces
    documents = csr_array(
        (
            np.ones(len(numbers), np.int64),
            numbers.astype(np.int64),
            np.append(0, np.cumsum(lengths)),
        ),
        shape=(len(part.bytes), by_step.shape[0]),
    )
    saved = np.cumsum((documents @ by_step).toarray(), axis=1)
    tokens: IntArray = (documents @ losses.symbols)[:, None] - saved
    return tokens


def token_curve(tokenizer: Tokenizer, texts: Iterable[str]) -> TokenCurve:
    """Return the tokens of texts at every vocabulary size that the tokenizer can be cut to.

    Each text is encoded on its own. What comes out is what encoding with
    `tokenize_lab.merges.truncate.truncated` at each size would count.

    Raises:
        InputError: the tokenizer is no BPE, its list of merges is not closed, or its pieces cannot
            be followed.
    """
    counter: CurveCounter | None = None
    waiting: list[str] = []
    for text in texts:
        waiting.append(text)
        if len(waiting) >= TRIED:
            counter = counter or CurveCounter(followed_on(tokenizer, waiting), ())
            counter.add("", 0, waiting)
            waiting = []
    counter = counter or CurveCounter(followed_on(tokenizer, waiting), ())
    counter.add("", 0, waiting)
    return counter.curves()[""]
