"""The byte latent transformer: bytes in and out, most of the compute once per patch.

Pagnoni et al. 2024 (arXiv 2412.09871) in the form of "Compute Optimal Tokenization" (arXiv
2605.01188): no hash n-gram embeddings. The encoder reads bytes within a window, pools each patch
into k slots; the global module runs over patches; the decoder continues from the encoder's last
states, reading one latent before each of its layers. Which latent is the shift rule's matter, in
`scaling.model.cross_attention`.

Shapes in names: R rows, W positions, P latents, M bytes of the longest patch, K slots, D local
width h, G global width d.
"""

import torch
from torch import Tensor, nn

from scaling.data.windows import TokenBatch
from scaling.flops import BYTE_VOCABULARY, BltShape
from scaling.model.attention import Attend
from scaling.model.blocks import (
    EMBEDDING_SCALE,
    HEAD_SCALE,
    Block,
    RMSNorm,
    Rotary,
    RotaryTable,
    as_stream,
    heads_for,
    matrix,
    product_type,
)
from scaling.model.cross_attention import LatentReading, PatchedBytes, PatchPooling, patched_bytes
from scaling.model.diffusion import BlockInputs, BlockRows, CellEmbedding, decode_with_blocks
from scaling.model.flex import FlexBlocks, windowed_by
from scaling.model.fused import norm_head_nats, norm_linear
from scaling.model.members import embedded, linear


