"""A minimum outside the grid of sizes is no optimum: not of a curve, of a law, or of a draw."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from scaling.engine.bootstrap import NO_BOOTSTRAP, RESIDUALS
from scaling.fits.isoflop import fit_parabolas, fit_surfaces
from scaling.fits.law1 import fit_law1
from scaling.fits.law2 import fit_law2
from scaling.fits.minima import EDGE, find_minima, make_cells
from scaling.fits.powers import fit_approach2
from scaling.read_runs import read_runs
from scaling.result import FitResult
from scaling.runs import Runs
from tests.cli import command

BUDGETS = (1e19, 1e20, 1e21)
RATES = (2.0, 4.0, 8.0)
SIZES = np.linspace(-1.0, 1.0, 7)  # ln B from the middle of the grid


def grids(shift: Callable[[float, float], float], noise: float = 0.001) -> Runs:
    """Return isoFLOP curves whose minima lie `shift(C, T)` from the middle of their sizes in ln B;
    the grid ends at 1 on either side, and its steps are a third."""
    generator = np.random.default_rng(3)
    rows = []
    for compute in BUDGETS:
        for rate in RATES:
            middle = math.sqrt(compute * rate / 6 * 60)
            for x in SIZES:
                data = middle * math.exp(x)
                best = 0.7 + 0.4 * (compute / 1e20) ** -0.2 + 0.03 * math.log(rate / 4) ** 2
                loss = best + 0.05 * (x - shift(compute, rate)) ** 2
                loss += noise * generator.standard_normal()
                rows.append((compute, rate, data, compute * rate / (6 * data), loss))
    names = ["compute_flops", "compression_rate", "train_bytes", "params", "bits_per_byte"]
    return read_runs(pl.DataFrame(rows, schema=names, orient="row"), "grids")


def one_rate(runs: Runs) -> Runs:
    return runs.only(runs.column("compression_rate", "test") == 4)


LAWS = {
    "approach2": lambda runs: fit_approach2(one_rate(runs)),
    "law1": fit_law1,
    "law2": fit_law2,
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("away", [1.5, 4.0, -2.0])
def test_no_curve_with_an_optimum_is_no_law(law: str, away: float) -> None:
    fit = LAWS[law](grids(lambda *_: away))
    assert not fit.ok and fit.status == "not converged" and not fit.estimates
    names = [finding.name for finding in fit.findings]
    assert names[0] == "minimum outside the grid" and names[-1] == "not fitted"
    assert "0 of" in fit.findings[-1].message and "have one" in fit.findings[-1].message


def test_the_command_ends_with_1_and_says_why(tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    one_rate(grids(lambda *_: 1.6)).rows.drop("row").write_csv(table)
    done = command(f"scaling fit {table} --law approach2")
    assert done.exit_code == 1
    assert "approach2 needs at least 3 budgets with a minimum" in done.stdout


@pytest.mark.parametrize("law", ["law1", "law2"])
def test_curves_without_one_are_left_out_and_the_law_is_of_the_rest(law: str) -> None:
    """Where the minima of one rate lie beyond its sizes, a fit of the others is the same fit."""
    runs = grids(lambda _, rate: 1.7 if rate == 2 and _ == 1e19 else 0.1)
    out = (runs.column("compression_rate", "test") == 2) & (
        runs.column("compute_flops", "test") == 1e19
    )
    got, expected = (LAWS[law](one) for one in (runs, runs.only(~out)))
    assert got.n == expected.n == 8
    for name, value in expected.estimates.items():
        assert got.estimates[name] == pytest.approx(value, rel=1e-9)
    assert any("and so is left out, at C = 1e+19, T = 2" in one.message for one in got.findings)


@pytest.mark.parametrize("away", [0.0, 0.9, 1.02, 1.1, 1.3, 3.0])
def test_where_n_and_b_are_both_given_they_spend_the_budget(away: float) -> None:
    for fit in fit_parabolas(grids(lambda *_: away, noise=0), bootstrap=NO_BOOTSTRAP):
        p = fit.estimates
        assert ("params_opt" in p) == ("train_bytes_opt" in p) == (away <= 1 + EDGE / 3)
        if away <= 1 + EDGE / 3:
            spent = (
                6 * p["params_opt"] * p["train_bytes_opt"] / float(fit.context["compression_rate"])
            )
            assert spent == pytest.approx(float(fit.context["compute_flops"]), rel=0.02)
            beyond = "minimum outside the grid" in names_of(fit)
            assert fit.ok and beyond == (away > 1)
        else:
            assert not fit.ok and not p


def test_draws_beyond_the_grid_are_none() -> None:
    """A minimum near the end of its sizes: what draws put beyond is lost, and is said."""
    (fit, *_) = fit_parabolas(grids(lambda *_: 0.97, noise=0.004), bootstrap=RESIDUALS)
    lost = next(one for one in fit.findings if one.name == "failed draws")
    assert fit.intervals["params_opt"] is None and "not a fair sample" in fit.interval_reason
    assert int(lost.message.split()[0]) > 50
    cells, runs = make_cells(grids(lambda *_: 0.97, noise=0.004), "test")
    loss = runs.column("bits_per_byte", "test")
    noisy = loss + 0.02 * np.random.default_rng(0).standard_normal((400, len(loss)))
    minima = find_minima(cells, noisy)
    for number, cell in enumerate(cells):
        there = np.isfinite(minima.ln_bytes[:, number])
        assert there.any() and not there.all()
        x = minima.ln_bytes[there, number] - cell.centre
        assert x.max() <= 1 + EDGE / 3 + 1e-9 and x.min() >= -1 - EDGE / 3 - 1e-9
        for column in (minima.ln_params, minima.loss):
            assert np.array_equal(np.isfinite(column[:, number]), there)


def test_a_surface_whose_floor_lies_outside_has_no_interval_of_it() -> None:
    for fit in fit_surfaces(grids(lambda *_: 2.0)):
        assert "minimum outside the grid" in names_of(fit)
        assert fit.intervals["bytes_per_param_opt"] is None


def test_an_interval_that_leaves_the_grid_has_no_end_there() -> None:
    fits = fit_surfaces(grids(lambda *_: 0.9, noise=0.01))
    open_ended = [fit for fit in fits if fit.ok and "coefficient not bounded" in names_of(fit)]
    assert open_ended
    for fit in open_ended:
        ends = fit.intervals["bytes_per_param_opt"]
        assert ends is not None and ends.high == math.inf and ends.low > 0
        again = FitResult.from_json(fit.to_json())
        assert again == fit and again.intervals["bytes_per_param_opt"] == ends
        assert "no end)" in fit.summary() and "Infinity" not in fit.to_json()


def names_of(fit: FitResult) -> set[str]:
    return {finding.name for finding in fit.findings}
