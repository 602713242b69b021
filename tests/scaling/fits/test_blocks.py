"""What is not independent is seen, said, and resampled whole."""

import numpy as np
import polars as pl
import pytest

import tokenize_lab as tl
from corpora.errors import InputError
from scaling.fits.blocks import blocks_of
from scaling.fits.fit import fit
from scaling.laws import chinchilla
from scaling.published import tables
from scaling.published.tables import BESIROGLU_REFIT
from scaling.read_runs import read_runs
from scaling.result import FitResult

SIZES, STEPS = np.geomspace(3e7, 1e10, 14), np.arange(1, 11) * 2e10


def checkpoints(shared: float = 0.01, own: float = 0.002) -> pl.DataFrame:
    rng = np.random.default_rng(8)
    params, tokens = np.repeat(SIZES, len(STEPS)), np.tile(STEPS, len(SIZES))
    run = np.repeat(np.arange(len(SIZES)), len(STEPS))
    noise = shared * rng.standard_normal(len(SIZES))[run] + own * rng.standard_normal(len(run))
    loss = chinchilla.loss(BESIROGLU_REFIT.estimates, params, tokens) * np.exp(noise)
    names = {"run_id": [f"model{number}" for number in run], "params": params}
    return pl.DataFrame({**names, "train_tokens": tokens, "nats_per_token": loss})


def widths(fit: FitResult) -> dict[str, float]:
    return {name: ends.high - ends.low for name, ends in fit.intervals.items() if ends}


def findings(fit: FitResult, name: str) -> str:
    return "; ".join(found.message for found in fit.findings if found.name == name)


@pytest.mark.parametrize("named", [True, False])
def test_checkpoints_of_a_run_are_resampled_together(named: bool) -> None:
    table = checkpoints() if named else checkpoints().drop("run_id")
    seen = fit(read_runs(table), "chinchilla", draws=100).only
    assert "140 rows are of 14" in findings(seen, "checkpoints")
    assert "whole runs resampled" in seen.interval_method
    apart = fit(read_runs(table), "chinchilla", draws=100, block="row").only
    assert not findings(apart, "checkpoints") and "each cell" in apart.interval_method
    assert widths(seen)["alpha"] > 1.5 * widths(apart)["alpha"]
    if named:
        assert "by block run" in findings(apart, "shared residuals")


def test_ladders_and_curves_are_no_checkpoints() -> None:
    params = np.repeat(np.geomspace(1e8, 3e9, 5), 4)
    tokens = 20 * params * np.tile([1.0, 2, 5, 10], 5)
    ladder = pl.DataFrame(
        {"params": params, "train_tokens": tokens, "nats_per_token": 3 + 1 / params}
    )
    assert not blocks_of(read_runs(ladder), "", "chinchilla").what
    assert not blocks_of(tables.isoflop_runs(), "", "chinchilla").what


def test_the_joint_law_resamples_cells_and_says_what_budgets_share() -> None:
    runs = tables.isoflop_runs()
    cells = fit(runs, "joint", draws=100).only
    assert "whole cells resampled" in cells.interval_method
    assert "intraclass correlation 0.1" in findings(cells, "shared residuals")
    rows = fit(runs, "joint", draws=100, block="row").only
    assert widths(cells)["T0"] > widths(rows)["T0"]
    budget = fit(runs, "joint", draws=100, block="budget").only
    assert "what a budget shares" in budget.interval_method
    assert cells.estimates == rows.estimates == budget.estimates


@pytest.mark.parametrize("law", ["law1", "law2"])
def test_laws_of_the_optimum_take_blocks_of_whole_curves(law: str) -> None:
    runs = tables.isoflop_runs()
    runs = runs.only(runs.column("compute_flops", "test") < 2e21)
    usual, shared = fit(runs, law, draws=100).only, fit(runs, law, draws=100, block="budget").only
    assert usual.estimates == shared.estimates
    assert "what a budget shares" in shared.interval_method
    assert all(shared.intervals.values())
    with pytest.raises(InputError, match="cut through curves"):
        fit(runs, law, draws=100, block="global_params")


def test_a_bowl_takes_blocks_of_its_rates() -> None:
    runs = tables.isoflop_runs()
    shared = fit(runs, "isoflop-surface", draws=50, block="cell", budget=1e20).only
    assert "what a cell shares" in shared.interval_method and all(shared.intervals.values())
    with pytest.raises(InputError, match="the rows are of 1, and resampling takes at least 3"):
        fit(runs, "isoflop-surface", draws=50, block="budget", budget=1e20)
    with pytest.raises(InputError, match="fits each curve by itself"):
        fit(runs, "isoflop", draws=50, block="budget")


def test_the_library_takes_blocks_and_refuses_what_is_none() -> None:
    table = checkpoints()
    result = tl.fit(table, "chinchilla", draws=60, block="params")
    assert "whole params" in result.only.interval_method
    with pytest.raises(InputError, match="no such column; did you mean 'params'"):
        tl.fit(table, "chinchilla", draws=60, block="parms")
    with pytest.raises(InputError, match="a profile takes every row as independent"):
        tl.fit(table, "chinchilla", intervals="profile", block="run")
    hessian = tl.fit(table, "chinchilla", intervals="hessian", block="run").only
    apart = tl.fit(table, "chinchilla", intervals="hessian", block="row").only
    assert widths(hessian)["A"] > widths(apart)["A"]


def test_the_envelope_takes_blocks_of_its_lowest_runs() -> None:
    generator = np.random.default_rng(3)
    compute: np.ndarray = np.geomspace(1e18, 1e22, 16)
    place = np.repeat(["a", "b", "c", "d"], 4)
    shared = np.repeat(generator.normal(0, 0.02, 4), 4)
    loss = 1.6 + 95 * compute**-0.094 * np.exp(shared + generator.normal(0, 0.002, 16))
    table = pl.DataFrame({"compute_flops": compute, "nats_per_token": loss, "place": place})
    apart = tl.fit(table, "envelope", irreducible=1.6, draws=200).only
    together = tl.fit(table, "envelope", irreducible=1.6, draws=200, block="place").only
    assert "what a place shares" in together.interval_method
    assert widths(together)["alpha"] > 1.3 * widths(apart)["alpha"]
    two = table.with_columns(place=pl.col("place").replace({"c": "a", "d": "b"}))
    with pytest.raises(InputError, match="the rows are of 2, and resampling takes at least 3"):
        tl.fit(two, "envelope", irreducible=1.6, draws=50, block="place")
