"""Attention of one block, from its norm to its sum, with gradients written by hand (see `fused`).

Channels run along the first axis, positions along the second: the halves that rotary positions
pair, and heads, are then contiguous, and a chunk's keys, its own and those of chunks before it, are
a view that overlaps the next, so nothing is copied to be laid side by side. Rows follow one
another; the mask keeps a row's first chunk from the last one of the row before. Weights may be
those of many models (`scaling.model.members`): a slice then holds rows of one of them.

Shapes in names: R rows, W positions, D width, H heads, C width of a head, B = C / 2; G rows of a
slice, of P = G W positions; N chunks of Q queries in a row, M = G N in a slice, each of which
attends to K keys: its chunk's Q, after those of some chunks before it or none.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from scaling.model.fused import SLICE_FLOATS, SlicePlace, gain_gradients, unit_gradient, unit_of


def norm_attention(
    x_RWD: Tensor,
    gain_D: Tensor,
    weights: tuple[Tensor, Tensor],
    rotary: tuple[Tensor, Tensor],
    bias: Tensor,
    heads: int,
) -> Tensor:
    """Return x + attention(norm(x)), [R, W, D].

    Args:
        x_RWD: hidden states. gain_D: of the norm.
        weights: of the projections into queries, keys, values [3 D, D], and out of heads [D, D].
        rotary: cosines and sines [W, B].
        bias: [R or 1, N, Q, K] added to scores: 0 where a query sees a key, else minus infinity.
        heads: H.
    """
    out: Tensor = _NormAttention.apply(x_RWD, gain_D, *weights, *rotary, bias, heads)  # type: ignore[no-untyped-call]
    return out


def _rotate(x_HCGW: Tensor, cos_B1W: Tensor, sin_B1W: Tensor, out_HCGW: Tensor) -> None:
    """Write x turned by the angles to `out`."""
    first, second = x_HCGW.chunk(2, dim=1)
    out_first, out_second = out_HCGW.chunk(2, dim=1)
    torch.mul(first, cos_B1W, out=out_first)
    out_first.addcmul_(second, sin_B1W, value=-1)
    torch.mul(second, cos_B1W, out=out_second)
    out_second.addcmul_(first, sin_B1W)


def _chunks(x_CL: Tensor, width: int, step: int) -> Tensor:
    """Return the view [M, C, width] of x [C, L] whose chunks begin `step` apart."""
    return x_CL.unfold(1, width, step).transpose(0, 1)


def _unchunked(x_MCK: Tensor, rows: int, queries: int) -> Tensor:
    """Return [C, G, N Q]: gradients of chunks' keys, each summed over the chunks that see it."""
    parts = x_MCK.split(queries, dim=2)
    earlier, own_MCQ = parts[:-1], parts[-1]
    for i, of_MCQ in enumerate(earlier):
        later = len(earlier) - i
        own_MCQ[:-later] += of_MCQ[later:]
    whole: Tensor = own_MCQ.transpose(0, 1).reshape(x_MCK.shape[1], rows, -1)
    return whole


def _slices(rows: int, step: int, weight: Tensor) -> list[tuple[slice, SlicePlace]]:
    """Return slices of so many rows at most, and of which weights each is."""
    if weight.dim() == 2:
        return [(slice(first, min(first + step, rows)), ...) for first in range(0, rows, step)]
    each = rows // len(weight)
    return [
        (slice(first, min(first + step, (member + 1) * each)), member)
        for member in range(len(weight))
        for first in range(member * each, (member + 1) * each, step)
    ]


