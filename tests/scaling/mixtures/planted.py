"""Runs of mixtures under a planted law, whose best mixture is known."""

import numpy as np
import polars as pl

from scaling.engine.newton import Array
from scaling.mixtures.design import mixture_design
from scaling.mixtures.simplex import lowest_place

TEXTS = ("eng", "rus", "hin", "vie")
PRIOR = dict(zip(TEXTS, (4.0, 3.0, 2.0, 1.0), strict=True))
FLOORS = np.array([1.1, 1.3, 0.9, 1.2])
# ln of what a text alone leaves above the floor, by language and text: its own helps it most, its
# neighbour somewhat.
WORTH = np.full((4, 4), -0.2)
for _i in range(4):
    WORTH[_i, _i] = -1.9 - 0.3 * _i
    WORTH[_i, (_i + 1) % 4] = -0.7
EVEN = np.full(4, 0.25)


def losses_at(shares: Array, worth: Array = WORTH) -> Array:
    """Return [n, 4] losses at [n, 4] shares."""
    return np.asarray(FLOORS + np.exp(shares @ worth.T))


def best(weights: Array = EVEN, worth: Array = WORTH, caps: Array | None = None) -> Array:
    """Return [4] the best mixture."""
    return lowest_place(worth, weights, np.ones(4) if caps is None else caps).shares


def runs_table(
    count: int, noise: float, seed: int = 0, worth: Array = WORTH, prefix: str = "bits_per_byte:"
) -> pl.DataFrame:
    """Return runs of a design, with noise of that standard deviation."""
    shares = mixture_design(PRIOR, count, seed)
    losses = losses_at(shares, worth)
    losses = losses + noise * np.random.default_rng(seed).standard_normal(losses.shape)
    columns = {f"share:{text}": shares[:, i] for i, text in enumerate(TEXTS)}
    columns |= {f"{prefix}{text}": losses[:, i] for i, text in enumerate(TEXTS)}
    return pl.DataFrame(columns)
