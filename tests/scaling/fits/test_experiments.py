"""The runs kept under scaling/experiments: they can be read, fitted, and say what the page says."""

import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import scaling
from scaling.fits.isoflop import fit_parabolas, fit_surfaces
from scaling.read_runs import read_runs
from scaling.result import FitResult
from scaling.runs import Runs

EXPERIMENTS = Path(scaling.__file__).parent / "experiments"
ENGLISH = EXPERIMENTS / "results" / "english_3e12.csv"


def of_budget(runs: Runs, budget: float) -> Runs:
    """Return the static runs of a budget."""
    static = (runs.rows["tokenization"] == "static").to_numpy()
    return runs.only(static & (runs.column("compute_flops", "test") == budget))


def findings(fit: FitResult) -> set[str]:
    return {finding.name for finding in fit.findings}


@pytest.mark.parametrize("table", sorted(EXPERIMENTS.glob("results/*.csv")), ids=lambda p: p.stem)
def test_every_kept_table_is_of_a_sweep_that_lies_beside_it(table: Path) -> None:
    runs = read_runs(table)
    spec = tomllib.loads((EXPERIMENTS / f"{table.stem}.toml").read_text("utf-8"))
    assert set(runs.column("compute_flops", "test")) <= set(spec["compute_flops"])


def test_the_bowl_of_the_english_novels_has_its_floor_inside_the_grid() -> None:
    (fit,) = fit_surfaces(read_runs(ENGLISH))
    assert fit.status == "converged" and "minimum outside the grid" not in findings(fit)
    rate = fit.intervals["compression_rate_opt"]
    # Rates above 2.7 cannot be told from one another, T = 2 and less can.
    assert rate is not None and 2 < rate.low < fit.estimates["compression_rate_opt"] < 8
    assert fit.n == 20


def test_every_cell_is_below_the_prototype_s() -> None:
    """The figures of `README.md` in brackets, (1, 32) to (3, 96)."""
    prototype = {
        1: (2.372, 2.372, 2.416, 2.622, 2.913),
        2: (2.348, 2.293, 2.348, 2.424, 2.766),
        4: (2.312, 2.282, 2.297, 2.388, 2.559),
        8: (2.302, 2.288, 2.305, 2.367, 2.454),
    }
    table = read_runs(ENGLISH).rows.sort("compression_rate", "global_params")
    ours = table["bits_per_byte"].to_numpy().reshape(4, 5)
    assert (ours < np.array(list(prototype.values()))).all()


def test_a_small_grid_s_parabolas_in_bytes_have_no_floor_and_say_so() -> None:
    """Where a small global module costs next to nothing, bytes seen hardly differ between sizes."""
    by_rate = dict(zip((1, 2, 4, 8), fit_parabolas(read_runs(ENGLISH)), strict=True))
    assert by_rate[1].ok and "minimum outside the grid" not in findings(by_rate[1])
    assert "minimum outside the grid" in findings(by_rate[2])
    for rate in (4, 8):
        assert not by_rate[rate].estimates and not by_rate[rate].ok


def test_tuned_runs_bound_the_best_size_and_rate_of_the_english_novels() -> None:
    """The bowls of `README.md`, of runs by Muon beside the same runs by AdamW."""

    def bowl(table: str) -> FitResult:
        runs = read_runs(EXPERIMENTS / "results" / table)
        last = {"tokenization": "static", "compute_flops": 3e12}
        (fit,) = (fit for fit in fit_surfaces(runs) if last.items() <= fit.context.items())
        return fit

    before, tuned = bowl("english_adamw.csv"), bowl("english.csv")
    for name, low, high in (("compression_rate_opt", 2, 5), ("bytes_per_param_opt", 500, 4000)):
        found, other = tuned.intervals[name], before.intervals[name]
        assert found is not None and other is not None
        assert low < found.low < tuned.estimates[name] < found.high < high < other.high
        assert tuned.estimates[name] < before.estimates[name]


def both_seeds() -> Runs:
    """The static runs of both grids of novels."""
    tables = [
        pl.read_csv(EXPERIMENTS / "results" / name) for name in ("english.csv", "english_1e13.csv")
    ]
    return read_runs(pl.concat(tables).filter(pl.col("tokenization") == "static"), "both seeds")


def test_a_second_seed_moves_no_bowl_and_narrows_it() -> None:
    (one,) = fit_surfaces(of_budget(read_runs(EXPERIMENTS / "results" / "english.csv"), 3e12))
    (two,) = fit_surfaces(of_budget(both_seeds(), 3e12))
    for name in ("compression_rate_opt", "bytes_per_param_opt"):
        alone = one.intervals[name]
        assert alone is not None and two.estimates[name] in alone
    both = two.intervals["bytes_per_param_opt"]
    assert alone is not None and both is not None
    assert both.high - both.low < alone.high - alone.low
    assert "seeds" in findings(two) and "seeds" not in findings(one)


def test_at_the_largest_budget_the_best_rate_has_left_the_grid() -> None:
    runs = of_budget(both_seeds(), 1e13)
    (fit,) = fit_surfaces(runs)
    assert "minimum outside the grid" in findings(fit)
    rows = runs.rows.with_columns(pl.col("compression_rate").round())
    at = {
        rate: rows.filter(pl.col("compression_rate") == rate).sort("global_params")["bits_per_byte"]
        for rate in (1, 2, 4)
    }
    assert (at[2] < at[4]).all() and len(at[2]) == 5
    assert at[1].min() == rows["bits_per_byte"].min() and at[1].arg_min() == 2


def test_tuned_runs_end_lower() -> None:
    cell = ["compute_flops", "tokenization", "global_params", "asked"]
    tables = [
        read_runs(EXPERIMENTS / "results" / table).rows.with_columns(
            asked=pl.col("compression_rate").round()
        )
        for table in ("english.csv", "english_adamw.csv")
    ]
    both = tables[0].join(tables[1], on=cell, suffix="_before")
    assert len(both) == 82  # of 300 steps and more
    assert (both["bits_per_byte"] < both["bits_per_byte_before"]).all()
