"""From loss to task error: Err = eps - k exp(-gamma L) (Gadre et al. 2024, arXiv 2403.08540, 3.2).

The average error over tasks falls as the loss on one named text does; at a high loss a model only
guesses, and eps is what guessing gets wrong. L is in bits per byte of that text. In nats per token
the law would be another for each tokenizer, and a tokenizer's price could not be told by it.
"""

import numpy as np

from scaling.engine.newton import Array, Loss, Predictor
from scaling.engine.problem import Problem
from scaling.laws.power_sum import Coefficients
from scaling.laws.registry import Quantities, Quantity

NAMES = ("eps", "k", "gamma")
RATES = (0.1, 0.3, 1.0, 3.0, 10.0)  # gamma times the spread of the losses, to start from


def error(p: Coefficients, loss: Array) -> Array:
    """Return the share of answers that are wrong, 0 to 1, at a loss."""
    return np.asarray(p["eps"] - p["k"] * np.exp(-p["gamma"] * loss))


DOWNSTREAM: Quantities = {
    "error": Quantity(("loss",), "share of answers that are wrong", error),
}


def downstream_problem(
    loss: Array, wrong: Array, charge: Loss, chance: float
) -> tuple[Problem, Array]:
    """Return the engine's problem in theta = (eps, ln k at the middle, ln gamma).

    eps is bounded by what chance gets wrong, which it may equal; the error falls with the loss.

    Args:
        loss, wrong: [n] L and the error there.
        chance: the error of guessing.
    """
    middle, spread = float(loss.mean()), float(np.ptp(loss))
    away = loss - middle

    def parts(theta: Array) -> tuple[Array, Array, Array]:
        with np.errstate(over="ignore"):
            gamma = np.exp(theta[:, 2:])
            return gamma, np.exp(theta[:, 1:2] - gamma * away), -gamma * away

    def value(theta: Array) -> Array:
        return np.asarray(theta[:, :1] - parts(theta)[1])

    def jacobian(theta: Array) -> Array:
        _, fall, slope = parts(theta)
        return np.stack([np.ones_like(fall), -fall, -fall * slope], axis=-1)

    def curvature(theta: Array, weights: Array) -> Array:
        _, fall, slope = parts(theta)
        out = np.zeros((len(theta), 3, 3))
        out[:, 1, 1] = -(weights * fall).sum(-1)
        out[:, 1, 2] = out[:, 2, 1] = -(weights * fall * slope).sum(-1)
        out[:, 2, 2] = -(weights * fall * (slope**2 + slope)).sum(-1)
        return out

    def public(theta: Array) -> dict[str, Array]:
        gamma = parts(theta)[0]
        with np.errstate(over="ignore"):
            k = np.exp(theta[:, 1] + gamma[:, 0] * middle)
        return {"eps": theta[:, 0], "k": k, "gamma": gamma[:, 0]}

    drop = max(float(np.ptp(wrong)), 1e-6)
    tops = [min(chance, wrong.max() + extra * drop) for extra in (0.05, 0.5)]
    starts = [[top, np.log(drop / 2), np.log(rate / spread)] for top in tops for rate in RATES]
    low, high = np.array([0.0, -np.inf, -np.inf]), np.array([chance, np.inf, np.inf])
    model = Predictor(value, jacobian, curvature, low, high)
    return Problem(model, wrong, charge, NAMES, public), np.array(starts)
