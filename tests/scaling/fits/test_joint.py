"""The joint law: what it must predict, what it contains, and that its parts are right."""

import numpy as np
import pytest

from corpora.errors import InputError
from scaling.compare import FormScore, lowest_of_largest, score_forms
from scaling.engine.bootstrap import CASES, NO_BOOTSTRAP
from scaling.fits.joint import (
    ADDITIVE,
    FORMS,
    Data,
    fit_joint,
    fit_joint_terms,
    make_problem,
    predict_left_out,
    read,
)
from scaling.fits.single_stage import point
from scaling.laws import chinchilla, joint, optimum
from scaling.laws.joint import DEFAULT_FORM
from scaling.laws.registry import Options
from scaling.published import tables

CHOSEN = DEFAULT_FORM


@pytest.fixture(scope="module")
def scores() -> dict[str, FormScore]:
    return {one.form: one for one in score_forms(tables.isoflop_runs())}


def test_the_bar_of_the_issue(scores: dict[str, FormScore]) -> None:
    chosen = scores[CHOSEN]
    assert chosen.coefficients < 9
    assert chosen.holdout_rmse <= 0.0061
    assert chosen.holdout_lowest_rmse <= 0.0064
    data = read(tables.isoflop_runs())
    assert np.sum(data.compute <= 1e21) == 275 and np.sum(data.compute == 2e21) == 36
    assert lowest_of_largest(data).sum() == 6


def test_why_this_form(scores: dict[str, FormScore]) -> None:
    """Fewest coefficients among the forms that predict; drift of T* or a second exponent lose."""
    chosen, rival = scores[CHOSEN], scores["joint-terms"]
    assert chosen.coefficients == 8 and rival.coefficients == 9
    assert (chosen.aicc or 0) < (rival.aicc or 0) - 400
    assert chosen.left_out_mean < 0.5 * rival.left_out_mean
    for budget, error in chosen.left_out_rmse.items():
        assert error < rival.left_out_rmse[budget], budget
    for form, score in scores.items():
        # What predicts better is a valley that widens with compute, and nothing else.
        assert score.holdout_rmse >= chosen.holdout_rmse or "omega" in FORMS[form], form
        # A bowl that shrinks by a power of its own cannot tell that power from four budgets.
        if "phi" in FORMS.get(form, ()):
            assert score.holdout_two_rmse > 1.7 * chosen.holdout_two_rmse, form


def test_the_valley_widens_and_its_place_does_not_drift(scores: dict[str, FormScore]) -> None:
    """A drift of rho* (epsilon) takes up what belongs to the valley's width (omega)."""
    chosen, drift = scores[CHOSEN], scores["two-exponents"]
    wide, both = scores["widening"], scores["widening-two-exponents"]
    assert (drift.aicc or 0) < (chosen.aicc or 0) - 8 and drift.holdout_rmse > chosen.holdout_rmse
    assert (wide.aicc or 0) < (chosen.aicc or 0) - 50 and (both.aicc or 0) > (wide.aicc or 0)
    for name in ("holdout_rmse", "holdout_lowest_rmse", "holdout_two_rmse", "left_out_mean"):
        assert getattr(wide, name) < getattr(chosen, name), name
    assert wide.holdout_two_rmse < 0.55 * chosen.holdout_two_rmse
    runs = tables.isoflop_runs()
    alone, beside = (
        fit_joint(runs, Options(form), NO_BOOTSTRAP).estimates["epsilon"]
        for form in ("two-exponents", "widening-two-exponents")
    )
    assert alone == pytest.approx(0.0335, abs=1e-4) and abs(beside) < 0.005


@pytest.mark.parametrize("form", ["widening", "widening-by-rate", "widening-two-exponents"])
def test_a_valley_that_widens_is_found(form: str) -> None:
    """Planted on the published design, without noise."""
    truth = {"E": 0.7, "L0": 1460.0, "gamma": -0.188, "rho0": 56.6, "F": 0.11, "T0": 3.5,
             "g": -0.34, "kappa": 32.0, "omega": 0.105, "chi": 0.2, "epsilon": 0.02}  # fmt: skip
    p = {name: truth[name] for name in FORMS[form]}
    if "epsilon" in p:
        p["rho0"] *= 1e20**-0.02
    data = read(tables.isoflop_runs())
    loss = joint.loss(p, data.compute, data.rate, data.bytes)
    problem, starts = make_problem(form, data._replace(loss=loss))
    found = point(problem, starts)
    assert found == pytest.approx(p, rel=1e-4)
    # The valley's place and height are those of the form without.
    plain = {name: value for name, value in p.items() if name not in ("omega", "chi")}
    at = data.compute[:5], data.rate[:5]
    np.testing.assert_array_equal(joint.best_loss(p, *at), joint.best_loss(plain, *at))
    best = joint.best_bytes(p, *at)
    np.testing.assert_allclose(joint.loss(p, *at, best), joint.best_loss(plain, *at), rtol=1e-12)


def test_a_bowl_that_shrinks_is_the_same_law_where_it_does_not() -> None:
    fit = fit_joint(tables.isoflop_runs(), Options("shrinking"), NO_BOOTSTRAP)
    p, at = fit.estimates, (np.array([1e19, 1e21]), np.array([2.0, 8.0]), np.array([2e10, 4e11]))
    assert fit.status == "converged" and p["phi"] < 0  # less than in proportion to what is left
    # With no power of its own it is the form without; one that undoes gamma keeps the bowl as wide.
    plain = {name: value for name, value in p.items() if name != "phi"}
    np.testing.assert_array_equal(joint.loss({**p, "phi": 0.0}, *at), joint.loss(plain, *at))
    wide = {**p, "F": 1e-8, "phi": p["gamma"]}
    best = [joint.best_loss(wide, np.array(c), np.array([2.0, 8.0])) for c in (1e20, 1e21)]
    assert np.diff(best[0]) == pytest.approx(np.diff(best[1]), rel=1e-3)


