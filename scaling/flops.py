"""What a model costs: forward FLOPs per byte of text, by every convention in use.

Training is three times forward. Papers disagree on what counts, so each convention has a name and
none is hidden: `full` is the project's (it reproduces table 6 of arXiv 2605.01188), the others are
options for comparison with other work, never defaults.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from scaling.shapes import BltShape, Shape, SubwordShape

CONTEXT_BYTES = 8192
WINDOW_BYTES = 512
BYTE_VOCABULARY = 256
TRAINING_FACTOR = 3  # one forward pass, and two for the gradients of inputs and of weights


class Setting(NamedTuple):
    """What the cost depends on besides the shape.

    Attributes:
        compression_rate: T, bytes per token or patch.
        context_bytes: bytes the global module attends over.
        window_bytes: bytes the local modules attend over.
    """

    compression_rate: float
    context_bytes: int = CONTEXT_BYTES
    window_bytes: int = WINDOW_BYTES


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


def cost(shape: Shape, setting: Setting) -> Cost:
    """Return the forward FLOPs per byte of a byte latent or subword model, part by part."""
    return _blt(shape, setting) if isinstance(shape, BltShape) else _subword(shape, setting)


def _blt(shape: BltShape, setting: Setting) -> Cost:
    rate, h, layers, k = (
        setting.compression_rate,
        shape.local_dim,
        shape.local_layers,
        shape.cross_factor,
    )
    return Cost(
        latent=2 * shape.global_params / rate,
        latent_attention=_latent_attention(shape.global_layers, shape.global_dim, setting),
        local=2 * 24 * layers * h**2,
        local_attention=2 * 2 * layers * h * (setting.window_bytes + 1),
        cross=4 * h**2 * (1 + k / rate) * (1 + layers),
        cross_attention=2 * h * (rate + 1) * k / rate + layers * 2 * h * (k + 1),
        head=2 * BYTE_VOCABULARY * h,
    )


def _subword(shape: SubwordShape, setting: Setting) -> Cost:
    rate = setting.compression_rate
    attention = _latent_attention(shape.layers, shape.dim, setting)
    return Cost(
        2 * shape.global_params / rate, attention, 0, 0, 0, 0, 2 * shape.local_params / rate
    )


def _latent_attention(layers: int, dim: int, setting: Setting) -> float:
    rate = setting.compression_rate
    return 2 * layers * dim * (setting.context_bytes / rate + 1) / rate


def _full(shape: Shape, setting: Setting) -> float:
    return sum(cost(shape, setting))


def _attention_ignored(shape: Shape, setting: Setting) -> float:
    parts = cost(shape, setting)
    return parts.latent + parts.local + parts.cross + parts.head


def _head_excluded(shape: Shape, setting: Setting) -> float:
    return _full(shape, setting) - cost(shape, setting).head


def _embedding_counted(shape: Shape, setting: Setting) -> float:
    # As if the look-up of the input were a product with a one-hot vector: as dear as the head.
    return _full(shape, setting) + cost(shape, setting).head


def _6nd_total(shape: Shape, setting: Setting) -> float:
    return 2 * shape.total_params / setting.compression_rate


def _6nd_global(shape: Shape, setting: Setting) -> float:
    return 2 * shape.global_params / setting.compression_rate


CONVENTIONS: Mapping[str, Callable[[Shape, Setting], float]] = {
    "full": _full,
    "attention-ignored": _attention_ignored,
    "head-excluded": _head_excluded,
    "embedding-counted": _embedding_counted,
    "6nd-total": _6nd_total,
    "6nd-global": _6nd_global,
}


def forward_flops_per_byte(shape: Shape, setting: Setting, convention: str = "full") -> float:
    """Return forward FLOPs per byte of text by a named convention (`CONVENTIONS`).

    The two `6nd` conventions count 6 N per token for training, with N all parameters or the global
    module's alone; their forward third is 2 N / T per byte.
    """
    return float(CONVENTIONS[convention](shape, setting))


def training_flops_per_byte(shape: Shape, setting: Setting, convention: str = "full") -> float:
    """Return training FLOPs per byte of text: three times forward."""
    return TRAINING_FACTOR * forward_flops_per_byte(shape, setting, convention)


def latent_share(shape: Shape, setting: Setting) -> float:
    """Return the fraction of forward FLOPs spent in the global module (table 6 of CoT)."""
    parts = cost(shape, setting)
    return (parts.latent + parts.latent_attention) / sum(parts)


def train_bytes(compute_flops: float, shape: Shape, setting: Setting) -> float:
    """Return B, the bytes of text a training budget pays for: C / (3 F)."""
    return compute_flops / training_flops_per_byte(shape, setting)
