"""A causal transformer over tokens: the subword model, and with 256 ids the byte model.

Shapes in names: R rows, W positions, D model width, V vocabulary.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from scaling.data.windows import TokenBatch
from scaling.flops import SubwordShape
from scaling.model.attention import causal, windowed
from scaling.model.blocks import (
    EMBEDDING_SCALE,
    HEAD_SCALE,
    Block,
    RMSNorm,
    Rotary,
    heads_for,
    matrix,
)
from scaling.model.cross_attention import PatchLayout, Pools, patch_layout
from scaling.model.fused import norm_head_nats, norm_linear

# From a batch of numpy arrays to what each family's forward pass takes, on its device.


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


class SubwordTransformer(nn.Module):
    """Embedding, L pre-norm blocks, norm, head; BOS is an input row of its own, never predicted.

    The head is V x d; so is the embedding, which costs no FLOPs and is counted once with the head
    (`SubwordShape.total_params`). With a tied head they are the same parameters.
    """

    def __init__(
        self,
        shape: SubwordShape,
        heads: int | None = None,
        tied_head: bool = False,
        window: int | None = None,
    ) -> None:
        """Make the model; `window` limits attention to so many positions, None to the row."""
        super().__init__()
        self.shape, self.window = shape, window
        self.heads = heads or heads_for(shape.dim)
        vocabulary, dim = shape.vocabulary_size, shape.dim
        self.bos = nn.Parameter(EMBEDDING_SCALE * torch.randn(1, dim))
        self.head = matrix(vocabulary, dim, HEAD_SCALE)
        if tied_head:  # a head's rows are smaller than embeddings are to be
            self.embedding, self.embedding_scale = (
                self.head,
                EMBEDDING_SCALE / HEAD_SCALE * math.sqrt(dim),
            )
        else:
            self.embedding = nn.Parameter(EMBEDDING_SCALE * torch.randn(vocabulary, dim))
            self.embedding_scale = 1.0
        self.blocks = nn.ModuleList(
            Block(shape.dim, self.heads, shape.layers) for _ in range(shape.layers)
        )
        self.norm = RMSNorm(shape.dim)

    def embed(self, inputs_RW: Tensor) -> Tensor:
        """Return [R, W, D]; id V is BOS."""
        is_bos = inputs_RW == self.shape.vocabulary_size
        x_RWD = F.embedding(inputs_RW.masked_fill(is_bos, 0), self.embedding)
        return torch.where(is_bos.unsqueeze(-1), self.bos, x_RWD * self.embedding_scale)

    def inputs(self, batch: TokenBatch, device: torch.device) -> Tokens:
        """Return what `forward` takes."""
        return tokens(batch, device)

    def forward(self, batch: Tokens, targets: Tensor | None = None) -> Tensor:
        """Return logits [R, W, V] for the target at each position.

        Args:
            batch: what `inputs` returns.
            targets: [R, W] ids, below 0 where none is scored. If given, the sum of their nats is
                returned instead of logits.
        """
        width, device = batch.inputs.shape[1], batch.inputs.device
        x_RWD = self.embed(batch.inputs)
        rotary = self.rotary(torch.arange(width, device=device), x_RWD)
        attend = (
            causal(batch.segments)
            if self.window is None
            else windowed(width, self.window, batch.segments, device)
        )
        for block in self.blocks:
            x_RWD = block(x_RWD, rotary, attend)
        if targets is not None:
            return norm_head_nats(x_RWD, self.norm.gain, self.head, targets)
        return self.predict(x_RWD)

    def rotary(self, positions: Tensor, like: Tensor) -> Rotary:
        """Return the rotary positions of all blocks."""
        return Rotary(positions, self.shape.dim // self.heads).to(like)

    def predict(self, x_RWD: Tensor) -> Tensor:
        """Return logits from the last block's hidden states."""
        return norm_linear(x_RWD, self.norm.gain, self.head)
