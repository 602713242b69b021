"""RegMix's own runs (arXiv 2407.01492; sail-sg/regmix, MIT): 512 runs of 1M parameters over 17
texts of the Pile predict how 256 further mixtures rank at 1M and at 60M."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from scaling.fits.fit import fit
from scaling.mixtures.predict import mixture_law, predict_table, prediction_errors
from scaling.mixtures.result import MixtureLaw

# Spearman x 100 on Pile-CC, computed apart from this code from the same files.
RANKED = {
    "linear": {"1m": 90.20, "60m": 89.30},
    "exponential": {"1m": 96.52, "60m": 95.94},
    "gp": {"1m": 99.09, "60m": 98.80},
}


def runs(shared: Path, kind: str, size: str) -> pl.DataFrame:
    folder = shared / "reference" / "runs" / "regmix"
    if not folder.is_dir():
        pytest.skip("the published runs of mixtures are not in the shared data")
    shares = pl.read_csv(folder / f"{kind}_mixture_{size}.csv").drop("index")
    losses = pl.read_csv(folder / f"{kind}_pile_loss_{size}.csv").drop("index")
    named = [name.replace("train_the_pile_", "share:") for name in shares.columns]
    lost = [
        name.replace("metric/the_pile_", "loss:").removesuffix("_val_loss")
        for name in losses.columns
    ]
    shares.columns, losses.columns = named, lost
    return pl.concat([shares, losses.select("loss:pile_cc")], how="horizontal")


@pytest.fixture(scope="module")
def law(shared: Path) -> MixtureLaw:
    found = mixture_law(fit(runs(shared, "train", "1m"), "mixture", target="pile_cc", draws=0))
    assert found is not None
    return found


@pytest.mark.parametrize("size", ["1m", "60m"])
@pytest.mark.parametrize("form", list(RANKED))
def test_ranks_are_those_published(shared: Path, law: MixtureLaw, form: str, size: str) -> None:
    table = predict_table(law.model_copy(update={"form": form}), runs(shared, "test", size))
    found = 100 * prediction_errors(law, table)["rank_correlation"]
    assert found == pytest.approx(RANKED[form][size], abs=0.3)


def test_the_process_predicts_left_out_runs_best(law: MixtureLaw) -> None:
    assert law.form == "gp" and law.chosen
    errors = [row.rmse for row in law.arms[0].errors if row.of == "target"]
    np.testing.assert_allclose(errors, [0.1597, 0.1008, 0.0504], atol=5e-4)  # linear, exp., gp


def test_the_best_mixture_is_nearly_all_pile_cc(law: MixtureLaw) -> None:
    """The published way gives Pile-CC .891, Ubuntu IRC .061, PubMed abstracts .012, Wikipedia .0073
    by LightGBM and one seed; other seeds of the same draws give Pile-CC .877 and .883. By the
    process it is .92 to .94.
    """
    shares = dict(zip(law.texts, law.arms[0].sampled, strict=True))
    ranked = sorted(shares, key=lambda text: -shares[text])
    assert ranked[:2] == ["pile_cc", "ubuntu_irc"]
    assert shares["pile_cc"] == pytest.approx(0.92, abs=0.02)
    assert law.arms[0].best.shares[law.texts.index("pile_cc")] > 0.99
