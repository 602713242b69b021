"""Steps of the models whose gradients are written by hand: the same values, in fewer passes.

On a CPU these small models are bound by memory, not by arithmetic: of autograd's many small
operations each reads and writes whole activations. Here several are one `autograd.Function`, worked
through in slices of positions that fit the cache. Each has its plain form beside it, which says
what it computes; on a GPU, under autocast and under `torch.compile` the plain form runs, since
there the compiler does the fusing. The two agree to rounding (tests).

Weights may be those of many models, stacked along an axis in front (`scaling.model.members`); the
positions of all rows, N, are then those of each.

Shapes in names: N positions of all rows, D width, E width of an output, U units of a feed-forward
layer (G gated, then P plain), V vocabulary.
"""

import math
from types import EllipsisType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from scaling.model.members import by_member, linear, spread

NORM_EPS = 1e-5
UNITS_MULTIPLE = {"cpu": 1, "cuda": 8}  # of units that feed-forward layers are computed with
SLICE_FLOATS = 1 << 18  # of the widest activation of a slice: half a megabyte in float32


def by_hand(x: Tensor) -> bool:
    """Whether the forms written by hand apply to `x` here."""
    return (
        x.device.type == "cpu"
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def norm(x: Tensor, gain_D: Tensor) -> Tensor:
    """Return x scaled to unit root mean square, then by the gain (Zhang and Sennrich 2019).

    In float32 at least: of bfloat16 the products that follow take it back, under autocast.
    """
    exact = x.float() if x.dtype == torch.bfloat16 else x
    gain_D = gain_D.to(exact.dtype)
    if gain_D.dim() == 1:
        return F.rms_norm(exact, gain_D.shape, gain_D, NORM_EPS)
    return F.rms_norm(exact, gain_D.shape[-1:], None, NORM_EPS) * spread(gain_D, exact)


def norm_linear(x: Tensor, gain_D: Tensor, weight_ED: Tensor) -> Tensor:
    """Return [..., E] = norm(x) times the weight, from [..., D]."""
    if not by_hand(x):
        return linear(norm(x, gain_D), weight_ED)
    out: Tensor = _NormLinear.apply(x, gain_D, weight_ED)  # type: ignore[no-untyped-call]
    return out


def norm_swiglu(x: Tensor, gain_D: Tensor, into: Tensor, out_DU: Tensor, gated: int) -> Tensor:
    """Return x + feed-forward(norm(x)), [..., D].

    Args:
        x: [..., D]. gain_D: of the norm.
        into: [U + G, D] gates, plain units, values, in this order.
        out_DU: takes the units back.
        gated: G; the other units have a gate and no value.
    """
    if by_hand(x):
        after: Tensor = _NormSwiGLU.apply(x, gain_D, into, out_DU, gated)  # type: ignore[no-untyped-call]
        return after
    count = into.shape[-2] - gated
    spare = -count % UNITS_MULTIPLE[x.device.type]
    if spare or (count > gated and UNITS_MULTIPLE[x.device.type] > 1):
        return x + _padded_swiglu(norm(x, gain_D), into, out_DU, gated, spare)
    gate, value = linear(norm(x, gain_D), into).split([count, gated], dim=-1)
    units = F.silu(gate)
    units = torch.cat((units[..., :gated] * value, units[..., gated:]), dim=-1)
    return x + linear(units, out_DU)


def _padded_swiglu(unit: Tensor, into: Tensor, out_DU: Tensor, gated: int, spare: int) -> Tensor:
    """Return the feed-forward layer's [..., D] with `spare` units more, which are always 0.

    Gates and values are then equally many, an ungated unit's value being 1: products of widths
    that are no multiples of 8 run many times slower in bfloat16. Parameters stay what they are.
    """
    count = into.shape[-2] - gated
    gates, values = into.split([count, gated], dim=-2)
    plain = count - gated
    wide = (F.pad(gates, (0, 0, 0, spare)), F.pad(values, (0, 0, 0, plain + spare)))
    gate, value = linear(unit, torch.cat(wide, dim=-2)).chunk(2, dim=-1)
    is_plain = F.pad(value.new_ones(plain), (gated, spare))
    return linear(F.silu(gate) * (value + is_plain), F.pad(out_DU, (0, spare)))


def norm_head_nats(x: Tensor, gain_D: Tensor, head_VD: Tensor, targets: Tensor) -> Tensor:
    """Return nats summed over targets, a scalar, or [M] of members, in float32 at least.

    Args:
        x: [..., D] hidden states. gain_D: of the last norm. head_VD: the output matrix.
        targets: [...] ids; those below 0 are not scored.
    """
    if by_hand(x):
        nats: Tensor = _NormHeadNats.apply(x, gain_D, head_VD, targets)  # type: ignore[no-untyped-call]
        return nats
    logits = linear(norm(x, gain_D), head_VD).flatten(0, -2)
    exact = logits if logits.dtype == torch.float64 else logits.float()
    if head_VD.dim() == 2:
        return F.cross_entropy(exact, targets.flatten(), ignore_index=-1, reduction="sum")
    nats = F.cross_entropy(exact, targets.flatten(), ignore_index=-1, reduction="none")
    return nats.view(len(head_VD), -1).sum(dim=1)


SlicePlace = int | slice | tuple[int, slice] | EllipsisType


def slices(like: Tensor, width: int) -> list[tuple[SlicePlace, SlicePlace]]:
    """Return where slices lie whose activation of that width fits the cache: in positions [N, D],
    or [M, N, D], and of which weights, or members' weights, they are.

    A slice holds positions of one member, or all those of a few.
    """
    positions, step = like.shape[-2], max(1, SLICE_FLOATS // width)
    cut = [slice(first, first + step) for first in range(0, positions, step)]
    if like.dim() == 2:
        return [(part, ...) for part in cut]
    members, few = len(like), step // max(1, positions)
    if few > 1:
        return [(slice(m, m + few), slice(m, m + few)) for m in range(0, members, few)]
    return [((member, part), member) for member in range(members) for part in cut]


def add_product(base: Tensor, a: Tensor, b: Tensor, out: Tensor) -> None:
    """Write base + a b to `out`, of matrices or stacks of them."""
    (torch.addmm if a.dim() == 2 else torch.baddbmm)(base, a, b, out=out)


def unit_of(x_ND: Tensor) -> tuple[Tensor, Tensor]:
    """Return x at unit root mean square, and the factor [N, 1] that made it so."""
    length_N1 = torch.linalg.vector_norm(x_ND, dim=-1, keepdim=True)
    factor_N1 = length_N1.square_().div_(x_ND.shape[-1]).add_(NORM_EPS).rsqrt_()
    return x_ND * factor_N1, factor_N1


def unit_gradient(of_unit: Tensor, unit_ND: Tensor, factor_N1: Tensor) -> Tensor:
    """Return the gradient with respect to x; `of_unit` [N, D] is overwritten with it."""
    along = torch.linalg.vecdot(of_unit, unit_ND).unsqueeze(-1)
    of_unit.addcmul_(unit_ND, along, value=-1 / unit_ND.shape[-1])
    return of_unit.mul_(factor_N1)


def gain_gradients(of_scaled: Tensor, weight: Tensor, gain_D: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of the gain and of the weight from that of their product."""
    return (of_scaled * weight).sum(dim=-2), of_scaled * gain_D.unsqueeze(-2)


class _NormLinear(torch.autograd.Function):
    """The gain goes into the weight, which is small, not over the positions, which are many."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain_D: Tensor, weight_ED: Tensor) -> Tensor:
        unit_ND, factor_N1 = unit_of(by_member(x, weight_ED))
        scaled_ED = weight_ED * gain_D.unsqueeze(-2)
        ctx.save_for_backward(unit_ND, factor_N1, gain_D, weight_ED, scaled_ED)
        ctx.shape = x.shape
        return (unit_ND @ scaled_ED.mT).view(*x.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        unit_ND, factor_N1, gain_D, weight_ED, scaled_ED = ctx.saved_tensors
        g_NE = by_member(g, weight_ED)
        of_x = unit_gradient(g_NE @ scaled_ED, unit_ND, factor_N1)
        return of_x.view(ctx.shape), *gain_gradients(g_NE.mT @ unit_ND, weight_ED, gain_D)


class _NormSwiGLU(torch.autograd.Function):
    """Units run along the last axis but one, so gates, plain units and values lie together."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, gain_D: Tensor, into: Tensor, out_DU: Tensor, gated: int
    ) -> Tensor:
        x_ND = by_member(x, into)
        scaled = into * gain_D.unsqueeze(-2)
        after_ND = torch.empty_like(x_ND)
        saved = []
        for at, of in slices(x_ND, into.shape[-2]):
            unit, factor = unit_of(x_ND[at])
            hidden = scaled[of] @ unit.mT
            gate, value = hidden[..., :-gated, :], hidden[..., -gated:, :]
            units = F.silu(gate)
            units[..., :gated, :] *= value
            add_product(x_ND[at], units.mT, out_DU[of].mT, out=after_ND[at])
            saved += [unit, factor, hidden]
        ctx.save_for_backward(gain_D, into, out_DU, scaled, *saved)
        ctx.gated = gated
        return after_ND.view(x.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, None]:
        gain_D, into, out_DU, scaled, *saved = ctx.saved_tensors
        gated = ctx.gated
        g_ND = by_member(g, into)
        of_x_ND = torch.empty_like(g_ND)
        of_scaled, of_out = torch.zeros_like(into), torch.zeros_like(out_DU)
        room = [torch.empty_like(saved[2]) for _ in range(2)]  # new memory would be slower
        parts = zip(slices(g_ND, into.shape[-2]), saved[::3], saved[1::3], saved[2::3], strict=True)
        for (at, of), unit, factor, hidden in parts:
            g_part, of_x = g_ND[at], of_x_ND[at]
            gate, value = hidden[..., :-gated, :], hidden[..., -gated:, :]
            of_hidden, spare = (x.flatten()[: hidden.numel()].view(hidden.shape) for x in room)
            of_gate, of_value = of_hidden[..., :-gated, :], of_hidden[..., -gated:, :]
            units = spare[..., :-gated, :]
            torch.ops.aten.silu.out(gate, out=units)
            of_units = torch.matmul(out_DU[of].mT, g_part.mT, out=of_gate)
            torch.mul(of_units[..., :gated, :], units[..., :gated, :], out=of_value)
            of_units[..., :gated, :] *= value
            units[..., :gated, :] *= value
            add_product(of_out[of], g_part.mT, units.mT, out=of_out[of])
            torch.ops.aten.silu_backward.grad_input(of_units, gate, grad_input=of_gate)
            add_product(of_scaled[of], of_hidden, unit, out=of_scaled[of])
            torch.add(unit_gradient(of_hidden.mT @ scaled[of], unit, factor), g_part, out=of_x)
        of_gain, of_into = gain_gradients(of_scaled, into, gain_D)
        return of_x_ND.view(g.shape), of_gain, of_into, of_out, None


class _NormHeadNats(torch.autograd.Function):
    """Logits live for one slice only: their gradient is known as soon as they are."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain_D: Tensor, head_VD: Tensor, targets: Tensor) -> Tensor:
        x_ND, targets_N1 = by_member(x, head_VD), by_member(targets.unsqueeze(-1), head_VD)
        wanted = any(ctx.needs_input_grad)
        scaled = head_VD * gain_D.unsqueeze(-2)
        of_x_ND, of_scaled = torch.empty_like(x_ND), torch.zeros_like(head_VD)
        nats = x.new_zeros(head_VD.shape[:-2])
        room = x.new_empty(0)
        for at, of in slices(x_ND, head_VD.shape[-2]):
            unit, factor = unit_of(x_ND[at])
            shape = (*unit.shape[:-1], head_VD.shape[-2])
            if room.numel() < math.prod(shape):  # of the first slice
                room = x.new_empty(shape)
            logits = room.flatten()[: math.prod(shape)].view(shape)
            torch.matmul(unit, scaled[of].mT, out=logits)
            target_N1 = targets_N1[at]
            is_scored = target_N1 >= 0
            target_N1 = target_N1.clamp(min=0)
            of_target = logits.gather(-1, target_N1)
            highest = logits.amax(dim=-1, keepdim=True)
            logits.sub_(highest).exp_()
            total = logits.sum(dim=-1, keepdim=True)
            nats[of] += (total.log() + highest - of_target).mul_(is_scored).sum(dim=(-2, -1))
            if wanted:
                probabilities = logits.mul_(is_scored / total)
                probabilities.scatter_add_(-1, target_N1, -is_scored.to(logits.dtype))
                add_product(of_scaled[of], probabilities.mT, unit, out=of_scaled[of])
                of_x_ND[at] = unit_gradient(probabilities @ scaled[of], unit, factor)
        if wanted:
            ctx.save_for_backward(of_x_ND, of_scaled, head_VD, gain_D)
            ctx.shape = x.shape
        return nats

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        of_x_ND, of_scaled, head_VD, gain_D = ctx.saved_tensors
        g = g[..., None, None]
        of_gain, of_head = gain_gradients(of_scaled * g, head_VD, gain_D)
        return (of_x_ND * g).view(ctx.shape), of_gain, of_head, None
