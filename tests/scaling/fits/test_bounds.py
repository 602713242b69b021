"""Coefficients that the runs do not bound are said, and have an open interval or none."""

import math

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize_scalar

from scaling.engine.bootstrap import CASES, NO_BOOTSTRAP, Bootstrap
from scaling.engine.newton import Array
from scaling.fits.chinchilla import fit_chinchilla
from scaling.fits.findings import NOT_BOUNDED
from scaling.fits.other_laws import fit_overtraining, fit_repeated, repeated_problem
from scaling.laws.chinchilla import loss as fresh_loss
from scaling.laws.chinchilla import overtraining_loss, repeated_loss, worth, worth_at_rate
from scaling.laws.registry import Options
from scaling.published.tables import BESIROGLU_REFIT, MUENNIGHOFF_REPEATED
from scaling.read_runs import read_runs
from scaling.result import FitResult
from scaling.runs import Runs
from tests.scaling.fits.planted import PLANTED

BASE = MUENNIGHOFF_REPEATED.estimates
FEW = CASES._replace(draws=100)


def findings(fit: FitResult) -> list[str]:
    return [one.message for one in fit.findings if one.name == NOT_BOUNDED]


def repeats(epochs: tuple[int, ...], r_d: float, r_n: float, noise: float = 0.003) -> Runs:
    """Return runs of a base law whose epochs are worth `r_d`, and whose excess size `r_n`."""
    rows = [
        (params, unique * epoch, unique)
        for unique in (1e8, 4e8, 1.5e9)
        for params in (7e6, 6e7, 4e8, 2.8e9)
        for epoch in epochs
    ]
    params, tokens, unique = np.array(rows, np.float64).T
    loss = repeated_loss({**BASE, "R_D": r_d, "R_N": r_n}, params, tokens, unique)
    loss = loss * np.exp(noise * np.random.default_rng(4).standard_normal(len(loss)))
    columns = {"params": params, "train_tokens": tokens, "unique_tokens": unique}
    return read_runs(pl.DataFrame({**columns, "nats_per_token": loss}), "repeats")


def test_decay_by_its_rate_is_decay_by_its_half_life() -> None:
    repetitions = np.array([0.0, 0.5, 3.0, 99.0])
    for life in (0.3, 15.0, 1e4):
        value, slope = worth_at_rate(np.array(2e9), repetitions, np.array(1 / life))
        np.testing.assert_allclose(value, worth(np.array(2e9), repetitions, np.array(life)), 1e-9)
        step = 1e-6 / life
        up, down = (
            worth_at_rate(np.array(2e9), repetitions, np.array(1 / life + side))[0]
            for side in (step, -step)
        )
        np.testing.assert_allclose(slope, (up - down) / (2 * step), rtol=1e-5, atol=1)
    none, _ = worth_at_rate(np.array(2e9), repetitions, np.array(0.0))
    np.testing.assert_allclose(none, 2e9 * (1 + repetitions))


def test_repeats_as_good_as_fresh_text_do_not_bound_what_they_are_worth() -> None:
    runs = repeats((1, 2, 3, 4), r_d=1e9, r_n=5.0)
    fit = fit_repeated(runs, Options(base=BASE), FEW)
    assert fit.status == "not bounded"
    ends = fit.intervals["R_D"]
    assert ends is not None and ends.high == math.inf and 3 < ends.low < 1e4
    assert any(
        "R_D" in text and "same text far more than 4 times would" in text for text in findings(fit)
    )
    size = fit.intervals["R_N"]
    assert size is not None and size.low < 5 < size.high < math.inf
    assert not any("R_N" in text for text in findings(fit))
    assert '"R_D":{"low":' in fit.to_json() and '"high":null' in fit.to_json()
    assert FitResult.from_json(fit.to_json()) == fit


@pytest.mark.parametrize("r_d", [8.0, 50.0])
def test_what_the_runs_bound_is_bounded_and_the_lower_optimum(r_d: float) -> None:
    runs = repeats((1, 2, 4, 8, 16, 40, 100), r_d=r_d, r_n=8.0)
    fit = fit_repeated(runs, Options(base=BASE), FEW)
    assert fit.status == "converged" and not findings(fit)
    ends = fit.intervals["R_D"]
    assert ends is not None and ends.low < r_d < ends.high < 3 * r_d
    # The optimum over R_D with R_N at ours, sought over five decades without our starts.
    params, tokens, unique, loss = (
        runs.column(name, "test")
        for name in ("params", "train_tokens", "unique_tokens", "nats_per_token")
    )
    problem = repeated_problem(params, tokens, unique, loss, BASE)

    def objective(log_rate: float) -> float:
        theta = np.array([[math.exp(log_rate), 1 / fit.estimates["R_N"]]])
        return float(problem.loss.value(problem.residuals(theta), problem.ones))

    ours = objective(-math.log(fit.estimates["R_D"]))
    for low in range(-8, 5):
        found = minimize_scalar(objective, bounds=(low, low + 1), method="bounded")
        assert ours <= float(found.fun) * (1 + 1e-6)


