"""Chinchilla's approach 3: L(N, D) = E + A / N^alpha + B / D^beta (Hoffmann et al. 2022, eq. 2)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling.engine.newton import Array, Model

Point = Mapping[str, Any]  # a number, or an array of draws, per coefficient

NAMES = ("E", "A", "B", "alpha", "beta")
FLOPS_PER_PARAMETER_AND_TOKEN = 6.0


def loss(p: Point, params: Array, tokens: Array) -> Array:
    """Return L in nats per token (or the unit the coefficients were fitted in)."""
    return np.asarray(p["E"] + p["A"] * params ** -p["alpha"] + p["B"] * tokens ** -p["beta"])


def loss_in_bytes(p: Point, params: Array, bytes: Array) -> Array:
    """Return L in bits per byte, of a law fitted to bytes instead of tokens."""
    return loss(p, params, bytes)


def params_exponent(p: Point) -> Array:
    """Return a = beta / (alpha + beta), the power of C that N* grows with."""
    return np.asarray(p["beta"] / (p["alpha"] + p["beta"]))


def best_params(p: Point, compute_flops: Array) -> Array:
    """Return the N that minimises L at C = 6 N D (Hoffmann et al. 2022, eq. 4)."""
    balance = p["alpha"] * p["A"] / (p["beta"] * p["B"])
    product = compute_flops / FLOPS_PER_PARAMETER_AND_TOKEN
    return np.asarray(balance ** (1 / (p["alpha"] + p["beta"])) * product ** params_exponent(p))


def best_tokens(p: Point, compute_flops: Array) -> Array:
    """Return the D that minimises L at C = 6 N D."""
    return compute_flops / FLOPS_PER_PARAMETER_AND_TOKEN / best_params(p, compute_flops)


# The engine's form: theta = (ln E, ln A', ln B', alpha, beta), A' and B' being the two terms at the
# geometric centre of the data, where they are hardly correlated with the exponents.


def log_value(theta: Array, x: Array, y: Array) -> Array:
    """Return [R, n] ln L for centred x = ln N, y = ln D."""
    return np.asarray(np.logaddexp.reduce(_terms(theta, x, y), axis=-1))


def _terms(theta: Array, x: Array, y: Array) -> Array:
    e, a, b, alpha, beta = (theta[:, i, None] for i in range(5))
    first = np.broadcast_to(e, (len(theta), len(x)))
    return np.stack([first, a - alpha * x, b - beta * y], axis=-1)


def log_jacobian(theta: Array, x: Array, y: Array) -> Array:
    """Return [R, n, 5] d ln L / d theta: each term's share of the loss, times its own slope."""
    share = _shares(theta, x, y)
    jacobian = np.empty((*share.shape[:2], 5))
    jacobian[..., :3] = share
    jacobian[..., 3] = -x * share[..., 1]
    jacobian[..., 4] = -y * share[..., 2]
    return jacobian


def log_curvature(theta: Array, slopes: Array, x: Array, y: Array) -> Array:
    """Return [R, 5, 5] `sum_n s_n d2 ln L_n / d theta2` (the Hessian of a log-sum-exp)."""
    share = _shares(theta, x, y)
    jacobian = log_jacobian(theta, x, y)
    total = -np.swapaxes(jacobian * slopes[..., None], -1, -2) @ jacobian
    return total + term_products(share * slopes[..., None], x, y)


def term_products(share: Array, x: Array, y: Array) -> Array:
    """Return [R, 5, 5] `sum_n,k share_nk v_nk v_nk'`, v being each term's own gradient."""
    out = np.zeros((len(share), 5, 5))
    out[:, 0, 0] = share[..., 0].sum(-1)
    for term, amplitude, exponent, axis in ((1, 1, 3, x), (2, 2, 4, y)):
        one = share[..., term]
        out[:, amplitude, amplitude] = one.sum(-1)
        out[:, amplitude, exponent] = out[:, exponent, amplitude] = -(one @ axis)
        out[:, exponent, exponent] = one @ axis**2
    return out


def _shares(theta: Array, x: Array, y: Array) -> Array:
    terms = _terms(theta, x, y)
    top = terms.max(-1, keepdims=True)
    size = np.exp(terms - top)
    return np.asarray(size / size.sum(-1, keepdims=True))


def plain_model(x: Array, y: Array) -> Model:
    """Return the engine's view of L itself, instead of ln L, in the same coordinates."""

    def value(theta: Array) -> Array:
        return np.asarray(np.exp(log_value(theta, x, y)))

    def jacobian(theta: Array) -> Array:
        return value(theta)[..., None] * log_jacobian(theta, x, y)

    def curvature(theta: Array, slopes: Array) -> Array:
        charged = slopes * value(theta)
        return term_products(_shares(theta, x, y) * charged[..., None], x, y)

    return Model(value, jacobian, curvature)
