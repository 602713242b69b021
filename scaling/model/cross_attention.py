"""Cross-attention both ways between bytes and patches, over the few pairs that may see each other.

A latent's k slots see only its own bytes, and a byte only the k slots of one latent, so both are
gathers and short sums, never a [bytes, patches] matrix.

Shapes in names: R rows, W positions, P latents, M bytes of the longest patch, K slots per latent,
H heads, C width of a head, D = H C.

From a batch of arrays to what each family's forward pass takes, on its device.

Of a byte latent transformer that is where its patches lie: which latent a byte reads, and which
bytes a latent pools. The shift rule, stated over targets: position p reads the bytes before target
p (BOS at a segment's first position) and predicts target p. Latent j of a row stands before patch
j of the targets: it may hold every byte before that patch's first target, and no more. So p reads
the latent of its own target's patch, and with b(j) the position at which patch j opens, latent j
pools the inputs b(j-1) + 1 .. b(j); at a segment's first patch, its BOS alone. The bytes of a
segment's last patch are never pooled: nothing is left to predict from them.

Shapes in names: R rows, W positions, P latents, M bytes of the longest patch.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from scaling.data.windows import TokenBatch
from scaling.model.blocks import RMSNorm, matrix
from scaling.model.fused import norm_linear
from scaling.model.members import linear


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
        self.stacked = {"key_value": 2 * (width,)}
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
        slots = linear(bytes_RPMD.amax(dim=2), self.pool)
        slots_RPKD = slots.unflatten(-1, (self.slots, width))
        q_RPKHC = self.queries(slots_RPKD)
        k_RPMHC = k_RPMD.unflatten(-1, (self.heads, -1))
        v_RPMHC = v_RPMD.unflatten(-1, (self.heads, -1))
        scores = _exact((q_RPKHC.unsqueeze(3) * k_RPMHC.unsqueeze(2)).sum(-1))  # [R, P, K, M, H]
        if pools.is_member is not None:
            scores = scores.masked_fill(~pools.is_member[:, :, None, :, None], -math.inf)
        weights = scores.softmax(dim=3).to(v_RPMHC.dtype)
        mixed = (weights.unsqueeze(-1) * v_RPMHC.unsqueeze(2)).sum(3).flatten(-2)
        after_RPKD: Tensor = slots_RPKD + linear(mixed, self.out)
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
        after_RWD: Tensor = x_RWD + linear(mixed, self.out)
        return after_RWD

    def _single(self, x_RWD: Tensor, slots_RP1D: Tensor, latent_of_byte: Tensor | None) -> Tensor:
        """Read the one slot there is: its weight is 1, whatever is asked of it."""
        idle = (self.query, self.query_norm.gain)
        x_RWD = _Idle.apply(x_RWD, *idle)  # type: ignore[no-untyped-call]
        _, v_RPD = self.keys_values(slots_RP1D.squeeze(2)).chunk(2, dim=-1)
        read_RPD = linear(v_RPD, self.out)
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


PAD_LATENTS_TO = 8  # so that shapes rarely change from step to step


def few_counts(count: int, least_step: int, steps: int) -> int:
    """Return the least number from `count` on that is one of a few: multiples of `least_step`, of
    which there are `steps` from one power of two to the next."""
    step = max(least_step, (1 << max(0, count - 1).bit_length()) // (2 * steps))
    return -(-count // step) * step


class PatchLayout(NamedTuple):
    """The patches of a batch of rows, padded to the same number of latents.

    Attributes:
        latent_of_byte: [rows, W] int64, the latent in its row that each position reads.
        members: [rows, P, M] int64, the positions each latent pools, padded with its last one.
        is_member: [rows, P, M] bool, False on that padding.
        latent_segments: [rows, P] int32, the segment of each latent, -1 on padded ones.
    """

    latent_of_byte: NDArray[np.int64]
    members: NDArray[np.int64]
    is_member: NDArray[np.bool_]
    latent_segments: NDArray[np.int32]

    @property
    def whole(self) -> bool:
        """Whether every row is one segment without padded latents."""
        return bool((self.latent_segments == 0).all())


def patch_layout(
    starts: NDArray[np.bool_], segments: NDArray[np.int32], few_shapes: bool = False
) -> PatchLayout:
    """Lay out the patches that open where `starts` says.

    Args:
        starts: [rows, W] whether a target opens a patch; True at the first of each segment.
        segments: [rows, W] the segment of each position, -1 on padding.
        few_shapes: whether P and M are filled up to one of a few numbers, unless all patches are
            of one length.
    """
    rows = starts.shape[0]
    counts = starts.sum(axis=1)
    most = int(counts.max())
    few_shapes = few_shapes and not _is_even(starts, segments)
    if few_shapes:
        most = few_counts(most, PAD_LATENTS_TO, 8)
    elif (counts != most).any():  # rows that differ: a few shapes only, whatever the patches
        most = -(-most // PAD_LATENTS_TO) * PAD_LATENTS_TO
    latent_of_byte = np.maximum(np.cumsum(starts, axis=1) - 1, 0)
    row, opened_at = np.nonzero(starts)
    latent = latent_of_byte[row, opened_at]
    ends = np.zeros((rows, most), dtype=np.int64)
    ends[row, latent] = opened_at
    latent_segments = np.full((rows, most), -1, dtype=np.int32)
    latent_segments[row, latent] = segments[row, opened_at]
    lengths = np.ones((rows, most), dtype=np.int64)  # of a padded latent, too: an empty pool is NaN
    follows = (latent_segments[:, 1:] == latent_segments[:, :-1]) & (latent_segments[:, 1:] >= 0)
    lengths[:, 1:] = np.where(follows, ends[:, 1:] - ends[:, :-1], 1)
    longest = int(lengths.max())
    if few_shapes:
        longest = few_counts(longest, 1, 2)
    back = np.arange(longest - 1, -1, -1)
    members = np.maximum(ends[:, :, None] - back, 0)
    is_member = back < lengths[:, :, None]
    members = np.where(is_member, members, ends[:, :, None])
    return PatchLayout(latent_of_byte, members, is_member, latent_segments)


def _is_even(starts: NDArray[np.bool_], segments: NDArray[np.int32]) -> bool:
    """Whether every row is one segment of patches of one length."""
    width, count = starts.shape[1], int(starts[0].sum())
    if segments.any() or width % count:
        return False
    opens = np.arange(width) % (width // count) == 0
    return bool((starts == opens).all())


class Tokens(NamedTuple):
    """Inputs of a subword model.

    Attributes:
        inputs: [R, W] ids, BOS at the first position of each segment.
        segments: [R, W] the segment of each position, -1 on padding; None where each row is one.
    """

    inputs: Tensor
    segments: Tensor | None


class PatchedBytes(NamedTuple):
    """Inputs of a byte latent model. Flat indices run over all rows, one after the other.

    Attributes:
        inputs: [R, W] bytes, BOS at the first position of each segment.
        segments: [R, W] the segment of each position, -1 on padding; None where each row is one.
        latent_of_byte: [R W] flat index of the latent each position reads; None where latent j is
            read by the M positions from j M on, in every row, and pools those up to j M.
        members: [R P M] flat index of the positions each latent pools.
        is_member: [R, P, M] False where a patch is shorter than M; None where that is no matter.
        members_shape: (R, P, M).
        latent_segments: [R, P] the segment of each latent, -1 on padding; None as `segments`.
    """

    inputs: Tensor
    segments: Tensor | None
    latent_of_byte: Tensor | None
    members: Tensor
    is_member: Tensor | None
    members_shape: tuple[int, int, int]
    latent_segments: Tensor | None

    @property
    def pools(self) -> Pools:
        """Which bytes each latent pools."""
        regular = self.latent_of_byte is None
        return Pools(self.members, self.is_member, self.members_shape, regular)


def tokens(batch: TokenBatch, device: torch.device) -> Tokens:
    """Return a subword model's inputs on `device`."""
    segments = torch.from_numpy(batch.segments).to(device) if batch.has_boundaries else None
    return Tokens(torch.from_numpy(batch.inputs).to(device), segments)


