"""What the replicates let one claim: which is the largest, and which cannot be told from it.

All replicates are paired (see `tokenize_lab.bootstrap`), so a difference has an interval of its
own, narrower than those of what it compares. Intervals are not adjusted for the number of
comparisons; the report says so.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.bootstrap import Bootstrap, Interval
from tokenize_lab.counts import GroupCounts
from tokenize_lab.distribution import gini
from tokenize_lab.fields import FIELD_INDEX

K = TypeVar("K", bound=Hashable)

_KEPT = ("bytes", "tokens")


@dataclass(frozen=True)
class Estimate:
    """A value, and its replicates where there are any: [replicates] or None."""

    value: float
    replicates: NDArray[np.float64] | None = None

    def minus(self, other: "Estimate") -> "Estimate":
        """Return the paired difference."""
        if self.replicates is None or other.replicates is None:
            return Estimate(self.value - other.value)
        return Estimate(self.value - other.value, self.replicates - other.replicates)

    def over(self, other: "Estimate") -> "Estimate":
        """Return the paired ratio. The other's value must not be 0."""
        value = self.value / other.value
        if self.replicates is None or other.replicates is None or (other.replicates == 0).any():
            return Estimate(value)
        return Estimate(value, self.replicates / other.replicates)


@dataclass
class Resamples:
    """Resampled counts of groups, made once each.

    Attributes:
        bootstrap: how they are made, or None for none.
    """

    bootstrap: Bootstrap | None
    _made: dict[int, tuple[GroupCounts, dict[str, Estimate]]] = field(default_factory=dict)

    def count(self, name: str, part: GroupCounts) -> Estimate:
        """Return a group's bytes or tokens."""
        if id(part) not in self._made:
            sums = self.bootstrap.sums(part) if self.bootstrap else None
            total = part.total
            self._made[id(part)] = (  # the group is kept too, so that its id stays its own
                part,
                {
                    one: Estimate(
                        float(total[FIELD_INDEX[one]]),
                        None if sums is None else sums[:, FIELD_INDEX[one]].copy(),
                    )
                    for one in _KEPT
                },
            )
        return self._made[id(part)][1][name]

    def interval(self, estimate: Estimate) -> Interval | None:
        """Return an estimate's interval, or None."""
        return self.bootstrap.interval(estimate.replicates) if self.bootstrap else None

    def gini(self, parts: Sequence[GroupCounts]) -> Estimate:
        """Return the Gini coefficient of tokens over aligned languages."""
        costs = [self.count("tokens", part) for part in parts]
        value = float(gini([cost.value for cost in costs]))
        columns = [cost.replicates for cost in costs if cost.replicates is not None]
        if len(columns) < len(costs):
            return Estimate(value)
        return Estimate(value, gini(np.stack(columns, axis=-1)))


@dataclass(frozen=True)
class Extreme(Generic[K]):
    """The most extreme of several estimates.

    Attributes:
        best: the most extreme by its point estimate.
        tied: others whose paired difference from it has an interval that holds 0, nearest first;
            None where there are no intervals to say.
        next: the nearest that is told apart, or by point estimate where nothing can be.
        gap: how far it lies behind the best, at least 0; None where there is no next.
    """

    best: K
    tied: Sequence[K] | None
    next: K | None
    gap: Estimate | None


def extreme(
    estimates: Mapping[K, Estimate], resamples: Resamples, *, largest: bool = True
) -> Extreme[K]:
    """Return the largest (or smallest) of at least one estimate, and what ties with it."""
    sign = 1 if largest else -1
    order = sorted(estimates, key=lambda key: -sign * estimates[key].value)
    best, others = order[0], order[1:]
    gaps = {
        other: (
            estimates[best].minus(estimates[other])
            if largest
            else estimates[other].minus(estimates[best])
        )
        for other in others
    }
    intervals = {other: resamples.interval(gap) for other, gap in gaps.items()}
    known = all(ends is not None for ends in intervals.values())
    tied = [other for other, ends in intervals.items() if ends is not None and ends[0] <= 0]
    following = next((other for other in others if not known or other not in tied), None)
    return Extreme(
        best, tied if known else None, following, None if following is None else gaps[following]
    )
