"""Task error by loss: the published fits, planted truth, and what cannot be told."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import tokenize_lab as tl
from corpora.errors import InputError
from scaling.engine.bootstrap import CASES, NO_BOOTSTRAP
from scaling.engine.newton import SQUARES
from scaling.fits.downstream import fit_downstream, predict_error
from scaling.fits.other_laws import fit_overtraining
from scaling.laws.downstream import downstream_problem, error
from scaling.laws.registry import Options
from scaling.predict import predict
from scaling.published.tables import COT_LAW1_SUBWORD, COT_LAW2_SUBWORD
from scaling.published.tables import PUBLISHED as PUBLISHED_FITS
from scaling.read_runs import read_runs
from scaling.result import FitResult
from scaling.runs import Runs
from tests.cli import command
from tests.scaling.engine.derivatives import assert_derivatives

HOFFMANN = PUBLISHED_FITS["hoffmann-approach3"]
AT = {"compute_flops": 1e20}
TRUTH = {"eps": 0.85, "k": 2.4, "gamma": 2.9}
SMALL = ["d=96_l=8_h=4", "d=512_l=8_h=4", "d=576_l=24_h=8", "d=1024_l=24_h=8"]
# Gadre et al. 2024, table 8: eps, k and gamma of the average over 17 and over 46 tasks.
PUBLISHED = {
    ("c4_original", "err_avg17"): (0.8497, 2.0789, 0.7561),
    ("c4_original", "err_avg46"): (0.7589, 1.2885, 0.9722),
    ("rpj", "err_avg17"): (0.8570, 2.2065, 0.7146),
    ("rpj", "err_avg46"): (0.7608, 1.3229, 0.8907),
    ("rw_original", "err_avg17"): (0.8653, 2.2148, 0.7070),
    ("rw_original", "err_avg46"): (0.7677, 1.1281, 0.8215),
}


def planted(loss: np.ndarray, noise: float = 0.0, seed: int = 0) -> Runs:
    wrong = error(TRUTH, loss) + noise * np.random.default_rng(seed).standard_normal(len(loss))
    return read_runs(pl.DataFrame({"bits_per_byte": loss, "error": wrong}), "planted")


@pytest.fixture(scope="module")
def gadre(shared: Path) -> pl.DataFrame:
    path = shared / "reference" / "runs" / "gadre_overtraining.csv"
    if not path.is_file():
        pytest.skip("the runs of other projects are not beside this checkout")
    return pl.read_csv(path)


def five_models(gadre: pl.DataFrame, dataset: str, wrong: str) -> Runs:
    """The runs that the paper fits: small models at M = 20, the smallest at 320, 1.4B at 20."""
    model, ratio = pl.col("model"), pl.col("token_multiplier")
    chosen = (ratio == 20) & model.is_in([*SMALL, "open_lm_1b"])
    chosen |= (ratio == 320) & (model == SMALL[0])
    part = gadre.filter((pl.col("dataset") == dataset) & chosen)
    columns = {"nats_per_token": "loss_c4_val", "error": wrong, "params": "N", "train_tokens": "D"}
    return read_runs(part.select(**columns), dataset)


@pytest.mark.parametrize(("dataset", "wrong"), PUBLISHED)
def test_published_fits(gadre: pl.DataFrame, dataset: str, wrong: str) -> None:
    fit = fit_downstream(five_models(gadre, dataset, wrong), bootstrap=NO_BOOTSTRAP)
    for name, value in zip(TRUTH, PUBLISHED[dataset, wrong], strict=True):
        assert fit.estimates[name] == pytest.approx(value, abs=6e-5), name
    assert [finding.name for finding in fit.findings].count("loss per token") == 1


def test_chained_with_the_law_of_overtraining(gadre: pl.DataFrame) -> None:
    """RedPajama, 17 tasks: 1.4B at M = 640 is missed by 3.6365 %, 6.9B at M = 20 by .0464 %."""
    fit = fit_downstream(five_models(gadre, "rpj", "err_avg17"), bootstrap=CASES)
    runs = five_models(gadre, "rpj", "err_avg17")
    losses = fit_overtraining(runs.only(np.arange(len(runs)) < 5), bootstrap=CASES)
    rows = gadre.filter(pl.col("dataset") == "rpj")
    for model, ratio, missed in (("open_lm_1b", 640, 3.6365), ("open_lm_7b", 20, 0.0464)):
        is_it = (pl.col("model") == model) & (pl.col("token_multiplier") == ratio)
        row = rows.filter(is_it).row(0, named=True)
        inputs = {"params": row["N"], "tokens_per_param": float(ratio)}
        told = predict_error(losses, "loss", fit, **inputs)
        assert 100 * abs(told.value / row["err_avg17"] - 1) == pytest.approx(missed, abs=6e-5)


def test_both_bootstraps_run_through() -> None:
    fit = fit_downstream(planted(np.linspace(0.6, 1.6, 30), 0.004), bootstrap=CASES)
    flat = {"L0": 1e-9, "gamma": -0.1, "E": 0.8, "F": 0.02, "T0": 4.0}
    law = FitResult(law="law2", form="constant", estimates=flat, method="", status="published", n=9)
    spread = np.tile(list(flat.values()), (1000, 1))
    spread[:, 2] = np.random.default_rng(0).normal(0.8, 0.02, 1000)
    bare, sure, unsure = (
        predict_error(law.model_copy(update={"draws": draws}), "bits_per_byte_opt", fit, **AT)
        for draws in (spread[:0], np.tile(list(flat.values()), (1000, 1)), spread)
    )
    alone = fit.predict("error", loss=0.8)
    assert bare.value == sure.value == unsure.value == pytest.approx(alone.value)
    assert bare.interval is None and sure.interval is not None and unsure.interval is not None
    assert sure.interval == pytest.approx(alone.interval, rel=1e-6)
    assert np.ptp(unsure.interval) > 2 * np.ptp(sure.interval)
    told = predict(law, compute_flops=1e20, downstream=fit)
    row = told.frame().filter(pl.col("quantity") == "error_opt").row(0, named=True)
    assert row["value"] == bare.value and row["unit"] == "share of answers that are wrong"


def test_derivatives() -> None:
    loss = np.linspace(0.6, 1.6, 12)
    problem, starts = downstream_problem(loss, error(TRUTH, loss), SQUARES, 0.9)
    weights = np.random.default_rng(0).normal(size=(2, 12))
    assert_derivatives(problem.model, starts[[2, 7]], weights, 1e-8, 1e-7)


def test_chance_bounds_eps() -> None:
    runs = planted(np.linspace(0.6, 1.0, 30), 0.01)
    free, held = (fit_downstream(runs, Options(chance=c), NO_BOOTSTRAP) for c in (None, 0.75))
    assert free.estimates["eps"] < 1 and held.estimates["eps"] <= 0.75


def test_what_cannot_be_told() -> None:
    with pytest.raises(InputError, match="at least 4 runs, and there are 3"):
        fit_downstream(planted(np.array([0.6, 0.9, 1.3])))
    guessing = np.linspace(4.0, 6.0, 12)
    with pytest.raises(
        InputError, match=r"a constant of 0\.85 tells these as well: the models guess"
    ):
        fit_downstream(planted(guessing, 0.003))
    table = pl.DataFrame({"bits_per_byte": [0.6, 0.8, 1.0, 1.2], "error": [41.0, 50, 60, 65]})
    with pytest.raises(InputError, match="divide percentages by 100"):
        fit_downstream(read_runs(table, "percent"))
    other = fit_downstream(planted(np.linspace(0.6, 1.6, 9)), bootstrap=NO_BOOTSTRAP)
    with pytest.raises(InputError, match="a fit of law2; give one of downstream"):
        predict_error(COT_LAW2_SUBWORD, "bits_per_byte_opt", COT_LAW2_SUBWORD, **AT)
    with pytest.raises(InputError, match="by bits per byte, and the loss is in nats per token"):
        predict_error(HOFFMANN, "loss", other, params=1e9, tokens=1e10)
    with pytest.raises(InputError, match="`downstream` needs a loss, and law1 predicts none"):
        predict(COT_LAW1_SUBWORD, latent_flops=1e20, compression_rate=4, downstream=other)


def test_by_command_and_library(tmp_path: Path) -> None:
    rows = planted(np.linspace(0.6, 1.6, 30), 0.004).rows.drop("row")
    table = tmp_path / "tasks.csv"
    rows.rename({"error": "mmlu_wrong"}).write_csv(table)
    done = command(
        f"scaling fit {table} --law downstream --error mmlu_wrong --chance .9 --draws 50"
    )
    assert done.exit_code == 0 and "eps" in done.stdout and "chance = 0.9" in done.stdout
    fitted = tl.fit(rows, "downstream", chance=0.9, draws=50).only
    assert fitted.estimates["gamma"] == pytest.approx(TRUTH["gamma"], rel=0.3)
