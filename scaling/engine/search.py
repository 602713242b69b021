"""Searches along one line, many at once: where something crosses over, and where it is least.

Every element of an array is a search of its own, all of as many steps, so that an estimate and its
draws are found together and the same way every time. No slopes are asked for: what is searched may
have kinks, as costs of shapes have that go in steps.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scaling.engine.newton import Array

HALVINGS = 60  # of a range of any width: to the last digit
KEPT = (5**0.5 - 1) / 2  # of the range, by each step of a golden section
SECTIONS = 48  # which leave 1e-10 of the range


def crossing(
    falls_short: Callable[[Array], NDArray[np.bool_]],
    low: Array,
    high: Array,
    halvings: int = HALVINGS,
) -> tuple[Array, Array]:
    """Return a range that holds each crossing, narrowed from `low` to `high` by halving.

    Args:
        falls_short: whether each of the places lies below the crossing.
        low, high: of one shape.
    """
    for _ in range(halvings):
        middle = (low + high) / 2
        short = falls_short(middle)
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return low, high


def halfway(
    falls_short: Callable[[Array], NDArray[np.bool_]],
    low: Array,
    high: Array,
    halvings: int = HALVINGS,
) -> Array:
    """Return the middle of the range that `crossing` leaves; its arguments."""
    low, high = crossing(falls_short, low, high, halvings)
    return np.asarray((low + high) / 2)


def least(value: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Return where each value is least, by golden section: it has one minimum between the ends.

    Where two places have the same value, infinity perhaps, the minimum is taken to be below.
    """
    left, right = high - KEPT * (high - low), low + KEPT * (high - low)
    at_left, at_right = value(left), value(right)
    for _ in range(SECTIONS):
        down = at_left <= at_right
        low, high = np.where(down, low, left), np.where(down, right, high)
        left, right = high - KEPT * (high - low), low + KEPT * (high - low)
        new = value(np.where(down, left, right))
        at_left, at_right = np.where(down, new, at_right), np.where(down, at_left, new)
    return np.asarray((low + high) / 2)
