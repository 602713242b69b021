"""A predicted value, its interval, and how far it lies outside what was fitted."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Prediction(NamedTuple):
    """One quantity of a law at some inputs.

    Attributes:
        value: the point prediction, in the shape of the inputs.
        low, high: ends of the interval in the same shape; None where the law carries no draws.
        outside: for each input that leaves the fitted range, by what factor (1.5 means half as
            large again as the largest fitted value, or that much below the smallest).
    """

    value: Array
    low: Array | None
    high: Array | None
    outside: dict[str, float]


def beyond(
    inputs: Mapping[str, Array], fitted: Mapping[str, tuple[float, float]]
) -> dict[str, float]:
    """Return by what factor each positive input exceeds its fitted range, where it does."""
    out = {}
    for name, values in inputs.items():
        if name not in fitted:
            continue
        low, high = fitted[name]
        top, bottom = float(np.max(values)), float(np.min(values))
        if low <= 0 or bottom <= 0:
            continue
        factor = max(top / high, low / bottom)
        if factor > 1 and not math.isclose(factor, 1, rel_tol=1e-9):
            out[name] = factor
    return out
