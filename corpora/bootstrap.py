"""Intervals by a paired bootstrap over documents or aligned lines.

The same resamples serve everything that was counted over the same number of units, so a difference
between two tokenizers or languages is the difference of their paired replicates, and its interval
is narrower than their own (Efron and Tibshirani 1993, chapters 13 and 16).

It needs NumPy alone: training on a bare box draws intervals, too.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, SupportsFloat

import numpy as np
from numpy.typing import NDArray

_MOST_WEIGHTS = 1 << 22  # held at a time: 32 MB


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
        values = units.astype(np.float64)
        if self.replicates * count <= _MOST_WEIGHTS:
            return np.asarray(self.draws(count) @ values)
        random, shares = np.random.default_rng([self.seed, count]), np.full(count, 1 / count)
        at_once = max(1, _MOST_WEIGHTS // count)
        sums = [
            random.multinomial(count, shares, size=min(at_once, self.replicates - done)) @ values
            for done in range(0, self.replicates, at_once)
        ]
        return np.concatenate(sums)

    def interval(self, replicates: NDArray[np.float64] | None) -> Interval | None:
        """Return the percentile interval, or None where a replicate is undefined or none exist."""
        if replicates is None or not np.isfinite(replicates).all():
            return None
        tail = (1 - self.level) / 2
        low, high = np.quantile(replicates, [tail, 1 - tail])
        return Interval(float(low), float(high))


@lru_cache(maxsize=4)  # most groups of a corpus share one
def _draws(replicates: int, seed: int, units: int, stratum: int) -> NDArray[np.float64]:
    random = np.random.default_rng([seed, units, stratum] if stratum else [seed, units])
    draws = random.multinomial(units, np.full(units, 1 / units), size=replicates)
    return draws.astype(np.float64)
