"""A subword or byte model that reads one document and predicts its next unit, over and over."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from scaling.evaluate.key_values import KeyValues
from scaling.evaluate.pieces import piece_begin
from scaling.model.transformer import SubwordTransformer


class CachedTokens:
    """Logits of the next token, from keys and values of those before it.

    When `window` units are used up, a new piece begins with the last of them.
    """

    def __init__(
        self,
        model: SubwordTransformer,
        units: Sequence[int],
        window: int,
        begin: Callable[[int, int], int] = piece_begin,
    ) -> None:
        """Read the document so far.

        Args:
            window: how many units the model sees at once.
            begin: rule of pieces, like `piece_begin`.
        """
        self._model, self._units, self._window = model, list(units), window
        self._begin_of = begin
        self._restart()

    def logits(self) -> Tensor:
        """Return [V] logits of the next unit."""
        return self._logits

    def push(self, unit: int) -> None:
        """Let `unit` be the next one."""
        self._units.append(unit)
        if self._begin_of(len(self._units), self._window) != self._begin:
            self._restart()
        else:
            self._read([unit])

    def _restart(self) -> None:
        self._begin = self._begin_of(len(self._units), self._window)
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
