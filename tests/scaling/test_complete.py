"""What a table leaves to be worked out, and what it is told in when it cannot be."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from corpora.errors import InputError
from scaling.fits.fit import fit
from scaling.laws import chinchilla
from scaling.published.tables import BESIROGLU_REFIT
from scaling.read_runs import read_runs
from tests.cli import answer, mistake

BUDGETS, RATIOS = (1e19, 1e20, 1e21), np.geomspace(0.2, 5, 6)


def tokens_table(jitter: float = 0.0) -> pl.DataFrame:
    """Three isoFLOP curves of Chinchilla's law, counted in tokens and nats."""
    rows = []
    for budget in BUDGETS:
        for place, ratio in enumerate(RATIOS):
            params = ratio * np.sqrt(budget / 120)
            tokens = budget / 6 / params
            loss = chinchilla.loss(BESIROGLU_REFIT.estimates, params, tokens)
            rows.append((budget * (1 + jitter * place), params, tokens, float(loss)))
    names = ["compute_flops", "params", "train_tokens", "nats_per_token"]
    return pl.DataFrame(rows, names, orient="row")


def test_isoflop_in_tokens_is_that_in_bytes() -> None:
    frame = tokens_table()
    tokens = fit(read_runs(frame), "isoflop", draws=50)
    with_rate = frame.with_columns(compression_rate=pl.lit(4.0))
    by_bytes = fit(read_runs(with_rate), "isoflop", draws=50)
    assert [each.law for each in tokens] == ["isoflop-tokens"] * 3
    for ours, theirs in zip(tokens, by_bytes, strict=True):
        assert theirs.law == "isoflop" and ours.ok
        best = theirs.estimates["train_bytes_opt"] / 4
        assert ours.estimates["train_tokens_opt"] == pytest.approx(best)
        assert ours.estimates["params_opt"] == pytest.approx(theirs.estimates["params_opt"])
        assert ours.units["nats_per_token_opt"] == "nats per token"
        lowest = ours.predict("loss", train_tokens=ours.estimates["train_tokens_opt"]).value
        assert lowest == pytest.approx(ours.estimates["nats_per_token_opt"])


def test_tokens_follow_from_compute_and_compute_from_tokens() -> None:
    frame = tokens_table()
    no_data = read_runs(frame.drop("train_tokens"))
    np.testing.assert_allclose(no_data.column("train_tokens", "test"), frame["train_tokens"])
    assert "taken as compute_flops / (6 params)" in no_data.notes[0].message
    no_compute = read_runs(frame.drop("compute_flops"))
    np.testing.assert_allclose(no_compute.column("compute_flops", "test"), frame["compute_flops"])
    assert no_compute.conventions()["flops"] == "6 N D"
    assert [each.context["compute_flops"] for each in fit(no_compute, "isoflop", draws=0)] == (
        pytest.approx(BUDGETS)
    )


def test_perplexity_is_e_to_the_nats() -> None:
    frame = tokens_table()
    shown = frame.select(pl.exclude("nats_per_token"), ppl=pl.col("nats_per_token").exp())
    runs = read_runs(shown.with_columns(bytes_per_token=pl.lit(4.0)))
    np.testing.assert_allclose(runs.column("nats_per_token", "test"), frame["nats_per_token"])
    bits = frame["nats_per_token"] / np.log(2) / 4
    np.testing.assert_allclose(runs.column("bits_per_byte", "test"), bits)
    with pytest.raises(InputError, match=r"row 1: perplexity is 0\.5, and must be above 1"):
        read_runs(shown.with_columns(ppl=pl.lit(0.5)))


def test_budgets_that_agree_to_a_per_cent_are_one() -> None:
    frame = tokens_table(jitter=0.0015)
    assert frame["compute_flops"].n_unique() == 18
    runs = read_runs(frame)
    assert sorted(set(runs.rows["compute_flops"])) == list(BUDGETS)
    assert any("18 values of compute_flops are 3 budgets" in note.message for note in runs.notes)
    assert [note.name for note in runs.notes] == ["values made one"]
    assert len(fit(runs, "isoflop", draws=0)) == 3
    as_they_are = read_runs(frame, budget_tolerance=0)
    assert as_they_are.rows["compute_flops"].n_unique() == 18
    with pytest.raises(InputError, match="needs at least 3 model sizes"):
        fit(as_they_are, "isoflop", draws=0)


def test_budgets_of_no_grid_stay_apart() -> None:
    frame = tokens_table().with_columns(compute_flops=pl.Series(1e19 * 1.004 ** np.arange(18)))
    runs = read_runs(frame)
    assert runs.rows["compute_flops"].n_unique() == 18 and not runs.notes
    assert read_runs(tokens_table(jitter=0.02)).rows["compute_flops"].n_unique() == 18


