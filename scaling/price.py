"""What another compression rate costs: bits per byte, and the compute that would buy them back."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaling.family_laws import Cloud
from scaling.laws import law2

Array = NDArray[np.float64]
MOST = 1e6  # no multiplier beyond this is looked for
STEPS = 400  # each 3.5 % more compute than the last
HALVINGS = 60


class Price(NamedTuple):
    """The price of a rate, [R] each.

    Attributes:
        bits_per_byte: lost against the best rate at the same budget.
        multiplier: of the budget at which this rate reaches what the best reaches; infinite where
            none below a million does.
    """

    bits_per_byte: Array
    multiplier: Array


def price(cloud: Cloud, compute_flops: float, english_rate: Array, loss_ratio: Array) -> Price:
    """Return what a rate costs by Law II.

    Args:
        cloud: [R] coefficients of Law II.
        english_rate: [R] the rate, in English's terms.
        loss_ratio: [R] bits per byte of the language over English's.
    """
    budget = np.asarray(compute_flops, np.float64)
    lost = law2.price(cloud, budget, english_rate)
    goal = law2.best_loss(cloud, budget)

    def loss(ln_multiplier: Array) -> Array:
        return law2.loss(cloud, budget * np.exp(ln_multiplier), english_rate)

    # T* drifts with the budget, so a rate that a few times the budget would redeem may be far off
    # again at many times: the first crossing is looked for, not any.
    steps = np.linspace(0, np.log(MOST), STEPS)
    redeemed = np.stack([loss(np.full_like(lost, step)) <= goal for step in steps])
    reached = redeemed.any(0)
    first = redeemed.argmax(0)
    low, high = steps[np.maximum(first - 1, 0)], steps[first]
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        above = loss(middle) > goal
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return Price(lost * loss_ratio, np.where(reached, np.exp((low + high) / 2), np.inf))


def vocabulary_for_rate(rate: float, curve: Sequence[tuple[int, float]]) -> float | None:
    """Return the vocabulary size at which a tokenizer reaches a rate on a corpus.

    Args:
        rate: bytes per token wanted.
        curve: (vocabulary size, bytes per token) measured on the corpus, in any order.

    Returns:
        the size, interpolated in its logarithm; None where the rate lies outside the curve.
    """
    points = sorted(curve)
    rates = np.maximum.accumulate([one for _, one in points])
    if not points or not rates[0] <= rate <= rates[-1]:
        return None
    return float(np.exp(np.interp(rate, rates, np.log([size for size, _ in points]))))
