"""From a total budget and a rate to model size and data: Law I, with every module paid for.

Law I speaks of the latent module's compute, 6 N B / T. A budget pays for the whole model, so the
latent compute is found whose model and data cost the budget together.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaling.family_laws import Cloud
from scaling.flops import TRAINING_FACTOR, Setting, forward_flops_per_byte
from scaling.laws import law1
from scaling.shapes import PAPER_VOCABULARIES, Shape, paper_blt, paper_subword

Array = NDArray[np.float64]
# Every size that anyone trains, then ever further apart to 1e17 parameters: beyond the last one
# the cost would stand still, and the budget would not be spent.
LAYERS = (*range(1, 401), *(round(400 * 1.02**step) for step in range(1, 151)))
HALVINGS = 60


class Allocation(NamedTuple):
    """What to train, [R] each.

    Attributes:
        params: N*, of the global module. train_bytes: B*.
        forward_flops_per_byte: what serving it costs.
    """

    params: Array
    train_bytes: Array
    forward_flops_per_byte: Array


def allocate(
    cloud: Cloud,
    compute_flops: float,
    rate: Array,
    english_rate: Array,
    ratio: Array,
    vocabulary_size: int | None,
) -> Allocation:
    """Spend a budget at a rate as Law I advises.

    Args:
        cloud: [R] coefficients of Law I.
        rate: [R] T, bytes per token.
        english_rate: [R] the rate at which Law I's English rho* is read.
        ratio: [R] rho* of the language over English's.
        vocabulary_size: V of a subword model; None for a byte latent model.
    """
    low = np.full(rate.shape, np.log(compute_flops) - 12)
    high = np.full(rate.shape, np.log(compute_flops))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        found = _at(cloud, np.exp(middle), rate, english_rate, ratio, vocabulary_size)
        spent = TRAINING_FACTOR * found.train_bytes * found.forward_flops_per_byte
        above = spent > compute_flops
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return _at(cloud, np.exp((low + high) / 2), rate, english_rate, ratio, vocabulary_size)


def _at(
    cloud: Cloud,
    latent_flops: Array,
    rate: Array,
    english_rate: Array,
    ratio: Array,
    vocabulary_size: int | None,
) -> Allocation:
    bytes_per_param = ratio * law1.bytes_per_param(cloud, latent_flops, english_rate)
    params = np.sqrt(latent_flops * rate / (6 * bytes_per_param))
    return Allocation(params, bytes_per_param * params, _forward(params, rate, vocabulary_size))


def _forward(params: Array, rate: Array, vocabulary_size: int | None) -> Array:
    """Return forward FLOPs per byte of the paper's shape of N parameters, between its sizes.

    For a shape the cost is a quadratic in 1 / T; its three coefficients are interpolated over ln N.
    """
    sizes, coefficients = _cost_table(vocabulary_size)
    ln_params = np.log(params)
    parts = [np.exp(np.interp(ln_params, sizes, column)) for column in coefficients]
    return np.asarray(parts[0] + parts[1] / rate + parts[2] / rate**2)


@cache
def _cost_table(vocabulary_size: int | None) -> tuple[Array, tuple[Array, Array, Array]]:
    shapes: list[Shape] = [
        paper_blt(layers) if vocabulary_size is None else paper_subword(layers, vocabulary_size)
        for layers in LAYERS
    ]
    at = np.array([1.0, 2.0, 4.0])
    powers = np.stack([np.ones(3), 1 / at, 1 / at**2], axis=1)
    costs = np.array(
        [[forward_flops_per_byte(shape, Setting(rate)) for rate in at] for shape in shapes]
    )
    solved = np.linalg.solve(powers, costs.T)
    # A subword model pays nothing that does not shrink with T; a floor keeps its logarithm.
    logs = np.log(np.maximum(solved, 1e-6))
    sizes = np.log([shape.global_params for shape in shapes])
    return sizes, (logs[0], logs[1], logs[2])


def default_vocabulary(family: str) -> int | None:
    """Return the paper's BPE vocabulary for subword models, None for byte latent ones."""
    return None if family == "latent" else PAPER_VOCABULARIES["bpe"]