def test_rates_as_realised_are_one_where_they_make_a_curve() -> None:
    frame = tokens_table()
    realised = 4 * (1 + 0.0005 * np.arange(18))
    runs = read_runs(frame.with_columns(train_bytes=frame["train_tokens"] * realised))
    assert set(runs.column("compression_rate", "test")) == {4.0}
    optima = pl.DataFrame(
        {
            "compute_flops": np.repeat(BUDGETS, 2),
            "compression_rate": np.tile([4.40, 4.42], 3),
            "bits_per_byte": np.linspace(1.2, 0.9, 6),
        }
    )
    assert read_runs(optima).rows["compression_rate"].n_unique() == 2


def test_of_a_log_the_last_row_is_the_run() -> None:
    steps = pl.DataFrame({"steps": [100, 1000, 2000], "fall": [1.3, 1.1, 1.0]})
    log = tokens_table().join(steps, how="cross")
    log = log.with_columns(nats_per_token=pl.col("nats_per_token") * pl.col("fall")).drop("fall")
    runs = read_runs(log)
    assert len(runs) == 18 and not runs.excluded
    assert runs.rows["nats_per_token"].to_list() == tokens_table()["nats_per_token"].to_list()
    assert runs.rows["row"].to_list() == list(range(3, 55, 3))
    assert "54 rows are logs of 18 runs" in runs.notes[0].message


def checkpoints() -> pl.DataFrame:
    share = pl.DataFrame({"share": [0.25, 0.5, 1.0]})
    table = tokens_table().with_row_index("run_id").join(share, how="cross")
    return table.with_columns(train_tokens=pl.col("train_tokens") * pl.col("share")).drop("share")


def test_checkpoints_are_rows_or_their_last() -> None:
    runs = read_runs(checkpoints())
    assert len(runs) == 54
    last = read_runs(checkpoints(), last=True)
    assert last.rows["train_tokens"].to_list() == tokens_table()["train_tokens"].to_list()
    nameless = read_runs(checkpoints().drop("run_id", "compute_flops"), last=True)
    assert len(nameless) == 18


def test_a_curve_of_a_budget_is_of_runs_that_reached_it() -> None:
    whole = fit(read_runs(tokens_table()), "isoflop", draws=0)
    ended = fit(read_runs(checkpoints()), "isoflop", draws=0)
    for ours, theirs in zip(ended, whole, strict=True):
        assert ours.estimates == theirs.estimates
        assert any("36 rows are checkpoints" in found.message for found in ours.findings)


@pytest.mark.parametrize(
    ("table", "law", "said"),
    [
        (
            "compute_flops,model_size,bits_per_byte\n1e19,1e8,1.1\n1e19,2e8,1.05\n1e19,4e8,1.08\n",
            "isoflop",
            "no column holds the parameter count (model_size is not known); if that is what it"
            " holds, say so with --column params=model_size",
        ),
        (
            "params,tokens_seen,bits_per_byte\n1e8,1e9,1.1\n1e8,2e9,1.05\n",
            "law1",
            "(tokens_seen is not known)",
        ),
        (
            "params,tokens_seen,task,bits_per_byte\n1e8,1e9,a,1.1\n1e8,1e9,b,1.1\n",
            "law1",
            "rows 1, 2 are the same run (equal params but for task, not known)",
        ),
        (
            "params,train_tokens,nats_per_token,steps\n1e8,1e9,3.1,200\n2e8,1e9,3.0,200\n",
            "chinchilla",
            "all 2 rows are of runs under 300 steps; keep them with --keep-short",
        ),
        (
            "params,train_tokens,nats_per_token,steps,status\n"
            "1e8,1e9,3.1,200,ok\n2e8,1e9,3,900,diverged\n",
            "chinchilla",
            "no finished run; 1 was left out, the first for: diverged; one is under 300 steps",
        ),
    ],
)
def test_what_a_table_lacks_is_named(tmp_path: Path, table: str, law: str, said: str) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(table)
    assert said in mistake(f"scaling fit {path} --law {law}")


def test_the_command_takes_a_table_of_other_names(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    frame = tokens_table(jitter=0.0015).rename({"params": "model_size"}).drop("train_tokens")
    frame.write_csv(path)
    told = f"scaling fit {path} --law isoflop --draws 0 --column params=model_size"
    entries = answer(told)["entries"]
    assert [entry["compute_flops"] for entry in entries] == list(BUDGETS)
    assert "needs at least 3 model sizes" in mistake(f"{told} --budget-tolerance 0")
