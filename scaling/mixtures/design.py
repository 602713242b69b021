"""Which mixtures of texts to try: RegMix's draws (Liu et al., arXiv 2407.01492), thinned to a set
that lies far apart.

A mixture is a point w of the simplex, a share w_k of each of K texts. With p_k the share of text k
in all bytes, it is drawn from a Dirichlet of parameters c q, where q is p^.5, normalised, and the
concentration c is log-uniform in [.1, 5]: small c gives mixtures of few texts, large c such as lie
near q.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from scaling.engine.newton import Array

TEMPERATURE = 0.5
CONCENTRATIONS = (0.1, 5.0)
LEAST_SHARE = 2e-4  # smaller shares are dropped, and all are whole multiples of it
EPOCHS = 4.0  # how often a text may be repeated by default: more is hardly worth its compute
_UNITS = round(1 / LEAST_SHARE)
_POOL = 4  # mixtures drawn for each that is chosen
_MOST_ROUNDS = 200


def mixture_design(
    prior: Mapping[str, float], count: int, seed: int, caps: Mapping[str, float] | None = None
) -> Array:
    """Return [count, K] different mixtures of K texts, rows that sum to 1, far apart.

    The first is the most central of those drawn, and each further one lies farthest from all before
    it (in sqrt w, Hellinger's distance): any first few of them are themselves a design.

    Args:
        prior: bytes, or a weight, of each text by its name; the columns have its order.
        count: how many mixtures.
        seed: of the draws; the same gives the same design.
        caps: largest share of a text; those it does not name have none (`epoch_caps`).

    Raises:
        InputError: a weight or a cap that cannot be, caps that leave no mixture, or fewer different
            mixtures under them than asked for.
    """
    names = list(prior)
    weights = np.array([_weight(name, prior[name]) for name in names])
    if len(names) < 2:
        raise InputError(f"`prior`: {len(names)} text; a mixture needs two or more")
    if count < 1:
        raise InputError(f"`count` {count}: design at least one mixture")
    if not weights.all():
        empty = names[int(np.argmin(weights))]
        some = "every weight is 0" if not weights.any() else f"text {empty!r} has weight 0"
        raise InputError(f"`prior`: {some}; give each text its bytes, or leave it out")
    most = share_caps(names, caps or {})
    base = (weights / weights.sum()) ** TEMPERATURE
    pool = _drawn(base / base.sum(), most, count, np.random.default_rng(seed))
    if len(pool) < count:
        raise InputError(
            f"`caps`: only {len(pool)} different mixtures were found under them, not {count}; raise"
            " the caps or lower the budget, or ask for fewer"
        )
    return np.asarray(pool[_far_apart(np.sqrt(pool), count)])


def epoch_caps(
    text_bytes: Mapping[str, float], train_bytes: float, epochs: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Return the largest share of each text: what a budget may read of it, over all it reads.

    Args:
        text_bytes: of each text, once.
        train_bytes: that are read in training, repeats counted.
        epochs: how often each text may be read; `EPOCHS` for those not named.
    """
    often = epochs or {}
    return {
        name: min(1.0, often.get(name, EPOCHS) * size / train_bytes)
        for name, size in text_bytes.items()
    }


def share_caps(names: list[str], caps: Mapping[str, float]) -> Array:
    """Return [K] the largest share of each text, 1 for those without a cap.

    Raises:
        InputError: a cap for an unknown text, one outside [0, 1], or caps that sum to less than 1.
    """
    for name, cap in caps.items():
        if name not in names:
            raise InputError(f"`caps`: no text is called {name!r} ({', '.join(names)})")
        if not 0 <= cap <= 1:
            raise InputError(f"`caps`: text {name!r} has {cap:g}; a share lies between 0 and 1")
    most = np.array([caps.get(name, 1.0) for name in names], np.float64)
    if most.sum() < 1 - 1e-9:
        raise InputError(
            f"`caps`: together they allow {most.sum():.3g} of the bytes that the budget needs;"
            " raise a cap, add text, or lower the budget"
        )
    return most


def _weight(name: str, value: float) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise InputError(f"`prior`: text {name!r} has weight {value:g}; give 0 or more")
    return float(value)


def _drawn(base: Array, caps: Array, count: int, random: np.random.Generator) -> Array:
    """Return different mixtures under the caps, in the order of their draw."""
    low, high = np.log(CONCENTRATIONS)
    wanted, found = _POOL * count, np.empty((0, len(base)), np.int64)
    for _ in range(_MOST_ROUNDS):
        strength = np.exp(random.uniform(low, high, wanted))
        shares = np.stack([random.dirichlet(c * base) for c in strength])
        units = _in_units(shares)
        found = np.concatenate([found, units[(units <= caps * _UNITS + 1e-6).all(axis=1)]])
        _, first = np.unique(found, axis=0, return_index=True)
        found = found[np.sort(first)]
        if len(found) >= wanted:
            break
    return np.asarray(found[:wanted] / _UNITS)


def _in_units(shares: Array) -> NDArray[np.int64]:
    """Return shares as whole units that sum to the whole: small ones dropped, and the rest rounded
    by the largest remainder."""
    kept = np.where(shares < LEAST_SHARE, 0, shares)
    exact = kept / kept.sum(axis=1, keepdims=True) * _UNITS
    units = np.floor(exact)
    over = np.where(kept > 0, exact - units, -1.0)
    rank = np.argsort(np.argsort(-over, axis=1, kind="stable"), axis=1)
    short = _UNITS - units.sum(axis=1, keepdims=True)
    return np.asarray(units + (rank < short), np.int64)


def _far_apart(points: Array, count: int) -> list[int]:
    """Return which of [n, K] points: the most central one, then each time the farthest."""
    chosen = [int(np.argmin(((points - points.mean(axis=0)) ** 2).sum(axis=1)))]
    nearest = np.full(len(points), np.inf)
    while len(chosen) < count:
        nearest = np.minimum(nearest, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(np.argmax(nearest)))
    return chosen
