"""Kaplan et al. 2020 (arXiv 2001.08361): L(N, D) = ((Nc / N)^(aN / aD) + Dc / D)^aD.

N counts no embedding. Kept for comparison; the project fits Chinchilla's form instead.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling.engine.newton import Array

Point = Mapping[str, Any]  # a number, or an array of draws, per coefficient


def loss(p: Point, params: Array, tokens: Array) -> Array:
    """Return nats per token (equation 1.5)."""
    size = (p["Nc"] / params) ** (p["alpha_N"] / p["alpha_D"])
    return np.asarray((size + p["Dc"] / tokens) ** p["alpha_D"])
