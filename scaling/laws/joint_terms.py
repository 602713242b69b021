"""The first joint form, kept as a rival: Chinchilla's two terms, each scaled by a power of T.

    L = E + A N^-alpha T^u + B0 B^-beta T^v + q ln T + s (ln T)^2

N are the latent parameters, B the training bytes. Nine coefficients, an additive bowl.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling.engine.newton import Array

Point = Mapping[str, Any]  # a number, or an array of draws, per coefficient

NAMES = ("E", "A", "B0", "q", "s", "alpha", "u", "beta", "v")


def loss(p: Point, params: Array, train_bytes: Array, compression_rate: Array) -> Array:
    """Return bits per byte of a run."""
    rate, ln_rate = compression_rate, np.log(compression_rate)
    size = p["A"] * params ** -p["alpha"] * rate ** p["u"]
    data = p["B0"] * train_bytes ** -p["beta"] * rate ** p["v"]
    return np.asarray(p["E"] + size + data + p["q"] * ln_rate + p["s"] * ln_rate**2)
