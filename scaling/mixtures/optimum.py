"""The best mixture of a weighted mean of languages: where it lies, how sure, and what caps cost.

Each language has its own exponential law, so the mean is a sum of exponentials, which is convex:
its optimum lies inside where languages want different texts. A single language's law falls steadily
towards one text, and its optimum is that text up to its cap.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from corpora.bootstrap import Interval
from corpora.errors import InputError
from scaling.engine.bootstrap import percentiles
from scaling.engine.newton import Array
from scaling.mixtures.regressions import exponential_value
from scaling.mixtures.result import BestMixture, LanguageRegressions, MixtureArm, spread
from scaling.mixtures.simplex import CappedMinimum, lowest_place

SAMPLES, BEST = 100_000, 128  # of the paper's way
_AT_ONCE = 20_000
IN_HULL = 1e-6  # how far a mixture may lie from those tried, by rounding


class LanguageDraws:
    """The exponential laws of the languages of a target, and their bootstrap.

    Attributes:
        names: L languages with a weight. weights: [L], with a sum of 1.
        point: [L, K + 1]. draws: [R, L, K + 1].
    """

    def __init__(
        self, regressions: Mapping[str, LanguageRegressions], weights: Mapping[str, float]
    ) -> None:
        self.names = [name for name, weight in weights.items() if weight]
        chosen = np.array([weights[name] for name in self.names], np.float64)
        self.weights = chosen / chosen.sum()
        laws = [regressions[name] for name in self.names]
        self.point = np.array([law.exponential for law in laws])
        self.draws = (
            np.stack([law.draws for law in laws], axis=1)
            if all(len(law.draws) for law in laws)
            else np.empty((0, *self.point.shape))
        )

    def lowest(self, theta: Array, caps: Array, start: Array | None = None) -> CappedMinimum:
        """Return the lowest place of [L, K + 1] laws."""
        return lowest_place(theta[:, 1:], self.weights, caps, start)

    def losses(self, theta: Array, shares: Array) -> Array:
        """Return [..., L] losses of [..., L, K + 1] laws at [K] shares."""
        return exponential_value(theta, shares[None])[..., 0]

    def lowest_draws(self, caps: Array, start: Array) -> Array:
        """Return [R, K] lowest places of the draws."""
        found = [self.lowest(theta, caps, start).shares for theta in self.draws]
        return np.array(found).reshape(len(self.draws), len(caps))


def best_mixture(
    laws: LanguageDraws, caps: Array, level: float, tried: NDArray[np.bool_]
) -> BestMixture:
    """Return the best mixture under [K] caps, with percentile intervals.

    Args:
        tried: [K] which texts are in some run; of the others nothing is known, and none is taken.

    Raises:
        InputError: the caps leave no mixture of the texts tried.
    """
    open_ = tried.astype(np.float64)
    caps = np.minimum(caps, open_)
    if caps.sum() < 1 - 1e-9:
        raise InputError(
            f"`caps`: those of the texts that runs have tried allow {caps.sum():.3g} of the bytes"
            " that the budget needs; raise a cap, or try more texts"
        )
    found = laws.lowest(laws.point, caps)
    shares = found.shares
    draws = laws.lowest_draws(caps, shares)
    here, drawn = laws.losses(laws.point, shares), laws.losses(laws.draws, shares)
    loss = spread(float(here @ laws.weights), drawn @ laws.weights, level)
    cost = spread(0.0, np.empty(0), level)
    if (caps < open_).any():
        free = laws.lowest(laws.point, open_)
        free_draws = laws.lowest_draws(open_, free.shares)
        cost = spread(
            loss.value - float(laws.losses(laws.point, free.shares) @ laws.weights),
            np.array(
                [
                    (laws.losses(theta, capped) - laws.losses(theta, uncapped)) @ laws.weights
                    for theta, capped, uncapped in zip(laws.draws, draws, free_draws, strict=True)
                ]
            ),
            level,
        )
    ends = [spread(value, drawn[:, i], level) for i, value in enumerate(here)]
    return BestMixture(
        shares=tuple(shares.tolist()),
        intervals=share_intervals(draws, level, len(caps)),
        draws=draws,
        loss=loss.value,
        loss_interval=loss.interval,
        losses={name: end.value for name, end in zip(laws.names, ends, strict=True)},
        loss_intervals={name: end.interval for name, end in zip(laws.names, ends, strict=True)},
        caps=tuple(caps.tolist()),
        cost=max(0.0, cost.value),
        cost_interval=cost.interval,
        gap=max(0.0, found.gap),
    )


def share_intervals(draws: Array, level: float, texts: int) -> tuple[Interval | None, ...]:
    """Return the percentile interval of each column of [R, K] draws; none where R is 0."""
    if not len(draws):
        return (None,) * texts
    low, high = percentiles(draws, level)
    return tuple(Interval(float(a), float(b)) for a, b in zip(low, high, strict=True))


def sampled_mixture(
    arm: MixtureArm, form: str, weights: Mapping[str, float], base: Array, caps: Array, seed: int
) -> Array:
    """Return [K] the mean of the best of many draws, which is the paper's way.

    Args:
        form: of the regression that judges them.
        base: [K] parameters of the Dirichlet: the shares of the texts in all their bytes, which sum
            to 1.
        caps: draws beyond them are not judged; where all are, the best mixture stands instead.
    """
    random = np.random.default_rng(seed)
    kept, values = [], []
    for _ in range(0, SAMPLES, _AT_ONCE):
        shares = random.dirichlet(base, _AT_ONCE)
        shares = shares[(shares <= caps).all(axis=1)]
        found = arm.value(form, weights, shares)
        first = np.argsort(found, kind="stable")[:BEST]
        kept.append(shares[first])
        values.append(found[first])
    shares = np.concatenate(kept)
    if not len(shares):
        return np.array(arm.best.shares)
    order = np.argsort(np.concatenate(values), kind="stable")[:BEST]
    return np.asarray(shares[order].mean(axis=0))


def outside_hull(shares: Sequence[float], tried: Array) -> float:
    """Return how far a mixture lies from every mean of those tried; 0 where it is one.

    Args:
        shares: [K]. tried: [n, K].
    """
    from scipy.optimize import nnls

    _, distance = nnls(tried.T, np.asarray(shares))
    return float(distance) if distance > IN_HULL else 0.0
