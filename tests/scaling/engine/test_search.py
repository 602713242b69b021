"""Planted crossings and minima, many at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling.engine.search import crossing, halfway, least

PLACES = st.lists(st.floats(-10, 10), min_size=1, max_size=5)


@given(PLACES)
def test_crossings_are_found(places: list[float]) -> None:
    at = np.array(places)
    low, high = crossing(lambda x: x < at, np.full(at.shape, -20.0), np.full(at.shape, 30.0))
    assert (low <= at).all() and (at <= high).all() and (high - low < 1e-14).all()
    coarse = halfway(lambda x: x < at, np.full(at.shape, -20.0), np.full(at.shape, 30.0), 10)
    assert np.abs(coarse - at).max() <= 50 / 2**11


@given(PLACES)
def test_minima_are_found_across_kinks(places: list[float]) -> None:
    at = np.array(places)
    found = least(lambda x: np.where(x < at, 2 * (at - x), x - at), at - 3, at + 5)
    assert found == pytest.approx(at, abs=1e-8)


def test_where_nothing_is_to_be_had_the_smaller_is_looked_at() -> None:
    def value(x: np.ndarray) -> np.ndarray:
        return np.where(x > 1, np.inf, (x - 0.25) ** 2)

    assert least(value, np.array([0.0]), np.array([100.0])) == pytest.approx(0.25, abs=1e-7)
