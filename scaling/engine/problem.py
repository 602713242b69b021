"""A law, its data and its loss: everything that can be minimised, resampled and profiled."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaling.engine.bootstrap import Bootstrap, case_weights
from scaling.engine.loss import Loss
from scaling.engine.newton import Minimum, Model, minimise

Array = NDArray[np.float64]
DRAW_TOLERANCE = 1e-10  # a draw needs far fewer digits than the estimate


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

    model: Model
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
        agree = np.isclose(found.objective, best.objective[0], rtol=1e-6, atol=0)
        return best, float(agree.mean())

    def residuals(self, theta: Array) -> Array:
        """Return [n] residuals at [1, p] theta."""
        return np.asarray(self.target - self.model.value(theta)[0])

    def redraw(self, theta: Array, bootstrap: Bootstrap, cells: NDArray[np.int64]) -> Array:
        """Return [R, p] the optimum of every case-resampled replicate; nan where none was found.

        Args:
            theta: [1, p] the point estimate, from which each replicate starts.
            cells: [n] cells within which rows are resampled.
        """
        weights = case_weights(cells, bootstrap.draws, bootstrap.generator())
        return self._rerun(theta, self.target, weights)

    def retarget(self, theta: Array, targets: Array) -> Array:
        """Return [R, p] the optimum of each of [R, n] targets; nan where none was found."""
        return self._rerun(theta, targets, self.ones)

    def _rerun(self, theta: Array, target: Array, weights: Array) -> Array:
        copies = max(len(np.atleast_2d(target)), len(np.atleast_2d(weights)))
        starts = np.repeat(theta, copies, axis=0)
        found = minimise(self.model, target, weights, starts, self.loss, tolerance=DRAW_TOLERANCE)
        return np.where(found.converged[:, None], found.theta, np.nan)
