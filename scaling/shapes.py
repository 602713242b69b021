"""What a model is: its shape, and how many parameters it has.

The paper's recipe is that of "Compute Optimal Tokenization" (Limisiewicz et al. 2026, arXiv
2605.01188, tables 4 and 5): one dial, the number of global layers, sets everything else. It does
not shrink: below five layers the local modules swamp the model, so micro shapes name theirs and
keep them over a whole grid.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

HEAD_DIM = 64
PAPER_VOCABULARIES: Mapping[str, int] = {
    "character": 150_000,
    "bpe": 128_000,
    "superbpe": 200_000,
}


class BltShape(NamedTuple):
    """A byte latent transformer: local encoder and decoder around a global (latent) module.

    Attributes:
        global_layers: L. global_dim: d.
        local_layers: l, in the encoder and in the decoder alike. local_dim: h.
        cross_factor: k, latent slots of width h per patch.
    """

    global_layers: int
    global_dim: int
    local_layers: int
    local_dim: int
    cross_factor: int

    @property
    def global_params(self) -> int:
        """Return 12 L d^2: attention 4 d^2 and SwiGLU of hidden 8 d / 3, unrounded, 8 d^2."""
        return 12 * self.global_layers * self.global_dim**2

    @property
    def local_params(self) -> int:
        """Return 12 l h^2, per local module, as the paper prints it."""
        return 12 * self.local_layers * self.local_dim**2

    @property
    def total_params(self) -> int:
        """Return all parameters but embeddings, head, norms and the pooling projection.

        Both local modules, one encoder cross-attention, l decoder cross-attentions, and the two
        projections between k h and d.
        """
        h, cross = self.local_dim, 1 + self.local_layers
        projections = 2 * self.cross_factor * h * self.global_dim
        return self.global_params + 2 * self.local_params + 4 * h**2 * cross + projections


class SubwordShape(NamedTuple):
    """A transformer over the tokens of one vocabulary.

    Attributes:
        layers: L. dim: d. vocabulary_size: V.
    """

    layers: int
    dim: int
    vocabulary_size: int

    @property
    def global_params(self) -> int:
        """Return 12 L d^2, the blocks alone."""
        return 12 * self.layers * self.dim**2

    @property
    def local_params(self) -> int:
        """Return V d: the embedding, counted once."""
        return self.vocabulary_size * self.dim

    @property
    def total_params(self) -> int:
        """Return blocks and embedding, the latter counted once."""
        return self.global_params + self.local_params


Shape = BltShape | SubwordShape


def paper_blt(layers: int) -> BltShape:
    """Return the paper's byte latent transformer of `layers` global layers: d = 128 L."""
    assert layers > 0
    eighths = math.ceil(layers / 8)
    heads = 8 + 2 * eighths
    return BltShape(layers, 128 * layers, math.ceil(layers / 4), HEAD_DIM * heads, eighths)


def paper_subword(layers: int, vocabulary_size: int) -> SubwordShape:
    """Return the paper's subword model of `layers` layers: d = 128 L."""
    assert layers > 0 and vocabulary_size > 0
    return SubwordShape(layers, 128 * layers, vocabulary_size)


def micro_blt(
    layers: int, dim: int, local_layers: int = 1, local_dim: int = 128, cross_factor: int = 2
) -> BltShape:
    """Return a micro shape: only (L, d) vary over a grid, the local modules stay as given."""
    assert min(layers, dim, local_layers, local_dim, cross_factor) > 0
    return BltShape(layers, dim, local_layers, local_dim, cross_factor)
