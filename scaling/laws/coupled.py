"""Chinchilla's law with size and data coupled: L = E + (A N^(-alpha/k) + B D^(-beta/k))^k.

The exponents are those that each term has where the other is negligible; k says how the two join.
At k = 1 they add up (Hoffmann et al. 2022, eq. 2); towards k = 0 the larger of them alone counts;
beyond 1 each makes the other worse, as in Kaplan et al. 2020, eq. 1.5. Videau et al. 2026 (arXiv
2608.07222) write (A / N^a + B / D^b)^k, whose exponents are these over k, and find k of .31 to .45.

In the engine's coordinates u = ln of the first term alone and v = ln of the second, the excess over
E is exp(k ln(exp(u/k) + exp(v/k))): a smooth maximum, whose slopes are the shares p and 1 - p of a
softmax and, by ln k, k times the entropy of those shares.
"""

from collections.abc import Mapping
from itertools import product
from math import log

import numpy as np

from scaling.engine.newton import Array, Loss, Predictor, above_floor, exponential
from scaling.engine.problem import Problem
from scaling.laws import chinchilla
from scaling.laws.chinchilla import CHINCHILLA
from scaling.laws.power_sum import Coefficients
from scaling.laws.registry import BITS, NATS, Quantities, Quantity

NAMES = (*CHINCHILLA.names, "k")  # E, A, B, alpha, beta, k
COUPLINGS = (0.3, 0.6, 1.0, 2.0)  # k to start from
LEAST, MOST = 0.02, 50.0  # k beyond which another tells runs no better


def loss(p: Coefficients, params: Array, tokens: Array) -> Array:
    """Return L in nats per token (or the unit the coefficients were fitted in)."""
    size, data = _terms(p, params, tokens)
    return np.asarray(p["E"] + np.exp(p["k"] * np.logaddexp(size, data)))


def loss_in_bytes(p: Coefficients, params: Array, bytes: Array) -> Array:
    """Return L in bits per byte, of a law fitted to bytes instead of tokens."""
    return loss(p, params, bytes)


def within(p: Coefficients) -> Coefficients:
    """Return the sum within the power as Chinchilla's: it alone decides what is best."""
    return {**p, "alpha": p["alpha"] / p["k"], "beta": p["beta"] / p["k"]}


def best_params(p: Coefficients, compute_flops: Array) -> Array:
    """Return the N that minimises L at C = 6 N D."""
    return chinchilla.best_params(within(p), compute_flops)


def best_tokens(p: Coefficients, compute_flops: Array) -> Array:
    """Return the D that minimises L at C = 6 N D."""
    return chinchilla.best_tokens(within(p), compute_flops)


_C, _ND = ("compute_flops",), ("params", "tokens")
TOKENS: Quantities = {
    "loss": Quantity(_ND, NATS, loss),
    "params_opt": Quantity(_C, "parameters", best_params),
    "tokens_opt": Quantity(_C, "tokens", best_tokens),
    "params_exponent": Quantity((), "", chinchilla.params_exponent),  # k has no part in it
}
BYTES: Quantities = {"loss": Quantity(("params", "bytes"), BITS, loss_in_bytes)}


def _terms(p: Coefficients, params: Array, tokens: Array) -> tuple[Array, Array]:
    """Return the logarithms of the two terms within the power."""
    with np.errstate(divide="ignore"):  # a draw may leave nothing of a term
        size = np.log(p["A"]) - p["alpha"] / p["k"] * np.log(params)
        data = np.log(p["B"]) - p["beta"] / p["k"] * np.log(tokens)
    return np.asarray(size), np.asarray(data)


def coupled_problem(
    columns: Mapping[str, Array], observed: Array, charge: Loss, keep: int, *, relative: bool
) -> tuple[Problem, Array]:
    """Return the engine's problem and starts: Chinchilla's best, with each k of `COUPLINGS`.

    Args:
        columns: N and D, [n] each; observed: [n] losses.
        charge: how a residual is charged.
        keep: starts of Chinchilla's to take.
        relative: residuals are differences of ln L instead of L.
    """
    base, starts = CHINCHILLA.log_problem(columns, observed, charge, keep, relative=relative)
    data = _Excess(columns)
    low = np.array([-np.inf, -np.inf, 0.0, 0.0, log(LEAST)])
    high = np.array([np.inf, np.inf, np.inf, np.inf, log(MOST)])
    model = above_floor(
        Predictor(data.value, data.jacobian, data.curvature, low, high), len(NAMES) - 1
    )
    if not relative:
        model = exponential(model)
    starts = np.array([[*start, log(k)] for start, k in product(starts, COUPLINGS)])
    return Problem(model, base.target, charge, NAMES, data.public), starts


class _Excess:
    """The engine's ln (L - E): theta = (ln A', ln B', alpha, beta, ln k), N and D centred."""

    def __init__(self, columns: Mapping[str, Array]) -> None:
        logs = [np.log(columns[name]) for name in ("N", "D")]
        self.means = [float(one.mean()) for one in logs]
        self.n, self.d = (one - mean for one, mean in zip(logs, self.means, strict=True))

    def public(self, theta: Array) -> dict[str, Array]:
        """Return the coefficients, [R] each, of [R, 6] coordinates of which E is the first."""
        k = np.exp(theta[:, 5])
        with np.errstate(over="ignore"):
            amplitudes = [
                np.exp((theta[:, 1 + i] + theta[:, 3 + i] * self.means[i]) / k) for i in (0, 1)
            ]
        values = [theta[:, 0], *amplitudes, theta[:, 3], theta[:, 4], k]
        return dict(zip(NAMES, values, strict=True))

    def value(self, theta: Array) -> Array:
        """Return [R, n] ln (L - E)."""
        return self._parts(theta)[0]

    def jacobian(self, theta: Array) -> Array:
        """Return [R, n, 5] its slopes."""
        _, p, gap = self._parts(theta)
        entropy = np.exp(theta[:, 4:]) * (np.logaddexp(0, gap) - p * gap)
        return np.stack([p, 1 - p, -p * self.n, -(1 - p) * self.d, entropy], axis=-1)

    def curvature(self, theta: Array, weights: Array) -> Array:
        """Return [R, 5, 5] `sum_n w_n d2 ln (L - E)_n / d theta2`."""
        _, p, gap = self._parts(theta)
        k = np.exp(theta[:, 4:])
        ones = np.ones_like(p)
        # d gap / d theta, times k; and the second derivative left over, by ln k twice.
        away = np.stack([ones, -ones, -self.n * ones, self.d * ones, -k * gap], axis=-1)
        spread = weights * p * (1 - p) / k
        total = np.swapaxes(away * spread[..., None], -1, -2) @ away
        total[:, 4, 4] += (weights * k * (np.logaddexp(0, gap) - p * gap)).sum(-1)
        return np.asarray(total)

    def _parts(self, theta: Array) -> tuple[Array, Array, Array]:
        """Return [R, n] ln (L - E), the share p of the first term within, and (u - v) / k."""
        k = np.exp(theta[:, 4:])
        u = theta[:, :1] - theta[:, 2:3] * self.n
        v = theta[:, 1:2] - theta[:, 3:4] * self.d
        gap = (u - v) / k
        with np.errstate(over="ignore"):
            share = 1 / (1 + np.exp(-gap))
        return np.asarray(k * np.logaddexp(u / k, v / k)), share, gap
