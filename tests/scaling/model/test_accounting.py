"""What is counted is what is built and what is run, to the parameter and to the operation.

Parameters. A byte latent model is built with these beyond `total_params`: the embedding 257 h (BOS
is a row of it), the head 256 h, the pooling projection k h h, and the norms' gains. A subword model
has BOS, d, and gains; untied, a second V d.

FLOPs. PyTorch's counter sees products of matrices, with plain attention ("math") its scores and
mixtures too. For R rows of W bytes, each one segment, P = W / T patches a row, it finds what `cost`
says, except:

| part              | `cost`, times R W                | counted as it runs, per row            |
|-------------------|----------------------------------|----------------------------------------|
| latent attention  | 2 L d (P + 1) P: causal, halved  | 4 L d P^2: full squares                |
| local attention   | 4 l h (w + 1) W: halved          | 8 l h w' K C: every key of the C chunks|
| cross-attention   | its scores and mixtures          | 0: sums of products of elements        |
| k h <-> d         | 0: counted by no convention      | 4 k h d P                              |
| pooling           | 0: counted by no convention      | 2 k h^2 P                              |

where a chunk is w' = w queries on K = 2 w keys, C = ceil(W / w) of them, or, of a row no longer
than w, one of W on W.
"""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from scaling.data.windows import StaticPatches, TokenBatch
from scaling.flops import (
    TRAINING_FACTOR,
    BltShape,
    CostContext,
    SubwordShape,
    cost,
    forward_flops_per_byte,
    paper_blt,
    paper_subword,
)
from scaling.model.blocks import RMSNorm, SwiGLU
from scaling.model.blt import ByteLatentTransformer
from scaling.model.transformer import SubwordTransformer
from scaling.model.weights import AnyModel, build_model, parameter_counts
from scaling.spec import Model, Patching, RunSpec, Training
from tests.scaling.evaluate.streams import CPU
from tests.scaling.model.support import Cut, form, patched_by

META = torch.device("meta")
MICRO = [
    BltShape(*sizes) for sizes in itertools.product((1, 3), (8, 20, 46), (1, 2), (6, 32), (1, 2))
]
PAPER = [paper_blt(layers) for layers in (*range(1, 7), 9, 17, 28)]


def gains(model: nn.Module) -> int:
    return sum(part.gain.numel() for part in model.modules() if isinstance(part, RMSNorm))


def matrices(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.dim() == 2)


@pytest.mark.parametrize("shape", [*MICRO, *PAPER], ids=lambda shape: "-".join(map(str, shape)))
def test_a_byte_latent_model_has_the_parameters_that_are_counted(shape: BltShape) -> None:
    with META:
        model = ByteLatentTransformer(shape, 512)
    h, d, k = shape.local_dim, shape.global_dim, shape.cross_factor
    counts = parameter_counts(model)
    assert matrices(model.encoder) == matrices(model.decoder) == shape.local_params
    assert matrices(model.blocks) == shape.global_params
    assert {name: counts[name] for name in ("embedding", "head", "pooling")} == {
        "embedding": 257 * h,
        "head": 256 * h,
        "pooling": k * h * h,
    }
    uncounted = counts["embedding"] + counts["head"] + counts["pooling"] + gains(model)
    assert counts["built"] - uncounted == counts["total"] == shape.total_params
    # Two gains a block, two a cross-attention, and the last norm's.
    blocks, crossings = 2 * shape.local_layers, 1 + shape.local_layers
    assert gains(model) == 2 * h * (blocks + crossings) + 2 * d * shape.global_layers + h


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(
    "shape",
    [
        *(SubwordShape(*sizes) for sizes in itertools.product((1, 3), (8, 20, 46), (256, 1001))),
        *(paper_subword(layers, 128_000) for layers in (1, 4, 28)),
    ],
    ids=lambda shape: "-".join(map(str, shape)),
)
def test_a_subword_model_has_the_parameters_that_are_counted(
    shape: SubwordShape, tied: bool
) -> None:
    with META:
        model = SubwordTransformer(shape, tied_head=tied)
    counts = parameter_counts(model)
    second = 0 if tied else shape.vocabulary_size * shape.dim
    assert matrices(model.blocks) == shape.global_params
    assert counts["head"] == shape.vocabulary_size * shape.dim
    assert counts["embedding"] == shape.vocabulary_size * shape.dim + shape.dim
    assert counts["pooling"] == 0
    uncounted = second + shape.dim + gains(model)
    assert counts["built"] - uncounted == counts["total"] == shape.total_params
    assert gains(model) == (2 * shape.layers + 1) * shape.dim


@pytest.mark.parametrize("width", range(1, 40))
def test_a_feed_forward_layer_has_eight_d_squared_parameters(width: int) -> None:
    layer = SwiGLU(width, 1.0)
    assert matrices(layer) == 8 * width**2
    assert layer(torch.ones(1, 2, width), torch.ones(width)).shape == (1, 2, width)
    assert layer.plain <= 2


def text_batch(rows: int, width: int, rate: int | None) -> TokenBatch:
    """Return rows of one segment each."""
    text = bytes(np.random.default_rng(0).integers(0, 256, width + rows, dtype=np.uint8))
    cut = Cut(tuple(range(rows)), (width,) * rows, width)
    patches = StaticPatches(rate) if rate is not None else None
    return cut.batch(*patched_by(patches)([text]))


