"""Shapes of models, and what they cost: forward FLOPs per byte of text, by every convention in use.

Training is three times forward. Papers disagree on what counts, so each convention has a name and
none is hidden: `full` is the project's (it reproduces table 6 of arXiv 2605.01188), the others are
options for comparison with other work, never defaults. Time follows from a named accelerator.

The paper's recipe for shapes is that of "Compute Optimal Tokenization" (Limisiewicz et al. 2026,
arXiv 2605.01188, tables 4 and 5): one dial, the number of global layers, sets everything else. It
does not shrink: below five layers the local modules swamp the model, so micro shapes name theirs
and keep them over a whole grid.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from corpora.errors import InputError, did_you_mean

HEAD_DIM = 64
PAPER_VOCABULARIES: Mapping[str, int] = {"character": 150_000, "bpe": 128_000, "superbpe": 200_000}


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


CONTEXT_BYTES = 8192
WINDOW_BYTES = 512
BYTE_VOCABULARY = 256
TRAINING_FACTOR = 3  # one forward pass, and two for the gradients of inputs and of weights


class CostContext(NamedTuple):
    """What the cost depends on besides the shape.

    Attributes:
        compression_rate: T, bytes per token or patch.
        context_bytes, window_bytes: bytes that the global and the local modules attend over.
        diffusion_block: B, of training a byte latent model that also fills blocks of B bytes, one
            for each patch (`scaling.model.diffusion`); 0 without.
    """

    compression_rate: float
    context_bytes: int = CONTEXT_BYTES
    window_bytes: int = WINDOW_BYTES
    diffusion_block: int = 0


class Cost(NamedTuple):
    """Forward FLOPs per byte, by part.

    Attributes:
        latent: matrices of the global module.
        latent_attention: its attention scores and mixtures (causal, so halved).
        local: matrices of encoder and decoder. local_attention: their windowed attention.
        cross: matrices of the cross-attentions. cross_attention: their scores and mixtures.
        head: output projection.
    """

    latent: float
    latent_attention: float
    local: float
    local_attention: float
    cross: float
    cross_attention: float
    head: float


def cost(shape: Shape, context: CostContext) -> Cost:
    """Return the forward FLOPs per byte of a byte latent or subword model, part by part."""
    return _blt(shape, context) if isinstance(shape, BltShape) else _subword(shape, context)


def _blt(shape: BltShape, context: CostContext) -> Cost:
    rate, h = context.compression_rate, shape.local_dim
    layers, k = shape.local_layers, shape.cross_factor
    return Cost(
        latent=2 * shape.global_params / rate,
        latent_attention=_latent_attention(shape.global_layers, shape.global_dim, context),
        local=2 * 24 * layers * h**2,
        local_attention=2 * 2 * layers * h * (context.window_bytes + 1),
        cross=4 * h**2 * (1 + k / rate) * (1 + layers),
        cross_attention=2 * h * (rate + 1) * k / rate + layers * 2 * h * (k + 1),
        head=2 * BYTE_VOCABULARY * h,
    )


def _subword(shape: SubwordShape, context: CostContext) -> Cost:
    rate = context.compression_rate
    attention = _latent_attention(shape.layers, shape.dim, context)
    latent, head = 2 * shape.global_params / rate, 2 * shape.local_params / rate
    return Cost(latent, attention, 0, 0, 0, 0, head)


def _latent_attention(layers: int, dim: int, context: CostContext) -> float:
    rate = context.compression_rate
    return 2 * layers * dim * (context.context_bytes / rate + 1) / rate


def block_cost(shape: Shape, context: CostContext) -> Cost:
    """Return what filling blocks adds to a byte's forward FLOPs in training, B / T decoder rows.

    A row is a decoder's: half of the local modules, attending besides to its whole block, a reading
    of a latent whose keys and values are there already, and the head.
    """
    if not (context.diffusion_block and isinstance(shape, BltShape)):
        return Cost(0, 0, 0, 0, 0, 0, 0)
    h, layers, k = shape.local_dim, shape.local_layers, shape.cross_factor
    rows = context.diffusion_block / context.compression_rate
    seen = context.window_bytes + 1 + 2 * context.diffusion_block  # both ways, so not halved
    return Cost(
        latent=0,
        latent_attention=0,
        local=rows * 24 * layers * h**2,
        local_attention=rows * 2 * layers * h * seen,
        cross=rows * 4 * h**2 * layers,
        cross_attention=rows * layers * 2 * h * (k + 1),
        head=rows * 2 * BYTE_VOCABULARY * h,
    )


# From a shape, its context, and the parts that a byte's forward FLOPs are counted in.
CONVENTIONS: Mapping[str, Callable[[Shape, CostContext, Cost], float]] = {
    "full": lambda shape, context, parts: sum(parts),
    "attention-ignored": lambda shape, context, parts: _without_attention(parts),
    "head-excluded": lambda shape, context, parts: sum(parts) - parts.head,
    # As if the look-up of the input were a product with a one-hot vector: as expensive as the head.
    "embedding-counted": lambda shape, context, parts: sum(parts) + parts.head,
    "6nd-total": lambda shape, context, _: 2 * shape.total_params / context.compression_rate,
    "6nd-global": lambda shape, context, _: 2 * shape.global_params / context.compression_rate,
}


def _without_attention(parts: Cost) -> float:
    return parts.latent + parts.local + parts.cross + parts.head


def forward_flops_per_byte(shape: Shape, context: CostContext, convention: str = "full") -> float:
    """Return forward FLOPs per byte of text by a named convention (`CONVENTIONS`).

    The two `6nd` conventions count 6 N per token for training, with N all parameters or the global
    module's alone; their forward third is 2 N / T per byte.
    """
    return float(CONVENTIONS[convention](shape, context, cost(shape, context)))


def training_flops_per_byte(shape: Shape, context: CostContext, convention: str = "full") -> float:
    """Return training FLOPs per byte of text: three times forward, blocks to be filled included."""
    parts = Cost(*map(sum, zip(cost(shape, context), block_cost(shape, context), strict=True)))
    return TRAINING_FACTOR * float(CONVENTIONS[convention](shape, context, parts))


def latent_share(shape: Shape, context: CostContext) -> float:
    """Return the fraction of forward FLOPs spent in the global module (table 6 of CoT)."""
    parts = cost(shape, context)
    return (parts.latent + parts.latent_attention) / sum(parts)


def train_bytes(compute_flops: float, shape: Shape, context: CostContext) -> float:
    """Return B, the bytes of text a training budget pays for: C / (3 F)."""
    return compute_flops / training_flops_per_byte(shape, context)


SECONDS_PER_DAY = 86_400
MOST_GPUS = 1_000_000_000


class Gpu(NamedTuple):
    """An accelerator.

    Attributes:
        peak_flops: dense bf16 FLOPs per second, without sparsity.
        bytes_per_second: of its memory.
        source: where these figures are printed.
    """

    peak_flops: float
    bytes_per_second: float
    source: str


GPUS: Mapping[str, Gpu] = {
    "a100": Gpu(312e12, 2.039e12, "NVIDIA A100 80GB SXM data sheet"),
    "h100": Gpu(989.4e12, 3.35e12, "NVIDIA H100 SXM data sheet"),
    "h200": Gpu(989.4e12, 4.8e12, "NVIDIA H200 SXM data sheet"),
    "b200": Gpu(2250e12, 8e12, "NVIDIA DGX B200 data sheet"),
}


def training_days(compute_flops: float, gpu: str, utilisation: float, count: int = 1) -> float:
    """Return the days that `count` accelerators need at a share of their peak.

    Raises:
        InputError: the accelerator is not listed, or utilisation is not in (0, 1].
    """
    if gpu not in GPUS:
        raise InputError(f"`gpu` {gpu}: unknown{did_you_mean(gpu, GPUS)} ({', '.join(GPUS)})")
    if not 0 < utilisation <= 1:
        raise InputError(f"`utilisation` {utilisation:g}: a share of the peak lies in (0, 1]")
    if count < 1:
        raise InputError(f"`gpus` {count}: at least one")
    if count > MOST_GPUS:
        raise InputError(f"`gpus`: at most {MOST_GPUS:,}")
    return compute_flops / (GPUS[gpu].peak_flops * utilisation * count * SECONDS_PER_DAY)
