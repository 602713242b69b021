"""Intervals by a paired bootstrap over documents or aligned lines.

The same resamples serve everything that was counted over the same number of units, so a difference
between two tokenizers or languages is the difference of their paired replicates, and its interval
is narrower than their own (Efron and Tibshirani 1993, chapters 13 and 16).

It needs NumPy alone: training on a bare box draws intervals, too.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, SupportsFloat

import numpy as np
from numpy.typing import NDArray

_MOST_WEIGHTS = 1 << 22  # held at a time: 32 MB
_DRAWN_AT_ONCE = 1 << 16  # units: what is counted stays within the processor's cache


class Interval(NamedTuple):
    """Two ends of an interval; as JSON, a list of two numbers."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        """Whether a number lies between the ends."""
        return isinstance(value, SupportsFloat) and self.low <= float(value) <= self.high


def bounds_text(low: float | None, high: float | None, digits: int = 6) -> str:
    """Return an interval as it is printed; an end that is open, infinite or None, is said."""
    ends = (-math.inf if low is None else low, math.inf if high is None else high)
    text = f"[{ends[0]:.{digits}g}, {ends[1]:.{digits}g}]"
    return text.replace("[-inf", "(no end").replace("inf]", "no end)")


@dataclass(frozen=True)
class DocumentBootstrap:
    """How intervals are made.

    Attributes:
        replicates: number of resamples; 0 for no intervals.
        seed: of the resamples.
        level: coverage of the interval between percentiles.
    """

    replicates: int = 1000
    seed: int = 0
    level: float = 0.95

    def draws(self, units: int, stratum: int = 0) -> NDArray[np.float64]:
        """Return [replicates, units] how often each unit is drawn.

        The same for the same number of units, but for strata that are resampled independently.
        """
        return _draws(self.replicates, self.seed, units, stratum)

    def sums(self, units: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return resampled sums of [units, columns], [replicates, columns]; None for fewer than
        two units, or no replicates."""
        count = len(units)
        if count < 2 or not self.replicates:
            return None
        # Counts are far below 2^53, so their sums in floating point are exact.
        columns = np.ascontiguousarray(units.T, np.float64)
        sums = np.empty((len(columns), self.replicates))
        done = 0
        for weights in self._weights(count):
            np.matmul(columns, weights.T, out=sums[:, done : done + len(weights)])
            done += len(weights)
        return sums.T

    def _weights(self, units: int) -> Iterator[NDArray[np.float64]]:
        """Yield rows of `draws`, not more at a time than may be held."""
        if self.replicates * units <= _MOST_WEIGHTS:
            yield self.draws(units)
            return
        random, at_once = np.random.default_rng([self.seed, units]), max(1, _MOST_WEIGHTS // units)
        for done in range(0, self.replicates, at_once):
            yield _multinomial(random, min(at_once, self.replicates - done), units)

    def interval(self, replicates: NDArray[np.float64] | None) -> Interval | None:
        """Return the percentile interval, or None where a replicate is undefined or none exist."""
        return None if replicates is None else self.intervals(replicates[None])[0]

    def intervals(self, replicates: NDArray[np.float64]) -> list[Interval | None]:
        """Return the percentile interval of each row of [rows, replicates], or None where a
        replicate of it is undefined."""
        ordered = np.sort(replicates, axis=-1)  # what is not a number is last
        defined = np.isfinite(ordered[:, 0]) & np.isfinite(ordered[:, -1])
        tail = (1 - self.level) / 2
        low, high = (_quantile(ordered[defined], q).tolist() for q in (tail, 1 - tail))
        ends = iter(map(Interval, low, high))
        return [next(ends) if row else None for row in defined.tolist()]


def _quantile(ordered: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Return [rows] the quantile of ascending rows, between the two nearest values: numpy's own,
    whose search costs several times the sorting."""
    place = share * (ordered.shape[-1] - 1)
    below = math.floor(place)
    left, right = ordered[:, below], ordered[:, min(below + 1, ordered.shape[-1] - 1)]
    rest, gap = place - below, right - left
    return np.asarray(left + gap * rest if rest < 0.5 else right - gap * (1 - rest))


@lru_cache(maxsize=2)  # most groups of a corpus share one
def _draws(replicates: int, seed: int, units: int, stratum: int) -> NDArray[np.float64]:
    random = np.random.default_rng([seed, units, stratum] if stratum else [seed, units])
    return _multinomial(random, replicates, units)


def _multinomial(random: np.random.Generator, replicates: int, units: int) -> NDArray[np.float64]:
    """Return [replicates, units] how often each unit is drawn in as many draws as there are units.

    Draws are counted; a binomial for every unit, as numpy's multinomial has it, takes ten times as
    long.
    """
    weights = np.empty((replicates, units))
    at_once = max(1, _DRAWN_AT_ONCE // units)
    for first in range(0, replicates, at_once):
        rows = weights[first : first + at_once]
        drawn = random.integers(0, units, rows.shape)
        drawn += np.arange(len(rows))[:, None] * units
        rows[:] = np.bincount(drawn.ravel(), minlength=rows.size).reshape(rows.shape)
    return weights
