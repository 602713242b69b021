"""The laws of the optimum: bowls of one budget, Laws I and II, and powers of compute alone.

Laws I and II are those of Limisiewicz et al. 2026 (arXiv 2605.01188). C is training FLOPs, N model
size, B training bytes, T bytes per token, rho = B / N.

Bowls of the losses at one budget are written by their optimum instead of by polynomial
coefficients, so that the numbers a reader wants carry the intervals.
"""

import numpy as np

from scaling.engine.newton import Array
from scaling.laws.power_sum import Coefficients
from scaling.laws.registry import BITS, NATS, Quantities, Quantity

_C, _CT = ("compute_flops",), ("compute_flops", "compression_rate")
_LATENT = ("latent_flops", "compression_rate")

# isoFLOP bowls: L = L* + c (ln B - ln B*)^2, and
# L = L* + a (ln T - ln T*)^2 + b (ln rho - ln rho*)^2 + c (ln T - ln T*)(ln rho - ln rho*).

SURFACE_NAMES = (
    "compression_rate_opt",
    "bytes_per_param_opt",
    "bits_per_byte_opt",
    "curvature_compression",
    "curvature_bytes_per_param",
    "curvature_cross",
)


def parabola(p: Coefficients, train_bytes: Array) -> Array:
    """Return bits per byte at B."""
    x = np.log(train_bytes) - np.log(p["train_bytes_opt"])
    return np.asarray(p["bits_per_byte_opt"] + p["curvature"] * x**2)


def token_parabola(p: Coefficients, train_tokens: Array) -> Array:
    """Return the loss at D tokens, in the unit of the losses that were fitted."""
    lowest = p["nats_per_token_opt"] if "nats_per_token_opt" in p else p["bits_per_byte_opt"]
    x = np.log(train_tokens) - np.log(p["train_tokens_opt"])
    return np.asarray(lowest + p["curvature"] * x**2)


def parabola_design(x: Array) -> Array:
    """Return [..., n, 3] columns 1, x, x^2."""
    return np.stack([np.ones_like(x), x, x**2], axis=-1)


