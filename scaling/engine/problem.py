"""A law, its data and its loss: everything that can be minimised, resampled and profiled.

Starts come from variable projection: given the exponents of a law, the rest of it is linear. So a
coarse grid over the exponents, with the linear part solved exactly at each node, shows every basin
of the objective, and a few Newton steps from the best nodes finish. This replaces thousands of
random starts (Golub and Pereyra 1973).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaling.engine.bootstrap import NUMERICAL, Bootstrap, case_weights
from scaling.engine.newton import (
    SQUARES,
    Array,
    Loss,
    Minimum,
    Predictor,
    minimise,
    solve_weighted,
)
from scaling.engine.shared import widened_for_blocks

DRAW_TOLERANCE = 1e-10  # a draw needs far fewer digits than the estimate
WIDE_TOLERANCE = 1e-5  # of draws of blocks, which are moved after that
# Below SHARP a loss is all kinks: draws pass through these multiples of its delta first.
SHARP, EASED, EASED_TOLERANCE = 1e-3, (1000, 300, 100, 30, 10, 3), 1e-4


class Problem(NamedTuple):
    """What is minimised: the summed `loss` of `target - model(theta)` over the rows.

    Attributes:
        model: the law in internal coordinates theta.
        target: [n] observations, in the space of the residuals (a logarithm, say).
        loss: how a residual is charged.
        names: public coefficients; the i-th depends on theta_i, and on exponents besides only
            through the centring of the data.
        public: [R, p] theta -> [R] of each public coefficient.
    """

    model: Predictor
    target: Array
    loss: Loss
    names: tuple[str, ...]
    public: Callable[[Array], dict[str, Array]]

    @property
    def ones(self) -> Array:
        """Return [n] unit weights."""
        return np.ones(len(self.target))

    def fit(self, starts: Array, annealed: tuple[float, ...] = ()) -> tuple[Minimum, float]:
        """Return the best minimum as a batch of one, and the share of starts that reached it.

        Args:
            starts: [K, p].
            annealed: larger deltas to pass through first; a small one alone has many kinks.
        """
        for delta in annealed:
            if delta > self.loss.delta:
                eased = self.loss._replace(delta=delta)
                starts = minimise(self.model, self.target, self.ones, starts, eased).theta
        found = minimise(self.model, self.target, self.ones, starts, self.loss)
        best = found.best()
        tiny = np.full(len(self.target), NUMERICAL * float(np.abs(self.target).max()))
        rounding = float(self.loss.value(tiny, self.ones))
        agree = np.isclose(found.objective, best.objective[0], rtol=1e-6, atol=rounding)
        return best, float(agree.mean())

    def residuals(self, theta: Array) -> Array:
        """Return [n] residuals at [1, p] theta."""
        return np.asarray(self.target - self.model.value(theta)[0])

    def redraw(
        self,
        theta: Array,
        bootstrap: Bootstrap,
        cells: NDArray[np.int64],
        blocks: NDArray[np.int64] | None = None,
    ) -> Array:
        """Return [R, p] the optimum of every case-resampled replicate; nan where none was found.

        Args:
            theta: [1, p] the point estimate, from which each replicate starts.
            cells: [n] cells within which rows are resampled.
            blocks: [n] blocks, from 0, that are resampled whole instead, and draws widened for how
                few they are.
        """
        generator = bootstrap.generator()
        if blocks is None:
            return self._rerun(theta, self.target, case_weights(cells, bootstrap.draws, generator))
        each = np.zeros(int(blocks.max()) + 1, np.int64)
        weights = case_weights(each, bootstrap.draws, generator)[:, blocks]
        found = self._rerun(theta, self.target, weights, WIDE_TOLERANCE)
        return self._widened(theta, found, blocks, generator)

    def _widened(
        self, theta: Array, found: Array, blocks: NDArray[np.int64], generator: np.random.Generator
    ) -> Array:
        """Return draws whose predictions lie further from the estimate's, as few blocks ask for."""
        jacobian, fitted = self.model.jacobian(theta)[0], self.model.value(theta)[0]
        lost = np.asarray(~np.isfinite(found).all(axis=1))
        starts = np.where(lost[:, None], theta, found)
        wide = widened_for_blocks(self.model.value(starts) - fitted, jacobian, blocks, generator)
        # What no coefficient tells is left in, for steps to be judged by.
        rest = self.target - fitted
        rest = rest - jacobian @ np.linalg.lstsq(jacobian, rest, rcond=None)[0]
        again = minimise(
            self.model, fitted + rest + wide, self.ones, starts, SQUARES, tolerance=WIDE_TOLERANCE
        )
        good = again.converged & ~lost
        return np.where(good[:, None], again.theta, np.nan)

    def retarget(self, theta: Array, targets: Array) -> Array:
        """Return [R, p] the optimum of each of [R, n] targets; nan where none was found.

        A target of nan is left out of its replicate.
        """
        there = np.isfinite(targets)
        if there.all():
            return self._rerun(theta, targets, self.ones)
        # At least as many as leave one to spare: a curve through all of its points is no fit.
        enough = there.sum(axis=1) > theta.shape[1]
        found = self._rerun(theta, np.where(there, targets, self.target), there.astype(np.float64))
        return np.where(enough[:, None], found, np.nan)

    def reweighted(self, theta: Array, weights: Array) -> Array:
        """Return [R, p] the optimum under each of [R, n] weights of the rows; nan where none."""
        return self._rerun(theta, self.target, weights)

    def _rerun(
        self, theta: Array, target: Array, weights: Array, tolerance: float = DRAW_TOLERANCE
    ) -> Array:
        copies = max(len(np.atleast_2d(target)), len(np.atleast_2d(weights)))
        starts = np.repeat(theta, copies, axis=0)
        for times in EASED if self.loss.delta < SHARP else ():
            eased = self.loss._replace(delta=times * self.loss.delta)
            starts = minimise(
                self.model, target, weights, starts, eased, tolerance=EASED_TOLERANCE
            ).theta
        found = minimise(self.model, target, weights, starts, self.loss, tolerance=tolerance)
        return np.where(found.converged[:, None], found.theta, np.nan)