class _NormAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x_RWD: Tensor,
        gain_D: Tensor,
        qkv: Tensor,
        out_DD: Tensor,
        cos_WB: Tensor,
        sin_WB: Tensor,
        bias: Tensor,
        heads: int,
    ) -> Tensor:
        positions, width = x_RWD.shape[1:]
        chunks, queries, keys = bias.shape[1:]
        before, padded, channels = keys - queries, chunks * queries, width // heads
        scaled = qkv * gain_D.unsqueeze(-2)
        scaled[..., :width, :] *= 1 / math.sqrt(channels)
        cos_B1W, sin_B1W = (x.t().contiguous().unsqueeze(1) for x in (cos_WB, sin_WB))
        after_RWD = torch.empty_like(x_RWD, memory_format=torch.contiguous_format)
        step = max(1, SLICE_FLOATS // (padded * keys))
        parts = _slices(len(x_RWD), step, qkv)
        saved = []
        for at, of in parts:
            source, after_PD = x_RWD[at].flatten(0, 1), after_RWD[at].flatten(0, 1)
            seen, rows = bias[at] if len(bias) > 1 else bias, at.stop - at.start
            unit_PD, factor_P1 = unit_of(source)
            q, k, v = (scaled[of] @ unit_PD.t()).view(3, heads, channels, rows, positions)
            # Beyond the rows' ends are zeros: keys that nobody sees, queries that nobody reads.
            held = x_RWD.new_zeros(3, heads, channels, before + rows * padded)
            here = held[..., before:].unflatten(-1, (rows, padded))[..., :positions]
            _rotate(q, cos_B1W, sin_B1W, here[0])
            _rotate(k, cos_B1W, sin_B1W, here[1])
            here[2] = v
            saved += [unit_PD, factor_P1, held]
            for head in range(heads):
                q_MCQ = _chunks(held[0, head, :, before:], queries, queries)
                k_MCK, v_MCK = (_chunks(x[head], keys, queries) for x in held[1:])
                weights = q_MCQ.transpose(1, 2) @ k_MCK
                weights.view(rows, *bias.shape[1:]).add_(seen)
                torch.softmax(weights, -1, out=weights)
                mixed = (weights @ v_MCK.transpose(1, 2)).view(rows, padded, channels)
                mixed_PC = mixed[:, :positions].reshape(-1, channels)
                out_DC = out_DD[of].chunk(heads, dim=1)[head]
                source = torch.addmm(source, mixed_PC, out_DC.t(), out=after_PD)
                saved += [weights, mixed_PC]
        ctx.save_for_backward(gain_D, qkv, out_DD, scaled, cos_B1W, sin_B1W, *saved)
        ctx.heads, ctx.parts = heads, parts
        return after_RWD

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g_RWD: Tensor) -> tuple[Tensor | None, ...]:
        gain_D, qkv, out_DD, scaled, cos_B1W, sin_B1W, *saved = ctx.saved_tensors
        heads, (positions, width) = ctx.heads, g_RWD.shape[1:]
        channels = width // heads
        of_x_RWD = torch.empty_like(g_RWD, memory_format=torch.contiguous_format)
        of_scaled, of_out = torch.zeros_like(qkv), torch.zeros_like(out_DD)
        for part, (at, of) in enumerate(ctx.parts):
            g_GWD, of_x_GWD = g_RWD[at], of_x_RWD[at]
            first = part * (3 + 2 * heads)
            unit_PD, factor_P1, held, *by_head = saved[first : first + 3 + 2 * heads]
            rows, g_PD = len(g_GWD), g_GWD.reshape(-1, width)
            of_turned = torch.empty(3, heads, channels, rows, positions).to(g_RWD)
            for head in range(heads):
                weights, mixed_PC = by_head[2 * head : 2 * head + 2]
                queries, keys = weights.shape[1:]
                out_DC, of_out_DC = (x[of].chunk(heads, dim=1)[head] for x in (out_DD, of_out))
                of_out_DC += g_PD.t() @ mixed_PC
                of_mixed_CP = out_DC.t() @ g_PD.t()
                # What softmax subtracts, the sum of weights times their gradients, is this too.
                along_P = torch.linalg.vecdot(g_PD @ out_DC, mixed_PC)
                of_mixed = of_mixed_CP.view(channels, rows, positions)
                padding = len(weights) * queries // rows - positions
                of_mixed = F.pad(of_mixed, (0, padding)) if padding else of_mixed
                of_mixed_MCQ = _chunks(of_mixed.flatten(1), queries, queries)
                q_MCQ = _chunks(held[0, head, :, keys - queries :], queries, queries)
                k_MCK, v_MCK = (_chunks(x[head], keys, queries) for x in held[1:])
                along_MQ1 = F.pad(along_P.view(rows, positions), (0, padding)).view(-1, queries, 1)
                of_scores = torch.baddbmm(
                    along_MQ1, of_mixed_MCQ.transpose(1, 2), v_MCK, beta=-1
                ).mul_(weights)
                of_q = k_MCK @ of_scores.transpose(1, 2)
                gradients = (of_q, q_MCQ @ of_scores, of_mixed_MCQ @ weights)
                for of_one, gradient in zip(of_turned, gradients, strict=True):
                    of_one[head] = _unchunked(gradient, rows, queries)[..., :positions]
            of_projected = torch.empty_like(of_turned)
            _rotate(of_turned[0], cos_B1W, -sin_B1W, of_projected[0])
            _rotate(of_turned[1], cos_B1W, -sin_B1W, of_projected[1])
            of_projected[2] = of_turned[2]
            of_projected = of_projected.view(3 * width, -1)
            torch.addmm(of_scaled[of], of_projected, unit_PD, out=of_scaled[of])
            of_unit = unit_gradient(of_projected.t() @ scaled[of], unit_PD, factor_P1)
            torch.add(of_unit.view(g_GWD.shape), g_GWD, out=of_x_GWD)
        of_scaled[..., :width, :] *= 1 / math.sqrt(channels)
        of_gain, of_qkv = gain_gradients(of_scaled, qkv, gain_D)
        return of_x_RWD, of_gain, of_qkv, of_out, None, None, None, None
