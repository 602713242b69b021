"""From a batch of arrays to what each family's forward pass takes, on its device.

Of a byte latent transformer that is where its patches lie: which latent a byte reads, and which
bytes a latent pools. The shift rule, stated over targets: position p reads the bytes before target
p (BOS at a segment's first position) and predicts target p. Latent j of a row stands before patch
j of the targets: it may hold every byte before that patch's first target, and no more. So p reads
the latent of its own target's patch, and with b(j) the position at which patch j opens, latent j
pools the inputs b(j-1) + 1 .. b(j); at a segment's first patch, its BOS alone. The bytes of a
segment's last patch are never pooled: nothing is left to predict from them.

Shapes in names: R rows, W positions, P latents, M bytes of the longest patch.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaling.data.windows import TokenBatch
from scaling.model.cross_attention import Pools

PAD_LATENTS_TO = 8  # so that shapes rarely change from step to step


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


def patch_layout(starts: NDArray[np.bool_], segments: NDArray[np.int32]) -> PatchLayout:
    """Lay out the patches that open where `starts` says.

    Args:
        starts: [rows, W] whether a target opens a patch; True at the first of each segment.
        segments: [rows, W] the segment of each position, -1 on padding.
    """
    rows = starts.shape[0]
    counts = starts.sum(axis=1)
    most = int(counts.max())
    if (counts != most).any():  # rows that differ: a few shapes only, whatever the patches
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
    back = np.arange(int(lengths.max()) - 1, -1, -1)
    members = np.maximum(ends[:, :, None] - back, 0)
    is_member = back < lengths[:, :, None]
    members = np.where(is_member, members, ends[:, :, None])
    return PatchLayout(latent_of_byte, members, is_member, latent_segments)


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
    batch: TokenBatch, device: torch.device, *, always_indexed: bool = False
) -> PatchedBytes:
    """Return a byte latent model's inputs on `device`; the patches are laid out here.

    With `always_indexed`, regular patches are looked up like any others.
    """
    assert batch.starts is not None, "a byte latent model needs to know where patches open"
    layout = patch_layout(batch.starts, batch.segments)
    rows, width = batch.inputs.shape
    _, latents, longest = layout.members.shape
    row = torch.arange(rows)
    flat_latents = torch.from_numpy(layout.latent_of_byte) + latents * row[:, None]
    flat_members = torch.from_numpy(layout.members) + width * row[:, None, None]
    is_member = torch.from_numpy(layout.is_member)  # the mask costs time at every step
    segments, latent_segments = batch.segments, layout.latent_segments
    regular = not always_indexed and _is_regular(layout, width)
    return PatchedBytes(
        inputs=torch.from_numpy(batch.inputs).to(device),
        segments=torch.from_numpy(segments).to(device) if batch.has_boundaries else None,
        latent_of_byte=None if regular else flat_latents.flatten().to(device),
        members=flat_members.flatten().to(device),
        is_member=None if _padding_is_harmless(layout.is_member) else is_member.to(device),
        members_shape=(rows, latents, longest),
        latent_segments=None if layout.whole else torch.from_numpy(latent_segments).to(device),
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
