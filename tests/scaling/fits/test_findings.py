"""Laws whose shape has no optimum are failures, not answers."""

import numpy as np
import pytest

from scaling.fits.findings import beyond_rates, upside_down

LOSS = np.array([1.0, 0.9, 0.8])


@pytest.mark.parametrize(
    ("level", "bend", "names"),
    [
        (1e3, 0.03, []),
        (1e3, -0.03, ["no minimum in T"]),
        (-1e3, 0.03, ["loss does not fall"]),
        (-1e3, -0.03, ["loss does not fall", "no minimum in T"]),
    ],
)
def test_an_upside_down_law_is_a_failure(level: float, bend: float, names: list[str]) -> None:
    found = upside_down({"L0": level, "F": bend}, LOSS)
    assert [one.name for one in found] == names
    assert all(one.severity == "failure" for one in found)


def test_constant_losses_are_a_failure() -> None:
    (found,) = upside_down({"L0": 1.0, "F": 1.0}, np.ones(5))
    assert found.name == "constant losses" and found.severity == "failure"


def test_a_best_rate_beyond_those_trained_is_said() -> None:
    compute, rate = np.array([1e19, 1e19, 1e20]), np.array([1.0, 16.0, 16.0])
    (found,) = beyond_rates(compute, rate, np.array([100.0, 100.0, 8.0]))
    assert found.name == "minimum outside the grid"
    assert "T* = 100 at C = 1e+19" in found.message
    assert "1e+20" not in found.message
    assert not beyond_rates(compute, rate, np.array([4.0, 4.0, 8.0]))
