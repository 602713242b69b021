"""Tokens merged afresh in every batch of documents, counted (Feher et al. 2024, arXiv 2411.18553).

In each batch the commonest two neighbouring tokens inside a piece of text become one, again and
again; a model that can make up embeddings (the paper's has a hypernetwork for that) then reads
fewer tokens. Ids learned elsewhere know a batch less well than as many that it chooses for itself,
so this is a quick bound on what so many new ids could bring.

Pieces are the tokenizer's own, where patterns say them, and GPT-2's words otherwise, as in the
authors' code. A token that lies across two pieces is left as it is.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import numpy as np

from corpora.errors import InputError
from tokenize_lab.backends.common import declared_fields
from tokenize_lab.merges.learner import MergeLearner
from tokenize_lab.merges.read import DerivedTokenizer
from tokenize_lab.patterns import GPT2, Splitting, split_text
from tokenize_lab.tokenizer import (
    Encoding,
    IntArray,
    OpenEncoding,
    TokenBytes,
    Tokenizer,
    TokenKind,
)

MOST_DOCUMENTS, MOST_MERGES = 1_000_000, 100_000
Run = tuple[int, ...]


@dataclass(frozen=True, repr=False)
class DynamicTokenizer(DerivedTokenizer):
    """A tokenizer whose tokens are merged further in every batch.

    A batch is so many consecutive documents of one call. Ids of its merges are numbered after the
    vocabulary's own, those of the call's next batch after them: they stand for other bytes in every
    call, and an encoding brings their bytes along.

    Attributes:
        documents: of a batch. merges: done in each.
    """

    documents: int
    merges: int

    @property
    def engine(self) -> str:
        """Our own merges, over the library's tokens."""
        return f"tokenize-lab, {self.source.engine}"

    def encode_batch(self, texts: Sequence[str]) -> Encoding:
        """Encode the texts, each batch of them with merges of its own."""
        encoding = self.source.encode_batch(texts)
        runs = self._runs(texts, encoding)
        table = self.source.token_bytes
        pieces: list[bytes] = []
        ids: list[int] = []
        lengths: list[int] = []
        for start in range(0, len(texts), self.documents):
            batch = runs[start : start + self.documents]
            for found in self._merged(batch, len(table), pieces):
                ids += found
                lengths.append(len(found))
        added = TokenBytes.from_pieces(pieces, [TokenKind.TEXT] * len(pieces))
        return OpenEncoding.of(
            np.asarray(ids, np.uint32), np.asarray(lengths, np.int64), table.followed_by(added)
        )

    def _merged(
        self, texts: Sequence[list[Run]], known: int, pieces: list[bytes]
    ) -> Iterator[list[int]]:
        """Yield each text's tokens after the batch's merges; bytes of new ids go to `pieces`."""
        times = Counter(run for runs in texts for run in runs if len(run) > 1)
        words = [list(run) for run in times]
        learner = MergeLearner(words, [[(0, count)] for count in times.values()], 1)
        for _ in range(self.merges):
            best = learner.best(0)
            if best is None:
                break
            pieces.append(b"".join(self._bytes(part, known, pieces) for part in best[0]))
            learner.merge(best[0], known + len(pieces) - 1)
        merged = dict(zip(times, words, strict=True))
        for runs in texts:
            yield list(chain.from_iterable(merged.get(run, run) for run in runs))

    def _bytes(self, token_id: int, known: int, pieces: Sequence[bytes]) -> bytes:
        return pieces[token_id - known] if token_id >= known else self.source.token_bytes[token_id]

    def _runs(self, texts: Sequence[str], encoding: Encoding) -> list[list[Run]]:
        """Return each text's tokens in runs that merges stay inside."""
        stops = np.cumsum(encoding.lengths)
        parts = zip(texts, (stops - encoding.lengths).tolist(), stops.tolist(), strict=True)
        return [self._runs_of(text, encoding.ids[begin:end]) for text, begin, end in parts]

    def _runs_of(self, text: str, ids: "np.ndarray[Any, np.dtype[np.uint32]]") -> list[Run]:
        table = self.source.token_bytes
        ends = np.cumsum(table.lengths[ids]) - len(self.source.prefix)
        starts = np.maximum(ends - table.lengths[ids], 0)
        pieces = split_text(self._patterns, text)
        stops = np.cumsum([len(piece.encode()) for piece in pieces])
        first = np.searchsorted(stops, starts, side="right")
        last = np.searchsorted(stops, ends - 1, side="right")
        # Fallback bytes may be merged; what has no bytes, or lies across pieces, stands alone.
        alone = (first != last) | (table.lengths[ids] == 0)
        cuts = np.flatnonzero((np.diff(first) != 0) | alone[1:] | alone[:-1]) + 1
        bounds: IntArray = np.concatenate([[0], cuts, [len(ids)]])
        listed = ids.tolist()
        return [tuple(listed[a:b]) for a, b in pairwise(bounds.tolist()) if b > a]

    @property
    def _patterns(self) -> Sequence[str]:
        pattern = getattr(self.source, "pattern", None)
        splitting = getattr(self.source, "splitting", Splitting((pattern,) if pattern else ()))
        return splitting.patterns or (GPT2,)

    def __getstate__(self) -> dict[str, Any]:
        return declared_fields(self)


def dynamic(tokenizer: Tokenizer, documents: int, merges: int) -> DynamicTokenizer:
    """Return the tokenizer with merges of its own in every batch of documents.

    It declares an id for each merge of a batch beside the vocabulary's own.

    Raises:
        InputError: one of the numbers is out of range, or the tokenizer changes by batch already.
    """
    how = f"dynamic:{documents}x{merges}"
    if not (1 <= documents <= MOST_DOCUMENTS and 1 <= merges <= MOST_MERGES):
        raise InputError(
            f"{how}:{tokenizer.spec}: from 1 to {MOST_DOCUMENTS:,} documents in a batch, and 1 to "
            f"{MOST_MERGES:,} merges: dynamic:32x50:{tokenizer.spec}"
        )
    if isinstance(tokenizer, DynamicTokenizer):
        raise InputError(f"{how}:{tokenizer.spec}: merges in every batch already; name it once")
    digest = hashlib.sha256(f"{how}\0{tokenizer.sha256}".encode()).hexdigest()
    declared = TokenBytes.from_pieces([b""] * merges, [TokenKind.SPECIAL] * merges)
    return DynamicTokenizer(
        spec=f"{how}:{tokenizer.spec}",
        name=f"{how}:{tokenizer.name}",
        sha256=digest,
        vocabulary_size=tokenizer.vocabulary_size + merges,
        token_bytes=tokenizer.token_bytes.followed_by(declared),
        source=tokenizer,
        documents=documents,
        merges=merges,
    )


def refuse_dynamic(tokenizer: Tokenizer) -> None:
    """Refuse a tokenizer whose ids stand for other bytes in every batch, where they must stay.

    Raises:
        InputError: it is one.
    """
    if isinstance(tokenizer, DynamicTokenizer):
        raise InputError(
            f"{tokenizer.spec}: its ids stand for other bytes in every batch, so it can be measured"
            " and not trained on, and has no table of bytes; tokenizers extend gives ids that stay"
        )
