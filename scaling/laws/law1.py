"""Law I: how the best data and model size grow with compute and compression rate.

    B* = B0 C^alpha T^beta        N* = N0 C^(1-alpha) T^(1-beta)        rho* = B* / N*

C is what the latent module alone spends, 6 N B / T, so the two exponents sum to one and
N0 B0 = 1/6 (Limisiewicz et al. 2026, arXiv 2605.01188, Law I).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling.engine.newton import Array

Point = Mapping[str, Any]  # a number, or an array of draws, per coefficient

NAMES = ("B0", "alpha", "beta", "N0")


def train_bytes(p: Point, latent_flops: Array, compression_rate: Array) -> Array:
    """Return B*, bytes."""
    return np.asarray(p["B0"] * latent_flops ** p["alpha"] * compression_rate ** p["beta"])


def params(p: Point, latent_flops: Array, compression_rate: Array) -> Array:
    """Return N*, latent parameters."""
    return np.asarray(
        p["N0"] * latent_flops ** (1 - p["alpha"]) * compression_rate ** (1 - p["beta"])
    )


def bytes_per_param(p: Point, latent_flops: Array, compression_rate: Array) -> Array:
    """Return rho* = B* / N*."""
    return train_bytes(p, latent_flops, compression_rate) / params(
        p, latent_flops, compression_rate
    )