def counted_by_torch(
    model: AnyModel, batch: TokenBatch, plain: bool = True, backward: bool = False
) -> int:
    """Return the FLOPs of one pass, done plainly, or by hand as on a CPU."""
    inputs = model.inputs(batch, CPU)
    model.double()
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), form(plain):
        logits = model(inputs)
        if backward:
            logits.sum().backward()
    return int(counter.get_total_flops())


def exactly(flops: float) -> int:
    """Return a whole number of operations."""
    assert flops == int(flops)
    return int(flops)


def keys_read(width: int, window: int, plain: bool) -> int:
    """Return the pairs of query and key of one row that windowed attention multiplies.

    Plainly, each chunk of a window reads itself and the one before; by hand, chunks are half as
    long and read no more of those before than the window reaches.
    """
    if width <= window:
        return width**2
    chunk = window if plain else math.ceil(window / 2)
    before = window if plain else math.ceil((window - 1) / chunk) * chunk
    return math.ceil(width / chunk) * chunk * (chunk + before)


# Rates are powers of two, so that costs per byte are exact in floating point.
BLT_PASSES = [
    # shape, rate, bytes of a row, window
    (BltShape(2, 16, 1, 8, 2), 4, 24, 6),
    (BltShape(1, 20, 2, 12, 1), 2, 32, 5),
    (BltShape(3, 46, 1, 20, 3), 8, 64, 64),
    (BltShape(2, 16, 3, 8, 1), 1, 17, 8),
    (paper_blt(1), 4, 64, 16),
]


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(("shape", "rate", "width", "window"), BLT_PASSES)
def test_a_byte_latent_model_takes_the_flops_that_are_counted(
    shape: BltShape, rate: int, width: int, window: int, plain: bool
) -> None:
    rows, patches = 3, width // rate
    layers, d, local_layers, h, k = shape
    parts = cost(shape, CostContext(rate, width, window))
    # The halved counts are those of the table.
    assert exactly(parts.latent_attention * width) == (2 * layers * d * (patches + 1) * patches)
    assert exactly(parts.local_attention * width) == 4 * local_layers * h * (window + 1) * width
    matrices_alone = parts.latent + parts.local + parts.cross + parts.head
    as_run = (
        exactly(matrices_alone * width)
        + 4 * layers * d * patches**2
        + 8 * local_layers * h * keys_read(width, window, plain)
        + 4 * k * h * d * patches
        + 2 * k * h * h * patches
    )
    if k == 1:  # what one slot holds is read without asking, and projected before it is spread
        as_run -= local_layers * 2 * h * h * (width + width - patches)
    model = ByteLatentTransformer(shape, window)
    assert counted_by_torch(model, text_batch(rows, width, rate), plain) == rows * as_run


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(
    ("shape", "width"), [(SubwordShape(2, 16, 300), 24), (SubwordShape(1, 46, 256), 33)]
)
def test_a_subword_model_takes_the_flops_that_are_counted(
    shape: SubwordShape, width: int, tied: bool, plain: bool
) -> None:
    rows, setting = 2, CostContext(4, 4 * width)
    parts = cost(shape, setting)
    text = rows * width * 4  # bytes: a token holds four
    halved = exactly(parts.latent_attention * text)
    assert halved == rows * 2 * shape.layers * shape.dim * width * (width + 1)
    in_full = rows * 4 * shape.layers * shape.dim * width**2
    as_run = exactly(forward_flops_per_byte(shape, setting) * text) - halved + in_full
    model = SubwordTransformer(shape, tied_head=tied)
    assert counted_by_torch(model, text_batch(rows, width, None), plain) == as_run


@pytest.mark.parametrize("family", ["blt", "subword"])
def test_a_training_step_takes_three_times_a_forward_pass(family: str) -> None:
    model: AnyModel = SubwordTransformer(SubwordShape(2, 16, 256))
    if family == "blt":
        model = ByteLatentTransformer(BltShape(2, 16, 2, 8, 2), 6)
    batch = text_batch(2, 24, 4 if family == "blt" else None)
    forward = counted_by_torch(model, batch)
    assert counted_by_torch(model, batch, backward=True) == TRAINING_FACTOR * forward


def specification(seed: int = 0, family: str = "blt") -> RunSpec:
    blt = family == "blt"
    return RunSpec(
        model=Model(family="blt", layers=2, dim=16, local_layers=1, local_dim=8, cross_factor=2)
        if blt
        else Model(family="subword", layers=2, dim=16, vocabulary_size=300, tied_head=True),
        patching=Patching(kind="static", compression_rate=4) if blt else None,
        training=Training(steps=1, batch_bytes=64, learning_rate=1e-3),
        shards="none",
        compression_rate=4,
        context_bytes=32,
        window_bytes=7,
        seed=seed,
    )


@pytest.mark.parametrize("family", ["blt", "subword"])
def test_weights_follow_from_the_seed_alone(family: str) -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    first = build_model(specification(0, family))
    assert torch.equal(torch.rand(1), expected)  # other draws are not disturbed
    again, other = build_model(specification(0, family)), build_model(specification(1, family))
    for a, b, c in zip(first.parameters(), again.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        assert a.dim() == 1 or not torch.equal(a, c)


def test_a_model_is_built_as_its_specification_says() -> None:
    latent, subword = build_model(specification()), build_model(specification(family="subword"))
    assert isinstance(latent, ByteLatentTransformer)
    assert isinstance(subword, SubwordTransformer)
    assert (latent.shape, latent.window) == (BltShape(2, 16, 1, 8, 2), 7)
    assert subword.shape == SubwordShape(2, 16, 300)
    assert subword.head is subword.embedding
