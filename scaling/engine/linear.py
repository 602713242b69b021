"""Weighted linear least squares, many problems at once.

A bootstrap replicate is the same rows with other weights, so a thousand replicates are one batch of
small normal equations instead of a thousand calls.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def solve_weighted(design: Array, target: Array, weights: Array) -> Array:
    """Return the coefficients that minimise `sum w (y - X b)^2` for each problem of a batch.

    Columns are scaled to unit length before the normal equations are formed, and the solution is
    refined once on its own residuals, which gives back the digits that squaring the condition
    number costs.

    Args:
        design: [..., n, m] X; leading axes broadcast against those of the others.
        target: [..., n] y.
        weights: [..., n] w, not negative.

    Returns:
        [..., m] coefficients; rows of NaN where the weighted design has not full rank.
    """
    scale = np.sqrt(np.einsum("...ni,...n,...ni->...i", design, weights, design))
    scale = np.where(scale > 0, scale, 1.0)
    unit = design / scale[..., None, :]
    weighted = np.swapaxes(unit * weights[..., None], -1, -2)
    normal = weighted @ unit
    identity = np.eye(normal.shape[-1])
    lost = ~np.isfinite(normal).all(axis=(-2, -1))
    safe = np.where(lost[..., None, None], identity, normal)
    lost |= ~(_reciprocal_condition(safe) > 1e-13)
    safe = np.where(lost[..., None, None], identity, safe)
    solution = np.linalg.solve(safe, weighted @ target[..., None])
    residual = target[..., None] - unit @ solution
    solution = solution + np.linalg.solve(safe, weighted @ residual)
    coefficients: Array = np.where(lost[..., None], np.nan, solution[..., 0] / scale)
    return coefficients


def _reciprocal_condition(normal: Array) -> Array:
    values = np.linalg.eigvalsh(normal)
    return np.asarray(values[..., 0] / np.maximum(values[..., -1], 1e-300))


def weighted_sum_of_squares(residuals: Array, weights: Array) -> Array:
    """Return [...] `sum w r^2` over the last axis."""
    return np.asarray(np.einsum("...n,...n,...n->...", residuals, weights, residuals))
