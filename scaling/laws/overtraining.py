"""Over-training (Gadre et al. 2024, arXiv 2403.08540): one exponent for size and data.

    L = E + a N^eta + b 6^(eta/2) (M N)^eta,        M = D / N tokens per parameter

With C = 6 N D this is the paper's L(C, M) = E + (b M^(eta/2) + a 6^(-eta/2) M^(-eta/2)) C^(eta/2):
curves of one M are parallel in compute, so what over-training costs is read off small models. The
coefficients here are those of the paper's published code.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling.engine.newton import Array

Point = Mapping[str, Any]  # a number, or an array of draws, per coefficient

NAMES = ("a", "b", "E", "eta")


def loss(p: Point, params: Array, tokens_per_param: Array) -> Array:
    """Return L in nats per token at N and M."""
    tokens = tokens_per_param * params
    data = 6 ** (p["eta"] / 2) * tokens ** p["eta"]
    return np.asarray(p["E"] + p["a"] * params ** p["eta"] + p["b"] * data)
