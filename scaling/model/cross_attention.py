"""Cross-attention both ways between bytes and patches, over the few pairs that may see each other.

A latent's k slots see only its own bytes, and a byte only the k slots of one latent, so both are
gathers and short sums, never a [bytes, patches] matrix.

Shapes in names: R rows, W positions, P latents, M bytes of the longest patch, K slots per latent,
H heads, C width of a head, D = H C.
"""

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaling.model.blocks import RMSNorm, matrix
from scaling.model.fused import norm_linear


class Pools(NamedTuple):
    """Which bytes each latent pools.

    Attributes:
        flat: [R P M] index into the batch's positions, rows one after the other.
        is_member: [R, P, M] False on padding; None where there is none to tell apart.
        shape: (R, P, M).
        regular: whether latent j of every row pools the M positions up to j M, those before the
            row's first being that one again; then `flat` need not be looked at.
    """

    flat: Tensor
    is_member: Tensor | None
    shape: tuple[int, int, int]
    regular: bool = False

    def taken(self, x_RWD: Tensor) -> Tensor:
        """Return [R, P, M, D], the positions that each latent pools."""
        rows, latents, members = self.shape
        if not self.regular:
            flat = x_RWD.flatten(0, 1).index_select(0, self.flat)
            return flat.view(rows, latents, members, -1)
        first, rest, _ = x_RWD.split([1, (latents - 1) * members, members - 1], dim=1)
        in_turn = torch.cat((first.expand(-1, members, -1), rest), dim=1)
        return in_turn.view(rows, latents, members, -1)


