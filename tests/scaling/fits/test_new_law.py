"""A law of one's own: a formula, a fit and an entry of the registry, and it can be asked for."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from corpora.errors import InputError
from scaling.engine.bootstrap import CASES, Bootstrap
from scaling.engine.newton import SQUARES
from scaling.fits.assemble import columns
from scaling.fits.fit import fit
from scaling.fits.single_stage import OneStage, fit_stage
from scaling.laws.power_sum import PowerSum, Term
from scaling.laws.registry import BITS, DEFAULTS, LAWS, Law, Options, Quantity
from scaling.result import FitResult
from scaling.runs import Runs
from tests.cli import answer, command

# scaling/laws: the formula and what it predicts.
TOY = PowerSum((Term("E"), Term("A", {"B": "-alpha"})), {"alpha": np.linspace(0.05, 1.0, 20)})
QUANTITIES = {
    "bits_per_byte": Quantity(
        ("train_bytes",), BITS, lambda p, train_bytes: TOY.value(p, B=train_bytes)
    )
}


# scaling/fits: the fit.
def fit_toy(runs: Runs, options: Options = DEFAULTS, bootstrap: Bootstrap = CASES) -> FitResult:
    data, loss = columns(runs, "toy")
    problem, starts = TOY.problem({"B": data}, loss, SQUARES, 4)
    stage = OneStage(
        law="toy",
        form="one power",
        method="least squares",
        problem=problem,
        starts=starts,
        formula=lambda p: TOY.value(p, B=data),
        observed=loss,
        inputs={"train_bytes": data},
        units=LAWS["toy"].units,
        conventions={},
    )
    return fit_stage(stage, runs, bootstrap)


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    # scaling/laws/registry.py: the entry.
    entry = Law(
        "loss as a power of bytes",
        fit=f"{__name__}:fit_toy",
        quantities=f"{__name__}:QUANTITIES",
        columns=("train_bytes", "bits_per_byte"),
        one_stage=True,
        units={"E": BITS},
    )
    monkeypatch.setitem(LAWS, "toy", entry)


def planted() -> pl.DataFrame:
    data = np.geomspace(1e9, 1e12, 24)
    noise = 0.002 * np.random.default_rng(1).standard_normal(24)
    return pl.DataFrame({"train_bytes": data, "bits_per_byte": 0.7 + 40 * data**-0.2 + noise})


def test_it_is_fitted_and_predicts() -> None:
    fits = fit(planted(), "toy", draws=100)
    exponent, interval = fits.only.estimates["alpha"], fits.only.intervals["alpha"]
    assert exponent == pytest.approx(0.2, abs=0.02)
    assert interval is not None and 0.2 in interval
    ahead = fits.predict("bits_per_byte", train_bytes=1e13)
    assert ahead.low is not None and ahead.high is not None
    assert ahead.low < 0.7 + 40 * 1e13**-0.2 < ahead.high
    assert ahead.outside == {"train_bytes": pytest.approx(10)}
    assert "toy (one power): converged, n = 24" in fits.summary()
    assert fits.frame()["coefficient"].to_list() == ["E", "A", "alpha"]
    with pytest.raises(InputError, match="toy has no form 'two'"):
        fit(planted(), "toy", form="two")


def test_the_command_knows_it(tmp_path: Path) -> None:
    planted().write_csv(tmp_path / "runs.csv")
    line = f"scaling fit {tmp_path / 'runs.csv'} --law toy --intervals hessian"
    whole = answer(line, "--out", tmp_path)
    low, high = whole["intervals"]["alpha"]
    assert low < 0.2 < high and whole["units"] == {"E": "bits per byte"}
    assert (tmp_path / "laws" / "toy.json").exists()
    assert "toy" in command("scaling fit x.csv --law to").stderr
