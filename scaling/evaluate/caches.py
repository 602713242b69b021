"""A subword or byte model that reads one document and predicts its next unit, over and over.

Keys and values that attention has seen are kept for the positions to come. For byte latent
transformers see `scaling.evaluate.latent_reader`.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from scaling.data.windows import TokenBatch
from scaling.model.attention import Attend, causal, windowed
from scaling.model.transformer import SubwordTransformer


class KeyValues:
    """Attention of one stack of blocks over one segment of text that grows, and may be cut back.

    It stands in for the functions of `scaling.model.attention`: blocks call it one after the
    other, so it knows by counting which of them is calling.
    """

    def __init__(self, layers: int, capacity: int, window: int | None = None) -> None:
        """Make room for `capacity` positions in each of `layers` blocks.

        Args:
            window: how many positions are attended to, one's own included; None for all.
        """
        self.window = window if window is not None else capacity
        self._capacity = capacity
        self._kept: list[tuple[Tensor, Tensor]] = []
        self._filled = [0] * layers
        self._turn = 0

    def __call__(self, q_RHWC: Tensor, k_RHWC: Tensor, v_RHWC: Tensor) -> Tensor:
        layer, self._turn = self._turn, (self._turn + 1) % len(self._filled)
        begin, more = self._filled[layer], k_RHWC.shape[2]
        if layer == len(self._kept):
            self._kept.append((self._room(k_RHWC), self._room(v_RHWC)))
        keys, values = self._kept[layer]
        end = self._filled[layer] = begin + more
        assert end <= self._capacity, "more positions than there is room for"
        keys[:, :, begin:end], values[:, :, begin:end] = k_RHWC, v_RHWC
        if begin == 0:
            whole = more <= self.window
            attend = causal(None) if whole else windowed(more, self.window, None, k_RHWC.device)
            return attend(q_RHWC, k_RHWC, v_RHWC)
        low = max(0, begin + 1 - self.window)
        seen = None
        if more > 1:
            query = torch.arange(begin, end, device=keys.device)[:, None]
            key = torch.arange(low, end, device=keys.device)
            seen = (key <= query) & (key > query - self.window)
        known = keys[:, :, low:end], values[:, :, low:end]
        return scaled_dot_product_attention(q_RHWC, *known, attn_mask=seen)

    def beside(self) -> Attend:
        """Return attention to what is kept and to positions after it, these both ways, for one
        pass through the blocks; nothing is added."""
        kept = iter(zip(self._kept, self._filled, strict=True))

        def attend(q_RHWC: Tensor, k_RHWC: Tensor, v_RHWC: Tensor) -> Tensor:
            (keys, values), end = next(kept)
            low = max(0, end + 1 - self.window)
            more = q_RHWC.shape[2]
            place = torch.arange(low, end + more, device=keys.device)
            query = place[-more:, None]
            seen = (place > query - self.window) | (place >= end)
            known = (
                torch.cat((keys[:, :, low:end], k_RHWC), dim=2),
                torch.cat((values[:, :, low:end], v_RHWC), dim=2),
            )
            return scaled_dot_product_attention(q_RHWC, *known, attn_mask=seen)

        return attend

    def rewind(self, positions: int) -> None:
        """Forget all but the first `positions` positions."""
        self._filled = [min(positions, filled) for filled in self._filled]

    def _room(self, like_RHWC: Tensor) -> Tensor:
        rows, heads, _, channels = like_RHWC.shape
        return like_RHWC.new_empty(rows, heads, self._capacity, channels)


def segment_begin(length: int, window: int) -> int:
    """Return where the segment begins in which unit number `length` of a document is predicted.

    A segment of `window` units is full; the next begins with the last window // 2 of them.
    """
    if length < window:
        return 0
    step = window - window // 2
    return step * ((length - window) // step + 1)


class CachedTokens:
    """Logits of the next token, from keys and values of those before it.

    When `window` units are used up, a new segment begins with the last of them.
    """

    def __init__(
        self,
        model: SubwordTransformer,
        units: Sequence[int],
        window: int,
        begin: Callable[[int, int], int] = segment_begin,
    ) -> None:
        """Read the document so far.

        Args:
            window: how many units the model sees at once.
            begin: rule of segments, like `segment_begin`.
        """
        self._model, self._units, self._window = model, list(units), window
        self._begin_of = begin
        self._restart()

    def logits(self) -> Tensor:
        """Return [V] logits of the next unit; there are none between `rewind` and `push`."""
        return self._logits

    def rewind(self, length: int) -> None:
        """Forget all but the first `length` units of the document."""
        del self._units[length:]
        begin = self._begin_of(length, self._window)
        if begin != self._begin:
            self._restart()
            return
        self._position = length - begin + 1
        self._cache.rewind(self._position)

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
            rotary = model.rotary(range(self._position, end), x_RWD)
            for block in model.blocks:
                x_RWD = block(x_RWD, rotary, self._cache)
            self._position = end
            self._logits = model.predict(x_RWD[:, -1:])[0, 0]


def segment_batch(
    units: Sequence[int], rows_of_embedding: int, starts: NDArray[np.bool_] | None
) -> TokenBatch:
    """Return one segment as a row of inputs: BOS and `units`; the last target is yet to come.

    Args:
        rows_of_embedding: V + 1; the last is BOS.
        starts: [len(units) + 1] for a model with patches.
    """
    inputs = np.array([[rows_of_embedding - 1, *units]], np.int64)
    segments = np.zeros(inputs.shape, np.int32)
    return TokenBatch(inputs, inputs, segments, None if starts is None else starts[None], 0)
