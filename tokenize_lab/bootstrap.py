"""Paired bootstrap over documents or aligned lines.

One matrix of resamples serves every tokenizer and every language with the same number of units, so
a difference between two of them is the difference of their paired replicates (Efron and Tibshirani
1993, chapter 16), and its interval is narrower than their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.counts import GroupCounts
from tokenize_lab.fields import FIELD_INDEX

Interval = tuple[float, float]


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made.

    Attributes:
        replicates: number of resamples.
        seed: of the resamples.
        level: coverage of the interval between percentiles.
    """

    replicates: int = 1000
    seed: int = 0
    level: float = 0.95

    def sums(
        self, group: GroupCounts, columns: Sequence[int] | None = None
    ) -> NDArray[np.float64] | None:
        """Return resampled counts, [replicates, len(FIELDS)]; None for fewer than two units.

        Only `columns` are filled in, where they are given.
        """
        # A domain of a parallel corpus leaves the units of other domains empty.
        units = group.units[group.units[:, FIELD_INDEX["documents"]] > 0]
        counted = units.any(0) if columns is None else np.asarray(columns)
        resampled = self.resampled(units[:, counted])
        if resampled is None:
            return None
        sums = np.zeros((self.replicates, units.shape[1]))
        sums[:, counted] = resampled
        return sums

    def resampled(self, units: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """Return resampled sums of [units, columns], [replicates, columns]; None for fewer than
        two units."""
        if len(units) < 2:
            return None
        weights = _weights(self.replicates, self.seed, len(units))
        # Counts are far below 2^53, so sums in floating point are exact.
        sums: NDArray[np.float64] = weights @ units.astype(np.float64)
        return sums

    def interval(self, replicates: NDArray[np.float64] | None) -> Interval | None:
        """Return the percentile interval, or None where a replicate is undefined or none exist."""
        if replicates is None or not np.isfinite(replicates).all():
            return None
        tail = (1 - self.level) / 2
        low, high = np.quantile(replicates, [tail, 1 - tail])
        return float(low), float(high)


@lru_cache(maxsize=4)  # most groups of a corpus share one
def _weights(replicates: int, seed: int, units: int) -> NDArray[np.float64]:
    """[replicates, units] how often each unit is drawn; the same for the same number of units."""
    random = np.random.default_rng([seed, units])
    draws = random.multinomial(units, np.full(units, 1 / units), size=replicates)
    return draws.astype(np.float64)