def test_hold_out_of_the_result_is_that_of_the_scores(scores: dict[str, FormScore]) -> None:
    fit = fit_joint(tables.isoflop_runs(), bootstrap=NO_BOOTSTRAP)
    assert fit.holdout is not None and fit.holdout.n == 36
    assert fit.holdout.rmse == pytest.approx(scores[CHOSEN].holdout_rmse)
    assert fit.rmse == pytest.approx(scores[CHOSEN].rmse)


def test_a_steep_valley_overflows_in_silence() -> None:
    problem, starts = make_problem(CHOSEN, read(tables.isoflop_runs()))
    theta = starts[:1].copy()
    theta[:, FORMS[CHOSEN].index("kappa")] = 300.0
    # Warnings are errors here: what is meant is 0, and a person at the terminal can do nothing.
    assert np.isfinite(problem.model.jacobian(theta)).all()


def test_public_coefficients_are_the_internal_ones() -> None:
    data = read(tables.isoflop_runs())
    for form in FORMS:
        problem, starts = make_problem(form, data)
        p = {name: one[0] for name, one in problem.public(starts).items()}
        formula = joint.loss_additive if form in ADDITIVE else joint.loss
        value = formula(p, data.compute, data.rate, data.bytes)
        np.testing.assert_allclose(value, problem.model.value(starts[:1])[0], rtol=1e-9)


def test_chinchilla_is_the_special_case() -> None:
    """k = -gamma / (1 - e^2), F = 0: two powers, in effective parameters and tokens."""
    alpha, beta = 0.34, 0.28
    p = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": alpha, "beta": beta}
    compute, rate = np.array([1e19, 1e21, 1e23]), np.array([1.0, 4.0, 7.0])
    params = np.array([1e8, 1e9, 3e10])
    tokens = compute / 6 / params
    epsilon = (alpha - beta) / (alpha + beta)
    # The optimum of Chinchilla's law, written as rho* = rho0 T C^epsilon and L* = E + L0 C^gamma.
    best = chinchilla.best_params(p, np.ones(1))[0]
    ratio = (1 / 6 / best) / best
    gamma = -alpha * beta / (alpha + beta)
    level = p["A"] * best**-alpha + p["B"] * (1 / 6 / best) ** -beta
    q = {"E": 1.69, "L0": level, "gamma": gamma, "rho0": ratio, "epsilon": epsilon}
    ours = joint.loss(q, compute, rate, tokens * rate)
    np.testing.assert_allclose(ours, chinchilla.loss(p, params, tokens), rtol=1e-12)


def test_laws_1_and_2_are_its_optimum() -> None:
    fit = fit_joint(tables.isoflop_runs(), Options("additive"), NO_BOOTSTRAP)
    p, compute = fit.estimates, np.array([1e19, 1e20, 1e21])
    rate = np.array([2.0, 4.0, 8.0])
    best = joint.best_bytes(p, compute, rate)
    along = joint.loss_additive(p, compute, rate, best)
    # Law II with its own coefficients, to the last digit.
    np.testing.assert_allclose(along, optimum.law2_loss(p, compute, rate), rtol=1e-12)
    for factor in (0.9, 1.1):
        assert (joint.loss_additive(p, compute, rate, best * factor) > along).all()
    # B* is a power of compute and rate, as in Law I.
    exponent = np.log(joint.best_bytes(p, 10 * compute, rate) / best) / np.log(10)
    np.testing.assert_allclose(exponent, 0.5, rtol=1e-9)
    powers = {"B0": 7.0, "N0": 1 / 42, "alpha": 0.5, "beta": 0.5}
    ratio = optimum.law1_bytes_per_param(powers, compute, rate)
    assert np.ptp(ratio) < 1e-6 * ratio[0]


def test_intervals_and_report() -> None:
    fit = fit_joint(tables.isoflop_runs(), bootstrap=CASES._replace(draws=200))
    for name, value in fit.estimates.items():
        interval = fit.intervals[name]
        assert interval is not None and value in interval
    best = fit.predict("compression_rate_opt", compute_flops=1e22)
    assert best.low is not None and best.high is not None and best.low < 3.51 < best.high
    assert fit.predict(
        "bits_per_byte", compute_flops=1e20, compression_rate=4.0, train_bytes=4.3e10
    ).value == pytest.approx(0.96, abs=0.005)
    assert "effective" in fit.summary()


def test_left_out_rows_are_not_seen() -> None:
    data = read(tables.isoflop_runs())
    left = data.compute == 1e20
    spoilt = Data(*data[:3], np.where(left, 99.0, data.loss))
    np.testing.assert_array_equal(
        predict_left_out(CHOSEN, data, left), predict_left_out(CHOSEN, spoilt, left)
    )


def test_what_the_joint_law_needs() -> None:
    runs = tables.isoflop_runs()
    compute = runs.column("compute_flops", "test")
    with pytest.raises(InputError, match="needs at least 3 compute budgets, and there are 2"):
        fit_joint(runs.only(compute <= 2e19))
    with pytest.raises(InputError, match="no form 'two-exponent'; did you mean"):
        fit_joint(runs, Options("two-exponent"))
    with pytest.raises(InputError, match="joint needs train_bytes"):
        fit_joint(tables.optima())
    rival = fit_joint_terms(runs, bootstrap=NO_BOOTSTRAP)
    assert rival.estimates["alpha"] > 0 and rival.n == 311