def parabola_vertex(coefficients: Array) -> tuple[Array, Array, Array]:
    """Return place, height and curvature (half the second derivative) of [..., 3] parabolas."""
    level, slope, bend = np.moveaxis(coefficients, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        place = -slope / (2 * bend)
    return place, level + 0.5 * slope * place, bend


def surface(p: Coefficients, compression_rate: Array, bytes_per_param: Array) -> Array:
    """Return bits per byte at T and rho."""
    u = np.log(compression_rate) - np.log(p["compression_rate_opt"])
    v = np.log(bytes_per_param) - np.log(p["bytes_per_param_opt"])
    bowl = p["curvature_compression"] * u**2 + p["curvature_bytes_per_param"] * v**2
    return np.asarray(p["bits_per_byte_opt"] + bowl + p["curvature_cross"] * u * v)


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


PARABOLA: Quantities = {"bits_per_byte": Quantity(("train_bytes",), BITS, parabola)}
TOKEN_PARABOLA: Quantities = {"loss": Quantity(("train_tokens",), NATS, token_parabola)}
SURFACE: Quantities = {
    "bits_per_byte": Quantity(("compression_rate", "bytes_per_param"), BITS, surface)
}

# Law I: B* = B0 C^alpha T^beta, N* = N0 C^(1-alpha) T^(1-beta), rho* = B* / N*. C is what the
# latent module alone spends, 6 N B / T, so the two exponents sum to one and N0 B0 = 1/6.


def law1_train_bytes(p: Coefficients, latent_flops: Array, compression_rate: Array) -> Array:
    """Return B*, bytes."""
    return np.asarray(p["B0"] * latent_flops ** p["alpha"] * compression_rate ** p["beta"])


def law1_params(p: Coefficients, latent_flops: Array, compression_rate: Array) -> Array:
    """Return N*, latent parameters."""
    return np.asarray(
        p["N0"] * latent_flops ** (1 - p["alpha"]) * compression_rate ** (1 - p["beta"])
    )


def law1_bytes_per_param(p: Coefficients, latent_flops: Array, compression_rate: Array) -> Array:
    """Return rho* = B* / N*."""
    params = law1_params(p, latent_flops, compression_rate)
    return law1_train_bytes(p, latent_flops, compression_rate) / params


LAW1: Quantities = {
    "train_bytes_opt": Quantity(_LATENT, "bytes", law1_train_bytes),
    "params_opt": Quantity(_LATENT, "parameters", law1_params),
    "bytes_per_param_opt": Quantity(_LATENT, "bytes per parameter", law1_bytes_per_param),
}

# Law II: L*(C, T) = L0 C^gamma + F(C) (ln T - ln T*(C))^2 + E, T*(C) = T0 C^-delta, C the total
# budget. The paper's three nested forms: `mean` (F = 0: compression does not matter), `constant`
# (delta = 0: one best rate) and `compute-dependent`, in all of which F is the same at every budget.
# Ours: `shrinking`, F(C) = F C^-phi, and between the two `proportional`, F(C) = K L0 C^gamma: a
# wrong rate costs a constant share of what is left to learn.


def law2_loss(p: Coefficients, compute_flops: Array, compression_rate: Array) -> Array:
    """Return bits per byte of the best model that C trains at rate T."""
    return law2_best_loss(p, compute_flops) + law2_price(p, compute_flops, compression_rate)


def law2_best_loss(p: Coefficients, compute_flops: Array) -> Array:
    """Return the bits per byte reached at T*(C)."""
    return np.asarray(p["L0"] * compute_flops ** p["gamma"] + p["E"])


def best_rate(p: Coefficients, compute_flops: Array) -> Array:
    """Return T*(C) of Law II or of the joint law, bytes per token."""
    return np.asarray(p["T0"] * compute_flops ** -np.asarray(p.get("delta", np.float64(0))))


def law2_price(p: Coefficients, compute_flops: Array, compression_rate: Array) -> Array:
    """Return the bits per byte lost by training at T instead of T*(C)."""
    if "T0" not in p:
        return np.zeros(np.broadcast_shapes(np.shape(compute_flops), np.shape(compression_rate)))
    away = np.log(compression_rate) - np.log(best_rate(p, compute_flops))
    return np.asarray(bowl_curvature(p, compute_flops) * away**2)


def bowl_curvature(p: Coefficients, compute_flops: Array) -> Array:
    """Return F(C) of Law II or of the joint law, by which a squared ln of the rate counts."""
    if "K" in p:
        return np.asarray(p["K"] * p["L0"] * compute_flops ** p["gamma"])
    shrunk = compute_flops ** -np.asarray(p.get("phi", np.float64(0)))
    return np.asarray(p["F"] * shrunk)


LAW2: Quantities = {
    "bits_per_byte": Quantity(_CT, BITS, law2_loss),
    "bits_per_byte_opt": Quantity(_C, BITS, law2_best_loss),
    "compression_rate_opt": Quantity(_C, "bytes per token", best_rate),
    "price_bits_per_byte": Quantity(_CT, BITS, law2_price),
}

# Powers of compute: N* = n0 C^a and D* = d0 C^b of approaches 1 and 2 (Hoffmann et al. 2022), and
# the envelope L* = E + A C^-alpha.


def power_params(p: Coefficients, compute_flops: Array) -> Array:
    """Return N*."""
    return np.asarray(p["n0"] * compute_flops ** p["a"])


def power_tokens(p: Coefficients, compute_flops: Array) -> Array:
    """Return D* (tokens, or bytes where the fit was in bytes)."""
    return np.asarray(p["d0"] * compute_flops ** p["b"])


def envelope(p: Coefficients, compute_flops: Array) -> Array:
    """Return L*, in the unit of the loss fitted."""
    return np.asarray(p["E"] + p["A"] * compute_flops ** -p["alpha"])


POWERS: Quantities = {
    "params_opt": Quantity(_C, "parameters", power_params),
    "tokens_opt": Quantity(_C, "tokens", power_tokens),
}
ENVELOPE: Quantities = {"loss": Quantity(_C, NATS, envelope)}
