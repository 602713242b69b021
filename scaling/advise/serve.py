"""What to train when it will be served: a budget that pays for training and for every served byte.

Training to the lowest loss is one end of it. Whoever serves S bytes (read and generated) pays for
each of them again what a forward pass costs, so a smaller model, longer trained, and a higher
compression rate are worth some loss:

    minimise L(C, T, B)   subject to   C + p F S = C_total,   C = 3 F B

F being the forward FLOPs per byte of the model trained, and p the price of a served FLOP over one
of training (decoding waits for memory, so 3 to 30 are usual). The constraint says F = C_total /
(3 B + p S) whatever the shapes are, so that L is a function of T and B alone:

    C = C_total 3 B / (3 B + p S)

Where a served byte costs k(F, T) times as much (`scaling.advise.serving_case`), p k takes the place
of p, and F is the one that solves F (3 B + p k S) = C_total.

L is the joint law's: Laws I and II speak of the best size at each budget, which this leaves.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from corpora.errors import InputError
from scaling.advise.laws import Draws
from scaling.engine.newton import Array
from scaling.engine.search import crossing, least
from scaling.flops import TRAINING_FACTOR
from scaling.laws import joint
from scaling.laws.optimum import best_rate

STEP = 1e-4  # of the differences that slopes are taken from, in ln T and ln B
STEPS_UP = 24  # from nothing served to all of it, each the start of the next
NEWTON = 60
LONGEST_STEP = 0.7  # in ln T or ln B
NEAR_ENOUGH, THERE = 1e-3, 1e-10  # the last Newton step, on the way up and at its end
SETTLED = (
    12  # times that what is left for training and what serving costs are set beside each other
)
BELOW, ABOVE = 3.0, 12.0  # in ln B, about what training alone wants, where the best at a T lies
LEAST_TOTAL, WIDEST = 1e12, 45.0  # FLOPs, and over how many natural logarithms a loss is sought
REACHED = 1e-6  # bits per byte by which it may be missed


Surcharge = Callable[[Array, Array], Array]


class Served(NamedTuple):
    """What to train, [R] each: the estimate and its draws.

    Attributes:
        compression_rate: T. train_bytes: B. train_flops: C, what is left for training.
        bits_per_byte: L.
        forward_flops_per_byte: F, of the model trained.
        served_flops_per_byte: F_s, for each served byte; F unless writing costs more.
    """

    compression_rate: Array
    train_bytes: Array
    train_flops: Array
    bits_per_byte: Array
    forward_flops_per_byte: Array
    served_flops_per_byte: Array

    @property
    def bytes_per_param(self) -> Array:
        """B over effective parameters, n = C T / (6 B)."""
        return 6 * self.train_bytes**2 / (self.train_flops * self.compression_rate)


def best_served(
    draws: Draws,
    compute_flops: Array,
    served_bytes: float | Array,
    served_price: float = 1.0,
    near: Served | None = None,
    surcharge: Surcharge | None = None,
) -> Served:
    """Return the T and B of lowest loss whose training and serving cost a budget together.

    With nothing served it is the joint law's own optimum, exactly.

    Args:
        draws: [R] coefficients of the joint law.
        compute_flops: C_total, FLOPs, one number or [R].
        served_bytes: S, one number or [R]. served_price: p.
        near: an answer to nearly the same question, to start from.
        surcharge: (F, T) -> k, FLOPs of a byte served over those of one trained on; 1 if None.
    """
    total = np.broadcast_to(np.asarray(compute_flops, np.float64), draws["E"].shape)
    rate = np.broadcast_to(best_rate(draws, total), total.shape)
    data = joint.best_bytes(draws, total, rate)
    burden = np.asarray(served_price * served_bytes / TRAINING_FACTOR)
    if not np.any(burden > 0):
        best = joint.best_loss(draws, total, rate)
        flops = total / (TRAINING_FACTOR * data)
        return Served(rate, data, total, best, flops, _times(surcharge, flops, rate) * flops)
    budget = _Budget(total, burden, surcharge)
    if near is not None:
        place = np.log(np.stack([near.compression_rate, near.train_bytes]))
        return _at(draws, budget, _descend(draws, budget, place))
    # Served bytes only ever push one way, so the optimum is followed from where it is known.
    place = np.log(np.stack([rate, data]))
    full = np.log1p(burden / data)
    for part in np.linspace(0, 1, STEPS_UP + 1)[1:-1]:
        partly = budget._replace(burden=np.expm1(part * full) * data)
        place = _descend(draws, partly, place, NEAR_ENOUGH)
    return _at(draws, budget, _descend(draws, budget, place))


def best_served_at(
    draws: Draws,
    compute_flops: Array,
    served_bytes: float | Array,
    rate: Array,
    served_price: float = 1.0,
    surcharge: Surcharge | None = None,
) -> Served:
    """Return the B of lowest loss at a given T, whatever serving wants of it.

    Args: as of `best_served`, and
        rate: [R] T, bytes per token.
    """
    total = np.broadcast_to(np.asarray(compute_flops, np.float64), draws["E"].shape)
    burden = np.asarray(served_price * served_bytes / TRAINING_FACTOR)
    budget, ln_rate = _Budget(total, burden, surcharge), np.log(rate)

    def missed(ln_bytes: Array) -> Array:
        compute = budget.left_for_training(np.stack([ln_rate, ln_bytes]))
        return joint.loss(draws, compute, rate, np.exp(ln_bytes))

    middle = np.log(joint.best_bytes(draws, total, rate))
    ln_bytes = least(missed, middle - BELOW, middle + ABOVE)
    return _at(draws, budget, np.stack([ln_rate, ln_bytes]))


class _Budget(NamedTuple):
    """C_total, p S / 3, and what multiplies the latter."""

    total: Array
    burden: Array
    surcharge: Surcharge | None

    def left_for_training(self, place: Array) -> Array:
        """Return C, the share B / (B + p k S / 3) of the budget: all of it where S is 0."""
        rate, data = np.exp(place)
        left = np.asarray(self.total / (1 + self.burden / data))
        if self.surcharge is None:
            return left
        for _ in range(SETTLED):
            k = self.surcharge(left / (TRAINING_FACTOR * data), rate)
            left = np.asarray(self.total / (1 + self.burden * k / data))
        return left


def _times(surcharge: Surcharge | None, flops: Array, rate: Array) -> Array:
    return np.ones_like(flops) if surcharge is None else surcharge(flops, rate)


def _at(draws: Draws, budget: _Budget, place: Array) -> Served:
    rate, data = np.exp(place)
    compute = budget.left_for_training(place)
    flops = compute / (TRAINING_FACTOR * data)
    loss = joint.loss(draws, compute, rate, data)
    return Served(rate, data, compute, loss, flops, _times(budget.surcharge, flops, rate) * flops)


def _descend(draws: Draws, budget: _Budget, place: Array, last_step: float = THERE) -> Array:
    """Return the [2, R] (ln T, ln B) of lowest loss, by Newton steps from a place near it until
    they are shorter than `last_step`."""

    def value(at: Array) -> Array:
        compute = budget.left_for_training(at)
        return joint.loss(draws, compute, np.exp(at[0]), np.exp(at[1]))

    east, north = np.array([[STEP], [0.0]]), np.array([[0.0], [STEP]])
    here = value(place)
    for _ in range(NEWTON):
        around = [value(place + way) for way in (east, -east, north, -north)]
        corners = [
            value(place + a * east + b * north) for a, b in ((1, 1), (-1, -1), (1, -1), (-1, 1))
        ]
        slope = np.stack([around[0] - around[1], around[2] - around[3]]) / (2 * STEP)
        bend_t, bend_b = (around[i] + around[i + 1] - 2 * here for i in (0, 2))
        cross = (corners[0] + corners[1] - corners[2] - corners[3]) / 4
        bends = np.stack([bend_t, cross, cross, bend_b]) / STEP**2
        step = _newton_step(slope, bends)
        shorter = np.ones(place.shape[1])
        for _ in range(12):
            trial = place - shorter * step
            worse = ~(value(trial) <= here)
            if not worse.any():
                break
            shorter = np.where(worse, shorter / 4, shorter)
        moved = np.where(worse, 0.0, shorter) * step
        place = place - moved
        here = value(place)
        if np.abs(moved).max() < last_step:
            break
    return place


def _newton_step(slope: Array, bends: Array) -> Array:
    """Return the [2, R] step, downhill whatever the curvature, and no longer than it may be."""
    matrix = np.moveaxis(bends.reshape(2, 2, -1), -1, 0)
    values, vectors = np.linalg.eigh(matrix)
    size = np.maximum(np.abs(values), 1e-9)
    along = np.einsum("rji,jr->ri", vectors, slope) / size
    step = np.einsum("rij,rj->ir", vectors, along)
    return np.asarray(step * np.minimum(1, LONGEST_STEP / np.maximum(np.abs(step).max(0), 1e-30)))


def cheapest_served(
    draws: Draws,
    bits_per_byte: float | Array,
    served_bytes: float | Array,
    served_price: float = 1.0,
    surcharge: Surcharge | None = None,
) -> tuple[Array, Served]:
    """Return the least total budget that reaches a loss and serves S bytes, and what it trains.

    The other side of `best_served`: whose loss falls with every FLOP, so its budget is found by
    halving. Draws whose irreducible loss is not below the one asked are nan.

    Raises:
        InputError: no budget reaches that loss.
    """
    goal = np.broadcast_to(np.asarray(bits_per_byte, np.float64), draws["E"].shape)
    if not draws["E"][0] < goal[0]:
        raise InputError(
            f"`reach` {goal[0]:.4g}: no budget reaches it; {draws['E'][0]:.4g} bits per byte cannot"
            " be learnt, by the joint law"
        )
    found: Served | None = None  # the last optimum, near which the next is looked for

    def served(ln_total: Array) -> Served:
        nonlocal found
        total = np.exp(ln_total)
        found = best_served(draws, total, served_bytes, served_price, found, surcharge)
        return found

    low = np.full(goal.shape, np.log(LEAST_TOTAL))
    _, enough = crossing(lambda at: served(at).bits_per_byte > goal, low, low + WIDEST)
    total, found = np.exp(enough), served(enough)
    lost = np.abs(found.bits_per_byte - goal) > REACHED
    return np.where(lost, np.nan, total), found
