"""Seeds whose runs all end higher or lower than another's, and bowls fitted over them."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling.engine.bootstrap import CASES, NO_BOOTSTRAP, Bootstrap
from scaling.fits.isoflop import fit_surfaces
from scaling.fits.seed_levels import seed_contrasts
from scaling.result import FitResult
from scaling.runs import Runs
from tests.scaling.fits.planted import surface

PLANTED = surface()


def two_seeds(shift: float, noise: float = 0.0) -> Runs:
    """Return the planted grid, its smaller sizes of seed 0 and its larger ones of seed 1, which
    ends `shift` higher; those in the middle are of both."""
    rows = PLANTED.runs.rows
    ratio = PLANTED.runs.column("train_bytes", "test") / PLANTED.runs.column("params", "test")
    low, high = np.quantile(ratio, [0.35, 0.65])
    generator = np.random.default_rng(7)
    parts = []
    for seed, kept, level in ((0, ratio >= low, 0.0), (1, ratio <= high, shift)):
        part = rows.filter(pl.Series(kept))
        drawn = pl.Series(generator.normal(0, noise, len(part)))
        parts.append(
            part.with_columns(pl.lit(seed).alias("seed"), pl.col("bits_per_byte") + level + drawn)
        )
    both = pl.concat(parts).with_columns(pl.int_range(1, pl.len() + 1).alias("row"))
    return replace(PLANTED.runs, rows=both)


def only(runs: Runs, bootstrap: Bootstrap = NO_BOOTSTRAP) -> FitResult:
    (fit,) = fit_surfaces(runs, bootstrap=bootstrap)
    return fit


@settings(max_examples=20, deadline=None)
@given(st.floats(-0.5, 0.5))
def test_what_a_seed_adds_to_all_its_runs_moves_no_optimum(shift: float) -> None:
    fit = only(two_seeds(shift))
    assert fit.estimates["bits_per_byte_opt"] == pytest.approx(
        PLANTED.truth["bits_per_byte_opt"] + shift / 2, abs=1e-9
    )
    for name in ("compression_rate_opt", "bytes_per_param_opt", "curvature_cross"):
        assert fit.estimates[name] == pytest.approx(PLANTED.truth[name], rel=1e-6)


def test_without_levels_the_sizes_of_the_better_seed_look_better() -> None:
    runs = two_seeds(0.05)
    bare = replace(runs, rows=runs.rows.drop("seed"))
    assert only(bare).estimates["bytes_per_param_opt"] > 1.2 * PLANTED.truth["bytes_per_param_opt"]


def test_levels_of_seeds_are_said() -> None:
    said = [one.message for one in only(two_seeds(0.05)).findings if one.name == "seeds"]
    assert said == [
        "each of the 2 seeds has a level of its own, 0.05 apart at most; bits_per_byte_opt is that"
        " of the mean seed"
    ]
    assert not [one for one in only(PLANTED.runs).findings if one.name == "seeds"]


def test_intervals_hold_the_truth_where_seeds_differ_by_far_more_than_noise() -> None:
    fit = only(two_seeds(0.1, noise=0.0015), CASES._replace(draws=200))
    for name in ("compression_rate_opt", "bytes_per_param_opt"):
        interval = fit.intervals[name]
        assert interval is not None and PLANTED.truth[name] in interval


def test_seeds_that_cannot_be_told_from_the_grid_have_no_levels() -> None:
    runs = two_seeds(0.05)
    n, rate = len(runs), runs.column("compression_rate", "test")

    def contrasts(seeds: list[int]) -> int:
        asked = replace(runs, rows=runs.rows.with_columns(pl.Series("seed", seeds)))
        design = np.stack([np.ones(n), rate == rate.min(), rate], axis=1).astype(float)
        return len(seed_contrasts(asked, design).T)

    assert contrasts([row % 3 for row in range(n)]) == 2
    assert contrasts(list(range(n))) == 0  # a seed of a single run
    assert contrasts((rate == rate.min()).astype(int).tolist()) == 0  # a seed for each rate
    assert contrasts([0] * n) == 0


def test_numbers_of_runs_are_no_seeds_of_a_grid() -> None:
    """A column for each of thousands would take gigabytes."""
    rows = pl.concat([two_seeds(0.05).rows] * 200)
    pairs = rows.with_columns(pl.Series("seed", np.arange(len(rows)) // 2))
    runs = replace(PLANTED.runs, rows=pairs)
    assert seed_contrasts(runs, np.ones((len(runs), 1))).shape == (len(runs), 0)
