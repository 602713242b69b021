"""The next unit's logits from a whole forward pass, nothing kept: what caches are compared with."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaling.data.batch import Batch
from scaling.evaluate.next_starts import NextStarts
from scaling.evaluate.pieces import piece_begin
from scaling.model.blt import ByteLatentTransformer
from scaling.model.build import AnyModel


def piece_batch(
    units: Sequence[int], rows_of_embedding: int, starts: NDArray[np.bool_] | None
) -> Batch:
    """Return one piece as a row of inputs: BOS and `units`; the last target is yet to come.

    Args:
        rows_of_embedding: V + 1; the last is BOS.
        starts: [len(units) + 1] for a model with patches.
    """
    inputs = np.array([[rows_of_embedding - 1, *units]], np.int64)
    pieces = np.zeros(inputs.shape, np.int32)
    return Batch(inputs, inputs, pieces, None if starts is None else starts[None], 0)


class Whole:
    """The same answers as `CachedTokens` and `CachedBytes`, at the cost of a pass for each."""

    def __init__(
        self, model: AnyModel, units: Sequence[int], window: int, starts: NextStarts | None
    ) -> None:
        """Take the document so far; `window` is how many units the model sees at once."""
        self._model, self._units = model, list(units)
        self._window, self._starts = window, starts

    def logits(self) -> Tensor:
        """Return [V] logits of the next unit."""
        model, units = self._model, self._units
        begin = piece_begin(len(units), self._window)
        device = model.head.device
        with torch.inference_mode():
            if isinstance(model, ByteLatentTransformer):
                assert self._starts is not None
                starts = self._starts(bytes(units), begin)
                batch = piece_batch(units[begin:], len(model.embedding), starts)
            else:
                batch = piece_batch(units[begin:], model.shape.vocabulary_size + 1, None)
            logits_RWV: Tensor = model(model.inputs(batch, device))
            return logits_RWV[0, -1]

    def push(self, unit: int) -> None:
        """Let `unit` be the next one."""
        self._units.append(unit)
