"""From a total budget and a rate to model and data, and what another rate would cost.

Law I speaks of the latent module's compute, 6 N B / T. A budget pays for the whole model, so the
latent compute is found whose model and data cost the budget together. Law II tells the bits per
byte that another compression rate loses, and the compute that would buy them back.
"""

import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaling.advise.answer import ModelShape
from scaling.advise.estimate import MOST
from scaling.advise.laws import Draws
from scaling.engine.newton import Array
from scaling.engine.search import halfway
from scaling.flops import (
    TRAINING_FACTOR,
    CostContext,
    Shape,
    SubwordShape,
    forward_flops_per_byte,
    paper_blt,
    paper_subword,
)
from scaling.laws.optimum import law1_bytes_per_param, law2_best_loss, law2_loss, law2_price

# Every size that anyone trains, then ever further apart to 1e17 parameters: beyond the last one
# the cost would stand still, and the budget would not be spent.
LAYERS = (*range(1, 401), *(round(400 * 1.02**step) for step in range(1, 151)))


class Allocation(NamedTuple):
    """What to train, [R] each.

    Attributes:
        compression_rate: T, at which it is trained.
        params: N*, of the global module. train_bytes: B*.
        forward_flops_per_byte: what serving it costs.
    """

    compression_rate: Array
    params: Array
    train_bytes: Array
    forward_flops_per_byte: Array


def allocate(
    draws: Draws,
    compute_flops: float,
    rate: Array,
    english_rate: Array,
    ratio: Array,
    vocabulary_size: int | None,
) -> Allocation:
    """Spend a budget at a rate as Law I advises.

    Args:
        draws: [R] coefficients of Law I.
        rate: [R] T, bytes per token.
        english_rate: [R] the rate at which Law I's English rho* is read.
        ratio: [R] rho* of the language over English's.
        vocabulary_size: V of a subword model; None for a byte latent model.
    """

    def of_latent(latent_flops: Array) -> Allocation:
        bytes_per_param = ratio * law1_bytes_per_param(draws, latent_flops, english_rate)
        params = np.sqrt(latent_flops * rate / (6 * bytes_per_param))
        served = _forward(params, rate, vocabulary_size)
        return Allocation(rate, params, bytes_per_param * params, served)

    def affordable(ln_flops: Array) -> NDArray[np.bool_]:
        found = of_latent(np.exp(ln_flops))
        spent = TRAINING_FACTOR * found.train_bytes * found.forward_flops_per_byte
        return np.asarray(~(spent > compute_flops))

    whole = np.full(rate.shape, np.log(compute_flops))
    return of_latent(np.exp(halfway(affordable, whole - 12, whole)))


def params_for_cost(flops_per_byte: Array, rate: Array) -> Array:
    """Return N of the global module of the paper's byte latent model that costs so much per byte.

    Args:
        flops_per_byte: [R] forward FLOPs. rate: [R] T.

    Returns:
        [R]; nan where even the smallest shape costs more.
    """
    sizes, _ = _cost_table(None)
    least = _forward(np.full(rate.shape, np.exp(sizes[0])), rate, None)

    def affordable(ln_params: Array) -> NDArray[np.bool_]:
        return np.asarray(~(_forward(np.exp(ln_params), rate, None) > flops_per_byte))

    ends = np.full(rate.shape, sizes[0]), np.full(rate.shape, sizes[-1])
    found = np.exp(halfway(affordable, *ends))
    return np.where(least > flops_per_byte, np.nan, found)


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
        [[forward_flops_per_byte(shape, CostContext(rate)) for rate in at] for shape in shapes]
    )
    solved = np.linalg.solve(powers, costs.T)
    # A subword model pays nothing that does not shrink with T; a floor keeps its logarithm.
    logs = np.log(np.maximum(solved, 1e-6))
    sizes = np.log([shape.global_params for shape in shapes])
    return sizes, (logs[0], logs[1], logs[2])


def shape_of(params: float, vocabulary_size: int | None) -> ModelShape | None:
    """Return the paper's shape whose global module has nearest to N parameters, by their ratio.

    Args:
        params: N*. vocabulary_size: V of a subword model; None for a byte latent model.

    Returns:
        None where the nearest is larger or smaller by more than half.
    """
    shapes: list[Shape] = [
        paper_blt(layers) if vocabulary_size is None else paper_subword(layers, vocabulary_size)
        for layers in LAYERS
    ]
    shape = min(shapes, key=lambda known: abs(math.log(known.global_params / params)))
    if not 2 / 3 <= shape.global_params / params <= 3 / 2:
        return None
    counts = shape.global_params, shape.total_params
    if isinstance(shape, SubwordShape):
        return ModelShape(shape.layers, shape.dim, None, None, shape.vocabulary_size, *counts)
    local = shape.local_layers, shape.local_dim
    return ModelShape(shape.global_layers, shape.global_dim, *local, None, *counts)


STEPS = 400  # each 3.5 % more compute than the last


class Price(NamedTuple):
    """The price of a rate, [R] each.

    Attributes:
        bits_per_byte: lost against the best rate at the same budget.
        multiplier: of the budget at which this rate reaches what the best reaches; infinite where
            none below a million does.
    """

    bits_per_byte: Array
    multiplier: Array


def price(draws: Draws, compute_flops: float, english_rate: Array, loss_ratio: Array) -> Price:
    """Return what a rate costs by Law II.

    Args:
        draws: [R] coefficients of Law II.
        english_rate: [R] the rate, in English's terms.
        loss_ratio: [R] bits per byte of the language over English's.
    """
    budget = np.asarray(compute_flops, np.float64)
    lost = law2_price(draws, budget, english_rate)
    goal = law2_best_loss(draws, budget)

    def loss(ln_multiplier: Array) -> Array:
        return law2_loss(draws, budget * np.exp(ln_multiplier), english_rate)

    # T* drifts with the budget, so a rate that a few times the budget would redeem may be far off
    # again at many times: the first crossing is looked for, not any.
    steps = np.linspace(0, np.log(MOST), STEPS)
    reached, first = np.zeros(lost.shape, bool), np.zeros(lost.shape, int)
    for number, step in enumerate(steps):
        redeemed = ~reached & (loss(np.full_like(lost, step)) <= goal)
        first[redeemed] = number
        reached |= redeemed
        if reached.all():
            break
    ends = steps[np.maximum(first - 1, 0)], steps[first]
    multiplier = np.exp(halfway(lambda step: loss(step) > goal, *ends))
    return Price(lost * loss_ratio, np.where(reached, multiplier, np.inf))


def vocabulary_for_rate(rate: float, curve: Sequence[tuple[int, float]]) -> float | None:
    """Return the vocabulary size at which a tokenizer reaches a rate on a corpus.

    Args:
        rate: bytes per token wanted.
        curve: (vocabulary size, bytes per token) measured on the corpus, in any order.

    Returns:
        the size, interpolated in its logarithm; None where the rate lies outside the curve.
    """
    points = sorted(curve)
    rates = np.maximum.accumulate([bytes_per_token for _, bytes_per_token in points])
    if not points or not rates[0] <= rate <= rates[-1]:
        return None
    return float(np.exp(np.interp(rate, rates, np.log([size for size, _ in points]))))
