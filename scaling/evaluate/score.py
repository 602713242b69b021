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

from corpora.bootstrap import DocumentBootstrap, Interval
from scaling.data.shards import Stream
from scaling.data.windows import EvaluationBatch, Patches, TokenBatch, evaluation_windows
from scaling.model.weights import AnyModel

_MOST_LOGITS = 1 << 26  # a quarter of a gigabyte in float32


@dataclass(frozen=True)
class Scores:
    """The score of each document, in the order of its stream.

    Attributes:
        document_nats: float64 [documents], minus the logarithm of its probability; not finite
            where the model has diverged.
        document_bytes: int64 [documents], bytes of its raw text that were scored.
        document_units: int64 [documents], tokens or bytes that were scored.
        document_patches: int64 [documents], patches they were read in, one more wherever a segment
            began; zeros of a model without patches.
        languages: uint16 [documents], number of its language.
    """

    document_nats: NDArray[np.float64]
    document_bytes: NDArray[np.int64]
    document_units: NDArray[np.int64]
    document_patches: NDArray[np.int64]
    languages: NDArray[np.uint16]

    @property
    def nats(self) -> float:
        """Of all documents."""
        return float(self.document_nats.sum())

    @property
    def bytes(self) -> int:
        """Of all documents."""
        return int(self.document_bytes.sum())

    @property
    def units(self) -> int:
        """Of all documents."""
        return int(self.document_units.sum())

    @property
    def patches(self) -> int:
        """Of all documents."""
        return int(self.document_patches.sum())

    @property
    def bits_per_byte(self) -> float:
        """Nats over ln 2 times bytes; nan of no text."""
        return self.nats / (math.log(2) * self.bytes) if self.bytes else math.nan

    @property
    def compression_rate(self) -> float:
        """T as it came out, bytes per patch, or per token of a model without patches."""
        return self.bytes / (self.patches or self.units or math.nan)

    def by_language(self, names: Sequence[str]) -> "dict[str, Scores]":
        """Return the scores of each language that has any text, in the order of `names`."""
        chosen = {name: self.languages == number for number, name in enumerate(names)}
        return {name: self._of(which) for name, which in chosen.items() if which.any()}

    def _of(self, which: NDArray[np.bool_] | slice) -> "Scores":
        return Scores(*(part[which] for part in vars(self).values()))


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
    count = stream.document_count
    nats, (sizes, units, opened) = np.zeros(count), np.zeros((3, count), np.int64)
    rows = max(1, min(rows, _MOST_LOGITS // (window_units * stream.bos)))
    begin = done = last = 0
    with _evaluating(model):
        for windows in evaluation_windows(stream, window_units, rows, patches):
            document, batch = windows.document, windows.batch
            last = _add(nats, unit_nats(model, batch, device, autocast), document)
            _add(sizes, _unit_bytes(stream, windows, begin), document)
            _add(units, np.ones(document.shape, np.int64), document)
            if batch.starts is not None:
                _add(opened, batch.starts.astype(np.int64), document)
            begin += int((document >= 0).sum())
            done += batch.scored_bytes
            if advance is not None:
                advance(batch.scored_bytes)
            if most_bytes is not None and done >= most_bytes:
                break
    assert sizes.sum() == done
    scores = Scores(nats, sizes, units, opened, np.array(stream.languages))
    return scores._of(slice(last + 1))


def unit_nats(
    model: AnyModel, batch: TokenBatch, device: torch.device, autocast: torch.dtype | None = None
) -> NDArray[np.float64]:
    """Return [rows, W] nats of every target; anything on padding. The model must be evaluating."""
    with torch.inference_mode():
        with torch.autocast(device.type, autocast) if autocast else contextlib.nullcontext():
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


def _unit_bytes(stream: Stream, windows: EvaluationBatch, begin: int) -> NDArray[np.int64]:
    """Return [rows, W] raw bytes of every target; `begin` is the first one's place in the stream.

    A document's first token may hold a prefix, which is no text.
    """
    if stream.unit_bytes is None:
        return np.ones(windows.document.shape, np.int64)
    sizes: NDArray[np.int64] = stream.unit_bytes[windows.batch.targets].astype(np.int64)
    real = np.flatnonzero(windows.document.ravel() >= 0)
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
) -> Interval | None:
    """Return the interval of the bits per byte between percentiles of a bootstrap over documents.

    None for fewer than two documents, or where the score is not finite.
    """
    bootstrap = DocumentBootstrap(draws, seed, level)
    return bits_interval(scores.document_nats, scores.document_bytes, bootstrap)


def bits_interval(
    nats: NDArray[np.float64], sizes: NDArray[np.int64], bootstrap: DocumentBootstrap
) -> Interval | None:
    """Return the interval of nats over ln 2 times bytes, each [documents]; None as `interval`."""
    sums = bootstrap.sums(np.column_stack([nats, sizes]))
    return None if sums is None else bootstrap.interval(sums[:, 0] / (math.log(2) * sums[:, 1]))
