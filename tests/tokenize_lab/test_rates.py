"""Entropy and inequality on cases worked by hand, and by the definitions' plain sums."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenize_lab.rates import gini, lorenz, renyi_efficiency, renyi_entropy, zipf_slope


def test_renyi_of_a_uniform_distribution_is_log_of_its_size() -> None:
    for order in (1.0, 2.0, 2.5, 3.0):
        assert renyi_entropy([7] * 8, order) == pytest.approx(3.0)
        assert renyi_efficiency([7] * 8, order, 8) == pytest.approx(1.0)
        # Declared V = 64 of which 8 were seen: half the bits.
        assert renyi_efficiency([7] * 8, order, 64) == pytest.approx(0.5)


def test_renyi_by_hand() -> None:
    # p = (1/2, 1/4, 1/4): H_2 = -log2(3/8); H_3 = -log2(1/8 + 2/64) / 2; Shannon 1.5 bits.
    counts = [2, 1, 1]
    assert renyi_entropy(counts, 2) == pytest.approx(-math.log2(3 / 8))
    assert renyi_entropy(counts, 3) == pytest.approx(-math.log2(5 / 32) / 2)
    assert renyi_entropy(counts, 1) == pytest.approx(1.5)
    # Observed V = 3, the default of tokenization-scorer; declared V = 10, the paper's.
    assert renyi_efficiency(counts, 3, 3) == pytest.approx(-math.log2(5 / 32) / 2 / math.log2(3))
    assert renyi_efficiency(counts, 3, 10) == pytest.approx(-math.log2(5 / 32) / 2 / math.log2(10))


def test_renyi_is_null_where_undefined() -> None:
    assert renyi_efficiency([], 2.5, 100) is None
    assert renyi_efficiency([5], 2.5, 1) is None


def test_gini_by_hand() -> None:
    # |1-3| counted twice over 2 * 4 * 2.
    assert gini([1, 3]) == pytest.approx(0.25)
    assert gini([5, 5, 5]) == 0
    # One language pays all: (n - 1) / n.
    assert gini([0, 0, 0, 1]) == pytest.approx(0.75)
    assert np.isnan(gini([1.0]))
    assert np.isnan(gini([0, 0]))


@given(st.lists(st.floats(0.1, 100), min_size=2, max_size=12))
def test_gini_is_the_double_sum_of_its_definition(costs: list[float]) -> None:
    n, mean = len(costs), sum(costs) / len(costs)
    double_sum = sum(abs(a - b) for a in costs for b in costs) / (2 * n * n * mean)
    assert gini(costs) == pytest.approx(double_sum, abs=1e-12)
    stacked = gini(np.array([costs, costs[::-1]]))
    assert stacked == pytest.approx([double_sum, double_sum], abs=1e-12)


def test_gini_is_twice_the_area_between_lorenz_and_the_diagonal() -> None:
    costs = [1.0, 2.0, 4.0, 9.0]
    x, y = lorenz(costs)
    area = float(np.trapezoid(x - y, x))
    assert 2 * area == pytest.approx(float(gini(costs)))


def test_zipf_slope_of_a_zipf_law() -> None:
    counts = np.round(1e7 / np.arange(1, 1001)).astype(int)
    assert zipf_slope(counts) == pytest.approx(-1.0, abs=1e-3)
    assert zipf_slope([5, 4, 3]) is None
