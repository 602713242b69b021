"""The mixture law by commands: fit, predict a table, and advise under caps."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import tokenize_lab as tl
from corpora.errors import InputError
from scaling.mixtures.design import epoch_caps
from tests.cli import answer, command, mistake
from tests.scaling.mixtures.planted import TEXTS, best, losses_at, runs_table

SIZES = {"eng": 2e7, "rus": 8e6, "hin": 1e6, "vie": 4e6}
BUDGET = 2e7


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table from elsewhere, one with sizes, one to be predicted, and a fit of each."""
    path = tmp_path_factory.mktemp("mixture")
    runs_table(40, 0.004).write_csv(path / "runs.csv")
    runs_table(40, 0.004).with_columns(
        pl.lit(BUDGET).alias("train_bytes"),
        *(pl.lit(size).alias(f"unique_bytes:{text}") for text, size in SIZES.items()),
    ).write_csv(path / "sized.csv")
    runs_table(12, 0, seed=5).write_csv(path / "others.csv")
    line = "scaling fit {} --law mixture --draws 60 --out {}"
    assert command(line.format(path / "runs.csv", path / "plain")).exit_code == 0
    assert command(line.format(path / "sized.csv", path / "sized")).exit_code == 0
    return path


def test_fit_prints_the_mixture(folder: Path) -> None:
    done = command(f"scaling fit {folder / 'runs.csv'} --law mixture --target hin --draws 0")
    assert done.exit_code == 0
    for said in ("share:hin", "leave-one-out error of hin", "exponential chosen by it"):
        assert said in done.stdout
    found = answer(f"scaling fit {folder / 'runs.csv'} --law mixture --draws 60")
    assert {"law", "n", "estimates", "intervals", "r2", "rmse"} <= set(found)
    assert found["law"] == "mixture" and found["n"] == 40 and found["form"] == "exponential"
    shares = [found["estimates"][f"share:{text}"] for text in TEXTS]
    np.testing.assert_allclose(shares, best(), atol=0.02)
    assert {row["form"] for row in found["arms"][0]["errors"]} == {"linear", "exponential", "gp"}


def test_a_table_is_predicted(folder: Path) -> None:
    out = folder / "predicted.csv"
    done = command(
        f"scaling predict {folder / 'plain' / 'FIT.json'} {folder / 'others.csv'} --out {out}"
    )
    assert done.exit_code == 0 and "rank correlation" in done.stdout
    table = pl.read_csv(out)
    truth = losses_at(table.select("^share:.*$").to_numpy()).mean(axis=1)
    np.testing.assert_allclose(table["predicted"], truth, atol=0.01)
    same = answer(
        f"scaling predict {folder / 'plain' / 'laws' / 'mixture.json'} {folder / 'others.csv'}"
    )
    assert [row["predicted"] for row in same["predictions"]] == pytest.approx(
        table["predicted"].to_list()
    )
    printed = command(
        f"scaling predict {folder / 'plain' / 'FIT.json'} {folder / 'others.csv'}"
    ).stdout
    assert printed == out.read_text()


def test_advice_keeps_caps_and_weights(folder: Path) -> None:
    fit = folder / "sized" / "FIT.json"
    found = answer(f"scaling advise --mixture {fit} --cap eng=4 --weights hin=2")
    (arm,) = found["arms"]
    caps = epoch_caps(SIZES, BUDGET)
    expected = best(np.array([0.2, 0.2, 0.4, 0.2]), caps=np.array([caps[t] for t in TEXTS]))
    shares = [arm["mixture"][text]["share"] for text in TEXTS]
    np.testing.assert_allclose(shares, expected, atol=0.02)
    assert found["target"] == {"eng": 1, "rus": 1, "hin": 2, "vie": 1}
    assert arm["mixture"]["hin"]["epochs"] == pytest.approx(4)
    assert arm["cost_of_caps"] > 0 and arm["cost_of_caps_interval"][0] > 0
    assert set(arm["losses"]) == set(TEXTS)
    text = command(f"scaling advise --mixture {fit} --cap hin=1,rus=1").stdout
    assert "1 epochs (at most 0.05)" in text and "caps cost" in text


