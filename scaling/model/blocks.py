"""The parts all our transformers share: norms, rotary positions, SwiGLU, one pre-norm block.

Shapes in names: R rows, W positions, D model width, H heads, C width of a head.
"""

import math

import torch
from torch import Tensor, nn

from scaling.model.attention import Attend, Masked
from scaling.model.fused import by_hand, norm, norm_linear, norm_swiglu
from scaling.model.fused_attention import norm_attention
from scaling.model.members import linear

ROPE_THETA = 5e5  # BLT (arXiv 2412.09871), section 4
_HEAD_WIDTH = 64  # of table 4's local modules; the nearest that divides the width is taken


def heads_for(width: int) -> int:
    """Return the number of heads of even width nearest to 64 channels each; at least 1."""
    fitting = [n for n in range(1, width + 1) if width % n == 0 and width // n % 2 == 0]
    return min(fitting or [1], key=lambda heads: (abs(width / heads - _HEAD_WIDTH), heads))


class RMSNorm(nn.Module):
    """Scale to unit root mean square, then by a learnt gain (Zhang and Sennrich 2019)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x_RWD: Tensor) -> Tensor:
        return norm(x_RWD, self.gain)


def matrix(outputs: int, inputs: int, scale: float = 1.0) -> nn.Parameter:
    """Return a weight [outputs, inputs] of standard deviation scale / sqrt(inputs)."""
    return nn.Parameter(torch.randn(outputs, inputs) * (scale / math.sqrt(inputs)))


class Rotary:
    """Cosines and sines of rotary positions (Su et al. 2021), halves of a head rotated as pairs."""

    def __init__(self, positions: Tensor, head_width: int) -> None:
        """Prepare `positions` [W] (or [R, W]) for heads of `head_width` channels."""
        half = head_width // 2
        exact = positions.double()  # angles of late positions need more than float32
        rates = ROPE_THETA ** (-torch.arange(half, device=positions.device).double() / half)
        angles = exact.unsqueeze(-1) * rates
        self.cos, self.sin = angles.cos(), angles.sin()

    def to(self, like: Tensor) -> "Rotary":
        """Return the same in the type of `like`."""
        out = object.__new__(Rotary)
        out.cos, out.sin = self.cos.to(like), self.sin.to(like)
        return out

    def at(self, positions: "slice | Tensor") -> "Rotary":
        """Return those of some of the positions, counted from the first."""
        out = object.__new__(Rotary)
        out.cos, out.sin = self.cos[positions], self.sin[positions]
        return out

    def __call__(self, x_RHWC: Tensor) -> Tensor:
        first, second = x_RHWC.chunk(2, dim=-1)
        turned = (first * self.cos - second * self.sin, second * self.cos + first * self.sin)
        return torch.cat(turned, dim=-1).to(x_RHWC.dtype)


def product_type(device: torch.device, kind: torch.dtype) -> torch.dtype:
    """Return the type that matrix products of numbers of this kind come out in, here and now."""
    if kind == torch.float64 or not torch.is_autocast_enabled(device.type):
        return kind
    return torch.get_autocast_dtype(device.type)


def as_stream(model: nn.Module, x: Tensor) -> Tensor:
    """Return what a model's blocks begin with and add to: in the model's `stream` while it trains.

    In bfloat16 a block reads and writes half the bytes; norms, softmax and losses stay in float32,
    as do the weights, and text is scored in the stream's full precision.
    """
    stream: torch.dtype | None = model.stream  # type: ignore[assignment]
    return x if stream is None or not model.training else x.to(stream)


class RotaryTable:
    """Rotary positions of a head's width, computed once for each device and type, and kept.

    A compiled graph finds them made, by `reach` before it: within the graph angles would be
    computed in float64 for every element that they turn, again in every kernel that does.
    """

    def __init__(self, head_width: int) -> None:
        self._head_width = head_width
        self._made: dict[tuple[torch.device, torch.dtype], Rotary] = {}

    def reach(self, end: int, device: torch.device, dtype: torch.dtype) -> Rotary:
        """Return all positions that are kept, at least `end` of them."""
        made = self._made.get((device, dtype))
        if made is None or len(made.cos) < end:
            # To be trained with later, wherever they are first asked for.
            with torch.inference_mode(False), torch.no_grad():
                positions = torch.arange(1 << (end - 1).bit_length(), device=device)
                like = torch.empty(0, device=device, dtype=dtype)
                made = Rotary(positions, self._head_width).to(like)
            self._made[device, dtype] = made
        return made

    def __call__(self, positions: range, like: Tensor) -> Rotary:
        """Return these positions, one after the other, on the device and in the type of `like`."""
        whole = self.reach(positions.stop, like.device, like.dtype)
        return whole.at(slice(positions.start, positions.stop))


class SelfAttention(nn.Module):
    """Causal multi-head attention with rotary positions: 4 d^2 parameters."""

    def __init__(self, width: int, heads: int, out_scale: float) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = matrix(3 * width, width)
        self.stacked = {"qkv": 3 * (width,)}
        self.out = matrix(width, width, out_scale)

    def forward(self, x_RWD: Tensor, gain: Tensor, rotary: Rotary, attend: Attend) -> Tensor:
        """Return x_RWD with attention to its norm, of this gain, added."""
        bias = attend.bias(x_RWD) if isinstance(attend, Masked) and by_hand(x_RWD) else None
        if bias is not None:
            angles = (rotary.cos, rotary.sin)
            return norm_attention(x_RWD, gain, (self.qkv, self.out), angles, bias, self.heads)
        q, k, v = self.project(x_RWD, gain, rotary)
        return x_RWD + self.merge(attend(q, k, v))

    def project(self, x_RWD: Tensor, gain: Tensor, rotary: Rotary) -> tuple[Tensor, Tensor, Tensor]:
        """Return rotated queries and keys, and values, each [R, H, W, C]."""
        qkv = norm_linear(x_RWD, gain, self.qkv).unflatten(2, (3 * self.heads, -1)).transpose(1, 2)
        qk_RHWC, v_RHWC = qkv.split([2 * self.heads, self.heads], dim=1)
        q_RHWC, k_RHWC = rotary(qk_RHWC).split(self.heads, dim=1)
        return q_RHWC, k_RHWC, v_RHWC

    def merge(self, mixed_RHWC: Tensor) -> Tensor:
        """Return the heads' mixtures [R, H, W, C] side by side and projected: [R, W, D]."""
        return linear(mixed_RHWC.transpose(1, 2).flatten(2), self.out)


class SwiGLU(nn.Module):
    """A gated feed-forward layer of exactly 8 d^2 parameters (Shazeer 2020; CoT, section 1).

    The counted hidden width 8 d / 3 is rarely whole. A gated unit has 3 d parameters and an ungated
    one 2 d, so with one or two ungated units the layer has what is counted, to the parameter.
    """

    def __init__(self, width: int, out_scale: float) -> None:
        super().__init__()
        self.plain = -8 * width % 3  # 3 gated + 2 plain = 8 d
        self.gated = (8 * width - 2 * self.plain) // 3
        self.into = matrix(2 * self.gated + self.plain, width)
        self.stacked = {"into": (self.gated + self.plain, self.gated)}
        self.out = matrix(width, self.gated + self.plain, out_scale)

    def forward(self, x_RWD: Tensor, gain: Tensor) -> Tensor:
        """Return x_RWD with what the layer makes of its norm, of this gain, added."""
        return norm_swiglu(x_RWD, gain, self.into, self.out, self.gated)


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed-forward(norm(x)): 12 d^2 parameters and two gains."""

    def __init__(self, width: int, heads: int, depth: int) -> None:
        """Make a block of a stack of `depth`; what it adds starts small, as 1 / sqrt(2 depth)."""
        super().__init__()
        out_scale = 1 / math.sqrt(2 * depth)
        self.attention_norm, self.feed_norm = RMSNorm(width), RMSNorm(width)
        self.attention = SelfAttention(width, heads, out_scale)
        self.feed = SwiGLU(width, out_scale)

    def forward(self, x_RWD: Tensor, rotary: Rotary, attend: Attend) -> Tensor:
        x_RWD = self.attention(x_RWD, self.attention_norm.gain, rotary, attend)
        out: Tensor = self.feed(x_RWD, self.feed_norm.gain)
        return out


# Initial sizes of what enters and leaves a model, found on English novels (LOG.md, 2026-11-21).
#
# Matrices between them have standard deviation 1 / sqrt(inputs), what a block adds is smaller by
# sqrt(2 depth). A head of half that size begins near guessing; embeddings well below 1 move far in
# the few hundred steps of a small run.

EMBEDDING_SCALE = 0.3
HEAD_SCALE = 0.5
