"""Prices of vocabularies: the laws' own where nothing is added, and what heads and serving do."""

from itertools import pairwise

import numpy as np
import pytest

from scaling.advise.forecast import Forecast, forecast
from scaling.advise.laws import family_laws, joint_law_draws
from scaling.advise.placement import place_language
from scaling.design.price import (
    LAW_VOCABULARY,
    Budget,
    MixturePrice,
    check_left,
    forward_flops,
    multiplier,
)
from scaling.flops import CostContext, forward_flops_per_byte, paper_subword
from scaling.laws.joint import log_valley
from scaling.laws.optimum import law1_bytes_per_param, law2_loss
from tokenize_lab import InputError

C = 1e21
RATES = np.array([[2.5], [3.08], [4.0], [5.0]])


def _ahead(language: str = "eng_Latn", setting: str = "monolingual") -> Forecast:
    return forecast(C, family_laws("subword"), place_language(language, None, setting))


def _prices(weights: dict[str, float], setting: str = "joint") -> MixturePrice:
    ahead = [_ahead(name, setting) for name in weights]
    values = np.array(list(weights.values()))
    return MixturePrice(list(weights), values, ahead, joint_law_draws()).first(21)


ENGLISH = _prices({"eng_Latn": 1.0}, "monolingual")
TWO = _prices({"eng_Latn": 0.7, "hin_Deva": 0.3})


@pytest.mark.parametrize("layers", [1, 7, 20, 48])
def test_flops_are_those_of_the_shapes(layers: int) -> None:
    shape = paper_subword(layers, 50_000)
    ours = forward_flops(np.array(float(shape.global_params)), np.array(4.2), 50_000)
    assert ours == pytest.approx(forward_flops_per_byte(shape, CostContext(4.2)), rel=1e-12)


def test_the_laws_own_vocabulary_with_nothing_served_is_the_laws_answer() -> None:
    priced = ENGLISH.of(RATES, np.full(4, LAW_VOCABULARY), Budget(C))
    ahead = _ahead().first(21)
    for i, rate in enumerate(RATES[:, 0]):
        column = np.full(21, rate)
        np.testing.assert_allclose(priced.loss[:, i], ahead.loss(column), rtol=1e-9)
        best = ahead.allocate(column, LAW_VOCABULARY)
        np.testing.assert_allclose(priced.params[:, i], best.params, rtol=3e-3)
        np.testing.assert_allclose(priced.flops_per_byte * priced.train_bytes * 3, C, rtol=1e-12)


def test_ids_cost_and_nothing_else_does() -> None:
    """At one rate, more ids are never better; the law's own are between fewer and more."""
    ids = np.array([256.0, 4096, 32_768, LAW_VOCABULARY, 1_000_000])
    loss = TWO.of(np.full((5, 2), 4.0), ids, Budget(C)).loss
    assert (np.diff(loss, axis=1) > 0).all()


def test_serving_takes_from_training_and_wants_a_smaller_model() -> None:
    rates, ids = np.array([[3.0, 4.5], [3.5, 6.0]]), np.array([4096.0, 32_768])
    served = [TWO.of(rates, ids, Budget(C, s)) for s in (0.0, 1e11, 1e12, 1e13)]
    for less, more in pairwise(served):
        assert (more.loss > less.loss).all() and (more.params < less.params).all()
        assert (more.train_share < less.train_share).all()
    spent = served[2].flops_per_byte * (3 * served[2].train_bytes + 1e12)
    np.testing.assert_allclose(spent, C, rtol=1e-9)
    dearer = TWO.of(rates, ids, Budget(C, 1e12, 10.0))
    np.testing.assert_allclose(dearer.loss, served[3].loss, rtol=1e-12)


def test_serving_wants_more_bytes_per_token_and_nothing_served_law_iis() -> None:
    wanted = [list(TWO.wanted(Budget(C, s)).values()) for s in (0.0, 1e11, 1e12, 1e13)]
    assert wanted[0] == [float(each.best_rate[0]) for each in TWO.ahead]
    assert all(less[0] <= more[0] for less, more in pairwise(wanted))
    assert wanted[2][0] > 1.1 * wanted[0][0]


def test_the_size_found_is_the_best() -> None:
    """Against every size of a grid, spelt out for one language: what serving leaves is trained."""
    ids, rate, served = 4096.0, 3.2, 1e12
    priced = ENGLISH.first(1).of(np.array([[rate]]), np.array([ids]), Budget(C, served))
    laws = {name: column[0] for name, column in _ahead().draws.items()}
    joint_law = {name: column[0] for name, column in joint_law_draws().items()}
    params = np.exp(np.linspace(np.log(1e7), np.log(1e11), 4001))
    data = (C / forward_flops(params, np.full(1, rate), ids) - served) / 3
    params, data = params[data > 0], data[data > 0]
    flops = 3 * data * forward_flops(params, np.full(1, rate), LAW_VOCABULARY)
    best = law1_bytes_per_param(laws, 6 * params * data / rate, np.full(1, rate))
    valley = log_valley(joint_law["kappa"], np.zeros(()), np.log(data / params / best))
    reducible = law2_loss(laws, flops, np.full(1, rate)) - laws["E"]
    loss = laws["E"] + reducible * np.exp(-joint_law["gamma"] / joint_law["kappa"] * valley)
    assert priced.loss[0, 0] == pytest.approx(loss.min(), abs=1e-7)
    assert priced.params[0, 0] == pytest.approx(params[loss.argmin()], rel=3e-3)


def test_a_language_counts_by_its_weight() -> None:
    rates, ids = np.array([[3.0, 4.5]]), np.array([4096.0])
    priced = TWO.of(rates, ids, Budget(C))
    np.testing.assert_allclose(priced.loss, priced.losses @ [0.7, 0.3], rtol=1e-12)


def test_the_budget_that_makes_up_for_a_vocabulary_does() -> None:
    rates, ids = np.array([[3.0, 4.5], [2.0, 3.0]]), np.array([4096.0, 512.0])
    goal = float(TWO.of(rates, ids, Budget(C)).loss[0, 0])
    one, more = multiplier(TWO, rates, ids, Budget(C), goal).tolist()
    assert one == pytest.approx(1, rel=1e-6) and more > 1
    again = TWO.of(rates[1:], ids[1:], Budget(C * more)).loss[0, 0]
    assert again == pytest.approx(goal, abs=1e-6)
    assert multiplier(TWO, rates, ids, Budget(C), 0.1).tolist() == [np.inf, np.inf]


@pytest.mark.parametrize("price", [1e5, 1e20, 1e308])  # NumPy warned of the last two
def test_nothing_left_to_train_is_refused(price: float) -> None:
    budget = Budget(C, 1e17, price)
    with pytest.raises(InputError, match=r"`serve_bytes` 1e\+17: serving them leaves"):
        check_left(TWO.of(np.array([[3.0, 4.5]]), np.array([4096.0]), budget), budget)
