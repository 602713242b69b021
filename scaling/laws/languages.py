"""The laws over languages: best rate, data and loss by parity, with an effect of each language.

At one budget, for T*, rho* = B* / N* and the bits per byte there, each of them y:

    ln y*_l = ln y_1 + b ln parity_l + u_l,   u_l ~ N(0, tau^2)

parity_l is the bytes that language l takes for what English says in one, y_1 what a language of
English's length has, and u_l what l has of its own beyond its length. A language with runs has the
estimate that they give, drawn towards the line by how little they tell beside tau; one without has
the line, and an effect that is not known: `y_new`, 0 in the estimates, which its draws spread by
tau. So what is predicted of a parity carries the interval of a new language.

Coefficients are named by y, `compression_rate`, `bytes_per_param` or `bits_per_byte`: `y_at_1`,
`y_slope`, `y_tau` and `y_new`; and of each language `parity:NAME`, `y_opt:NAME` (pooled),
`y_own:NAME` (of its own runs alone) and `y_weight:NAME` (of these in the pooled one).
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from scaling.engine.newton import Array
from scaling.laws.declared import BITS, Quantities, Quantity
from scaling.laws.power_sum import Coefficients

RATE, RATIO, LOSS = "compression_rate", "bytes_per_param", "bits_per_byte"
UNITS = {RATE: "bytes per token", RATIO: "bytes per parameter", LOSS: BITS}
AT_1, SLOPE, TAU, NEW = "{}_at_1", "{}_slope", "{}_tau", "{}_new"
PARITY, POOLED, OWN, WEIGHT = "parity:{}", "{}_opt:{}", "{}_own:{}", "{}_weight:{}"


def languages_of(estimates: Mapping[str, Any]) -> list[str]:
    """Return the languages of a fit, in its order."""
    head = PARITY.format("")
    return [name.removeprefix(head) for name in estimates if name.startswith(head)]


def pooled(p: Coefficients, parity: Array, outcome: str) -> Array:
    """Return T*, rho* or bits per byte of a language without runs.

    Args:
        outcome: `RATE`, `RATIO` or `LOSS`.
    """
    level, slope = p[AT_1.format(outcome)], p.get(SLOPE.format(outcome), np.float64(0))
    return np.asarray(level * parity**slope * np.exp(p[NEW.format(outcome)]))


def train_bytes(p: Coefficients, latent_flops: Array, parity: Array) -> Array:
    """Return B* of a language without runs: C = 6 N B / T, so B*^2 = C T* rho* / 6."""
    rate, ratio = pooled(p, parity, RATE), pooled(p, parity, RATIO)
    return np.asarray(np.sqrt(latent_flops * rate * ratio / 6))


LANGUAGES: Quantities = {
    f"{outcome}_opt": Quantity(("parity",), unit, partial(pooled, outcome=outcome))
    for outcome, unit in UNITS.items()
} | {
    "train_bytes_opt": Quantity(("latent_flops", "parity"), "bytes", train_bytes),
}
