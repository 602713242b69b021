"""Repeated data with a price: what passing over the same text again costs a model large for it.

    L = E + A / N^alpha + B / D^beta + P R^delta (N / U)^kappa,     R = D / U - 1 repetitions

U are the unique tokens. Lovelace et al. 2026 (arXiv 2605.01640) add the last term to Chinchilla's
law. Where Muennighoff et al. 2023 let a repetition be worth ever less, here one can be worth less
than nothing: beyond `epochs_opt` passes the loss rises. One pass is Chinchilla's law exactly.

Form `one-coefficient` holds delta and kappa at 1, so that P alone says how much a way of training
overfits; form `powers` frees both. At which values the paper holds them in its form of one
coefficient could not be checked here, so a P of theirs is not to be put beside one of ours.
"""

import numpy as np

from scaling.engine.newton import Array
from scaling.engine.search import halfway
from scaling.laws.chinchilla import loss as fresh_loss
from scaling.laws.power_sum import Coefficients
from scaling.laws.registry import NATS, Quantities, Quantity

HELD = {"delta": 1.0, "kappa": 1.0}
MOST_EPOCHS = 1e4  # where the search for the best number ends


def penalty(p: Coefficients, params: Array, tokens: Array, unique_tokens: Array) -> Array:
    """Return nats per token that repeating adds; 0 where nothing is repeated."""
    unique = np.minimum(unique_tokens, tokens)
    return _penalty(p, tokens / unique - 1, params / unique)


def overfitting_loss(p: Coefficients, params: Array, tokens: Array, unique_tokens: Array) -> Array:
    """Return nats per token of N parameters trained on D tokens of which U are unique."""
    return fresh_loss(p, params, tokens) + penalty(p, params, tokens, unique_tokens)


def best_epochs(p: Coefficients, params: Array, unique_tokens: Array) -> Array:
    """Return the passes over U tokens after which the loss of N parameters rises, by bisection.

    Between 1 and 10^4, which is also the answer where repeating costs nothing (P <= 0).
    """
    shape = np.broadcast_shapes(*map(np.shape, (p["P"], params, unique_tokens)))

    def slope(ln_epochs: Array) -> Array:
        """d L / d ln epochs: what the term of the data still saves, and what overfitting costs."""
        epochs = np.exp(ln_epochs)
        saved = p["beta"] * p["B"] * (unique_tokens * epochs) ** -p["beta"]
        cost = _penalty(p, epochs - 1, params / unique_tokens) * _power(p, "delta")
        return np.asarray(cost * epochs / np.maximum(epochs - 1, 1e-12) - saved)

    low, high = np.zeros(shape), np.full(shape, np.log(MOST_EPOCHS))
    return np.asarray(np.exp(halfway(lambda x: ~(slope(x) > 0), low, high)))


def _penalty(p: Coefficients, repetitions: Array, capacity: Array) -> Array:
    return np.asarray(p["P"] * repetitions ** _power(p, "delta") * capacity ** _power(p, "kappa"))


def _power(p: Coefficients, name: str) -> Array:
    return np.asarray(p.get(name, HELD[name]))


OVERFITTING: Quantities = {
    "loss": Quantity(("params", "tokens", "unique_tokens"), NATS, overfitting_loss),
    "epochs_opt": Quantity(("params", "unique_tokens"), "epochs", best_epochs),
}
