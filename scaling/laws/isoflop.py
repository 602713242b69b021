"""The bowl of losses at one budget: a parabola in ln B, a paraboloid in (ln T, ln rho).

Both are written by their optimum instead of by polynomial coefficients, so that the numbers a
reader wants carry the intervals:

    parabola     L = L* + c (ln B - ln B*)^2
    paraboloid   L = L* + a (ln T - ln T*)^2 + b (ln rho - ln rho*)^2
                        + c (ln T - ln T*)(ln rho - ln rho*)
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling.engine.newton import Array

Point = Mapping[str, Any]  # a number, or an array of draws, per coefficient

SURFACE_NAMES = (
    "compression_rate_opt",
    "bytes_per_param_opt",
    "bits_per_byte_opt",
    "curvature_compression",
    "curvature_bytes_per_param",
    "curvature_cross",
)


def parabola_design(x: Array) -> Array:
    """Return [..., n, 3] columns 1, x, x^2."""
    return np.stack([np.ones_like(x), x, x**2], axis=-1)


def parabola_vertex(coefficients: Array) -> tuple[Array, Array, Array]:
    """Return place, height and curvature (half the second derivative) of [..., 3] parabolas."""
    level, slope, bend = np.moveaxis(coefficients, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        place = -slope / (2 * bend)
    return place, level + 0.5 * slope * place, bend


def surface_design(log_rate: Array, log_ratio: Array) -> Array:
    """Return [..., n, 6] columns 1, u, v, u^2, v^2, u v."""
    u, v = log_rate, log_ratio
    return np.stack([np.ones_like(u), u, v, u**2, v**2, u * v], axis=-1)


def surface_vertex(coefficients: Array) -> Array:
    """Return [..., 6] u*, v*, height, and the three curvatures of [..., 6] paraboloids."""
    level, du, dv, uu, vv, uv = np.moveaxis(coefficients, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        determinant = 4 * uu * vv - uv**2
        u = (uv * dv - 2 * vv * du) / determinant
        v = (uv * du - 2 * uu * dv) / determinant
    return np.stack([u, v, level + 0.5 * (du * u + dv * v), uu, vv, uv], axis=-1)


def place(logarithm: Array) -> Array:
    """Return where an optimum lies, from its logarithm; nan where that is beyond any float.

    A curve that is all but straight has its optimum there, and a draw of it is no estimate.
    """
    with np.errstate(over="ignore", under="ignore"):
        value = np.exp(logarithm)
    return np.where((value > 0) & (value < np.inf), value, np.nan)


def surface(p: Point, compression_rate: Array, bytes_per_param: Array) -> Array:
    """Return bits per byte at T and rho."""
    u = np.log(compression_rate) - np.log(p["compression_rate_opt"])
    v = np.log(bytes_per_param) - np.log(p["bytes_per_param_opt"])
    bowl = p["curvature_compression"] * u**2 + p["curvature_bytes_per_param"] * v**2
    return np.asarray(p["bits_per_byte_opt"] + bowl + p["curvature_cross"] * u * v)


def parabola(p: Point, train_bytes: Array) -> Array:
    """Return bits per byte at B."""
    x = np.log(train_bytes) - np.log(p["train_bytes_opt"])
    return np.asarray(p["bits_per_byte_opt"] + p["curvature"] * x**2)
