"""Goodness of fit from residuals, and the criteria that weigh it against parameters spent."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Goodness(NamedTuple):
    """R2, adjusted R2, RMSE (dividing by n), AICc and BIC; None where undefined."""

    r2: float | None
    adjusted_r2: float | None
    rmse: float
    aicc: float | None
    bic: float | None


def goodness(observed: Array, residuals: Array, parameters: int) -> Goodness:
    """Return the usual figures of a fit with `parameters` free coefficients.

    AICc and BIC are those of normal errors of unknown variance (Burnham and Anderson 2002, 2.2):
    the variance counts as one more parameter. AICc is None where n leaves it undefined, R2 where
    the observations do not vary, and all but RMSE where there are as many parameters as rows: what
    is left then is rounding.
    """
    n = len(residuals)
    squares = float(residuals @ residuals)
    spread = float(np.sum((observed - observed.mean()) ** 2))
    free = n - parameters
    if free <= 0:
        return Goodness(None, None, math.sqrt(squares / max(n, 1)), None, None)
    r2 = 1 - squares / spread if spread > 0 else None
    adjusted = 1 - (1 - r2) * (n - 1) / free if r2 is not None else None
    if squares <= 0:
        return Goodness(r2, adjusted, 0.0, None, None)
    k = parameters + 1
    likelihood = n * (math.log(2 * math.pi * squares / n) + 1)
    aicc = likelihood + 2 * k + 2 * k * (k + 1) / (n - k - 1) if n - k - 1 > 0 else None
    return Goodness(r2, adjusted, math.sqrt(squares / n), aicc, likelihood + k * math.log(n))
