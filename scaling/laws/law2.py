"""Law II: what compression costs, and which rate is best, at a total budget C.

    L*(C, T) = L0 C^gamma + F (ln T - ln T*(C))^2 + E,        T*(C) = T0 C^-delta

(Limisiewicz et al. 2026, arXiv 2605.01188, Law II). Three nested forms: `mean` (F = 0: compression
does not matter), `constant` (delta = 0: one best rate) and `compute-dependent`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling.engine.newton import Array

Point = Mapping[str, Any]  # a number, or an array of draws, per coefficient

FORMS = {
    "mean": ("gamma", "L0", "E"),
    "constant": ("gamma", "L0", "E", "F", "T0"),
    "compute-dependent": ("gamma", "L0", "E", "F", "T0", "delta"),
}


def best_rate(p: Point, compute_flops: Array) -> Array:
    """Return T*(C), bytes per token."""
    return np.asarray(p["T0"] * compute_flops ** -np.asarray(p.get("delta", np.float64(0))))


def best_loss(p: Point, compute_flops: Array) -> Array:
    """Return the bits per byte reached at T*(C)."""
    return np.asarray(p["L0"] * compute_flops ** p["gamma"] + p["E"])


def loss(p: Point, compute_flops: Array, compression_rate: Array) -> Array:
    """Return bits per byte of the best model that C trains at rate T."""
    return best_loss(p, compute_flops) + price(p, compute_flops, compression_rate)


def price(p: Point, compute_flops: Array, compression_rate: Array) -> Array:
    """Return the bits per byte lost by training at T instead of T*(C)."""
    if "F" not in p:
        return np.zeros(np.broadcast_shapes(np.shape(compute_flops), np.shape(compression_rate)))
    away = np.log(compression_rate) - np.log(best_rate(p, compute_flops))
    return np.asarray(p["F"] * away**2)
