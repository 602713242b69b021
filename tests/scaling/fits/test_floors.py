"""Coefficients that lie on their bound: said to be there, with an interval that ends at it."""

import numpy as np
import polars as pl

from scaling.engine.bootstrap import CASES
from scaling.engine.newton import Array, Predictor, above_floor
from scaling.fits.arms import fit_arms
from scaling.fits.chinchilla import fit_coupled
from scaling.fits.downstream import fit_downstream
from scaling.fits.overfitting import fit_overfitting
from scaling.laws import arms, chinchilla, coupled
from scaling.laws.downstream import error
from scaling.laws.registry import Options
from scaling.published.tables import MUENNIGHOFF_REPEATED
from scaling.read_runs import read_runs
from scaling.result import FitResult
from scaling.runs import Runs
from tests.scaling.engine.derivatives import assert_derivatives
from tests.scaling.fits.planted import PLANTED

DRAWS = CASES._replace(draws=200)


def noisy(runs: Runs, column: str, exact: Array, seed: int, noise: float) -> Runs:
    """The runs with other losses, of even noise in their logarithm."""
    errors = np.random.default_rng(seed).standard_normal(len(exact))
    rows = runs.rows.with_columns(pl.Series(column, exact * np.exp(noise * errors)))
    return Runs(rows, "planted", "", runs.params_column)


def at_zero(fit: FitResult, name: str) -> float:
    """Return the share of the draws that are 0; the interval ends there."""
    interval = fit.intervals[name]
    assert fit.estimates[name] >= 0 and interval is not None and interval.low == 0 < interval.high
    return float(np.mean(fit.draws[:, list(fit.estimates).index(name)] == 0))


def test_derivatives_above_a_floor_on_it_too() -> None:
    x = np.linspace(-1, 1, 7)

    def value(theta: Array) -> Array:
        return np.asarray(theta[:, :1] + theta[:, 1:] ** 2 * x)

    def jacobian(theta: Array) -> Array:
        return np.stack([np.ones((len(theta), 7)), 2 * theta[:, 1:] * x], axis=-1)

    def curvature(theta: Array, weights: Array) -> Array:
        out = np.zeros((len(theta), 2, 2))
        out[:, 1, 1] = 2 * weights @ x
        return out

    model = above_floor(Predictor(value, jacobian, curvature), 2)
    here = np.array([[0.0, 0.2, 0.7], [1.5, -0.4, 0.3]])
    weights = np.random.default_rng(0).normal(size=(2, 7))
    assert_derivatives(model, here, weights, 1e-8, 1e-7)
    assert model.low is not None and model.low.tolist() == [0, -np.inf, -np.inf]


def test_coupled_losses_without_a_floor() -> None:
    planted = PLANTED["coupled"]()
    truth = {**planted.truth, "E": 0.0}
    params, tokens = (planted.runs.column(name, "test") for name in ("params", "train_tokens"))
    exact = coupled.loss(truth, params, tokens)
    fit = fit_coupled(noisy(planted.runs, "nats_per_token", exact, 1, 0.01), bootstrap=DRAWS)
    assert fit.status == "converged" and 0.2 < at_zero(fit, "E") < 1


def test_arms_without_a_floor() -> None:
    planted = PLANTED["arms"]()
    law = {name: planted.truth[name] for name in ("A", "B", "alpha", "beta")} | {"E": 0.0}
    params, compute = (planted.runs.column(name, "test") for name in ("params", "compute_flops"))
    factors = {"bpe": 1.0, "byte": 1.2, "static": 0.93}
    factor = np.array([factors[name] for name in planted.runs.rows["tokenization"]])
    exact = arms.loss(law, params, compute, factor)
    fit = fit_arms(noisy(planted.runs, "bits_per_byte", exact, 3, 0.004), bootstrap=DRAWS)
    assert fit.status == "converged" and 0.1 < at_zero(fit, "E") < 1


def test_errors_that_start_at_chance() -> None:
    loss = np.linspace(0.6, 1.6, 30)
    wrong = error({"eps": 0.75, "k": 2.4, "gamma": 2.9}, loss)
    wrong += 0.01 * np.random.default_rng(0).standard_normal(30)
    runs = read_runs(pl.DataFrame({"bits_per_byte": loss, "error": wrong}), "planted")
    fit = fit_downstream(runs, Options(chance=0.75), DRAWS)
    interval = fit.intervals["eps"]
    assert interval is not None and interval.high == 0.75 and interval.low < 0.75


def test_repeats_that_cost_nothing() -> None:
    runs, base = PLANTED["repeated"]().runs, dict(MUENNIGHOFF_REPEATED.estimates)
    params, tokens = (runs.column(name, "test") for name in ("params", "train_tokens"))
    cheaper = 0.99 * chinchilla.loss(base, params, tokens)
    given = noisy(runs, "nats_per_token", cheaper, 0, 0.002)
    fit = fit_overfitting(given, Options("powers", base=base), DRAWS)
    assert fit.status == "not bounded" and fit.estimates["P"] == 0
    assert fit.intervals["delta"] is None and fit.intervals["kappa"] is None
    assert any("P passes through 0" in found.message for found in fit.findings)
