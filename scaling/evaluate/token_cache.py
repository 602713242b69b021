"""A subword or byte model that reads one document and predicts its next unit, over and over."""

from collections.abc import Sequence

import torch
from torch import Tensor

from scaling.evaluate.entropies import piece_begin
from scaling.evaluate.key_values import KeyValues
from scaling.model.transformer import SubwordTransformer


class CachedTokens:
    """Logits of the next token, from keys and values of those before it.

    When `window` units are used up, a new piece begins with the last half of them (`piece_begin`).
    """

    def __init__(self, model: SubwordTransformer, units: Sequence[int], window: int) -> None:
        """Read the document so far; `window` is how many units the model sees at once."""
        self._model, self._units, self._window = model, list(units), window
        self._restart()

    def logits(self) -> Tensor:
        """Return [V] logits of the next unit."""
        return self._logits

    def push(self, unit: int) -> None:
        """Let `unit` be the next one."""
        self._units.append(unit)
        if piece_begin(len(self._units), self._window) != self._begin:
            self._restart()
        else:
            self._read([unit])

    def _restart(self) -> None:
        self._begin = piece_begin(len(self._units), self._window)
        self._cache = KeyValues(len(self._model.blocks), self._window, self._model.window)
        self._position = 0
        self._read([self._model.shape.vocabulary_size, *self._units[self._begin :]])

    def _read(self, inputs: list[int]) -> None:
        model = self._model
        device = model.head.device
        with torch.inference_mode():
            x_RWD = model.embed(torch.tensor([inputs], device=device))
            end = self._position + len(inputs)
            rotary = model.rotary(torch.arange(self._position, end, device=device), x_RWD)
            for block in model.blocks:
                x_RWD = block(x_RWD, rotary, self._cache)
            self._position = end
            self._logits = model.predict(x_RWD[:, -1:])[0, 0]
