"""The exact optimum of absolute residuals.

Least absolute deviation has its optimum at a kink, where as many rows as there are coefficients
are met exactly. Newton on a smoothed loss comes close; linear programmes on the linearised law then
land on it, each within a trust region (as in Osborne and Watson 1971).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from scaling.engine.problem import Problem

Array = NDArray[np.float64]
PASSES = 60
FIRST_RADIUS = 1e-2


def land_on_kink(problem: Problem, theta: Array) -> tuple[Array, float]:
    """Return [1, p] the local optimum of `above r+ + below r-` near theta, and its objective."""
    n, p = len(problem.target), theta.shape[1]
    above, below = problem.loss.above, problem.loss.below
    cost = np.concatenate([np.zeros(p), np.full(n, above), np.full(n, below)])
    slack = np.concatenate([np.eye(n), -np.eye(n)], axis=1)

    def objective(at: Array) -> float:
        residuals = problem.residuals(at)
        return float(np.sum(np.where(residuals > 0, above * residuals, -below * residuals)))

    best, radius = objective(theta), FIRST_RADIUS
    for _ in range(PASSES):
        rows = np.concatenate([problem.model.jacobian(theta)[0], slack], axis=1)
        bounds = [(-radius, radius)] * p + [(0, None)] * (2 * n)
        answer = linprog(cost, A_eq=rows, b_eq=problem.residuals(theta), bounds=bounds)
        if answer.x is None:
            radius /= 4
            continue
        trial = theta + answer.x[:p]
        reached = objective(trial)
        if reached < best * (1 - 1e-15):
            theta, best, radius = trial, reached, radius * 2
        else:
            radius /= 4
        if radius < 1e-13:
            break
    return theta, best
