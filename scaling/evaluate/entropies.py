"""How hard each byte is to guess, under a small model of bytes.

The model sees at most W bytes. When they are used up it begins afresh with the last half of them,
so that every byte but a document's first has at least half of W before it, if the document does.
Text that is generated is read by the same rule, so patches found here are those found there.
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaling.data.batch import Batch
from scaling.model.transformer import SubwordTransformer


def piece_begin(length: int, window: int) -> int:
    """Return where the piece begins in which unit number `length` of a document is predicted.

    A piece of `window` units is full; the next begins with the last window // 2 of them.
    """
    if length < window:
        return 0
    step = window - window // 2
    return step * -(-(length - window + 1) // step)


def entropy_bits(logits: Tensor) -> Tensor:
    """Return the entropy in bits [...] of distributions given as logits [..., V]."""
    exact = logits if logits.dtype == torch.float64 else logits.float()
    logs = exact.log_softmax(-1)
    return -(logs.exp() * logs).sum(-1) / math.log(2)


def text_entropies(
    model: SubwordTransformer,
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    window: int,
    rows: int = 16,
    device: torch.device | None = None,
) -> NDArray[np.float32]:
    """Return [n] bits: the entropy of each byte's distribution given its document before it.

    Args:
        model: of bytes, on `device`, evaluating.
        data: documents, one after the other. offsets: [documents + 1], where each begins.
        window: W, bytes that the model sees at once.
        rows: windows of one forward pass.
    """
    device = device or torch.device("cpu")
    out = np.zeros(len(data), np.float32)
    waiting: list[_Stretch] = []
    for stretch in _stretches(offsets, window):
        waiting.append(stretch)
        if len(waiting) == rows:
            _fill(out, waiting, model, data, device)
            waiting = []
    if waiting:
        _fill(out, waiting, model, data, device)
    return out


_Stretch = tuple[int, int, int]  # first byte, first byte whose entropy is wanted, end


def _stretches(offsets: NDArray[np.int64], window: int) -> Iterator[_Stretch]:
    half = window // 2
    for begin, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        wanted = begin
        while wanted < end:
            first = begin + piece_begin(wanted - begin, window)
            assert wanted in (begin, first + half)
            yield first, wanted, min(first + window, end)
            wanted = first + window


def _fill(
    out: NDArray[np.float32],
    stretches: list[_Stretch],
    model: SubwordTransformer,
    data: NDArray[np.uint8],
    device: torch.device,
) -> None:
    width = max(end - first for first, _, end in stretches)
    inputs = np.zeros((len(stretches), width), np.int64)
    inputs[:, 0] = model.shape.vocabulary_size
    for row, (first, _, end) in zip(inputs, stretches, strict=True):
        row[1 : end - first] = data[first : end - 1]
    # What pads a row comes after its text, and no position sees a later one.
    batch = Batch(inputs, inputs, np.zeros(inputs.shape, np.int32), None, 0)
    with torch.inference_mode():
        bits = entropy_bits(model(model.inputs(batch, device))).float().cpu().numpy()
    for row, (first, wanted, end) in zip(bits, stretches, strict=True):
        out[wanted:end] = row[wanted - first : end - first]
