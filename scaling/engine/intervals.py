"""Intervals without resampling: from the curvature at the optimum, and from the profile.

Neither is the default. On Chinchilla's points the curvature gives intervals wrong by a factor of
two: the objective is no parabola where it matters.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from scaling.engine.newton import Array, Predictor, minimise
from scaling.engine.problem import Problem
from scaling.engine.shared import Labels

STEPS = 24  # points of a profile on either side
REACH = 8.0  # standard errors it goes out to
PULL = 100.0  # of the added row, over the profile's own curvature
AWAY, BISECTIONS = (1e-5, 1e3, 33), 12  # from a bound of 0 outwards


class Curvature(NamedTuple):
    """The Hessian's view of the optimum.

    Attributes:
        low, high: [p] ends of the interval of each public coefficient, in the order of the names.
        condition: condition number of the scaled Hessian.
    """

    low: Array
    high: Array
    condition: float


def from_hessian(
    problem: Problem, theta: Array, level: float = 0.95, blocks: Labels | None = None
) -> Curvature:
    """Return sandwich intervals at [1, p] theta (Huber 1967), by the delta method.

    Rows of one of [n] blocks may depend on each other (Liang and Zeger 1986).

    For least squares with even noise they are the textbook ones up to sampling error; Student's t
    with n - p degrees of freedom. Without ends where the Hessian is beyond any number.
    """
    residuals = problem.residuals(theta)
    jacobian = problem.model.jacobian(theta)[0]
    slope = problem.loss.slope(residuals)
    bread = _hessian(problem, theta, residuals, jacobian)
    n, p = jacobian.shape
    if not np.isfinite(bread).all():  # of a loss of 1e-30 among others, say
        ends = np.full(p, np.inf)
        return Curvature(-ends, ends, np.inf)
    scale = np.sqrt(np.maximum(np.abs(np.diag(bread)), 1e-300))
    condition = float(np.linalg.cond(bread / np.outer(scale, scale)))
    inverse = np.linalg.pinv(bread / np.outer(scale, scale)) / np.outer(scale, scale)
    scores, free = jacobian * slope[:, None], max(n - p, 1)
    correction = n / free
    if blocks is not None:
        rows, scores = scores, np.zeros((int(blocks.max()) + 1, p))
        np.add.at(scores, blocks, rows)
        correction *= len(scores) / (len(scores) - 1)
        free = len(scores) - 1
    meat = scores.T @ scores * correction
    change = _public_jacobian(problem, theta)
    spread = np.sqrt(np.maximum(np.diag(change @ inverse @ meat @ inverse @ change.T), 0))
    half = float(stdtrit(free, 0.5 + level / 2)) * spread
    centre = np.array([problem.public(theta)[name][0] for name in problem.names])
    return Curvature(centre - half, centre + half, condition)


def _hessian(problem: Problem, theta: Array, residuals: Array, jacobian: Array) -> Array:
    bend = problem.loss.curvature(residuals)
    hessian = (jacobian * np.broadcast_to(bend, residuals.shape)[:, None]).T @ jacobian
    if problem.model.curvature is not None:
        hessian = hessian - problem.model.curvature(theta, problem.loss.slope(residuals)[None])[0]
    return np.asarray(hessian)


def _public_jacobian(problem: Problem, theta: Array) -> Array:
    """Return [p, p] d public / d theta by central differences (the map is smooth and cheap)."""
    p = theta.shape[1]
    step = 1e-6 * np.maximum(np.abs(theta[0]), 1e-3)
    moved = np.concatenate([theta + np.diag(step), theta - np.diag(step)])
    values = problem.public(moved)
    table = np.stack([values[name] for name in problem.names], axis=-1)
    return np.asarray(((table[:p] - table[p:]) / (2 * step)[:, None]).T)


def from_profile(
    problem: Problem, theta: Array, name: str, spread: float, level: float = 0.95
) -> tuple[float, float]:
    """Return the profile-likelihood interval of one public coefficient.

    A row is added that pulls the coefficient towards points on either side, and everything is
    refitted. Wherever it settles, no parameters give that coefficient a lower objective, so the
    settled points trace the profile exactly, whatever the pull. The interval ends where the
    objective has risen by what a chi-square of one degree allows (scaled for a robust loss, as in
    Ronchetti's likelihood ratio; Student's t for the degrees of freedom).

    Args:
        theta: [1, p] optimum.
        name: of the coefficient. An amplitude whose interval would reach zero is profiled in its
            logarithm.
        spread: a standard error of the coefficient, which sets the scale of the search.

    Returns:
        the two ends; nan where the objective has not risen enough within eight spreads.
    """
    residuals = problem.residuals(theta)
    centre = float(problem.public(theta)[name][0])
    logarithm = centre > 0 and spread > 0.25 * centre
    step = spread / centre if logarithm else spread

    def measure(at: Array) -> Array:
        """Return [R] the coefficient, as it is profiled, in units of its spread."""
        value = problem.public(at)[name]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((np.log(value / centre) if logarithm else value - centre) / step)

    noise, bend, allowed = _allowed(problem, theta, level)
    lowest = float(problem.loss.value(residuals, problem.ones))
    # The pull: strong enough to reach the point, and small enough a residual to stay quadratic.
    tiny = 1e-3 * min(float(np.abs(residuals).mean()), problem.loss.delta) / REACH
    weight = PULL * noise / bend / tiny**2
    model = _pulled(problem.model, measure, tiny)
    ends = []
    for side in (-1, 1):
        points = side * np.linspace(0, REACH, STEPS + 1)[1:]
        target = np.column_stack([np.tile(problem.target, (STEPS, 1)), tiny * points])
        weights = np.append(problem.ones, weight)
        found = minimise(model, target, weights, np.repeat(theta, STEPS, axis=0), problem.loss)
        values = problem.model.value(found.theta)
        rise = problem.loss.value(problem.target - values, problem.ones) - lowest
        end = _crossing(measure(found.theta), np.sqrt(np.maximum(rise, 0)), np.sqrt(allowed))
        ends.append(centre * float(np.exp(step * end)) if logarithm else centre + step * end)
    return ends[0], ends[1]


def _allowed(problem: Problem, theta: Array, level: float) -> tuple[float, float, float]:
    """Return the noise, the mean bend, and by how much the objective may rise within a level."""
    residuals = problem.residuals(theta)
    n, p = len(residuals), theta.shape[1]
    noise = float(np.sum(problem.loss.slope(residuals) ** 2)) / max(n - p, 1)
    bend = float(np.mean(np.broadcast_to(problem.loss.curvature(residuals), (n,))))
    quantile = float(stdtrit(max(n - p, 1), 0.5 + level / 2))
    return noise, bend, 0.5 * quantile**2 * noise / max(bend, 1e-12)


def from_bound(problem: Problem, theta: Array, index: int, name: str, level: float = 0.95) -> float:
    """Return the public coefficient as far from its bound as the profile allows.

    Args:
        theta: [1, p] optimum, whose parameter `index` is at its lower bound 0.
        name: of the coefficient that the parameter is.
    """
    p = theta.shape[1]
    lowest = float(problem.loss.value(problem.residuals(theta), problem.ones))
    _, _, allowed = _allowed(problem, theta, level)
    low = np.full(p, -np.inf) if problem.model.low is None else problem.model.low
    high = np.full(p, np.inf) if problem.model.high is None else problem.model.high

    def settled(value: float) -> tuple[Array, float]:
        held = np.arange(p) == index
        model = problem.model._replace(
            low=np.where(held, value, low), high=np.where(held, value, high)
        )
        start = np.where(held, value, theta)
        found = minimise(model, problem.target, problem.ones, start, problem.loss)
        return found.theta, float(found.objective[0]) - lowest

    steps = np.geomspace(*AWAY)
    inside, outside = float(steps[0]), None
    for step in steps[steps <= high[index]]:
        if settled(float(step))[1] > allowed:
            outside = float(step)
            break
        inside = float(step)
    for _ in range(BISECTIONS if outside is not None else 0):
        middle = float(np.sqrt(inside * outside)) if outside is not None else inside
        if settled(middle)[1] > allowed:
            outside = middle
        else:
            inside = middle
    return float(problem.public(settled(inside)[0])[name][0])


def _crossing(places: Array, rise: Array, level: float) -> float:
    """Return where the profile reaches the level, going outwards from the optimum at 0."""
    order = np.argsort(np.abs(places))
    places, rise = np.append(0.0, places[order]), np.append(0.0, rise[order])
    beyond = np.flatnonzero(rise >= level)
    if not len(beyond):
        return float("nan")
    last = int(beyond[0])
    share = (level - rise[last - 1]) / max(rise[last] - rise[last - 1], 1e-300)
    return float(places[last - 1] + share * (places[last] - places[last - 1]))


def _pulled(model: Predictor, measure: Callable[[Array], Array], tiny: float) -> Predictor:
    """Return the model with one more row, `tiny * measure(theta)`."""

    def value(theta: Array) -> Array:
        return np.concatenate([model.value(theta), tiny * measure(theta)[:, None]], axis=1)

    def jacobian(theta: Array) -> Array:
        columns = []
        for index in range(theta.shape[1]):
            step = np.zeros_like(theta)
            step[:, index] = 1e-6 * np.maximum(np.abs(theta[:, index]), 1e-3)
            change = measure(theta + step) - measure(theta - step)
            columns.append(tiny * change / (2 * step[:, index]))
        return np.concatenate([model.jacobian(theta), np.stack(columns, -1)[:, None]], axis=1)

    def curvature(theta: Array, slopes: Array) -> Array:
        assert model.curvature is not None
        return model.curvature(theta, slopes[:, :-1])

    bend = None if model.curvature is None else curvature
    return model._replace(value=value, jacobian=jacobian, curvature=bend)
