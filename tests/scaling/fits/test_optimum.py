"""isoFLOP bowls, Law I and Law II; their golden numbers are those of `scaling.published`."""

from dataclasses import replace

import numpy as np
import pytest

from corpora.errors import InputError
from scaling.engine.bootstrap import CASES, NO_BOOTSTRAP
from scaling.fits.findings import correlated
from scaling.fits.isoflop import fit_parabolas, fit_surfaces
from scaling.fits.law1 import fit_law1
from scaling.fits.law2 import fit_law2
from scaling.fits.law2_forms import FORMS, leave_budgets_out, make_problem
from scaling.laws.optimum import law2_loss, place
from scaling.laws.registry import Options
from scaling.published import tables
from scaling.result import FitResult
from scaling.runs import Runs
from tests.scaling.fits.planted import PLANTED

PAPERS = Options("compute-dependent")  # the form of Law II that the paper fits


def budgets(runs: Runs) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return runs.column("compute_flops", "test")


def test_surface_intervals_hold_the_estimate_and_the_paper() -> None:
    runs = tables.isoflop_runs()
    (fit,) = fit_surfaces(runs.only(budgets(runs) == 1e20))
    for name, value in fit.estimates.items():
        interval = fit.intervals[name]
        assert interval is not None and value in interval
    ratio = fit.intervals["bytes_per_param_opt"]
    assert ratio is not None and 62.1 in ratio
    here = fit.predict("bits_per_byte", compression_rate=4.0, bytes_per_param=np.array([30.0, 1e4]))
    assert here.low is not None and here.high is not None
    assert (here.low < here.value).all() and (here.value < here.high).all()
    assert "bytes_per_param" in here.outside and "compression_rate" not in here.outside


def test_a_minimum_outside_the_grid_is_a_finding() -> None:
    runs = tables.isoflop_runs()
    rate = runs.column("compression_rate", "test")
    parabolas = fit_parabolas(runs.only((budgets(runs) == 2e21) & (rate == 1)))
    # Of the widest replicates of six runs, a few bend the wrong way.
    found = [one.name for one in parabolas[0].findings]
    assert found == ["minimum outside the grid", "failed draws"]
    (surface,) = fit_surfaces(
        runs.only((budgets(runs) == 1e20) & (rate >= 6)), bootstrap=NO_BOOTSTRAP
    )
    assert any(one.name == "minimum outside the grid" for one in surface.findings)


def test_golden_law_1_needs_the_exact_parameter_counts() -> None:
    """The golden numbers come from exact counts; as printed (1.3B) they move in the third digit."""
    exact = fit_law1(tables.isoflop_runs(exact_params=True))
    shown = {name: f"{value:.3g}" for name, value in exact.estimates.items()}
    assert shown == {"B0": "7.06", "alpha": "0.484", "beta": "0.495", "N0": "0.0236"}
    assert exact.n == 36
    printed = fit_law1(tables.isoflop_runs(), bootstrap=NO_BOOTSTRAP)
    assert f"{printed.estimates['B0']:.2f}" == "7.04"
    assert printed.estimates["alpha"] == pytest.approx(exact.estimates["alpha"], abs=2e-4)
    beta = exact.intervals["beta"]
    assert beta is not None and 0.471 in beta  # the paper's, from nine budgets


def test_law_1_is_consistent_with_itself() -> None:
    fit = fit_law1(tables.isoflop_runs(), bootstrap=NO_BOOTSTRAP)
    compute, rate = 3e20, 4.5
    data = fit.predict("train_bytes_opt", latent_flops=compute, compression_rate=rate).value
    size = fit.predict("params_opt", latent_flops=compute, compression_rate=rate).value
    assert 6 * data * size / rate == pytest.approx(compute)
    ratio = fit.predict("bytes_per_param_opt", latent_flops=compute, compression_rate=rate).value
    assert ratio == pytest.approx(data / size)


