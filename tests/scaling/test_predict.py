"""Everything a fit predicts at once: what each law tells of what, and what it says first."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import tokenize_lab as tl
from corpora.errors import InputError
from scaling.fits.law1 import fit_law1
from scaling.fits.law2 import fit_law2
from scaling.laws.registry import quantities
from scaling.predict import predict
from scaling.published import tables
from scaling.result import FitResult
from tests.cli import answer, command, mistake

OPTIMA, ISOFLOP = tables.path(tables.OPTIMA), tables.path(tables.ISOFLOP)


@pytest.fixture(scope="module")
def law2() -> FitResult:
    return fit_law2(tables.optima())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, law2: FitResult) -> Path:
    path = tmp_path_factory.mktemp("fit") / "law2.json"
    path.write_text(law2.to_json(), "utf-8")
    return path


def test_all_that_the_inputs_decide_is_told(law2: FitResult) -> None:
    found = predict(law2, compute_flops=[1e20, 1e21], compression_rate=[2, 4, 8])
    count = {name: sum(row.quantity == name for row in found.rows) for name in quantities("law2")}
    assert count == {
        "bits_per_byte": 6,
        "bits_per_byte_opt": 2,
        "compression_rate_opt": 2,
        "price_bits_per_byte": 6,
    }
    for row in found.rows:
        one = law2.predict(row.quantity, **row.inputs)
        assert (row.value, row.low, row.high) == (one.value, one.low, one.high)
        assert row.outside == {}
    frame = found.frame()
    inputs = ["compute_flops", "compression_rate"]
    assert frame.columns == ["quantity", *inputs, "value", "low", "high", "unit", "outside"]
    rate = frame.filter(pl.col("compute_flops") == 1e21, quantity="compression_rate_opt")
    assert rate["compression_rate"].to_list() == [None] and rate["unit"].item() == "bytes per token"
    best = float(rate["value"].item())
    assert f"compression_rate_opt at compute_flops 1e+21: {best:.5g} [" in found.summary()
    assert repr(found) == "Predictions(law2, shrinking: 16 values)"
    assert "<table" in found._repr_html_()
    # What compute alone decides needs no rate.
    alone = predict(law2, compute_flops=np.array([1e21]).tolist())
    assert {row.quantity for row in alone.rows} == {"bits_per_byte_opt", "compression_rate_opt"}


def test_beyond_the_data_is_said_first(law2: FitResult) -> None:
    near = predict(law2, compute_flops=1e22)
    assert near.cautions == [] and near.rows[0].outside == {"compute_flops": pytest.approx(5)}
    far = predict(law2, compute_flops=[1e21, 2e23], compression_rate=4)
    assert far.cautions[0].startswith("an extrapolation: compute_flops lies up to 100 times beyond")
    assert far.summary().startswith("caution: an extrapolation")
    failed = law2.model_copy(update={"status": "not converged"})
    assert predict(failed, compute_flops=1e21).cautions == [
        "this fit is not to be used: not converged"
    ]


def test_a_law_takes_what_it_takes(law2: FitResult) -> None:
    for words, said in (
        ({"params": 1e9}, "law2 takes no `params`; it predicts bits_per_byte of compute_flops and"),
        ({"compute_flop": 1e9}, "takes no `compute_flop`; did you mean 'compute_flops'"),
        ({"compression_rate": 4}, "law2: `compression_rate` decides nothing without another"),
        ({}, "law2: no input is given"),
        ({"compute_flops": -1}, "`compute_flops`: -1.0; must be positive"),
        ({"compute_flops": []}, "`compute_flops`"),
        ({"compute_flops": "1e20"}, "`compute_flops`"),
        ({"compute_flops": [1e20] * 200, "compression_rate": [4.0] * 200}, "too many at once"),
    ):
        with pytest.raises(InputError, match=said):
            predict(law2, **words)
    with pytest.raises(InputError, match="`fit`: 5; must be what `fit` returns"):
        predict(5, compute_flops=1e20)  # type: ignore[call-overload]
    with pytest.raises(InputError, match="no published fit; did you mean 'hoffmann-approach3'"):
        predict("hoffmann-aproach3", params=1e9, tokens=1e10)


def test_other_laws_and_published_ones() -> None:
    law1 = fit_law1(tables.isoflop_runs())
    found = predict(law1, compression_rate=4, latent_flops=1e20)
    assert [row.quantity for row in found.rows] == list(quantities("law1"))
    size, data = (
        next(row.value for row in found.rows if row.quantity == name)
        for name in ("params_opt", "train_bytes_opt")
    )
    assert size is not None and data is not None
    assert 6 * size * data / 4 == pytest.approx(1e20, rel=1e-3)
    theirs = predict("hoffmann-approach3", params=7e10, tokens=1.4e12)
    loss = next(row for row in theirs.rows if row.quantity == "loss")
    assert loss.value == pytest.approx(1.9366, abs=1e-4) and loss.low is None
    assert loss.outside["tokens"] == pytest.approx(2.8)
    # Of Porian's power laws that of D* was not published; N* is told all the same.
    some = predict("porian-rw-tuned", compute_flops=1e20)
    assert [row.quantity for row in some.rows] == ["params_opt"] and some.rows[0].value
    assert some.cautions == [
        "approach2: tokens_opt needs the coefficient 'd0', which was not published"
    ]
    with pytest.raises(InputError, match="coefficient 'n0', which was not published"):
        predict("hoffmann-approach1", compute_flops=1e20)


def test_the_library_says_the_same(law2: FitResult) -> None:
    fit = tl.fit(tables.optima(), "law2")
    asked: dict[str, Any] = {"compute_flops": 1e21, "compression_rate": 4.0}
    ours = fit.predictions(**asked)
    assert ours.rows == tl.predict(fit, **asked).rows == predict(law2, **asked).rows


def test_command(written: Path, law2: FitResult) -> None:
    line = f"scaling predict {written} --compute 1e21 --compute 1e23 --compression-rate 4"
    found = answer(line)
    assert (found["law"], found["form"], found["level"]) == ("law2", "shrinking", 0.95)
    asked = predict(law2, compute_flops=[1e21, 1e23], compression_rate=4)
    assert [row["value"] for row in found["predictions"]] == [row.value for row in asked.rows]
    assert found["predictions"][0]["inputs"] == {"compute_flops": 1e21, "compression_rate": 4.0}
    assert found["predictions"][0]["low"] < found["predictions"][0]["value"]
    done = command(line)
    assert done.exit_code == 0
    text = done.stdout
    assert text.startswith("caution: an extrapolation: compute_flops lies up to 50 times")
    pieces = ("law2 (shrinking) at compression_rate 4", "[95% interval]", "compression_rate_opt")
    assert all(piece in text for piece in (*pieces, "50 times beyond the data fitted", "1e+23"))
    narrow = command(f"scaling predict {written} --compute 1e22", env={"COLUMNS": "80"}).stdout
    assert "(shrinking) at compute_flops 1e+22" in narrow and "(1 of" not in narrow
    published = command("scaling predict hoffmann-approach3 --parameters 7e10 --tokens 1.4e12")
    assert "no interval: none published for E" in published.stdout
    same = answer(f"scaling predict {written} --at compute_flops=1e21")
    assert same["predictions"][0]["inputs"] == {"compute_flops": 1e21}


def test_mistakes_of_the_command(written: Path, tmp_path: Path, law2: FitResult) -> None:
    assert "takes no --parameters; it predicts" in mistake(
        f"scaling predict {written} --parameters 1e9"
    )
    assert "--at x: give NAME=X" in mistake(f"scaling predict {written} --at x")
    assert "--compute: -1.0; must be positive" in mistake(f"scaling predict {written} --compute -1")
    assert "no such file, and no published fit" in mistake(
        f"scaling predict {tmp_path}/law.json --compute 1e20"
    )
    torn = tmp_path / "torn.json"
    torn.write_text("{", "utf-8")
    assert "not a fit" in mistake(f"scaling predict {torn} --compute 1e20")
    fewer = json.loads(written.read_text("utf-8"))
    del fewer["estimates"]["gamma"]
    torn.write_text(json.dumps(fewer), "utf-8")
    line = mistake(f"scaling predict {torn} --compute 1e20 --compression-rate 4")
    assert line.startswith(f"{torn}: not a fit (draws: of ")
    failed = tmp_path / "failed.json"
    unusable = law2.model_copy(update={"status": "not converged"})
    failed.write_text(unusable.to_json(), "utf-8")
    done = command(f"scaling predict {failed} --compute 1e20")
    assert done.exit_code == 1 and "not to be used" in done.stderr


def test_an_interval_without_end_is_said(tmp_path: Path, law2: FitResult) -> None:
    names = [*law2.estimates]
    draws = law2.draws.copy()
    draws[: len(draws) // 2, names.index("delta")] = -40  # T* beyond any number
    open_ended = law2.model_copy(update={"draws": draws})
    row = next(
        row for row in predict(open_ended, compute_flops=1e21).rows if "rate" in row.quantity
    )
    assert row.low is not None and row.high is None and row.has_interval
    assert ", no end)" in predict(open_ended, compute_flops=1e21).summary()
    path = tmp_path / "law2.json"
    path.write_text(open_ended.to_json(), "utf-8")
    assert ", no end)" in command(f"scaling predict {path} --compute 1e21").stdout
    assert "inf" not in repr(open_ended.predict("compression_rate_opt", compute_flops=1e21))


def test_an_optimum_of_nothing_is_no_optimum() -> None:
    """D = 20 N in every run: the terms of N and D cannot be told apart, and no size is best."""
    params = np.geomspace(1e7, 1e10, 12)
    loss = 1.8 + 400 / params**0.35 + 400 / (20 * params) ** 0.35
    table = {"params": params, "train_tokens": 20 * params, "nats_per_token": loss}
    fit = tl.fit(pl.DataFrame(table), "chinchilla", draws=0).only
    gone = fit.model_copy(update={"estimates": {**fit.estimates, "A": 0.0}})
    row = next(r for r in predict(gone, compute_flops=1e21).rows if r.quantity == "params_opt")
    assert row.value is None and not row.has_interval
    by_bytes = fit.model_copy(update={"law": "chinchilla-bytes"})
    with pytest.raises(InputError, match=r"^chinchilla takes no `compute_flops`"):
        predict(by_bytes, compute_flops=1e21)
    assert by_bytes.summary().startswith("chinchilla (log-huber)")


@pytest.mark.parametrize("head", ["{", '{"law":"mixture",'])
def test_a_fit_that_claims_a_terabyte_is_one_line(tmp_path: Path, head: str) -> None:
    claims = tmp_path / "FIT.json"
    claims.write_text(head)
    os.truncate(claims, 1 << 40)
    for line in (f"scaling predict {claims} --compute 1e20", f"scaling advise --mixture {claims}"):
        assert mistake(line).startswith(f"{claims}: more than 128 MiB")
