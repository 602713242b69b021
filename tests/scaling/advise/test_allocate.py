"""Size and data from a budget, and the price of a rate: they lie where the laws and shapes say."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling.advise.allocate import _forward, price
from scaling.advise.laws import family_laws
from scaling.flops import CostContext, paper_blt, training_flops_per_byte
from scaling.laws.optimum import law2_best_loss, law2_loss


def test_allocation_lies_between_the_papers_shapes() -> None:
    """At a shape's own size the interpolated cost is that shape's."""
    for layers, rate in ((8, 4.0), (20, 2.5), (32, 9.0)):
        shape = paper_blt(layers)
        ours = _forward(np.array([float(shape.global_params)]), np.array([rate]), None)
        assert 3 * ours[0] == pytest.approx(
            training_flops_per_byte(shape, CostContext(rate)), rel=1e-6
        )


@settings(max_examples=25)
@given(st.floats(1, 30), st.floats(18, 23))
def test_the_multiplier_buys_the_price_back(rate: float, ln10: float) -> None:
    draws = {name: column[:3] for name, column in family_laws("latent").law2.draws.items()}
    budget = 10.0**ln10
    cost = price(draws, budget, np.full(3, rate), np.ones(3))
    for draw in range(3):
        if not np.isfinite(cost.multiplier[draw]):
            continue
        p = {name: column[draw] for name, column in draws.items()}
        best = p["L0"] * budget ** p["gamma"] + p["E"]
        more = budget * cost.multiplier[draw]
        away = math.log(rate) - math.log(p["T0"] * more ** -p["delta"])
        bowl = p["F"] * more ** -p["phi"] * away**2
        assert p["L0"] * more ** p["gamma"] + p["E"] + bowl == pytest.approx(best)


def test_a_price_is_bought_back_at_the_first_budget_that_does() -> None:
    # With a strong drift of T*, a rate just below T* is soon redeemed, and lost again far beyond.
    law = {"L0": 1087.0, "gamma": -0.181, "F": 0.0575, "T0": 1577.0, "delta": 0.129, "E": 0.68}
    draws = {name: np.array([value]) for name, value in law.items()}
    best = 1577.0 * 1e21**-0.129
    cost = price(draws, 1e21, np.array([0.98 * best]), np.array([1.0]))
    assert 1 < cost.multiplier[0] < 1.2
    goal = law2_best_loss(draws, np.array(1e21))
    again = law2_loss(draws, 1e21 * cost.multiplier, np.array([0.98 * best]))
    assert again == pytest.approx(goal, rel=1e-9)
    far = law2_loss(draws, np.array([1e27]), np.array([0.98 * best]))
    assert far > goal