def test_golden_law_2() -> None:
    fit = fit_law2(tables.optima(), PAPERS)
    assert fit.n == 48 and fit.status == "converged"
    shown = {name: f"{fit.estimates[name]:.3g}" for name in ("gamma", "F", "delta", "E")}
    assert shown == {"gamma": "-0.19", "F": "0.0312", "delta": "0.0361", "E": "0.683"}
    best = fit.predict("compression_rate_opt", compute_flops=np.array([1e20, 2e21])).value
    assert [f"{one:.2f}" for one in best] == ["3.70", "3.32"]
    assert f"{fit.r2:.4f}" == "0.9971"


def test_law_2_forms_are_nested_and_weighed() -> None:
    fits = [fit_law2(tables.optima(), Options(form), NO_BOOTSTRAP) for form in FORMS]
    squares = [fit.rmse for fit in fits]
    assert squares == sorted(squares, reverse=True, key=lambda one: one or 0)
    aicc = [fit.aicc or 0 for fit in fits]
    assert aicc == sorted(aicc, reverse=True)
    assert [f"{fit.rmse:.4f}" for fit in fits] == ["0.0201", "0.0060", "0.0050", "0.0029", "0.0024"]


def test_the_bowl_of_law_2_shrinks() -> None:
    """What a budget that was not seen costs at a wrong rate is what it predicts best."""
    optima = tables.optima()
    data = [optima.column(name, "test") for name in ("compute_flops", "compression_rate")]
    data.append(optima.column("bits_per_byte", "test"))
    scores = {form: leave_budgets_out(form, *data) for form in FORMS}
    for form, largest, two in (
        ("compute-dependent", "0.0074", "0.0083"),
        ("proportional", "0.0054", "0.0057"),
        ("shrinking", "0.0044", "0.0048"),
    ):
        found = scores[form]
        assert (f"{found.largest:.4f}", f"{found.two_largest:.4f}") == (largest, two)
    fit = fit_law2(optima)
    assert fit.form == "shrinking" and fit.findings[0].name == "form chosen"
    assert fit.holdout is not None and fit.holdout.rmse == pytest.approx(scores[fit.form].largest)
    phi = fit.intervals["phi"]
    assert phi is not None and phi.low > 0.1 and fit.estimates["phi"] in phi
    # The runs themselves, of six budgets, say the same by their own minima.
    runs = fit_law2(tables.isoflop_runs())
    assert runs.form == "shrinking" and runs.estimates["phi"] in phi
    price = [
        float(fit.predict("price_bits_per_byte", compute_flops=c, compression_rate=1.0).value)
        for c in (1e20, 2e21)
    ]
    assert price == pytest.approx([0.0549, 0.0323], abs=2e-3)


def test_the_form_is_chosen_by_what_the_optima_say() -> None:
    generator = np.random.default_rng(0)
    forms: dict[str, list[str]] = {}
    for name in ("law2", "law2-shrinking", "law2-proportional"):
        planted = PLANTED[name]()
        for _ in range(30):
            fit = fit_law2(planted.noisy(generator), bootstrap=NO_BOOTSTRAP)
            forms.setdefault(name, []).append(fit.form)
    assert forms["law2"].count("compute-dependent") >= 26
    assert forms["law2-shrinking"].count("compute-dependent") <= 3
    assert forms["law2-proportional"].count("compute-dependent") <= 3
    # Too few budgets to leave two of them out: the paper's form.
    optima = tables.optima()
    few = fit_law2(optima.only(budgets(optima) <= 2e20), bootstrap=NO_BOOTSTRAP)
    assert few.form == "proportional"  # one coefficient less, from five budgets
    fewer = fit_law2(optima.only(budgets(optima) <= 1e20), bootstrap=NO_BOOTSTRAP)
    assert fewer.form == "compute-dependent" and "form chosen" not in str(fewer.findings)