class Node(NamedTuple):
    """Grid nodes in order of objective, best first.

    Attributes:
        exponents: [K, k].
        linear: [K, m] coefficients solved at each node.
        objective: [K] loss there.
    """

    exponents: Array
    linear: Array
    objective: Array


def grid(axes: Sequence[Array]) -> Array:
    """Return [G, k] every combination of the axes' values."""
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=-1)


def search(
    design: Callable[[Array], Array],
    target: Array,
    weights: Array,
    nodes: Array,
    loss: Loss,
    keep: int,
    relative: bool = False,
    passes: int = 8,
) -> Node:
    """Solve the linear part at every node and return the best `keep` of them.

    A robust loss is reached by reweighting (`passes` times); only starts are wanted, so it need not
    converge.

    Args:
        design: [G, k] exponents -> [G, n, m] columns whose weighted sum predicts the target.
        target: [n]; weights: [n].
        nodes: [G, k].
        relative: residuals are divided by the target, which for small ones is the difference of
            logarithms.
    """
    columns = design(nodes)
    if relative:
        columns = columns / target[:, None]
        target = np.ones_like(target)
    charge = np.broadcast_to(weights, columns.shape[:2])
    linear = solve_weighted(columns, target, charge)
    robust = np.isfinite(loss.delta) or loss.above != loss.below
    for _ in range(passes if robust else 0):
        residuals = target - np.einsum("gnm,gm->gn", columns, linear)
        bend = np.abs(loss.slope(residuals)) / np.maximum(np.abs(residuals), 1e-12)
        linear = solve_weighted(columns, target, weights * bend)
    residuals = target - np.einsum("gnm,gm->gn", columns, linear)
    objective = loss.value(residuals, weights)
    objective = np.where(np.isfinite(objective), objective, np.inf)
    best = np.argsort(objective, kind="stable")[:keep]
    return Node(nodes[best], linear[best], objective[best])


PASSES, FIRST_RADIUS = 60, 1e-2  # of `land_on_kink`


def land_on_kink(problem: Problem, theta: Array) -> tuple[Array, float]:
    """Return [1, p] the local optimum of `above r+ + below r-` near theta, and its objective.

    Least absolute deviation has its optimum at a kink, where as many rows as there are coefficients
    are met exactly. Newton on a smoothed loss comes close; linear programmes on the linearised law
    then land on it, each within a trust region (as in Osborne and Watson 1971).
    """
    from scipy.optimize import linprog

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
