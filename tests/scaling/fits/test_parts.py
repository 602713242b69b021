"""What one part of a table lacks does not cost the other parts their fit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from corpora.errors import InputError
from reports.build import build_report
from scaling.engine.bootstrap import NO_BOOTSTRAP, Bootstrap
from scaling.fits.fit import fit
from scaling.fits.isoflop import fit_parabolas, fit_surfaces
from scaling.fits.law1 import fit_law1
from scaling.fits.law2 import fit_law2
from scaling.fits.powers import fit_approach2
from scaling.published import tables
from scaling.read_runs import read_runs
from scaling.result import FitResult
from scaling.runs import Runs
from tests.cli import command

LANGUAGES = ("eng_Latn", "hin_Deva")
FEW = Bootstrap("residuals", 50)


def on(runs: Runs, compute: float, rate: float | None = None) -> NDArray[np.bool_]:
    """Return [n] whether a run is of that budget, and rate."""
    here: NDArray[np.bool_] = runs.column("compute_flops", "test") == compute
    return here if rate is None else here & (runs.column("compression_rate", "test") == rate)


def thinned(runs: Runs, compute: float, rate: float) -> tuple[Runs, Runs]:
    """Return the runs with only two sizes of one curve, and without that curve."""
    curve = on(runs, compute, rate)
    keep = ~curve
    keep[np.flatnonzero(curve)[:2]] = True
    return runs.only(keep), runs.only(~curve)


@pytest.mark.parametrize("law", [fit_law1, fit_law2])
def test_a_curve_of_two_sizes_is_left_out(law: Callable[..., FitResult]) -> None:
    some, rest = thinned(tables.isoflop_runs(), 1e19, 4)
    got, expected = law(some, bootstrap=FEW), law(rest, bootstrap=FEW)
    assert (got.estimates, got.intervals) == (expected.estimates, expected.intervals)
    why = "a parabola needs at least 3 model sizes at C = 1e+19, T = 4, and there are 2"
    assert [one.reason for one in got.excluded] == [why, why]
    assert f"2 rows were left out, the first for: {why}" in [one.message for one in got.findings]
    assert got.ok


def test_approach_2_leaves_a_thin_budget_out() -> None:
    runs = tables.isoflop_runs()
    runs = runs.only(runs.column("compression_rate", "test") == 4)
    some, rest = thinned(runs, 1e19, 4)
    got, expected = fit_approach2(some, bootstrap=FEW), fit_approach2(rest, bootstrap=FEW)
    assert (got.estimates, got.intervals) == (expected.estimates, expected.intervals)
    assert len(got.excluded) == 2


def test_a_thin_curve_has_a_result_that_says_so() -> None:
    some, rest = thinned(tables.isoflop_runs(), 1e19, 4)
    thin, *got = fit_parabolas(some, bootstrap=FEW)
    assert thin.context["compute_flops"] == 1e19 and thin.context["compression_rate"] == 4
    assert (thin.n, thin.estimates, thin.status) == (0, {}, "not converged")
    assert "at C = 1e+19, T = 4, and there are 2" in thin.findings[0].message
    assert got == list(fit_parabolas(rest, bootstrap=FEW))
    assert not any(one.excluded for one in got)


def test_a_budget_of_two_rates_has_no_surface_and_the_others_have() -> None:
    runs = tables.isoflop_runs()
    thin = on(runs, 1e19) & (runs.column("compression_rate", "test") > 2)
    got = fit_surfaces(runs.only(~thin), bootstrap=FEW)
    (missing,) = [one for one in got if one.context["compute_flops"] == 1e19]
    assert not missing.ok and "at least 3 compression rates" in missing.findings[0].message
    others = fit_surfaces(runs.only(~on(runs, 1e19)), bootstrap=FEW)
    assert [one for one in got if one is not missing] == list(others)


def two_families() -> Runs:
    """Return the published runs, and three runs of another language."""
    runs = tables.isoflop_runs()
    frame = runs.rows.with_columns(language=pl.lit("eng_Latn"))
    other = frame.head(3).with_columns(language=pl.lit("hin_Deva"))
    return Runs(pl.concat([frame, other]), runs.name, runs.sha256, runs.params_column)


@pytest.mark.parametrize("law", ["law1", "law2", "isoflop-surface"])
def test_a_language_of_three_runs_does_not_cost_another_its_law(law: str) -> None:
    results = fit(two_families(), law, intervals="residuals", draws=50)
    of = {name: [one for one in results if one.context["language"] == name] for name in LANGUAGES}
    assert all(one.ok for one in of["eng_Latn"]) and of["eng_Latn"]
    (hindi,) = of["hin_Deva"]
    assert not hindi.ok and hindi.findings[0].name == "not fitted"
    assert FitResult.from_json(hindi.to_json()) == hindi


def test_where_nothing_can_be_fitted_it_is_an_error() -> None:
    runs = two_families()
    few = runs.only(on(runs, 1e19, 1))
    with pytest.raises(InputError, match="law1 needs at least 2 compute budgets"):
        fit(few, "law1", draws=50)
    with pytest.raises(InputError, match="irreducible loss E"):
        fit(runs, "envelope", draws=50)


def test_the_command_writes_what_could_be_fitted(tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    two_families().rows.drop("row").write_csv(table)
    done = command(f"scaling fit {table} --law law2 --draws 40 --out {tmp_path} --json")
    assert done.exit_code == 1
    assert "1 of 2 fits are not to be used: see status and findings" in done.stderr
    english, hindi = done.json()["entries"]
    assert english["status"] == "converged" and english["language"] == "eng_Latn"
    assert hindi["status"] == "not converged" and hindi["n"] == 0
    assert (tmp_path / "laws" / "law2-2.json").exists()
    build_report(tmp_path, tmp_path / "report.html")
    assert "Not to be used" in (tmp_path / "report.html").read_text()


def test_too_few_runs_are_told_from_runs_too_short() -> None:
    runs = tables.isoflop_runs()
    curve = on(runs, 1e19, 1)
    keep = ~curve
    keep[np.flatnonzero(curve)[:2]] = True
    thin = runs.where(keep, "too short: 9 steps, fewer than 300")
    here = on(thin, 1e19, 1)
    with pytest.raises(
        InputError, match=r"there are 2; train more \(of the whole table \d+ runs are"
    ):
        fit_parabolas(thin.only(here))
    with pytest.raises(InputError, match=r"and there is 1; train more .* kept by `keep_short`"):
        fit_surfaces(thin.only(here))


def test_a_curve_without_a_minimum_says_that_and_how_far_off_its_parabola_is() -> None:
    frame = tables.table(tables.ISOFLOP).filter(pl.col("compute_flops") == 1e20)
    dome = frame.with_columns(bits_per_byte=2 - pl.col("bits_per_byte"))
    for one in fit_parabolas(read_runs(dome, "dome"), bootstrap=NO_BOOTSTRAP):
        (failure,) = (finding for finding in one.findings if finding.severity == "failure")
        assert failure.message == "the losses bend downwards over ln B, so there is no minimum"
        assert "iterations" not in one.summary() and one.rmse
        assert one.r2 is not None and one.r2 < 1


def test_three_sizes_through_three_coefficients_tell_nothing_of_the_fit() -> None:
    runs = tables.isoflop_runs()
    params = runs.column("params", "test")
    here = on(runs, 1e20, 4)
    three = np.isin(params, np.sort(params[here])[[0, 3, 6]]) & here
    (one,) = fit_parabolas(runs.only(three), bootstrap=NO_BOOTSTRAP)
    assert one.n == 3 and one.r2 is None and one.bic is None and one.rmse is not None


def test_budgets_are_printed_as_people_write_them() -> None:
    runs = tables.isoflop_runs()
    text = fit_surfaces(runs.only(on(runs, 1e20)), bootstrap=NO_BOOTSTRAP)[0].summary()
    assert "compute_flops: 1e+20\n" in text
