"""Intervals without resampling: from the curvature at the optimum, and from the profile.

Neither is the default. On Chinchilla's points the curvature gives intervals wrong by a factor of
two: the objective is no parabola where it matters.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from scaling.engine.newton import Model, minimise
from scaling.engine.problem import Problem

Array = NDArray[np.float64]
STEPS = 24  # points of a profile on either side
REACH = 8.0  # standard errors it goes out to


class Curvature(NamedTuple):
    """The Hessian's view of the optimum.

    Attributes:
        low, high: [p] ends of the interval of each public coefficient, in the order of the names.
        condition: condition number of the scaled Hessian.
    """

    low: Array
    high: Array
    condition: float


def from_hessian(problem: Problem, theta: Array, level: float = 0.95) -> Curvature:
    """Return sandwich intervals at [1, p] theta (Huber 1967), by the delta method.

    For least squares with even noise they are the textbook ones up to sampling error; Student's t
    with n - p degrees of freedom.
    """
    residuals = problem.residuals(theta)
    jacobian = problem.model.jacobian(theta)[0]
    slope = problem.loss.slope(residuals)
    bread = _hessian(problem, theta, residuals, jacobian)
    n, p = jacobian.shape
    scale = np.sqrt(np.maximum(np.abs(np.diag(bread)), 1e-300))
    condition = float(np.linalg.cond(bread / np.outer(scale, scale)))
    inverse = np.linalg.pinv(bread / np.outer(scale, scale)) / np.outer(scale, scale)
    meat = (jacobian * slope[:, None] ** 2).T @ jacobian * n / max(n - p, 1)
    change = _public_jacobian(problem, theta)
    spread = np.sqrt(np.maximum(np.diag(change @ inverse @ meat @ inverse @ change.T), 0))
    half = float(student.ppf(0.5 + level / 2, max(n - p, 1))) * spread
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
    problem: Problem, theta: Array, index: int, spread: float, level: float = 0.95
) -> tuple[float, float]:
    """Return the profile-likelihood interval of theta's `index`-th coordinate.

    The coordinate is held at points on either side while the others are refitted; the interval ends
    where the objective has risen by what a chi-square of one degree (scaled for a robust loss:
    Ronchetti's likelihood ratio) allows. nan where it has not within eight `spread`.

    Args:
        problem: uncentred, so that theta's coordinates are the public ones.
        theta: [1, p] optimum.
        spread: a standard error of the coordinate, which sets the scale of the search.
    """
    residuals = problem.residuals(theta)
    n, p = len(residuals), theta.shape[1]
    noise = float(np.sum(problem.loss.slope(residuals) ** 2)) / max(n - p, 1)
    bend = float(np.mean(np.broadcast_to(problem.loss.curvature(residuals), (n,))))
    allowed = 0.5 * float(student.ppf(0.5 + level / 2, max(n - p, 1))) ** 2 * noise / bend
    lowest = float(problem.loss.value(residuals, problem.ones))
    ends = []
    for side in (-1, 1):
        offsets = side * spread * np.linspace(0, REACH, STEPS + 1)[1:]
        starts = np.repeat(theta, STEPS, axis=0)
        starts[:, index] += offsets
        found = minimise(
            _held(problem.model, index), problem.target, problem.ones, starts, problem.loss
        )
        rise = np.sqrt(np.maximum(found.objective - lowest, 0))
        ends.append(float(theta[0, index]) + _crossing(offsets, rise, float(np.sqrt(allowed))))
    return ends[0], ends[1]


def _crossing(offsets: Array, rise: Array, level: float) -> float:
    beyond = np.flatnonzero(rise >= level)
    if not len(beyond):
        return float("nan")
    last = int(beyond[0])
    before = (offsets[last - 1], rise[last - 1]) if last else (0.0, 0.0)
    share = (level - before[1]) / max(rise[last] - before[1], 1e-300)
    return float(before[0] + share * (offsets[last] - before[0]))


def _held(model: Model, index: int) -> Model:
    """Return the model with one coordinate held where each copy starts it."""

    def jacobian(theta: Array) -> Array:
        columns = model.jacobian(theta).copy()
        columns[..., index] = 0
        return columns

    def curvature(theta: Array, slopes: Array) -> Array:
        assert model.curvature is not None
        matrix = model.curvature(theta, slopes).copy()
        matrix[:, index, :] = matrix[:, :, index] = 0
        return matrix

    return Model(model.value, jacobian, None if model.curvature is None else curvature)
