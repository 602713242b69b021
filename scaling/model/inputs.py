"""From a batch of numpy arrays to what each family's forward pass takes, on its device."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaling.data.batch import Batch
from scaling.model.cross_attention import Pools
from scaling.model.layout import PatchLayout, patch_layout


class Tokens(NamedTuple):
    """Inputs of a subword model.

    Attributes:
        inputs: [R, W] ids, BOS at the first position of each piece.
        pieces: [R, W] the piece of each position, -1 on padding; None where each row is one.
    """

    inputs: Tensor
    pieces: Tensor | None


class PatchedBytes(NamedTuple):
    """Inputs of a byte latent model. Flat indices run over all rows, one after the other.

    Attributes:
        inputs: [R, W] bytes, BOS at the first position of each piece.
        pieces: [R, W] the piece of each position, -1 on padding; None where each row is one.
        latent_of_byte: [R W] flat index of the latent each position reads; None where latent j is
            read by the M positions from j M on, in every row, and pools those up to j M.
        members: [R P M] flat index of the positions each latent pools.
        is_member: [R, P, M] False where a patch is shorter than M; None where that is no matter.
        members_shape: (R, P, M).
        latent_pieces: [R, P] the piece of each latent, -1 on padding; None as `pieces`.
    """

    inputs: Tensor
    pieces: Tensor | None
    latent_of_byte: Tensor | None
    members: Tensor
    is_member: Tensor | None
    members_shape: tuple[int, int, int]
    latent_pieces: Tensor | None

    @property
    def pools(self) -> Pools:
        """Which bytes each latent pools."""
        regular = self.latent_of_byte is None
        return Pools(self.members, self.is_member, self.members_shape, regular)


def tokens(batch: Batch, device: torch.device) -> Tokens:
    """Return a subword model's inputs on `device`."""
    pieces = torch.from_numpy(batch.pieces).to(device) if batch.has_boundaries else None
    return Tokens(torch.from_numpy(batch.inputs).to(device), pieces)


def patched_bytes(
    batch: Batch, device: torch.device, *, always_indexed: bool = False
) -> PatchedBytes:
    """Return a byte latent model's inputs on `device`; the patches are laid out here.

    With `always_indexed`, regular patches are looked up like any others.
    """
    assert batch.starts is not None, "a byte latent model needs to know where patches open"
    layout = patch_layout(batch.starts, batch.pieces)
    rows, width = batch.inputs.shape
    _, latents, longest = layout.members.shape
    row = torch.arange(rows)
    flat_latents = torch.from_numpy(layout.latent_of_byte) + latents * row[:, None]
    flat_members = torch.from_numpy(layout.members) + width * row[:, None, None]
    is_member = torch.from_numpy(layout.is_member)  # the mask costs time at every step
    pieces, latent_pieces = batch.pieces, layout.latent_pieces
    regular = not always_indexed and _is_regular(layout, width)
    return PatchedBytes(
        inputs=torch.from_numpy(batch.inputs).to(device),
        pieces=torch.from_numpy(pieces).to(device) if batch.has_boundaries else None,
        latent_of_byte=None if regular else flat_latents.flatten().to(device),
        members=flat_members.flatten().to(device),
        is_member=None if _padding_is_harmless(layout.is_member) else is_member.to(device),
        members_shape=(rows, latents, longest),
        latent_pieces=None if layout.whole else torch.from_numpy(latent_pieces).to(device),
    )


def _is_regular(layout: PatchLayout, width: int) -> bool:
    """Whether every row is one piece in patches of M bytes: then nothing need be looked up."""
    _, latents, longest = layout.members.shape
    if not layout.whole or latents * longest != width:
        return False
    return bool((layout.latent_of_byte == np.arange(width) // longest).all())


def _padding_is_harmless(is_member: NDArray[np.bool_]) -> bool:
    """Whether each latent pools M bytes, or one byte M times over, as a piece's first latent does.

    A mean of equal values is that value, whatever their weights.
    """
    lengths = is_member.sum(axis=-1)
    return bool(((lengths == 1) | (lengths == is_member.shape[-1])).all())
