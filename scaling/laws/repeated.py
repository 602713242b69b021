"""Repeated data (Muennighoff et al. 2023, arXiv 2305.16264): what an epoch more is worth.

    L = E + A / N'^alpha + B / D'^beta
    D' = U + U R_D* (1 - exp(-R_D / R_D*)),        R_D = D / U - 1 repetitions of U unique tokens
    N' = U_N + U_N R_N* (1 - exp(-R_N / R_N*)),    R_N = N / U_N - 1
    U_N = min(N, (U G)^(beta/alpha) G),            G = (alpha A / (beta B))^(1 / (alpha + beta))

One epoch of a model no larger than its data deserves is Chinchilla's law exactly.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling.engine.newton import Array

Point = Mapping[str, Any]  # a number, or an array of draws, per coefficient

BASE = ("E", "A", "B", "alpha", "beta")
FITTED = ("R_D", "R_N")


def worth(unique: Array, repetitions: Array, half_life: Array) -> Array:
    """Return what `unique` things seen 1 + R times are worth in things seen once."""
    return np.asarray(unique * (1 - half_life * np.expm1(-repetitions / half_life)))


def worth_slope(unique: Array, repetitions: Array, half_life: Array) -> Array:
    """Return the derivative of `worth` by `half_life`."""
    x = repetitions / half_life
    return np.asarray(unique * (-np.expm1(-x) - x * np.exp(-x)))


def unique_params(p: Point, params: Array, unique_tokens: Array) -> Array:
    """Return U_N, the parameters that U unique tokens deserve, no more than N."""
    total = p["alpha"] + p["beta"]
    balance = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / total)
    deserved = (unique_tokens * balance) ** (p["beta"] / p["alpha"]) * balance
    return np.asarray(np.minimum(deserved, params))


def loss(p: Point, params: Array, tokens: Array, unique_tokens: Array) -> Array:
    """Return nats per token of N parameters trained on D tokens of which U are unique."""
    unique = np.minimum(unique_tokens, tokens)
    base = unique_params(p, params, unique)
    size = worth(base, params / base - 1, p["R_N"])
    data = worth(unique, tokens / unique - 1, p["R_D"])
    return np.asarray(p["E"] + p["A"] * size ** -p["alpha"] + p["B"] * data ** -p["beta"])
