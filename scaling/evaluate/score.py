"""Bits per byte of raw text, with the documents kept apart.

Bits per byte are the nats of a text over ln 2 times its bytes. Every unit of the text is scored
once; BOS and padding are in neither sum (see `scaling.data.windows.evaluation_windows`). Losses
are taken in float32, whatever the model computes in, and summed in float64 by document, so that
intervals can be drawn over documents and languages told apart.
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from scaling.data.batch import Batch, EvaluationBatch
from scaling.data.shards import Stream
from scaling.data.starts import Patches
from scaling.data.windows import evaluation_windows
from scaling.model.build import AnyModel

_MOST_LOGITS = 1 << 26  # a quarter of a gigabyte in float32
_MOST_WEIGHTS = 1 << 22  # of the bootstrap, at a time


@dataclass(frozen=True)
class Scores:
    """The score of each document, in the order of its stream.

    Attributes:
        document_nats: float64 [documents], minus the logarithm of its probability; not finite
            where the model has diverged.
        document_bytes: int64 [documents], bytes of its raw text that were scored.
        languages: uint16 [documents], number of its language.
        units: tokens or bytes scored. patches: patches they were read in; nought without patches.
    """

    document_nats: NDArray[np.float64]
    document_bytes: NDArray[np.int64]
    languages: NDArray[np.uint16]
    units: int
    patches: int = 0

    @property
    def nats(self) -> float:
        """Of all documents."""
        return float(self.document_nats.sum())

    @property
    def bytes(self) -> int:
        """Of all documents."""
        return int(self.document_bytes.sum())

    @property
    def bits_per_byte(self) -> float:
        """Nats over ln 2 times bytes; nan of no text."""
        return self.nats / (math.log(2) * self.bytes) if self.bytes else math.nan

    @property
    def compression_rate(self) -> float:
        """T as it came out, bytes per patch, or per token of a model without patches."""
        return self.bytes / (self.patches or self.units or math.nan)

    def by_language(self, names: Sequence[str]) -> "dict[str, Scores]":
        """Return the scores of each language that has any text, in the order of `names`.

        Units and patches are not told apart by language, and are nought.
        """
        out = {}
        for number, name in enumerate(names):
            chosen = self.languages == number
            if chosen.any():
                nats, sizes = self.document_nats[chosen], self.document_bytes[chosen]
                out[name] = Scores(nats, sizes, self.languages[chosen], units=0)
        return out


def score(
    model: AnyModel,
    stream: Stream,
    window_units: int,
    rows: int,
    patches: Patches | None,
    device: torch.device,
    *,
    autocast: torch.dtype | None = None,
    most_bytes: int | None = None,
    advance: Callable[[int], object] | None = None,
) -> Scores:
    """Return the scores of the documents of `stream`.

    Args:
        model: on `device`; it is left in the mode it was in.
        window_units: W, units that the model sees at once.
        rows: windows of one forward pass at most; fewer where their logits would be too many.
        patches: where patches open; None for a model without any.
        autocast: type to compute in where it is safe; None for the weights' own.
        most_bytes: score no more batches once so many bytes have been; None for all.
        advance: called with the bytes of each batch that is done.

    Raises:
        InputError: the stream is empty, or holds no patches where `patches` looks for them.
    """
    nats = np.zeros(stream.document_count)
    sizes = np.zeros(stream.document_count, np.int64)
    rows = max(1, min(rows, _MOST_LOGITS // (window_units * stream.bos)))
    units = patch_count = scored = last = 0
    with _evaluating(model):
        for one in evaluation_windows(stream, window_units, rows, patches):
            values = unit_nats(model, one.batch, device, autocast)
            last = _add(nats, values, one.document)
            _add(sizes, _unit_bytes(stream, one, units), one.document)
            units += int((one.document >= 0).sum())
            if one.batch.starts is not None:
                patch_count += int(one.batch.starts.sum())
            scored += one.batch.scored_bytes
            if advance is not None:
                advance(one.batch.scored_bytes)
            if most_bytes is not None and scored >= most_bytes:
                break
    assert sizes.sum() == scored
    end = last + 1
    return Scores(nats[:end], sizes[:end], np.array(stream.languages[:end]), units, patch_count)


def unit_nats(
    model: AnyModel, batch: Batch, device: torch.device, autocast: torch.dtype | None = None
) -> NDArray[np.float64]:
    """Return [rows, W] nats of every target; anything on padding. The model must be evaluating."""
    computing = (
        torch.autocast(device.type, autocast) if autocast is not None else contextlib.nullcontext()
    )
    with torch.inference_mode():
        with computing:
            logits = model(model.inputs(batch, device))
        targets = torch.from_numpy(batch.targets).to(device)
        # Row by row: the float32 copy of one row's logits is all that is held beside them.
        values = [_row_nats(row, target) for row, target in zip(logits, targets, strict=True)]
        return torch.stack(values).cpu().numpy().astype(np.float64)


def _row_nats(logits_WV: Tensor, targets_W: Tensor) -> Tensor:
    exact = logits_WV if logits_WV.dtype == torch.float64 else logits_WV.float()
    return cross_entropy(exact, targets_W, reduction="none")


def _add(
    sums: NDArray[np.float64] | NDArray[np.int64],
    values: NDArray[np.float64] | NDArray[np.int64],
    document: NDArray[np.int64],
) -> int:
    """Add values [rows, W] to their documents' sums; return the last document's number."""
    real = document >= 0
    which = document[real]
    first, last = int(which[0]), int(which[-1])
    # Sums of whole numbers below 2^53 are exact in float64, too.
    part = np.bincount(which - first, weights=values[real])
    sums[first : last + 1] += part.astype(sums.dtype)
    return last


def _unit_bytes(stream: Stream, one: EvaluationBatch, begin: int) -> NDArray[np.int64]:
    """Return [rows, W] raw bytes of every target; `begin` is the first one's place in the stream.

    A document's first token may hold a prefix, which is no text.
    """
    if stream.unit_bytes is None:
        return np.ones(one.document.shape, np.int64)
    sizes: NDArray[np.int64] = stream.unit_bytes[one.batch.targets].astype(np.int64)
    real = np.flatnonzero(one.document.ravel() >= 0)
    first = np.searchsorted(stream.documents, begin)
    last = np.searchsorted(stream.documents, begin + len(real))
    flat = sizes.reshape(-1)
    flat[real[stream.documents[first:last] - begin]] -= stream.prefix_bytes
    return sizes


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def interval(
    scores: Scores, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """Return the interval of the bits per byte between percentiles of a bootstrap over documents.

    Nats and bytes are drawn together (Efron and Tibshirani 1993, chapter 13). None for fewer than
    two documents, or where the score is not finite.
    """
    documents = len(scores.document_bytes)
    if documents < 2 or not math.isfinite(scores.nats):
        return None
    random = np.random.default_rng([seed, documents])
    shares = np.full(documents, 1 / documents)
    both = np.stack([scores.document_nats, scores.document_bytes.astype(np.float64)], axis=1)
    at_once = max(1, _MOST_WEIGHTS // documents)
    sums = [
        random.multinomial(documents, shares, size=min(at_once, draws - done)) @ both
        for done in range(0, draws, at_once)
    ]
    nats, sizes = np.concatenate(sums).T
    tail = (1 - level) / 2
    low, high = np.quantile(nats / (math.log(2) * sizes), [tail, 1 - tail])
    return float(low), float(high)