class _CrossAttention(nn.Module):
    """Norms of queries and of what is attended to, and 4 h^2 parameters."""

    def __init__(self, width: int, heads: int, out_scale: float) -> None:
        super().__init__()
        self.heads, self.scale = heads, 1 / math.sqrt(width // heads)
        self.query_norm, self.source_norm = RMSNorm(width), RMSNorm(width)
        self.query = matrix(width, width)
        self.key_value = matrix(2 * width, width)
        self.out = matrix(width, width, out_scale)

    def queries(self, x: Tensor) -> Tensor:
        """Return [..., H, C], scaled, from [..., D]."""
        q = norm_linear(x, self.query_norm.gain, self.query) * self.scale
        heads: Tensor = q.unflatten(-1, (self.heads, -1))
        return heads

    def keys_values(self, x: Tensor) -> Tensor:
        """Return [..., 2 D], keys before values, from [..., D]."""
        return norm_linear(x, self.source_norm.gain, self.key_value)


class PatchPooling(_CrossAttention):
    """Bytes to slots: the maximum over a patch, projected to k slots that then attend to it."""

    def __init__(self, width: int, heads: int, slots: int) -> None:
        super().__init__(width, heads, out_scale=1.0)
        self.slots = slots
        self.pool = matrix(slots * width, width)

    def forward(self, x_RWD: Tensor, pools: Pools) -> Tensor:
        """Return the slots [R, P, K, D] of every latent."""
        width = x_RWD.shape[-1]
        if pools.regular:  # as many bytes are taken as there are
            bytes_RPMD = pools.taken(x_RWD)
            k_RPMD, v_RPMD = self.keys_values(bytes_RPMD).split(width, dim=-1)
        else:
            kv = self.keys_values(x_RWD)
            taken = pools.taken(torch.cat((x_RWD.to(kv.dtype), kv), dim=-1))
            bytes_RPMD, k_RPMD, v_RPMD = taken.split(width, dim=-1)
        # A patch is padded with a byte of its own, which leaves its maximum as it is.
        slots = F.linear(bytes_RPMD.amax(dim=2), self.pool)
        slots_RPKD = slots.unflatten(-1, (self.slots, width))
        q_RPKHC = self.queries(slots_RPKD)
        k_RPMHC = k_RPMD.unflatten(-1, (self.heads, -1))
        v_RPMHC = v_RPMD.unflatten(-1, (self.heads, -1))
        scores = _exact((q_RPKHC.unsqueeze(3) * k_RPMHC.unsqueeze(2)).sum(-1))  # [R, P, K, M, H]
        if pools.is_member is not None:
            scores = scores.masked_fill(~pools.is_member[:, :, None, :, None], -math.inf)
        weights = scores.softmax(dim=3).to(v_RPMHC.dtype)
        mixed = (weights.unsqueeze(-1) * v_RPMHC.unsqueeze(2)).sum(3).flatten(-2)
        after_RPKD: Tensor = slots_RPKD + F.linear(mixed, self.out)
        return after_RPKD


class LatentReading(_CrossAttention):
    """Slots to bytes: every byte attends to the k slots of the one latent it may see."""

    def forward(self, x_RWD: Tensor, slots_RPKD: Tensor, latent_of_byte: Tensor | None) -> Tensor:
        """Return x_RWD with what was read added.

        Args:
            x_RWD: the bytes.
            slots_RPKD: the latents' slots.
            latent_of_byte: [R W] index into all rows' latents, one after the other; None where
                each row's P latents are read by W / P bytes each, in turn.
        """
        if slots_RPKD.shape[2] == 1:
            return self._single(x_RWD, slots_RPKD, latent_of_byte)
        rows, latents, slots = slots_RPKD.shape[:3]
        kv = self.keys_values(slots_RPKD).flatten(2)
        q_RWHC = self.queries(x_RWD)
        # Latents are read by groups of bytes: of one byte each, or of all those of a patch.
        if latent_of_byte is None:
            q, read = q_RWHC.unflatten(1, (latents, -1)), kv.unsqueeze(2)
        else:
            q = q_RWHC.unsqueeze(2)
            read = kv.flatten(0, 1).index_select(0, latent_of_byte).view(*q.shape[:2], 1, -1)
        k, v = read.unflatten(-1, (slots, 2, self.heads, -1)).unbind(4)
        scores = _exact((q.unsqueeze(3) * k).sum(-1))  # [R, groups, bytes, K, H]
        weights = scores.softmax(dim=3).to(v.dtype)
        mixed = (weights.unsqueeze(-1) * v).sum(3).view(rows, x_RWD.shape[1], -1)
        after_RWD: Tensor = x_RWD + F.linear(mixed, self.out)
        return after_RWD

    def _single(self, x_RWD: Tensor, slots_RP1D: Tensor, latent_of_byte: Tensor | None) -> Tensor:
        """Read the one slot there is: its weight is 1, whatever is asked of it."""
        idle = (self.query, self.query_norm.gain)
        x_RWD = _Idle.apply(x_RWD, *idle)  # type: ignore[no-untyped-call]
        _, v_RPD = self.keys_values(slots_RP1D.squeeze(2)).chunk(2, dim=-1)
        read_RPD = F.linear(v_RPD, self.out)
        if latent_of_byte is None:
            grouped = x_RWD.unflatten(1, (read_RPD.shape[1], -1))
            after_RWD: Tensor = (grouped + read_RPD.unsqueeze(2)).flatten(1, 2)
            return after_RWD
        return x_RWD + read_RPD.flatten(0, 1).index_select(0, latent_of_byte).view_as(x_RWD)


class _Idle(torch.autograd.Function):
    """Passes x on, and tells parameters without effect on it so: their gradients are zero.

    Had they none, they would not be decayed, and processes that share gradients would wait.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, *parameters: Tensor) -> Tensor:
        ctx.save_for_backward(*parameters)
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, ...]:
        return g, *(torch.zeros_like(parameter) for parameter in ctx.saved_tensors)


def _exact(scores: Tensor) -> Tensor:
    """Return scores in float32, or in float64 where the model computes in that."""
    return scores if scores.dtype == torch.float64 else scores.float()
