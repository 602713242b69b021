"""The next unit's logits from a whole forward pass, nothing kept: what caches are compared with."""

from collections.abc import Sequence

import torch
from torch import Tensor

from scaling.evaluate.caches import segment_batch, segment_begin
from scaling.evaluate.decoding import Passes
from scaling.evaluate.latent_reader import NextStarts
from scaling.model.blt import ByteLatentTransformer
from scaling.model.weights import AnyModel


class Whole:
    """The same answers as `CachedTokens` and `CachedBytes`, at the cost of a pass for each."""

    def __init__(
        self,
        model: AnyModel,
        units: Sequence[int],
        window: int,
        starts: NextStarts | None = None,
        passes: Passes | None = None,
    ) -> None:
        """Take the document so far; `window` is how many units the model sees at once.

        Nothing is counted: `passes` is there as it is of `CachedBytes`.
        """
        self._model, self._units = model, list(units)
        self._window, self._starts = window, starts

    def logits(self) -> Tensor:
        """Return [V] logits of the next unit."""
        model, units = self._model, self._units
        begin = segment_begin(len(units), self._window)
        device = model.head.device
        with torch.inference_mode():
            if isinstance(model, ByteLatentTransformer):
                assert self._starts is not None
                starts = self._starts(bytes(units), begin)
                batch = segment_batch(units[begin:], len(model.embedding), starts)
            else:
                batch = segment_batch(units[begin:], model.shape.vocabulary_size + 1, None)
            logits_RWV: Tensor = model(model.inputs(batch, device))
            return logits_RWV[0, -1]

    def push(self, unit: int) -> None:
        """Let `unit` be the next one."""
        self._units.append(unit)