def patched_bytes(
    batch: TokenBatch,
    device: torch.device,
    *,
    always_indexed: bool = False,
    few_shapes: bool = False,
) -> PatchedBytes:
    """Return a byte latent model's inputs on `device`; the patches are laid out here.

    Args:
        always_indexed: whether regular patches are looked up like any others.
        few_shapes: whether shapes, and what is left out, are to vary little from batch to batch.
    """
    assert batch.starts is not None, "a byte latent model needs to know where patches open"
    layout = patch_layout(batch.starts, batch.segments, few_shapes)
    rows, width = batch.inputs.shape
    _, latents, longest = layout.members.shape
    row = torch.arange(rows)
    flat_latents = torch.from_numpy(layout.latent_of_byte) + latents * row[:, None]
    flat_members = torch.from_numpy(layout.members) + width * row[:, None, None]
    is_member = torch.from_numpy(layout.is_member)  # the mask costs time at every step
    segments, latent_segments = batch.segments, layout.latent_segments
    regular = not always_indexed and _is_regular(layout, width)
    unmasked = _padding_is_harmless(layout.is_member) if regular or not few_shapes else False
    # Latents that only fill a row are its last, which no other sees: causal attention will do.
    whole = layout.whole or (few_shapes and not batch.has_boundaries)
    return PatchedBytes(
        inputs=torch.from_numpy(batch.inputs).to(device),
        segments=torch.from_numpy(segments).to(device) if batch.has_boundaries else None,
        latent_of_byte=None if regular else flat_latents.flatten().to(device),
        members=flat_members.flatten().to(device),
        is_member=None if unmasked else is_member.to(device),
        members_shape=(rows, latents, longest),
        latent_segments=None if whole else torch.from_numpy(latent_segments).to(device),
    )


def _is_regular(layout: PatchLayout, width: int) -> bool:
    """Whether every row is one segment in patches of M bytes: then nothing need be looked up."""
    _, latents, longest = layout.members.shape
    if not layout.whole or latents * longest != width:
        return False
    return bool((layout.latent_of_byte == np.arange(width) // longest).all())


def _padding_is_harmless(is_member: NDArray[np.bool_]) -> bool:
    """Whether each latent pools M bytes, or one byte M times, as a segment's first latent does.

    A mean of equal values is that value, whatever their weights.
    """
    lengths = is_member.sum(axis=-1)
    return bool(((lengths == 1) | (lengths == is_member.shape[-1])).all())
