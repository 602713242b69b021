"""Laws whose shape has no optimum are failures, not answers."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from scaling.engine.bootstrap import with_misfit
from scaling.fits.findings import beyond_rates, upside_down
from scaling.fits.fit import fit
from scaling.laws import chinchilla
from scaling.published.tables import BESIROGLU_REFIT
from scaling.result import FitResult

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


def ladder(seed: int = 5, size: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    params, tokens = 10 ** rng.uniform(7.5, 10, size), 10 ** rng.uniform(9.5, 12, size)
    loss = chinchilla.loss(BESIROGLU_REFIT.estimates, params, tokens)
    return params, tokens, loss * np.exp(0.003 * rng.standard_normal(size))


def fitted(params: np.ndarray, tokens: np.ndarray, loss: np.ndarray, **told: Any) -> FitResult:
    table = {"params": params, "train_tokens": tokens, "nats_per_token": loss}
    return fit(pl.DataFrame(table), "chinchilla", **told).only


def said(fit: FitResult, name: str) -> str:
    return "; ".join(found.message for found in fit.findings if found.name == name)


def test_a_row_far_off_is_told_of_but_moves_no_robust_fit() -> None:
    params, tokens, loss = ladder()
    clean = fitted(params, tokens, loss, draws=100)
    assert not said(clean, "outliers") and not said(clean, "far from the curve")
    inside = int(np.argsort(params)[30])
    loss[inside] *= 1.5
    robust = fitted(params, tokens, loss, draws=100)
    assert f"row {inside + 1} lies" in said(robust, "far from the curve")
    assert not said(robust, "outliers")
    squares = fitted(params, tokens, loss, draws=100, form="log-l2")
    assert f"row {inside + 1}" in said(squares, "outliers")


def test_what_moves_a_robust_fit_is_named_by_refitting_without_it() -> None:
    params, tokens, loss = ladder(size=20)
    alone = np.append(params, 1e6), np.append(tokens, 1e11)
    off = chinchilla.loss(BESIROGLU_REFIT.estimates, *(each[-1:] for each in alone)) * 1.1
    bent = fitted(*alone, np.append(loss, off), draws=100)
    assert "row 21" in said(bent, "outliers") and "standard errors" in said(bent, "outliers")


def test_the_largest_budget_is_held_out_or_it_is_said_why_not() -> None:
    budgets = np.repeat(np.geomspace(1e18, 1e22, 5), 8)
    params = np.sqrt(budgets / 120) * np.tile(np.geomspace(0.3, 3, 8), 5)
    tokens = budgets / 6 / params
    loss = chinchilla.loss(BESIROGLU_REFIT.estimates, params, tokens)
    loss *= np.exp(0.001 * np.random.default_rng(0).standard_normal(40))
    whole = fitted(params, tokens, loss, draws=0)
    assert whole.holdout is not None and whole.holdout.n == 8
    assert whole.holdout.rule == "compute_flops = 1e+22 left out"
    two = budgets >= 1e21
    few = fitted(params[two], tokens[two], loss[two], draws=0)
    assert few.holdout is None
    assert "8 runs of 8 sizes would be left, too few" in said(few, "no hold-out")


def test_skewed_curves_are_said_with_the_bias_they_imply() -> None:
    names = ("compute_flops", "params", "train_tokens", "nats_per_token")
    frame: dict[str, list[float]] = {name: [] for name in names}
    rng = np.random.default_rng(2)
    for budget in (1e19, 1e20, 1e21):
        for x in np.linspace(-2, 2, 9):
            tokens = np.sqrt(budget / 6 * 20) * np.exp(x)
            row = (budget, budget / 6 / tokens, tokens, 0.05 * x**2 - 0.012 * x**3)
            for name, value in zip(frame, row, strict=True):
                frame[name].append(value)
    exact = np.array(frame["nats_per_token"])
    for bend, skew in ((exact, True), (0.05 * np.tile(np.linspace(-2, 2, 9), 3) ** 2, False)):
        loss = 3 + bend + 0.002 * rng.standard_normal(27)
        table = pl.DataFrame({**frame, "nats_per_token": loss})
        powers = fit(table, "approach2", draws=50).only
        assert bool(said(powers, "skewed curves")) == skew
        if skew:
            # The cubic's own minimum is at x = 0; the parabola's is drawn to the side that is flat.
            message = said(powers, "skewed curves")
            assert (
                "median of 3 curves" in message and "the best amount of data moves by -" in message
            )


def test_what_is_missed_by_rounding_is_no_misfit() -> None:
    level = np.linspace(1.0, 2.0, 8)
    residuals = 1e-15 * np.array([1.0, -1, 1, -1, 1, -1, 1, -1])
    copies = np.tile(level, (50, 1))
    _, share = with_misfit(copies, residuals, np.full(8, 0.3), np.random.default_rng(0))
    assert share == 0
    _, share = with_misfit(copies, 1e9 * residuals, np.full(8, 0.3), np.random.default_rng(0))
    assert share > 0.9