def ladder(tokens_per_param: Array, noise: float = 0.003) -> Runs:
    params = np.geomspace(1e8, 1e10, len(tokens_per_param))
    tokens = params * tokens_per_param
    loss = fresh_loss(BESIROGLU_REFIT.estimates, params, tokens)
    loss = loss * np.exp(noise * np.random.default_rng(2).standard_normal(len(loss)))
    frame = pl.DataFrame({"params": params, "train_tokens": tokens, "nats_per_token": loss})
    return read_runs(frame, "ladder")


@pytest.mark.parametrize("jitter", [0.0, 0.01])
def test_twenty_tokens_per_parameter_in_every_run_tell_no_term_from_the_other(
    jitter: float,
) -> None:
    wobble = np.exp(jitter * np.random.default_rng(1).standard_normal(16))
    fit = fit_chinchilla(ladder(20 * wobble), bootstrap=FEW)
    assert fit.status == "not bounded" and not fit.ok
    assert any("D is 20 N in every run" in text for text in findings(fit))
    assert any("runs of one N at several D would" in text for text in findings(fit))
    for name in ("A", "B", "alpha", "beta"):
        assert fit.intervals[name] is None
    assert "A, B, alpha, beta" in fit.interval_reason
    spread = fit_chinchilla(ladder(np.tile([5.0, 20.0, 80.0, 320.0], 4)), bootstrap=FEW)
    assert spread.status == "converged" and spread.intervals["alpha"] is not None


def test_a_floor_of_nothing_is_at_its_limit() -> None:
    params = np.repeat(np.geomspace(1e8, 1e9, 4), 4)
    tokens = params * np.tile([20.0, 40, 100, 200], 4)
    steep = {"E": -0.6, "A": 12.2, "B": 28.8, "alpha": 0.1, "beta": 0.15}  # below any floor
    frame = pl.DataFrame(
        {
            "params": params,
            "train_tokens": tokens,
            "nats_per_token": fresh_loss(steep, params, tokens),
        }
    )
    fit = fit_chinchilla(read_runs(frame, "steep"), bootstrap=FEW)
    assert fit.estimates["E"] == 0 and fit.status == "not bounded" and fit.ok
    assert any(text.startswith("E is 0, its limit") for text in findings(fit))
    assert fit_chinchilla(read_runs(frame, "steep"), bootstrap=NO_BOOTSTRAP).status == "not bounded"


@pytest.mark.parametrize("kind", ["cases", "hessian"])
def test_an_exponent_through_zero_leaves_its_amplitude_and_the_floor_open(kind: str) -> None:
    truth = {"E": 1.7, "a": 100.0, "b": 150.0, "eta": -0.2}
    params, ratio = (
        one.ravel()
        for one in np.meshgrid(np.geomspace(1e8, 2e8, 4), [20.0, 40, 80, 160], indexing="ij")
    )
    loss = overtraining_loss(truth, params, ratio)
    loss = loss + 0.05 * np.random.default_rng(0).standard_normal(len(loss))
    columns = {"params": params, "train_tokens": params * ratio, "nats_per_token": loss}
    runs = read_runs(pl.DataFrame(columns), "narrow")
    fit = fit_overtraining(runs, bootstrap=Bootstrap(kind, 200))
    assert fit.status == "not bounded"
    assert any("eta passes through 0" in text for text in findings(fit))
    assert fit.intervals["E"] is None and fit.intervals["a"] is None
    ends = fit.intervals["eta"]
    assert ends is not None and 0 in (ends.low, ends.high)


def test_what_differs_by_rounding_does_not_disagree() -> None:
    """Exact losses of two laws: their residuals, starts and intervals are rounding."""
    for name in ("joint", "chinchilla", "law2"):
        planted = PLANTED[name]()
        fit = planted.fit(planted.runs, FEW)
        assert not {"starts disagree", "intervals disagree"} & {f.name for f in fit.findings}, name
