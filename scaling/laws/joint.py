"""The joint compression law: every run in one formula, with Laws I and II and Chinchilla in it.

A run is given by its compute C, its compression rate T and its bytes B. Model size enters as the
compute it spends: n = C T / (6 B) is the parameter count for which C = 6 n D would hold with
D = B / T tokens, so no convention on counting parameters is needed, and the local modules of a byte
latent model count by what they cost. With rho = B / n bytes per effective parameter,

    L = E + L0 C^gamma * bowl(T) * valley(rho)

    bowl   = exp(F (ln T - ln T*)^2),                            T* = T0 C^-delta
    valley = [((1-e) exp(k (1+e) z) + (1+e) exp(-k (1-e) z)) / 2] ^ (-gamma / (k (1 - e^2)))
    z      = ln rho - ln rho*,                                   rho* = rho0 T^g C^e

The valley is 1 at rho*, so along the optimum L = E + L0 C^gamma bowl(T): Law II with a bowl that
shrinks with what is left to learn (its own additive bowl is the law `joint-additive`). rho* is
Law I's power of C and T. At k = -gamma / (1 - e^2) and F = 0 the valley is the sum of two powers,
which is Chinchilla's approach 3 in n and B; g = 1 turns its bytes into tokens.

With `kappa` = k, `epsilon` = e. Forms, by their free coefficients: see `FORMS`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling.engine.newton import Array

Point = Mapping[str, Any]  # a number, or an array of draws, per coefficient

_CORE = ("E", "L0", "gamma", "rho0")
FORMS: Mapping[str, tuple[str, ...]] = {
    # Chinchilla with one exponent, in effective parameters and tokens; T matters through D alone.
    "chinchilla": _CORE,
    # Two sums of powers, each with its own exponent.
    "chinchilla-two": (*_CORE, "epsilon"),
    # The project's choice: fewest coefficients, lowest hold-out error.
    "one-exponent": (*_CORE, "F", "T0", "g", "kappa"),
    # T* drifts with compute.
    "drift": (*_CORE, "F", "T0", "g", "kappa", "delta"),
    # rho* drifts with compute: size and data have exponents of their own.
    "two-exponents": (*_CORE, "F", "T0", "g", "kappa", "epsilon"),
}
# Law II's own bowl, added instead of multiplied, with its drift of T* with compute; a law of its
# own name (`joint-additive`), because its formula differs.
ADDITIVE = (*_CORE, "F", "T0", "g", "kappa", "delta")
DEFAULT_FORM = "one-exponent"


def best_rate(p: Point, compute_flops: Array) -> Array:
    """Return T*, bytes per token."""
    return np.asarray(p["T0"] * compute_flops ** -np.asarray(p.get("delta", np.float64(0))))


def best_ratio(p: Point, compute_flops: Array, compression_rate: Array) -> Array:
    """Return rho*, bytes per effective parameter."""
    drift = compute_flops ** np.asarray(p.get("epsilon", np.float64(0)))
    return np.asarray(p["rho0"] * compression_rate ** p.get("g", 1.0) * drift)


def best_loss(p: Point, compute_flops: Array, compression_rate: Array) -> Array:
    """Return the bits per byte of the best size at C and T."""
    reducible = p["L0"] * compute_flops ** p["gamma"]
    return np.asarray(p["E"] + reducible * np.exp(_bowl(p, compute_flops, compression_rate)))


def best_loss_additive(p: Point, compute_flops: Array, compression_rate: Array) -> Array:
    """Return the same where the bowl is Law II's, added instead of multiplied."""
    reducible = p["L0"] * compute_flops ** p["gamma"]
    return np.asarray(p["E"] + reducible + _bowl(p, compute_flops, compression_rate))


def _bowl(p: Point, compute_flops: Array, compression_rate: Array) -> Array:
    if "F" not in p:
        return np.zeros_like(np.log(compression_rate))
    away = np.log(compression_rate) - np.log(best_rate(p, compute_flops))
    return np.asarray(p["F"] * away**2)


def best_bytes(p: Point, compute_flops: Array, compression_rate: Array) -> Array:
    """Return B*, training bytes of the best size at C and T: sqrt(C T rho* / 6)."""
    ratio = best_ratio(p, compute_flops, compression_rate)
    return np.asarray(np.sqrt(compute_flops * compression_rate * ratio / 6))


def loss(p: Point, compute_flops: Array, compression_rate: Array, train_bytes: Array) -> Array:
    """Return bits per byte of a run."""
    best = best_loss(p, compute_flops, compression_rate)
    valley = _valley(p, compute_flops, compression_rate, train_bytes)
    return np.asarray(p["E"] + (best - p["E"]) * valley)


def loss_additive(
    p: Point, compute_flops: Array, compression_rate: Array, train_bytes: Array
) -> Array:
    """Return bits per byte of a run, by the additive bowl."""
    best = best_loss_additive(p, compute_flops, compression_rate)
    valley = _valley(p, compute_flops, compression_rate, train_bytes)
    return np.asarray(best + p["L0"] * compute_flops ** p["gamma"] * (valley - 1))


def _valley(p: Point, compute_flops: Array, compression_rate: Array, train_bytes: Array) -> Array:
    ratio = 6 * train_bytes**2 / (compute_flops * compression_rate)
    z = np.log(ratio) - np.log(best_ratio(p, compute_flops, compression_rate))
    e = np.asarray(p.get("epsilon", np.float64(0)))
    k = np.asarray(p["kappa"] if "kappa" in p else -p["gamma"] / (1 - e**2))
    return np.asarray(np.exp(-p["gamma"] / (k * (1 - e**2)) * log_valley(k, e, z)))


def log_valley(k: Array, e: Array, z: Array) -> Array:
    """Return ln of the bracket of the valley; it is 0, with slope 0, at z = 0."""
    up = np.log1p(-e) + k * (1 + e) * z
    down = np.log1p(e) - k * (1 - e) * z
    return np.asarray(np.logaddexp(up, down) - np.log(2))
