"""The joint compression law: every run in one formula, with Laws I and II and Chinchilla in it.

A run is given by its compute C, its compression rate T and its bytes B. Model size enters as the
compute it spends: n = C T / (6 B) is the parameter count for which C = 6 n D would hold with
D = B / T tokens, so no convention on counting parameters is needed, and the local modules of a byte
latent model count by what they cost. With rho = B / n bytes per effective parameter,

    L = E + L0 C^gamma * bowl(T) * valley(rho)

    bowl   = exp(F C^-phi (ln T - ln T*)^2),                     T* = T0 C^-delta
    valley = [((1-e) exp(k (1+e) z) + (1+e) exp(-k (1-e) z)) / 2] ^ (-gamma / (k (1 - e^2)))
    z      = ln rho - ln rho*,                                   rho* = rho0 T^g C^e
    k      = kappa C^-omega T^chi

The valley is 1 at rho*, so along the optimum L = E + L0 C^gamma bowl(T): Law II with a bowl that
shrinks with what is left to learn, and by a power of its own besides (phi, 0 in most forms). Law
II's additive bowl, which phi alone shrinks, is the law `joint-additive`. rho* is Law I's power of
C and T. At k = -gamma / (1 - e^2) and F = 0 the valley is the sum of two powers,
which is Chinchilla's approach 3 in n and B; g = 1 turns its bytes into tokens.

With omega the valley is wider, the larger the budget: a size as wrong as before costs less even of
what is left to learn. `epsilon` = e; the forms are named, by their free coefficients, in the
registry, and what a form lacks is 0 (g: 1).

Its rival of nine coefficients, the first joint form (`joint-terms`), has Chinchilla's two terms,
each scaled by a power of T, N being the latent parameters, and an additive bowl:

    L = E + A N^-alpha T^u + B0 B^-beta T^v + q ln T + s (ln T)^2
"""

import numpy as np

from scaling.engine.newton import Array
from scaling.laws.optimum import best_rate, bowl_curvature
from scaling.laws.power_sum import Coefficients, PowerSum, Term
from scaling.laws.registry import BITS, LAWS, Quantities, Quantity

DEFAULT_FORM = LAWS["joint"].default


def best_ratio(p: Coefficients, compute_flops: Array, compression_rate: Array) -> Array:
    """Return rho*, bytes per effective parameter."""
    drift = compute_flops ** np.asarray(p.get("epsilon", np.float64(0)))
    return np.asarray(p["rho0"] * compression_rate ** p.get("g", 1.0) * drift)


def best_loss(p: Coefficients, compute_flops: Array, compression_rate: Array) -> Array:
    """Return the bits per byte of the best size at C and T."""
    reducible = p["L0"] * compute_flops ** p["gamma"]
    return np.asarray(p["E"] + reducible * np.exp(_bowl(p, compute_flops, compression_rate)))


def best_loss_additive(p: Coefficients, compute_flops: Array, compression_rate: Array) -> Array:
    """Return the same where the bowl is Law II's, added instead of multiplied."""
    reducible = p["L0"] * compute_flops ** p["gamma"]
    return np.asarray(p["E"] + reducible + _bowl(p, compute_flops, compression_rate))


def _bowl(p: Coefficients, compute_flops: Array, compression_rate: Array) -> Array:
    if "F" not in p:
        return np.zeros_like(np.log(compression_rate))
    away = np.log(compression_rate) - np.log(best_rate(p, compute_flops))
    return np.asarray(bowl_curvature(p, compute_flops) * away**2)


def best_bytes(p: Coefficients, compute_flops: Array, compression_rate: Array) -> Array:
    """Return B*, training bytes of the best size at C and T: sqrt(C T rho* / 6)."""
    ratio = best_ratio(p, compute_flops, compression_rate)
    return np.asarray(np.sqrt(compute_flops * compression_rate * ratio / 6))


def loss(
    p: Coefficients, compute_flops: Array, compression_rate: Array, train_bytes: Array
) -> Array:
    """Return bits per byte of a run."""
    best = best_loss(p, compute_flops, compression_rate)
    valley = _valley(p, compute_flops, compression_rate, train_bytes)
    return np.asarray(p["E"] + (best - p["E"]) * valley)


def loss_additive(
    p: Coefficients, compute_flops: Array, compression_rate: Array, train_bytes: Array
) -> Array:
    """Return bits per byte of a run, by the additive bowl."""
    best = best_loss_additive(p, compute_flops, compression_rate)
    valley = _valley(p, compute_flops, compression_rate, train_bytes)
    return np.asarray(best + p["L0"] * compute_flops ** p["gamma"] * (valley - 1))


def _valley(
    p: Coefficients, compute_flops: Array, compression_rate: Array, train_bytes: Array
) -> Array:
    ratio = 6 * train_bytes**2 / (compute_flops * compression_rate)
    z = np.log(ratio) - np.log(best_ratio(p, compute_flops, compression_rate))
    e = np.asarray(p.get("epsilon", np.float64(0)))
    k = np.asarray(p["kappa"] if "kappa" in p else -p["gamma"] / (1 - e**2))
    if "omega" in p:
        k = k * compute_flops ** -p["omega"] * compression_rate ** p.get("chi", 0.0)
    return np.asarray(np.exp(-p["gamma"] / (k * (1 - e**2)) * log_valley(k, e, z)))


def log_valley(k: Array, e: Array, z: Array) -> Array:
    """Return ln of the bracket of the valley; it is 0, with slope 0, at z = 0."""
    up = np.log1p(-e) + k * (1 + e) * z
    down = np.log1p(e) - k * (1 - e) * z
    return np.asarray(np.logaddexp(up, down) - np.log(2))


TERMS = PowerSum(
    (
        Term("E"),
        Term("A", {"N": "-alpha", "T": "u"}),
        Term("B0", {"B": "-beta", "T": "v"}),
        Term("q", log=("T", 1)),
        Term("s", log=("T", 2)),
    ),
    {
        "alpha": np.linspace(0.1, 0.6, 6),
        "u": np.array([0.0, 0.15]),
        "beta": np.linspace(0.1, 0.6, 6),
        "v": np.array([0.0, 0.15]),
    },
)


def terms_loss(
    p: Coefficients, params: Array, train_bytes: Array, compression_rate: Array
) -> Array:
    """Return bits per byte of a run, by the rival of nine coefficients."""
    return TERMS.value(p, N=params, B=train_bytes, T=compression_rate)


_C, _CT = ("compute_flops",), ("compute_flops", "compression_rate")
_OPTIMA: Quantities = {
    "compression_rate_opt": Quantity(_C, "bytes per token", best_rate),
    "train_bytes_opt": Quantity(_CT, "bytes", best_bytes),
    "bytes_per_param_opt": Quantity(_CT, "bytes per effective parameter", best_ratio),
}
MULTIPLIED: Quantities = {
    "bits_per_byte": Quantity((*_CT, "train_bytes"), BITS, loss),
    "bits_per_byte_opt": Quantity(_CT, BITS, best_loss),
    **_OPTIMA,
}
ADDITIVE: Quantities = {
    "bits_per_byte": Quantity((*_CT, "train_bytes"), BITS, loss_additive),
    "bits_per_byte_opt": Quantity(_CT, BITS, best_loss_additive),
    **_OPTIMA,
}
SUM_OF_POWERS: Quantities = {
    "bits_per_byte": Quantity(("params", "train_bytes", "compression_rate"), BITS, terms_loss)
}
