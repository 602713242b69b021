"""How a residual is charged: squares, Huber, absolute values, and their lopsided kin."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Loss(NamedTuple):
    """Huber's loss, its two sides charged apart, summed (never averaged) over the rows.

    A residual r (observed less predicted) costs `side * r^2 / 2` within `delta` of zero and
    `side * delta * (|r| - delta / 2)` beyond it, with `side` = `above` where r > 0 and `below`
    elsewhere. The sum matters: an average shrinks the objective until a quasi-Newton method stops
    early (Besiroglu et al. 2024, arXiv 2404.10102).

    Attributes:
        delta: where squares turn into absolute values; infinity for least squares.
        above: charge for a point above the curve.
        below: charge for a point below the curve.
    """

    delta: float = np.inf
    above: float = 1.0
    below: float = 1.0

    def value(self, residuals: Array, weights: Array) -> Array:
        """Return [...] the summed loss of [..., n] residuals."""
        size = np.abs(residuals)
        if np.isinf(self.delta):
            cost = 0.5 * size**2
        else:
            cost = np.where(
                size <= self.delta, 0.5 * size**2, self.delta * (size - 0.5 * self.delta)
            )
        return np.asarray(np.sum(cost * self._side(residuals) * weights, axis=-1))

    def slope(self, residuals: Array) -> Array:
        """Return [..., n] the derivative of each row's loss with respect to its residual."""
        inside = residuals if np.isinf(self.delta) else np.clip(residuals, -self.delta, self.delta)
        return np.asarray(inside * self._side(residuals))

    def curvature(self, residuals: Array) -> Array:
        """Return [..., n] the second derivative: `side` within delta, nought beyond."""
        return np.asarray((np.abs(residuals) <= self.delta) * self._side(residuals))

    def _side(self, residuals: Array) -> Array:
        if self.above == self.below == 1.0:
            return np.ones(1)
        return np.where(residuals > 0, self.above, self.below)


SQUARES = Loss()
