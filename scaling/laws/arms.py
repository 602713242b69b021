"""One law for several tokenizers or patchers (arms), with a factor for each.

    L = E + s (A N^-alpha + B (C / 6N)^-beta)

in bits per byte of one text: what cannot be learnt of it, E, is the same whatever cuts it, and so,
it is assumed, are the exponents. An arm's factor s says what is left above E beside the reference
arm's, whose s is 1, at the same parameters and the same compute. Each size and budget then informs
all arms: what a few runs of each at small budgets allow, where each on its own says too little.

At the best size for each budget L = E + s K C^-gamma with gamma = alpha beta / (alpha + beta). So
the reference needs s^(-1/gamma) times the compute to reach what the arm does.
"""

from collections.abc import Sequence

import numpy as np

from scaling.engine.newton import Array
from scaling.laws.chinchilla import CHINCHILLA, FLOPS_PER_PARAMETER_AND_TOKEN
from scaling.laws.power_sum import Coefficients, PowerSum, Term
from scaling.laws.registry import BITS, Quantities, Quantity

FACTOR, COMPUTE_RATIO = "factor:{}", "compute_ratio:{}"  # of an arm, among the coefficients


def law_of(arms: Sequence[str]) -> PowerSum:
    """Return the law with ln s of each of these arms (not the reference) among the exponents.

    A column of each arm's name is e where a run is of it and 1 elsewhere, which to the power ln s
    is s or 1. The search for starts leaves every s at 1.
    """
    factors = {arm: arm for arm in arms}
    size, data = (
        Term(term.name, {**term.powers, **factors}) for term in CHINCHILLA.terms if term.powers
    )
    none = {arm: np.zeros(1) for arm in arms}
    return PowerSum((Term("E"), size, data), {**CHINCHILLA.exponents, **none})


def tokens_afforded(params: Array, compute_flops: Array) -> Array:
    """Return C / 6N, the tokens that N parameters see for C FLOPs, by that rule alone."""
    return compute_flops / FLOPS_PER_PARAMETER_AND_TOKEN / params


def loss(p: Coefficients, params: Array, compute_flops: Array, factor: Array) -> Array:
    """Return bits per byte of an arm of that factor."""
    above = CHINCHILLA.value({**p, "E": 0.0}, N=params, D=tokens_afforded(params, compute_flops))
    return np.asarray(p["E"] + factor * above)


def compute_exponent(p: Coefficients) -> Array:
    """Return gamma, the power of C that the loss above E falls with at the best sizes."""
    return np.asarray(p["alpha"] * p["beta"] / (p["alpha"] + p["beta"]))


def compute_ratio(p: Coefficients, factor: Array) -> Array:
    """Return how many times its compute the reference needs to reach what the arm reaches."""
    return np.asarray(factor ** (-1 / compute_exponent(p)))


ARMS: Quantities = {
    "loss": Quantity(("params", "compute_flops", "factor"), BITS, loss),
    "compute_exponent": Quantity((), "", compute_exponent),
    "compute_ratio": Quantity(("factor",), "times the reference's compute", compute_ratio),
}
