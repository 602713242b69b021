"""Keys and values that attention has seen, kept for the positions to come."""

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from scaling.model.attention import causal, windowed


class KeyValues:
    """Attention of one stack of blocks over one piece of text that grows by a position at a time.

    It stands in for the functions of `scaling.model.attention`: blocks call it one after the
    other, so it knows by counting which of them is calling. The first call of each block may bring
    many positions, every later one a single position.
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
        if begin == 0:
            self._kept.append((self._room(k_RHWC), self._room(v_RHWC)))
        keys, values = self._kept[layer]
        end = self._filled[layer] = begin + more
        assert end <= self._capacity, "more positions than there is room for"
        keys[:, :, begin:end], values[:, :, begin:end] = k_RHWC, v_RHWC
        if begin == 0:
            whole = more <= self.window
            attend = causal(None) if whole else windowed(more, self.window, None, k_RHWC.device)
            return attend(q_RHWC, k_RHWC, v_RHWC)
        assert more == 1, "only the first call may bring many positions"
        low = max(0, end - self.window)
        return scaled_dot_product_attention(q_RHWC, keys[:, :, low:end], values[:, :, low:end])

    def _room(self, like_RHWC: Tensor) -> Tensor:
        rows, heads, _, channels = like_RHWC.shape
        return torch.empty(
            rows, heads, self._capacity, channels, dtype=like_RHWC.dtype, device=like_RHWC.device
        )
