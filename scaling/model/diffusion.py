"""Blocks of masked bytes that a decoder learns to fill, all at once (BLT-D, arXiv 2605.08044).

Before every patch that opens at byte s of a row, the B bytes s .. s + B - 1 stand once more as a
block, of which some are masked. All of it reads the latent that byte s is predicted from, and
attends to the rows before the patch and to itself, both ways: never to another block, and never to
a row whose input is byte s or a later one. Its inputs are embeddings of bytes or of the mask, not
the encoder's states, which have seen what is masked; and its outputs are the bytes at their own
places, not those after them.

A row's position p reads byte p - 1 and predicts byte p, so the last row a block sees is s, and its
bytes lie at s + 1 .. s + B, as they do as inputs.

A time t is drawn for each row, and each of its blocks' bytes is masked with probability t; what is
masked then counts 1 / t, so that every t says in the mean as much. Draws follow from seed, step and
row alone, whatever rows are computed together; they are PCG64's raw numbers, the same in every
NumPy version.

Shapes in names: R rows, W positions, N blocks of a row, B bytes of a block, D width, H heads, C
width of a head, S positions before a block that its window holds.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from scaling.data.windows import TokenBatch
from scaling.model.attention import Attend
from scaling.model.blocks import EMBEDDING_SCALE, Rotary
from scaling.model.cross_attention import PatchedBytes, few_counts

MASK = 256
# Where hardly any byte is masked, 1 / t is a rare weight of a million, and the step is clipped.
LEAST_TIME = 0.05
_PAD_BLOCKS_TO = 8  # so that shapes rarely change from step to step
_BLOCKS_DRAWN = 1  # keeps these draws apart from those of windows


class MaskedBlocks(NamedTuple):
    """The blocks of a batch.

    Attributes:
        cells: int64 [rows, N, B] bytes, or MASK.
        targets: int64 [rows, N, B] the bytes that are masked; -1 where none is to be predicted.
        opens: int64 [rows, N] the place in its row at which each block's patch opens.
        is_text: bool [rows, N, B] False beyond the segment's end, and in blocks that only fill up.
        weights: float32 [rows] 1 / t.
    """

    cells: NDArray[np.int64]
    targets: NDArray[np.int64]
    opens: NDArray[np.int64]
    is_text: NDArray[np.bool_]
    weights: NDArray[np.float32]


def masked_blocks(
    batch: TokenBatch,
    size: int,
    seed: int,
    step: int,
    first_row: int = 0,
    few_shapes: bool = False,
) -> MaskedBlocks:
    """Return the blocks of a batch's rows, masked by draws of this seed and step.

    Args:
        size: B, bytes of a block. first_row: number of the first row in the whole step.
        few_shapes: as of `patched_bytes`.
    """
    opens, cells, is_text = blocks_of(batch, size, few_shapes)
    raw = np.stack(
        [
            np.random.PCG64([seed, _BLOCKS_DRAWN, step, first_row + row]).random_raw(
                1 + opens.shape[1] * size
            )
            for row in range(len(opens))
        ]
    )
    # By a block's place among its row's, so that filling a row up changes no draw.
    uniform = (raw >> np.uint64(11)) * 2.0**-53
    times = LEAST_TIME + (1 - LEAST_TIME) * uniform[:, 0]
    masked = (uniform[:, 1:] < times[:, None]).reshape(cells.shape)
    return MaskedBlocks(
        cells=np.where(masked, MASK, cells),
        targets=np.where(masked & is_text, cells, -1),
        opens=opens,
        is_text=is_text,
        weights=(1 / times).astype(np.float32),
    )


def blocks_of(
    batch: TokenBatch, size: int, few_shapes: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return where blocks open [rows, N], their bytes [rows, N, B], and which of these are text."""
    assert batch.starts is not None, "blocks begin where patches do"
    rows, width = batch.targets.shape
    counts = batch.starts.sum(axis=1)
    most = int(counts.max())
    if few_shapes:
        most = few_counts(most, _PAD_BLOCKS_TO, 8)
    elif (counts != most).any():
        most = -(-most // _PAD_BLOCKS_TO) * _PAD_BLOCKS_TO
    row, place = np.nonzero(batch.starts)
    number = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    opens = np.zeros((rows, most), np.int64)
    opens[row, number] = place
    at = opens[:, :, None] + np.arange(size)
    inside = np.minimum(at, width - 1)
    along = np.arange(rows)[:, None, None]
    segment = batch.segments[np.arange(rows)[:, None], opens]
    is_text = (at < width) & (batch.segments[along, inside] == segment[:, :, None])
    is_text &= (np.arange(most) < counts[:, None])[:, :, None]
    return opens, batch.targets[along, inside], is_text


class BlockInputs(NamedTuple):
    """Blocks of a batch, on its device.

    Attributes:
        cells: [R, N, B] bytes, or MASK.
        targets: [R, N, B] what is masked; -1 where nothing is to be predicted.
        opens: [R, N] the place in its row at which each block's patch opens.
        is_text: [R, N, B] False beyond the segment's end, and in blocks that only fill a row.
        weights: [R] of each row's nats.
    """

    cells: Tensor
    targets: Tensor
    opens: Tensor
    is_text: Tensor
    weights: Tensor

    @classmethod
    def of(cls, blocks: MaskedBlocks, device: torch.device) -> "BlockInputs":
        """Return the blocks on a device."""
        return cls(*(torch.from_numpy(part).to(device) for part in blocks))


class CellEmbedding(nn.Module):
    """What a block's bytes are to the decoder: a row for each byte, and the last for the mask."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(EMBEDDING_SCALE * torch.randn(MASK + 1, width))

    def forward(self, cells: Tensor) -> Tensor:
        return F.embedding(cells, self.embedding)


class BlockRows:
    """The rows of all blocks of a batch, on their way through the decoder."""

    def __init__(self, blocks: BlockInputs, batch: PatchedBytes, window: int) -> None:
        """Find which latent each block reads, and which rows it sees.

        Args:
            window: bytes that a position attends to, its own included, as the rows' own.
        """
        self.blocks = blocks
        rows, _, size = blocks.cells.shape
        width, device = batch.inputs.shape[1], batch.inputs.device
        self.first = width * torch.arange(rows, device=device)[:, None]  # [R, 1], flat
        latents, longest = batch.members_shape[1:]
        if batch.latent_of_byte is None:
            latent = blocks.opens // longest
            latent = latent + latents * torch.arange(rows, device=device)[:, None]
        else:
            latent = batch.latent_of_byte[(blocks.opens + self.first).flatten()]
        self.latent_of_cell = latent.flatten().repeat_interleave(size)
        self.positions = blocks.opens[:, :, None] + 1 + torch.arange(size, device=device)
        span = min(window - 1, width)
        before = blocks.opens[:, :, None] - span + 1 + torch.arange(span, device=device)
        seen_RNS = before >= 0
        self.before = before.clamp(min=0)
        if batch.segments is not None:
            flat = batch.segments.flatten()
            of_block = flat[blocks.opens + self.first]
            seen_RNS = seen_RNS & (flat[self.before + self.first[..., None]] == of_block[..., None])
        near = self.before[:, :, None] > self.positions[..., None] - window
        own = blocks.is_text[:, :, None].expand(-1, -1, size, -1)
        # A byte sees itself even beyond the text: a row of nothing is no number.
        own = own | torch.eye(size, dtype=torch.bool, device=device)
        self.mask = torch.cat((seen_RNS[:, :, None] & near, own), dim=-1).flatten(0, 1)[:, None]

    def attend(self, own: tuple[Tensor, Tensor, Tensor], rows: tuple[Tensor, Tensor]) -> Tensor:
        """Return what blocks make of what they see: [R, H, N B, C].

        Args:
            own: queries, keys and values of the blocks, each [R, H, N B, C].
            rows: keys and values of the rows, each [R, H, W, C].
        """
        count, size = self.blocks.cells.shape[1:]
        at = (self.before + self.first[..., None]).flatten()

        def by_block(x_RHLC: Tensor) -> Tensor:
            out: Tensor = x_RHLC.unflatten(2, (count, size)).transpose(1, 2).flatten(0, 1)
            return out

        def beside(own_RHLC: Tensor, rows_RHWC: Tensor) -> Tensor:
            heads, width = rows_RHWC.shape[1], rows_RHWC.shape[3]
            flat = rows_RHWC.transpose(1, 2).reshape(-1, heads * width)
            taken = flat.index_select(0, at).view(len(self.mask), -1, heads, width)
            return torch.cat((taken.transpose(1, 2), by_block(own_RHLC)), dim=2)

        q, k, v = own
        mixed = F.scaled_dot_product_attention(
            by_block(q), beside(k, rows[0]), beside(v, rows[1]), attn_mask=self.mask
        )
        whole: Tensor = mixed.unflatten(0, (-1, count)).transpose(1, 2).flatten(2, 3)
        return whole


def decode_with_blocks(
    x_RWD: Tensor,
    y_RLD: Tensor,
    layers: Iterable[tuple[Any, Any]],
    slots_RPKD: Tensor,
    latent_of_byte: Tensor | None,
    rotaries: tuple[Rotary, Rotary],
    attend: Attend,
    rows: BlockRows,
) -> tuple[Tensor, Tensor]:
    """Return the decoder's last states of the rows, as without blocks, and of the blocks.

    Args:
        x_RWD: the encoder's states. y_RLD: embeddings of the blocks' L = N B bytes.
        layers: each a `LatentReading` and a `Block`. rotaries: of rows and of blocks.
        attend: of the rows.
    """
    for reading, block in layers:
        x_RWD = reading(x_RWD, slots_RPKD, latent_of_byte)
        y_RLD = reading(y_RLD, slots_RPKD, rows.latent_of_cell)
        gain, attention = block.attention_norm.gain, block.attention
        _, k, v = attention.project(x_RWD, gain, rotaries[0])
        own = attention.project(y_RLD, gain, rotaries[1])
        y_RLD = y_RLD + attention.merge(rows.attend(own, (k, v)))
        y_RLD = block.feed(y_RLD, block.feed_norm.gain)
        x_RWD = block(x_RWD, rotaries[0], attend)
    return x_RWD, y_RLD
