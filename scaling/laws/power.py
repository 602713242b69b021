"""Power laws of the optimum in compute: approaches 1 and 2, and the loss envelope.

N* = n0 C^a        D* = d0 C^b        L* = E + A C^-alpha
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling.engine.newton import Array

Point = Mapping[str, Any]  # a number, or an array of draws, per coefficient


def params(p: Point, compute_flops: Array) -> Array:
    """Return N*."""
    return np.asarray(p["n0"] * compute_flops ** p["a"])


def tokens(p: Point, compute_flops: Array) -> Array:
    """Return D* (tokens, or bytes where the fit was in bytes)."""
    return np.asarray(p["d0"] * compute_flops ** p["b"])


def envelope(p: Point, compute_flops: Array) -> Array:
    """Return L*, in the unit of the loss fitted."""
    return np.asarray(p["E"] + p["A"] * compute_flops ** -p["alpha"])
