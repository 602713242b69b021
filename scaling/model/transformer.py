"""A causal transformer over tokens: the subword model, and with 256 ids the byte model.

Shapes in names: R rows, W positions, D model width, V vocabulary.
"""

import math

import torch
from torch import Tensor, nn

from scaling.data.windows import TokenBatch
from scaling.flops import SubwordShape
from scaling.model.blocks import (
    EMBEDDING_SCALE,
    HEAD_SCALE,
    Block,
    RMSNorm,
    RotaryTable,
    as_stream,
    heads_for,
    matrix,
)
from scaling.model.cross_attention import Tokens, tokens
from scaling.model.flex import FlexBlocks, windowed_by
from scaling.model.fused import norm_head_nats, norm_linear
from scaling.model.members import embedded, spread


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
        self.flex: FlexBlocks | None = None  # for a model whose attention is compiled
        self.stream: torch.dtype | None = None  # of what blocks add to, in training
        self.heads = heads or heads_for(shape.dim)
        vocabulary, dim = shape.vocabulary_size, shape.dim
        self.bos = nn.Parameter(EMBEDDING_SCALE * torch.randn(1, dim))
        self.head = matrix(vocabulary, dim, HEAD_SCALE)
        if tied_head:  # a head's rows are smaller than embeddings are to be
            self.embedding = self.head
            self.embedding_scale = EMBEDDING_SCALE / HEAD_SCALE * math.sqrt(dim)
        else:
            self.embedding = nn.Parameter(EMBEDDING_SCALE * torch.randn(vocabulary, dim))
            self.embedding_scale = 1.0
        self.blocks = nn.ModuleList(
            Block(shape.dim, self.heads, shape.layers) for _ in range(shape.layers)
        )
        self.norm = RMSNorm(shape.dim)
        self.rotary = RotaryTable(dim // self.heads)

    def embed(self, inputs_RW: Tensor) -> Tensor:
        """Return [R, W, D]; id V is BOS."""
        is_bos = inputs_RW == self.shape.vocabulary_size
        x_RWD = embedded(inputs_RW.masked_fill(is_bos, 0), self.embedding)
        bos = spread(self.bos.squeeze(-2), x_RWD)
        return torch.where(is_bos.unsqueeze(-1), bos, x_RWD * self.embedding_scale)

    def inputs(self, batch: TokenBatch, device: torch.device) -> Tokens:
        """Return what `forward` takes."""
        width, like = batch.inputs.shape[1], self.head
        self.rotary.reach(width, like.device, like.dtype)
        if self.flex is not None:
            self.flex.reach(width, self.window or width, like.device)
        return tokens(batch, device)

    def forward(self, batch: Tokens, targets: Tensor | None = None) -> Tensor:
        """Return logits [R, W, V] for the target at each position.

        Args:
            batch: what `inputs` returns.
            targets: [R, W] ids, below 0 where none is scored. If given, the sum of their nats is
                returned instead of logits.
        """
        width, channels = batch.inputs.shape[1], self.shape.dim // self.heads
        x_RWD = self.embed(batch.inputs)
        rotary = self.rotary(range(width), x_RWD)
        window = self.window or width
        attend = windowed_by(self.flex, width, window, batch.segments, x_RWD, channels)
        x_RWD = as_stream(self, x_RWD)
        for block in self.blocks:
            x_RWD = block(x_RWD, rotary, attend)
        if targets is not None:
            return norm_head_nats(x_RWD, self.norm.gain, self.head, targets)
        return self.predict(x_RWD)

    def predict(self, x_RWD: Tensor) -> Tensor:
        """Return logits from the last block's hidden states."""
        return norm_linear(x_RWD, self.norm.gain, self.head)