class ByteLatentTransformer(nn.Module):
    """Encoder, global module and decoder of a `BltShape`."""

    def __init__(
        self, shape: BltShape, window: int, heads: int | None = None, *, fills_blocks: bool = False
    ) -> None:
        """Make the model.

        Args:
            window: how many bytes the local modules attend to.
            fills_blocks: whether the decoder also fills blocks (`scaling.model.diffusion`).
        """
        super().__init__()
        self.shape, self.window = shape, window
        self.few_shapes = False  # of inputs, for a model that is compiled
        self.flex: FlexBlocks | None = None  # the same, where its attention is compiled, too
        self.stream: torch.dtype | None = None  # of what blocks add to, in training
        h, d, slots = shape.local_dim, shape.global_dim, shape.cross_factor
        self.heads, self.local_heads = heads or heads_for(d), heads_for(h)
        # The last is BOS.
        self.embedding = nn.Parameter(EMBEDDING_SCALE * torch.randn(BYTE_VOCABULARY + 1, h))
        self.encoder = _stack(shape.local_layers, h, self.local_heads)
        self.pooling = PatchPooling(h, self.local_heads, slots)
        self.up = matrix(d, slots * h)
        self.blocks = _stack(shape.global_layers, d, self.heads)
        self.down = matrix(slots * h, d)
        self.readings = nn.ModuleList(
            LatentReading(h, self.local_heads, out_scale=1.0) for _ in range(shape.local_layers)
        )
        self.decoder = _stack(shape.local_layers, h, self.local_heads)
        self.norm = RMSNorm(h)
        self.head = matrix(BYTE_VOCABULARY, h, HEAD_SCALE)
        self.local_rotary = RotaryTable(h // self.local_heads)
        self.global_rotary = RotaryTable(d // self.heads)
        # The last, so that all else is drawn as without it.
        self.cells = CellEmbedding(h) if fills_blocks else None

    def inputs(self, batch: TokenBatch, device: torch.device) -> PatchedBytes:
        """Return what `forward` takes."""
        width, like = batch.inputs.shape[1], self.embedding
        beyond = width if self.cells is not None else 0  # blocks may go on after the row
        self.local_rotary.reach(width + beyond, like.device, like.dtype)
        # Latents are fewer.
        self.global_rotary.reach(width, like.device, product_type(like.device, like.dtype))
        found = patched_bytes(batch, device, few_shapes=self.few_shapes)
        if self.flex is not None:
            self.flex.reach(width, self.window, like.device)
            if found.latent_segments is not None:
                latents = found.members_shape[1]
                self.flex.reach(latents, latents, like.device)
        return found

    def forward(
        self,
        batch: PatchedBytes,
        targets: Tensor | None = None,
        blocks: BlockInputs | None = None,
    ) -> Tensor:
        """Return logits [R, W, 256] for the target byte at each position.

        Args:
            batch: what `inputs` returns.
            targets: [R, W] ids, below 0 where none is scored. If given, the sum of their nats is
                returned instead of logits.
            blocks: of the batch, of a model that fills them, with targets: then [2] is returned,
                that sum, and the nats of what is masked, weighted.
        """
        read = self._read(batch)
        if blocks is not None:
            assert targets is not None
            x_RWD, y_RLD = self._with_blocks(*read, batch, blocks)
            masked = [
                weight * norm_head_nats(y_LD, self.norm.gain, self.head, target.flatten())
                for y_LD, target, weight in zip(y_RLD, blocks.targets, blocks.weights, strict=True)
            ]
            nats = norm_head_nats(x_RWD, self.norm.gain, self.head, targets)
            return torch.stack((nats, torch.stack(masked).sum()))
        x_RWD, slots_RPKD, rotary, attend = read
        x_RWD = self.decode(x_RWD, slots_RPKD, batch.latent_of_byte, rotary, attend)
        if targets is not None:
            return norm_head_nats(x_RWD, self.norm.gain, self.head, targets)
        return self.predict(x_RWD)

    def block_logits(self, batch: PatchedBytes, blocks: BlockInputs) -> Tensor:
        """Return [R, N, B, 256] logits of the blocks' bytes."""
        _, y_RLD = self._with_blocks(*self._read(batch), batch, blocks)
        logits: Tensor = self.predict(y_RLD).unflatten(1, blocks.cells.shape[1:])
        return logits

    def _read(self, batch: PatchedBytes) -> tuple[Tensor, Tensor, Rotary, Attend]:
        """Return the encoder's states, the latents' slots, and what the decoder needs besides."""
        width, latents = batch.inputs.shape[1], batch.members_shape[1]
        x_RWD = embedded(batch.inputs, self.embedding)
        rotary = self.local_rotary(range(width), x_RWD)
        channels = x_RWD.shape[-1] // self.local_heads
        attend = windowed_by(self.flex, width, self.window, batch.segments, x_RWD, channels)
        x_RWD = self.encode(as_stream(self, x_RWD), rotary, attend)
        slots_RPKD = self.pooling(x_RWD, batch.pools)
        channels = self.shape.global_dim // self.heads
        causal = windowed_by(self.flex, latents, latents, batch.latent_segments, x_RWD, channels)
        slots_RPKD = self.think(slots_RPKD, range(latents), causal)
        return x_RWD, slots_RPKD, rotary, attend

    def _with_blocks(
        self,
        x_RWD: Tensor,
        slots_RPKD: Tensor,
        rotary: Rotary,
        attend: Attend,
        batch: PatchedBytes,
        blocks: BlockInputs,
    ) -> tuple[Tensor, Tensor]:
        """Return the decoder's last states of the rows, and of the blocks [R, N B, D]."""
        assert self.cells is not None, "the model was not made to fill blocks"
        rows = BlockRows(blocks, batch, self.window)
        y_RLD = self.cells(blocks.cells).flatten(1, 2)
        reached = range(x_RWD.shape[1] + blocks.cells.shape[2])
        of_blocks = self.local_rotary(reached, y_RLD).at(rows.positions.flatten(1)[:, None])
        y_RLD = as_stream(self, y_RLD)
        layers = zip(self.readings, self.decoder, strict=True)
        of_byte, rotaries = batch.latent_of_byte, (rotary, of_blocks)
        return decode_with_blocks(x_RWD, y_RLD, layers, slots_RPKD, of_byte, rotaries, attend, rows)

    def encode(self, x_RWD: Tensor, rotary: Rotary, attend: Attend) -> Tensor:
        """Return the encoder's last hidden states."""
        for block in self.encoder:
            x_RWD = block(x_RWD, rotary, attend)
        return x_RWD

    def think(self, slots_RPKD: Tensor, positions: range, attend: Attend) -> Tensor:
        """Return the slots after the global module."""
        x_RPG = linear(slots_RPKD.flatten(2), self.up)
        rotary = self.global_rotary(positions, x_RPG)
        for block in self.blocks:
            x_RPG = block(x_RPG, rotary, attend)
        out_RPKD: Tensor = linear(x_RPG, self.down).unflatten(-1, slots_RPKD.shape[2:])
        return out_RPKD

    def decode(
        self,
        x_RWD: Tensor,
        slots_RPKD: Tensor,
        latent_of_byte: Tensor | None,
        rotary: Rotary,
        attend: Attend,
    ) -> Tensor:
        """Return the decoder's last hidden states; `latent_of_byte` as `LatentReading`."""
        for reading, block in zip(self.readings, self.decoder, strict=True):
            x_RWD = block(reading(x_RWD, slots_RPKD, latent_of_byte), rotary, attend)
        return x_RWD

    def predict(self, x_RWD: Tensor) -> Tensor:
        """Return logits from the decoder's last hidden states."""
        return norm_linear(x_RWD, self.norm.gain, self.head)


def _stack(layers: int, width: int, heads: int) -> nn.ModuleList:
    return nn.ModuleList(Block(width, heads, layers) for _ in range(layers))
