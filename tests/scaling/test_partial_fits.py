"""Tables in which a law can be fitted to some parts and not to others, as those of real sweeps."""

import numpy as np
import polars as pl
import pytest

from corpora.errors import InputError
from scaling.engine.bootstrap import NO_BOOTSTRAP
from scaling.fits.dispatch import Options, fit
from scaling.fits.isoflop import fit_parabolas, fit_surfaces
from scaling.fits.law1 import fit_law1
from scaling.fits.law2 import fit_law2
from scaling.published import tables
from scaling.read_runs import runs_from_frame
from scaling.result import FitResult
from scaling.runs import Runs


def budgets(runs: Runs) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return runs.column("compute_flops", "test")


def thinned(runs: Runs) -> Runs:
    """Return published runs of which one curve has kept two sizes, the others being too short."""
    c, t = budgets(runs), runs.column("compression_rate", "test")
    params = runs.column("params", "test")
    here = (c == 1e19) & (t == 1)
    return runs.where(
        ~here | np.isin(params, np.sort(params[here])[:2]), "too short: 9 steps, fewer than 300"
    )


def test_a_curve_of_too_few_sizes_is_left_out_and_the_others_are_fitted() -> None:
    runs = tables.isoflop_runs()
    thin = thinned(runs)
    curves = fit_parabolas(thin, NO_BOOTSTRAP)
    assert len(curves) == len(fit_parabolas(runs, NO_BOOTSTRAP)) - 1
    assert [one.reason for one in curves[0].excluded][-2:] == [
        "of a curve of 2 sizes, 3 needed"
    ] * 2
    kept = runs.only((budgets(runs) != 1e19) | (runs.column("compression_rate", "test") != 1))
    for law in (fit_law1, fit_law2):
        fit = law(thin, bootstrap=NO_BOOTSTRAP)
        assert fit.estimates == law(kept, bootstrap=NO_BOOTSTRAP).estimates
        assert any(one.reason.startswith("of a curve of") for one in fit.excluded)


def test_too_few_runs_are_told_from_runs_too_short() -> None:
    thin = thinned(tables.isoflop_runs())
    here = (budgets(thin) == 1e19) & (thin.column("compression_rate", "test") == 1)
    with pytest.raises(
        InputError, match=r"there are 2; train more \(of the whole table \d+ runs are"
    ):
        fit_parabolas(thin.only(here))
    with pytest.raises(InputError, match=r"and there is 1; train more .* kept by --keep-short"):
        fit_surfaces(thin.only(here))


def test_a_budget_without_rates_enough_does_not_stop_the_others() -> None:
    runs = tables.isoflop_runs()
    rate = runs.column("compression_rate", "test")
    *fits, missing = fit_surfaces(runs.only((budgets(runs) != 2e21) | (rate <= 2)), NO_BOOTSTRAP)
    assert len(fits) == 5 and all(one.ok for one in fits)
    assert not missing.ok and missing.estimates == {} and missing.context["compute_flops"] == 2e21
    assert missing.findings[0].name == "not fitted"
    assert "compute_flops = 2e+21, and there are 2; train more" in missing.report()
    assert FitResult.from_json(missing.to_json()) == missing


def test_a_family_that_lacks_what_a_law_needs_does_not_stop_the_others() -> None:
    frame = tables.table(tables.ISOFLOP)
    named = pl.concat(
        [
            frame.with_columns(tokenization=pl.lit("whole")),
            frame.filter(pl.col("compute_flops") == 1e20).with_columns(tokenization=pl.lit("one")),
        ]
    )
    one, whole = fit(runs_from_frame(named, "both"), "law1", Options(), NO_BOOTSTRAP)
    assert whole.ok and whole.context["tokenization"] == "whole"
    assert not one.ok and "needs at least 2 compute budgets" in one.findings[0].message
    only = runs_from_frame(named.filter(pl.col("tokenization") == "one"), "one")
    with pytest.raises(InputError, match="at least 2 compute budgets"):
        fit(only, "law1", Options(), NO_BOOTSTRAP)


def test_a_curve_without_a_minimum_says_that_and_how_far_off_its_parabola_is() -> None:
    frame = tables.table(tables.ISOFLOP).filter(pl.col("compute_flops") == 1e20)
    dome = frame.with_columns(bits_per_byte=2 - pl.col("bits_per_byte"))
    for one in fit_parabolas(runs_from_frame(dome, "dome"), NO_BOOTSTRAP):
        (failure,) = (finding for finding in one.findings if finding.severity == "failure")
        assert failure.message == "the losses bend downwards over ln B, so there is no minimum"
        assert "iterations" not in one.report() and one.rmse
        assert one.r2 is not None and one.r2 < 1


def test_three_sizes_through_three_coefficients_tell_nothing_of_the_fit() -> None:
    runs = tables.isoflop_runs()
    params = runs.column("params", "test")
    here = (budgets(runs) == 1e20) & (runs.column("compression_rate", "test") == 4)
    three = np.isin(params, np.sort(params[here])[[0, 3, 6]]) & here
    (one,) = fit_parabolas(runs.only(three), NO_BOOTSTRAP)
    assert one.n == 3 and one.r2 is None and one.bic is None and one.rmse is not None


def test_budgets_are_printed_as_people_write_them() -> None:
    runs = tables.isoflop_runs()
    text = fit_surfaces(runs.only(budgets(runs) == 1e20), NO_BOOTSTRAP)[0].report()
    assert "compute_flops: 1e+20\n" in text
