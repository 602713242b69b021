"""A tokenizer's price in points of accuracy: both laws' draws, units, and what it stands on."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import tokenize_lab as tl
from corpora.errors import InputError
from scaling.advise.answer import MeasuredTokenizer
from scaling.engine.bootstrap import NO_BOOTSTRAP
from scaling.fits.downstream import fit_downstream
from scaling.laws.downstream import error
from scaling.read_runs import read_runs
from scaling.result import FitResult
from scaling.runs import Runs
from tests.cli import answer, command, mistake

TRUTH = {"eps": 0.85, "k": 2.4, "gamma": 2.9}
FAR = MeasuredTokenizer("far", 8.0)


def planted(noise: float = 0.004, loss: str = "bits_per_byte", **columns: str) -> Runs:
    at = np.linspace(0.7, 1.5, 40)
    wrong = error(TRUTH, at) + noise * np.random.default_rng(0).standard_normal(len(at))
    table = pl.DataFrame({loss: at, "error": wrong}).with_columns(
        pl.lit(value).alias(name) for name, value in columns.items()
    )
    return read_runs(table, "tasks")


@pytest.fixture(scope="module")
def tasks() -> FitResult:
    return fit_downstream(planted(0.02))


def test_the_price_follows_from_both_laws() -> None:
    exact = fit_downstream(planted(0.0), bootstrap=NO_BOOTSTRAP)
    told = tl.advise(1e21, tokenizers=FAR, downstream=exact)
    best, price = told.bits_per_byte_opt.value, told.tokenizers[0]
    kept = price.bits_per_byte.value
    assert told.error_opt is not None and price.error is not None and price.price_points is not None
    assert best is not None and kept is not None
    right, wrong = error(TRUTH, np.array([best, kept]))
    assert (told.error_opt.value, price.error.value) == pytest.approx((right, wrong), rel=1e-9)
    lost = 100 * (wrong - right)
    assert price.price_points.value == pytest.approx(lost, rel=1e-7) and lost > 0.5
    assert told.error_opt.low is None and "it has no draws" in told.notes[-1]


def test_the_interval_holds_what_both_laws_leave_open(tasks: FitResult) -> None:
    whole = tl.advise(1e21, tokenizers=FAR, downstream=tasks)
    same = np.tile(list(tasks.estimates.values()), (len(tasks.draws), 1))
    sure = tl.advise(1e21, tokenizers=FAR, downstream=tasks.model_copy(update={"draws": same}))
    for wide, narrow in (
        (whole.error_opt, sure.error_opt),
        (whole.tokenizers[0].price_points, sure.tokenizers[0].price_points),
    ):
        assert wide is not None and narrow is not None and wide.value == narrow.value
        assert wide.low is not None and wide.high is not None and wide.value is not None
        assert narrow.low is not None and narrow.high is not None
        assert wide.low < wide.value < wide.high
        assert wide.high - wide.low > narrow.high - narrow.low > 0
    assert whole.frame().filter(tokenizer="far", quantity="price_points").height == 1
    assert tl.advise(1e21, tokenizers=FAR).frame().filter(quantity="price_points").height == 0


def test_serving_costs_accuracy(tasks: FitResult) -> None:
    advice = tl.advise(1e21, serve_bytes=1e12, downstream=tasks)
    assert any("trains alone" in note for note in advice.notes)
    served = advice.serving
    assert served is not None and served.error_opt is not None
    best, loss = served.error_opt, served.bits_per_byte_opt.value
    assert loss is not None and best.value is not None and best.low is not None
    told = float(error(tasks.estimates, np.array(loss)))
    assert best.value == pytest.approx(told) and best.low < best.value
    assert "  task error            0." in "\n".join(served.lines())


def test_by_command(tmp_path: Path) -> None:
    planted().rows.drop("row").write_csv(tmp_path / "tasks.csv")
    line = f"scaling fit {tmp_path}/tasks.csv --law downstream --draws 120 --out {tmp_path}"
    assert command(line).exit_code == 0
    fit = f"{tmp_path}/laws/downstream.json"
    done = command(f"scaling advise --compute 1e21 --bytes-per-token far=8 --downstream {fit}")
    assert "price in accuracy" in done.stdout and "points of accuracy" in done.stdout
    assert "task error            0.6" in done.stdout
    told = answer(f"scaling advise --compute 1e21 --bytes-per-token far=8 --downstream {fit}")
    assert told["tokenizers"][0]["price_points"]["unit"] == "points of accuracy"
    assert told["error_opt"]["low"] < told["error_opt"]["value"] < told["error_opt"]["high"]
    line = f"scaling predict hoffmann-approach3 --parameters 1e9 --tokens 1e10 --downstream {fit}"
    assert "the loss is in nats per token" in mistake(line)


def test_what_it_may_not_rest_on(tasks: FitResult) -> None:
    high = tasks.model_copy(update={"data_range": {"loss": (0.95, 1.5)}})
    *_, far = tl.advise(1e21, downstream=high).cautions
    assert "beyond the losses that task errors were fitted to, 0.95 to 1.5 bits per byte" in far
    other = tl.advise(1e20, "hin_Deva", downstream=tasks).cautions
    assert "task errors are by the loss of eng_Latn text, not of hin_Deva text" in other
    per_token = fit_downstream(planted(loss="nats_per_token"), bootstrap=NO_BOOTSTRAP)
    with pytest.raises(InputError, match="task errors by nats per token, and the loss is in bits"):
        tl.advise(1e21, downstream=per_token)
    with pytest.raises(InputError, match="`downstream`: not to be used: not converged"):
        tl.advise(1e21, downstream=tasks.model_copy(update={"status": "not converged"}))
    with pytest.raises(InputError, match="`downstream`: a fit of chinchilla"):
        tl.advise(1e21, downstream="hoffmann-approach3")
