"""A number of an answer with the ends of its interval, and how it is written."""

from typing import NamedTuple

import numpy as np

from scaling.engine.newton import Array
from scaling.result import FitResult

TAIL = 0.025  # of the draws, left out at either end of an interval
MOST = 1e6  # times a budget: what would take more, no budget buys back


class Estimate(NamedTuple):
    """A number, the ends of its interval (None where there is none), and its unit."""

    value: float | None
    low: float | None
    high: float | None
    unit: str

    @classmethod
    def of(cls, draws: Array, unit: str) -> "Estimate":
        """Return the first draw, and the middle 95 % of the others; infinities are None.

        Without a number, without draws, or where more of them are NaN than the interval leaves
        out, there is no interval.
        """
        value, others = float(draws[0]), draws[1:]
        ends = np.array([np.nan, np.nan])
        if not np.isnan(value) and len(others) and np.isnan(others).mean() <= TAIL:
            ends = np.nanpercentile(others, [100 * TAIL, 100 - 100 * TAIL], method="nearest")
        low, high = (float(end) if np.isfinite(end) else None for end in ends)
        return cls(value if np.isfinite(value) else None, low, high, unit)

    def __str__(self) -> str:
        if self.value is None:
            return f"unknown ({self.unit})"
        if self.low is None and self.high is None:
            return f"{self.value:.4g} {self.unit}"
        low, high = ("unbounded" if x is None else f"{x:.4g}" for x in (self.low, self.high))
        return f"{self.value:.4g} [{low}, {high}] {self.unit}"


def apart(one: Estimate, other: Estimate) -> bool:
    """Whether the intervals of two numbers do not meet; not known where an end is missing."""
    if None in (one.low, one.high, other.low, other.high):
        return False
    assert one.low is not None and one.high is not None
    assert other.low is not None and other.high is not None
    return one.high < other.low or other.high < one.low


def plain(value: object) -> object:
    """Return dictionaries and lists for what has fields or items."""
    if isinstance(value, FitResult):
        return value.data
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value
