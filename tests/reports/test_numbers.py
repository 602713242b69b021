"""Numbers say no more than is known, and nothing that is not so."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import numbers


@pytest.mark.parametrize(
    ("value", "ends", "text", "between"),
    [
        (3.2461, (3.0, 3.5), "3.25", "[3.00, 3.50]"),
        (2.2711, (2.2684, 2.2741), "2.271", "[2.268, 2.274]"),  # two places would read [2.27, 2.27]
        (1.0, (1.0, 1.0), "1.00", ""),
        (-0.001, None, "\u22120.001", ""),
        (-1.5, (-2.0, -1.0), "\u22121.50", "[\u22122.00, \u22121.00]"),
        (0.0, None, "0.00", ""),
        (-0.0, None, "0.00", ""),
    ],
)
def test_rate(value: float, ends: tuple[float, float] | None, text: str, between: str) -> None:
    assert numbers.rate(value, ends) == text
    assert numbers.rate_interval(value, ends) == between


@pytest.mark.parametrize(
    ("value", "ends", "text", "between"),
    [
        (1.0, None, "100 %", ""),
        (0.0, None, "0 %", ""),
        (0.9999, None, "99.99 %", ""),
        (0.00002, None, "0.002 %", ""),
        (0.195, (0.19, 0.2), "19.5 %", "[19.0, 20.0 %]"),
        (0.0, (0.0, 0.01), "0.0 %", "[0.0, 1.0 %]"),
    ],
)
def test_share(value: float, ends: tuple[float, float] | None, text: str, between: str) -> None:
    assert numbers.share(value, ends) == text
    assert numbers.share_interval(value, ends) == between


def test_unmeasured_is_not_a_number() -> None:
    assert numbers.rate(None) == numbers.share(None) == numbers.UNMEASURED


@given(st.floats(1e-7, 1 - 1e-7))
def test_no_share_reads_as_nothing_or_everything_unless_it_is(value: float) -> None:
    shown = float(numbers.share(value).removesuffix(" %"))
    assert 0 < shown < 100
    assert shown == pytest.approx(100 * value, abs=0.0501)


@given(st.floats(1, 100), st.floats(1e-4, 1))
def test_ends_of_an_interval_are_told_apart(value: float, width: float) -> None:
    ends = (value - width / 2, value + width / 2)
    low, high = re.findall(r"[\d.]+", numbers.rate_interval(value, ends))
    assert float(low) < float(high)
    # Each is rounded by less than half the width, so the interval is not shown shifted off itself.
    assert float(low) == pytest.approx(ends[0], abs=width / 2)
    assert float(high) == pytest.approx(ends[1], abs=width / 2)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (14_640_000, "14.6 MB"),
     (2_500_000_000_000, "2.5e+03 GB")],
)  # fmt: skip
def test_size(value: int, text: str) -> None:
    assert numbers.size(value) == text


def test_lists_and_plurals() -> None:
    assert numbers.listed(["a"]) == "a"
    assert numbers.listed(["a", "b", "c"]) == "a, b and c"
    assert numbers.plural(1, "language") == "1 language"
    assert numbers.plural(1997, "aligned line") == "1,997 aligned lines"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1e20, "10²⁰"),
        (2e21, "2×10²¹"),
        (5e-3, "5×10⁻³"),
        (1, "10⁰"),
        (1.5e19, "1.5×10¹⁹"),
        (0, "0"),
    ],
)
def test_powers_of_ten(value: float, expected: str) -> None:
    assert numbers.power(value) == expected


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [(3.7049, 3, "3.70"), (0.031206, 3, "0.0312"), (-0.190112, 3, "\u22120.190"), (0, 3, "0"),
     (9.999, 3, "10.0"), (1.4e9, 2, "1.4e9"), (-1.7e-5, 2, "\u22121.7e-5"), (None, 3, "–"),
     (math.nan, 3, "–")],
)  # fmt: skip
def test_significant_digits(value: float | None, digits: int, expected: str) -> None:
    assert numbers.significant(value, digits) == expected


def test_budgets_in_cells_are_numbers_to_sort_by() -> None:
    assert [float(numbers.compact(one)) for one in (1e19, 2e21, 6.25)] == [1e19, 2e21, 6.25]
