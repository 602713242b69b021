"""One law for several tokenizers: who is an arm, what a factor says, what is refused."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import tokenize_lab as tl
from corpora.errors import InputError
from scaling.engine.bootstrap import CASES, NO_BOOTSTRAP
from scaling.fits.arms import arms_of, fit_arms
from scaling.fits.fit import fit
from scaling.laws import arms
from scaling.read_runs import read_runs
from tests.conftest import ROOT
from tests.scaling.fits.planted import PLANTED

RESULTS = ROOT / "scaling" / "experiments" / "results"


def test_an_arm_reaches_the_reference_with_its_compute_ratio() -> None:
    """Found by minimising over sizes, not by the formula: what the ratio claims happens."""
    law = {"E": 0.7, "A": 20.0, "B": 400.0, "alpha": 0.25, "beta": 0.3}
    sizes: np.ndarray = np.geomspace(1e2, 1e9, 200_001)

    def lowest(compute: float, factor: float) -> float:
        return float(arms.loss(law, sizes, np.array(compute), np.array(factor)).min())

    ratio = float(arms.compute_ratio(law, np.array(0.93)))
    assert ratio > 1
    assert lowest(1e14, 0.93) == pytest.approx(lowest(1e14 * ratio, 1.0), rel=1e-9)


def test_intervals_follow_the_factors() -> None:
    planted = PLANTED["arms"]()
    found = planted.fit(planted.noisy(np.random.default_rng(1)), CASES)
    for name in ("factor:byte", "factor:static", "compute_ratio:byte", "compute_ratio:static"):
        interval = found.intervals[name]
        assert interval is not None and planted.truth[name] in interval
    assert found.conventions["reference"] == "bpe"
    assert found.draws.shape[1] == len(found.estimates)
    told = found.predict("compute_ratio", factor=found.estimates["factor:static"])
    assert told.value == pytest.approx(found.estimates["compute_ratio:static"])
    assert found == type(found).from_json(found.to_json())


def test_rates_of_one_tokenization_are_arms() -> None:
    """Realised rates scatter a little around what was asked for; those are one arm."""
    table = {
        "tokenization": ["static"] * 4 + ["bpe"] * 2,
        "compression_rate": [4.0, 4.05, 8.1, 7.9, 3.0, 3.02],
        "bits_per_byte": [2.0, 2.1, 2.2, 2.3, 2.4, 2.5],
        "params": [1e5, 2e5, 1e5, 2e5, 1e5, 2e5],
        "compute_flops": [1e12] * 6,
    }
    labels = arms_of(read_runs(pl.DataFrame(table), "table"))
    assert labels.tolist() == ["static, T = 4.02"] * 2 + ["static, T = 8"] * 2 + ["bpe"] * 2


def test_one_fit_for_all_tokenizations_of_a_language() -> None:
    """Our own runs of English: static and entropy patches, each at several rates."""
    fits = fit(RESULTS / "english.csv", "arms", draws=50)
    assert len(fits) == 1 and dict(fits.only.context).keys() <= {"language", "dataset"}
    factors = [name for name in fits.only.estimates if name.startswith("factor:")]
    assert any("entropy" in name for name in factors) and any("static" in name for name in factors)


def test_what_it_needs() -> None:
    planted = PLANTED["arms"]()
    rows = planted.runs.rows
    one = read_runs(rows.filter(pl.col("tokenization") == "bpe").drop("row"), "one")
    with pytest.raises(InputError, match=r"arms needs at least 2 arms .*, and there is 1"):
        fit_arms(one)
    with pytest.raises(InputError, match="at least 2 compute budgets, and there is 1"):
        fit(RESULTS / "subword.csv", "arms")
    few = pl.concat([one.rows, rows.filter(pl.col("tokenization") == "byte").head(2)])
    with pytest.raises(InputError, match="at least 3 runs of byte, and there are 2"):
        fit_arms(read_runs(few.drop("row"), "few"))


def test_the_library_and_the_report_take_it(tmp_path: Path) -> None:
    rows = PLANTED["arms"]().runs.rows.drop("row")
    fits = tl.fit(rows, "arms", draws=50)
    assert fits.only.estimates["factor:static"] == pytest.approx(0.93, abs=1e-6)
    page = fits.report(tmp_path / "report.html")
    assert "Tokenizers under one law" in Path(page).read_text("utf-8")


def test_no_interval_without_draws() -> None:
    planted = PLANTED["arms"]()
    found = planted.fit(planted.runs, NO_BOOTSTRAP)
    assert found.intervals["compute_ratio:byte"] is None