@pytest.mark.parametrize("form", list(FORMS))
def test_derivatives_of_law_2_are_those_of_its_values(form: str) -> None:
    optima = tables.optima()
    names = ("compute_flops", "compression_rate", "bits_per_byte")
    problem, starts = make_problem(form, *(optima.column(name, "test") for name in names))
    theta = starts[:2] + 0.01
    jacobian = problem.model.jacobian(theta)
    for index in range(theta.shape[1]):
        step = np.zeros_like(theta)
        step[:, index] = 1e-6
        slope = (problem.model.value(theta + step) - problem.model.value(theta - step)) / 2e-6
        np.testing.assert_allclose(jacobian[:, :, index], slope, rtol=1e-5, atol=1e-8)
    p = {name: values[0] for name, values in problem.public(theta).items()}
    value = law2_loss(p, *(optima.column(name, "test") for name in names[:2]))
    np.testing.assert_allclose(problem.model.value(theta)[0], value, rtol=1e-10)


def test_law_2_from_runs_repeats_both_stages() -> None:
    for minima in ("parabola", "lowest"):
        fit = fit_law2(
            tables.isoflop_runs(),
            bootstrap=CASES._replace(draws=200),
            options=Options(minima=minima),
        )
        assert fit.n == 36 and "both stages repeated" in fit.interval_method
        paper = fit.intervals["gamma"]
        assert paper is not None and -0.206 in paper


def test_result_goes_through_json_whole() -> None:
    fit = fit_law2(tables.optima(), PAPERS)
    again = FitResult.from_json(fit.to_json())
    assert again == fit
    asked = {"compute_flops": 3e20, "compression_rate": 6.0}
    assert again.predict("bits_per_byte", **asked) == fit.predict("bits_per_byte", **asked)
    assert "NaN" not in fit.to_json() and "Infinity" not in fit.to_json()
    text = fit.summary()
    for piece in ("law2 (compute-dependent)", "converged", "gamma", "hold-out", "R2 0.997"):
        assert piece in text


def test_a_fit_and_its_predictions_are_shown_in_a_line() -> None:
    fit = fit_law2(tables.optima(), PAPERS)
    assert repr(fit).startswith("FitResult(law2, compute-dependent, converged, n = 48: gamma -0.19")
    far = fit.predict("compression_rate_opt", compute_flops=1e23)
    assert far.interval is not None and float(far.value) in far.interval
    assert repr(far).endswith("], compute_flops 50 times beyond)")
    several = fit.predict("compression_rate_opt", compute_flops=np.array([1e20, 1e21]))
    assert several.interval is None and repr(several) == "Prediction((2,) values)"
    assert "<pre>law2 (compute-dependent)" in fit._repr_html_()


def test_same_seed_same_bytes() -> None:
    assert fit_law2(tables.optima()).to_json() == fit_law2(tables.optima()).to_json()


def test_what_is_missing_is_said() -> None:
    runs, optima = tables.isoflop_runs(), tables.optima()
    rate = runs.column("compression_rate", "test")
    with pytest.raises(InputError, match="law1 needs at least 2 compute budgets, and there is 1"):
        fit_law1(runs.only(budgets(runs) == 1e20))
    with pytest.raises(InputError, match="law1 needs at least 2 compression rates"):
        fit_law1(runs.only(rate == 4))
    with pytest.raises(
        InputError, match=r"law2 \(compute-dependent\) needs at least 3 compute budgets"
    ):
        fit_law2(optima.only(budgets(optima) <= 2e19))
    with pytest.raises(InputError, match="needs at least 3 compression rates, and there is 1"):
        fit_law2(optima.only(optima.column("compression_rate", "test") == 4))
    with pytest.raises(InputError, match=r"isoflop-surface needs at least 3 compression rates at"):
        fit_surfaces(runs.only(rate <= 2))
    one = np.zeros(len(runs), bool)
    one[:2] = True
    with pytest.raises(InputError, match="needs at least 3 model sizes at C = 1e\\+19, T = 1"):
        fit_parabolas(runs.only(one))
    with pytest.raises(
        InputError, match="no form 'compute_dependent'; did you mean 'compute-dependent'"
    ):
        fit_law2(optima, Options("compute_dependent"))
    fit = fit_law2(optima, bootstrap=NO_BOOTSTRAP)
    with pytest.raises(InputError, match="does not predict 'loss'"):
        fit.predict("loss", compute_flops=1e20)
    with pytest.raises(InputError, match="needs compute_flops, compression_rate"):
        fit.predict("bits_per_byte", compute_flops=1e20)


