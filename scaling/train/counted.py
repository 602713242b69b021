"""What a run would take on a named GPU, and what each shortcut is worth there: counted, not timed.

A step takes as long as its bytes at the GPU's bandwidth, its products at its peak, and its kernels
at a few microseconds each; and no shorter than the host takes to launch them, unless the step is
recorded, and to make its batch, unless the text lies on the GPU. Bytes and kernels are those of
steps of a byte latent model compiled by torch 2.11 for an H200, counted in the code that came out
(LOG.md): so many bytes for each position and channel. Bandwidth, peak and kernels are taken at the
shares below, which nothing has been timed for; what is compared is one count with another.

Shapes in names as in `scaling.flops`.
"""

from collections.abc import Collection
from typing import NamedTuple, get_args

from corpora.errors import InputError, did_you_mean
from scaling.flops import BYTE_VOCABULARY, GPUS, BltShape, Gpu, training_flops_per_byte
from scaling.spec import RunSpec
from scaling.train.machine import Shortcut
from scaling.train.memory import built_parameters, matrix_parameters

ALL: tuple[Shortcut, ...] = get_args(Shortcut)
# Of a block, bytes for each position and channel, forwards and backwards: kernels that torch
# compiles, 129; products, 96 (16 channels in and out for each of the width, three times, in
# bfloat16); attention, 24.
_BLOCK_BYTES = 129 + 96 + 24
_CHUNKS_BYTES = 50 + 12  # keys and values once more, and a mask
_FLOAT32_BYTES = 40  # of a block whose states are float32
_BETWEEN_BYTES = 76  # of pooling and of each reading of latents, for each position and channel
_BETWEEN_FLOAT32_BYTES = 15
_LOGIT_BYTES = 12
_PARAMETER_BYTES = 40  # AdamW's reads and writes, and those of clipping
_BLOCK_KERNELS, _BETWEEN_KERNELS, _CHUNKS_KERNELS = 36, 43, 5
_ADAMW_KERNELS, _MUON_KERNELS = 16, 200
_NEWTON_SCHULZ_FLOPS = 30  # for each number of a matrix and row of its shorter side
_OF_BANDWIDTH, _OF_PEAK = 0.8, 0.6
_KERNEL_SECONDS, _RECORDED_SECONDS = 2e-6, 1e-6  # in which a GPU begins and ends a kernel
_LAUNCH_SECONDS = 6e-6  # of the host
_BATCH_SECONDS = 5e-8  # of the host, a unit of a batch that it lays out


class CountedStep(NamedTuple):
    """What a step moves, computes and launches.

    Attributes:
        bytes: read and written. flops: of products. kernels: launched. units: of its batch.
    """

    bytes: float
    flops: float
    kernels: int
    units: int


def counted_step(spec: RunSpec, shortcuts: Collection[Shortcut] = ALL) -> CountedStep:
    """Return the count of a compiled step with these shortcuts."""
    shape, units = spec.model.shape, spec.rows * spec.window_units
    flex, exact = "flex" in shortcuts, "stream" not in shortcuts
    block = _BLOCK_BYTES + _FLOAT32_BYTES * exact
    if isinstance(shape, BltShape):
        latents, between = float(units / spec.compression_rate), 1 + shape.local_layers
        chunked = not flex and spec.window_bytes < spec.context_bytes
        local = block + _CHUNKS_BYTES * chunked
        passing = _BETWEEN_BYTES + _BETWEEN_FLOAT32_BYTES * exact
        moved: float = (
            units * shape.local_dim * (2 * shape.local_layers * local + between * passing)
        )
        # States of the global module are of the precision of products, whatever the stream's.
        moved += latents * shape.global_layers * shape.global_dim * _BLOCK_BYTES
        kernels = _BLOCK_KERNELS * (shape.global_layers + 2 * shape.local_layers)
        kernels += _BETWEEN_KERNELS * between + 2 * shape.local_layers * _CHUNKS_KERNELS * chunked
        vocabulary, narrow = BYTE_VOCABULARY, min(shape.local_dim, shape.global_dim)
    else:
        moved = units * shape.layers * shape.dim * block
        kernels = _BLOCK_KERNELS * shape.layers + _BETWEEN_KERNELS
        vocabulary, narrow = shape.vocabulary_size, shape.dim
    moved += units * vocabulary * _LOGIT_BYTES + built_parameters(spec) * _PARAMETER_BYTES
    per_byte = training_flops_per_byte(shape, spec.cost_context)
    flops = spec.training.batch_bytes * per_byte
    kernels += _ADAMW_KERNELS
    if spec.training.optimiser == "muon":
        flops += _NEWTON_SCHULZ_FLOPS * narrow * matrix_parameters(spec)
        kernels += _MUON_KERNELS
    return CountedStep(moved, flops, kernels, units)


def gpu_named(name: str) -> Gpu:
    """Return a GPU by its name, in any capitals.

    Raises:
        InputError: it is not listed.
    """
    if name.lower() not in GPUS:
        raise InputError(f"`count` {name}: unknown{did_you_mean(name, GPUS)} ({', '.join(GPUS)})")
    return GPUS[name.lower()]


def counted_seconds(spec: RunSpec, gpu: str, shortcuts: Collection[Shortcut] = ALL) -> float:
    """Return the seconds that a run's training would take on a GPU that it has for itself.

    Args:
        gpu: as of `gpu_named`. shortcuts: that are taken.

    Raises:
        InputError: the GPU is not listed.
    """
    step, there = counted_step(spec, shortcuts), gpu_named(gpu)
    device = step.bytes / (_OF_BANDWIDTH * there.bytes_per_second)
    recorded = "graphs" in shortcuts
    between = _RECORDED_SECONDS if recorded else _KERNEL_SECONDS
    device += step.flops / (_OF_PEAK * there.peak_flops) + step.kernels * between
    launching = 0.0 if recorded else step.kernels * _LAUNCH_SECONDS
    making = 0.0 if "text" in shortcuts else step.units * _BATCH_SECONDS
    # One interpreter launches and lays out.
    return spec.training.steps * max(device, launching + making)


def without_each() -> dict[str, tuple[Shortcut, ...]]:
    """Return what is compared: all shortcuts, all but each one of them, and none."""
    all_but = {f"without {one}": tuple(name for name in ALL if name != one) for one in ALL}
    return {"all shortcuts": ALL, **all_but, "no shortcuts": ()}