def test_sizes_and_budget_may_be_given(folder: Path) -> None:
    fit = folder / "plain" / "FIT.json"
    free = answer(f"scaling advise --mixture {fit}")
    assert free["train_bytes"] is None and "nothing is capped" in free["cautions"][0]
    found = answer(
        f"scaling advise --mixture {fit} --bytes 1e9 --text-bytes hin=1e7,eng=1e9 --cap hin=5"
    )
    assert found["arms"][0]["mixture"]["hin"]["cap"] == pytest.approx(0.05)
    assert found["arms"][0]["mixture"]["rus"]["cap"] == 1
    assert "rus, vie" in found["cautions"][0]


def test_the_library_reaches_it(folder: Path) -> None:
    found = tl.fit(folder / "sized.csv", law="mixture", target="eng,hin", draws=40)
    assert found.mixture.name == "mean of eng, hin"
    table = tl.predict(found, folder / "others.csv")
    saved = found.save(folder / "library")
    again = tl.predict(saved / "mixture.json", folder / "others.csv")
    assert again["predicted"].to_list() == table["predicted"].to_list()
    advice = found.best_mixture(caps={"hin": 2}, weights={"vie": 1})
    assert "hin" in advice.summary() and advice.to_json()["target"]["vie"] == 1
    for argument in ("caps", "weights", "text_bytes"):
        with pytest.raises(InputError, match=f"`{argument}`: 'x'; must be a mapping"):
            found.best_mixture(**{argument: "x"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("advise --mixture {sized}/FIT.json --weights hin=-1", "--weights: hin has weight -1"),
        (
            "advise --mixture {sized}/FIT.json --weights eng=0,rus=0,hin=0,vie=0",
            "--weights: every weight is 0",
        ),
        ("advise --mixture {sized}/FIT.json --weights tha=1", "--weights: no language 'tha'"),
        ("advise --mixture {sized}/FIT.json --cap tha=1", "--cap: no text 'tha'"),
        ("advise --mixture {sized}/FIT.json --cap hin=0", "--cap: hin has 0; give a number above"),
        ("advise --mixture {sized}/FIT.json --cap hin", "--cap hin: give NAME=X"),
        (
            "advise --mixture {sized}/FIT.json --bytes 1e9",
            "--cap: together they allow 0.132 of the bytes that the budget needs; raise a cap",
        ),
        ("advise --mixture {plain}/FIT.json --cap hin=4", "--cap: the size of hin is not known"),
        ("advise --mixture {plain}/none.json", "none.json: no such fit"),
        (
            "advise --mixture {plain}/FIT.json --compute 1e21",
            "--compute: has no part in a mixture's answer; its budget is --bytes",
        ),
        ("advise --mixture {plain}/FIT.json -t mistral:v1", "--tokenizer: has no part in a"),
        ("advise --mixture {plain}/FIT.json --weights hin=1,hin=2", "hin is named twice"),
        ("advise --compute 1e21 --bytes 1e9", "--bytes: is for a mixture; give --mixture FIT.json"),
        ("advise --cap hin=4 --compute 1e21", "--cap: is for a mixture; give --mixture FIT.json"),
        ("advise", "--compute: give the training budget in FLOPs"),
        ("fit {folder}/runs.csv --law mixture --target tha", "--target: no language 'tha'"),
        ("predict {plain}/FIT.json", "name a TABLE with a column share:TEXT"),
        ("predict {plain}/FIT.json --compute 1e20", "predicts the mixtures of a TABLE"),
        (
            "predict hoffmann-approach3 {folder}/others.csv",
            "TABLE, --arm and --out are for a fit of the law mixture",
        ),
        (
            "predict {plain}/FIT.json {folder}/others.csv --arm bpe",
            "--arm: no arm is called 'bpe'; name one of (no name)",
        ),
    ],
)
def test_bad_input_is_one_line(folder: Path, line: str, says: str) -> None:
    places = {"folder": folder, "plain": folder / "plain", "sized": folder / "sized"}
    assert says in mistake("scaling " + line.format(**places))


def test_coefficients_that_no_formula_takes_are_a_line(tmp_path: Path) -> None:
    tl.fit(runs_table(30, 0.004), "mixture", draws=20).save(tmp_path)
    path = tmp_path / "laws" / "mixture.json"
    content = json.loads(path.read_text("utf-8"))
    regressions = next(iter(content["arms"][0]["regressions"].values()))
    for value in (-1e308, 1e99, -1e99):
        regressions["exponential"][-1] = value
        path.write_text(json.dumps(content), "utf-8")
        done = command(f"scaling advise --mixture {path} --json")
        assert done.exit_code == 0 or mistake(done)