def test_flat_and_few_are_findings() -> None:
    runs = tables.isoflop_runs()
    rate = runs.column("compression_rate", "test")
    here = runs.only((budgets(runs) == 1e20) & (rate == 4))
    loss = here.rows["bits_per_byte"].to_numpy().copy()
    noise = np.random.default_rng(0).normal(size=len(loss))
    flat = here.rows.with_columns(bits_per_byte=loss.mean() + 0.001 * noise + 1e-5 * np.arange(11))
    (fit,) = fit_parabolas(replace(here, rows=flat), bootstrap=NO_BOOTSTRAP)
    assert {"flat minimum", "concave parabola"} & {one.name for one in fit.findings}
    (few,) = fit_parabolas(here.only(np.arange(len(here)) < 4), bootstrap=NO_BOOTSTRAP)
    assert "few sizes" in {one.name for one in few.findings}
    (clean,) = fit_parabolas(here, bootstrap=NO_BOOTSTRAP)
    assert clean.findings == ()


def test_law_1_holds_out_the_largest_budget() -> None:
    fit = fit_law1(tables.isoflop_runs(), bootstrap=NO_BOOTSTRAP)
    assert fit.holdout is not None and fit.holdout.n == 6
    assert "2e+21" in fit.holdout.rule and fit.holdout.rmse < 0.2


def test_excluded_rows_travel_with_the_result() -> None:
    optima = tables.optima()
    kept = optima.where(budgets(optima) > 1e19, "smallest budget")
    fit = fit_law2(kept, bootstrap=NO_BOOTSTRAP)
    assert len(fit.excluded) == 6 and fit.excluded[0].reason == "smallest budget"
    assert "rows left out" in {one.name for one in fit.findings}
    assert "row 1 left out: smallest budget" in fit.summary()


def test_draws_far_out_do_not_make_a_correlation() -> None:
    random = np.random.default_rng(0)
    draws = {"one": np.exp(random.normal(size=100)), "other": np.exp(random.normal(size=100))}
    draws["one"][0] = draws["other"][0] = 1e200  # a bowl that is all but flat
    assert correlated(draws, ("one", "other")) == []
    draws["other"] = draws["one"] ** -2
    (found,) = correlated(draws, ("one", "other"))
    assert "rank correlation -1.000" in found.message
    signed = {"one": random.normal(size=100)}
    signed["other"] = 3 * signed["one"]
    assert len(correlated(signed, ("one", "other"))) == 1


def test_coefficients_that_move_together_are_one_finding() -> None:
    random = np.random.default_rng(1)
    a, b = random.normal(size=(2, 200))
    draws = {"L0": a, "gamma": -a, "E": a + 0.01 * b, "F": random.normal(size=200),
             "T0": b, "delta": 2 * b}  # fmt: skip
    (found,) = correlated(draws, tuple(draws))
    assert found.message == (
        "L0, gamma and E move together (rank correlation up to -1.000); T0 and delta move together "
        "(rank correlation 1.000): trust their joint prediction, not any of them alone"
    )


def test_an_optimum_beyond_any_float_is_none() -> None:
    where = place(np.array([-800.0, 0.0, 800.0, np.nan]))
    assert where[1] == 1 and np.isnan(where[[0, 2, 3]]).all()
