"""A language placed by a fit over languages, in place of the analogy."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import tokenize_lab as tl
from corpora.errors import InputError
from scaling.advise.place_by_fit import place_by_fit
from scaling.advise.placement import place_language
from scaling.fits.fit import fit
from scaling.published import tables
from scaling.result import FitResult
from tests.cli import answer, command, mistake
from tests.scaling.fits.planted_languages import planted_languages

PUBLISHED = tables.table(tables.LANGUAGES).filter(setting="monolingual")
NAMES = {"l0": "eng_Latn", "l1": "deu_Latn", "l2": "vie_Latn", "l3": "rus_Cyrl", "l4": "hin_Deva"}
PARITY = (1.0, 1.15, 1.4, 2.0, 2.6)


@pytest.fixture(scope="module")
def published() -> FitResult:
    return fit(PUBLISHED, "languages", draws=400).only


@pytest.fixture(scope="module")
def planted() -> FitResult:
    runs = planted_languages(PARITY, np.random.default_rng(2), noise=0.01).runs
    named = runs.with_columns(pl.col("language").replace(NAMES))
    return fit(named, "languages", draws=400).only


def test_a_language_with_runs_is_placed_by_them(published: FitResult, planted: FitResult) -> None:
    place = place_by_fit(published, "hin_Deva")
    known = place_language("hin_Deva")
    assert place[3:6] == pytest.approx(known[3:6])  # the table is the one that `measured` reads
    assert place.basis == "pooled" and place.parity == 2.6 and place.beyond == ""
    assert "its own runs have 100% of its T*" in place.note
    ours = place_by_fit(planted, "hi")
    here, english = (
        planted.estimates[f"compression_rate_opt:{name}"] for name in ("hin_Deva", "eng_Latn")
    )
    assert ours.rate == pytest.approx(here / english) and ours.spread[0] > 0
    assert place_by_fit(planted, "eng_Latn").basis == "runs"


def test_one_without_runs_is_put_on_the_line(published: FitResult) -> None:
    place = place_by_fit(published, "swa_Latn", 1.3)
    line = published.predict("compression_rate_opt", parity=1.3)
    assert place.rate == pytest.approx(float(line.value) / 3.71)
    width = np.log(line.high / line.low) / (2 * 1.959964)
    assert place.basis == "line" and place.spread[0] == pytest.approx(width, rel=1e-6)
    assert "as unsure as languages differ (tau 0.099)" in place.note
    beyond = place_by_fit(published, "mya_Mymr", 4.0)
    assert beyond.beyond.startswith("parity 4 lies beyond the languages fitted, 1 to 2.6")


def test_what_the_fit_does_not_tell_is_left_to_the_others() -> None:
    rates = fit(PUBLISHED.drop("bytes_per_param_opt"), "languages", draws=50).only
    place, known = place_by_fit(rates, "rus_Cyrl"), place_language("rus_Cyrl")
    assert place.ratio == known.ratio and place.spread[1] == known.spread[1]
    assert "bytes per parameter as without the fit (measured)" in place.note


def test_advice_says_so(published: FitResult, tmp_path: Path) -> None:
    said = tl.advise(1e21, "swa_Latn", laws=published)
    assert said.placement.basis == "line" and "swa_Latn (line)" in said.summary()
    by_analogy = tl.advise(1e21, "swa_Latn")
    assert by_analogy.placement.basis == "analogy" and "by an analogy" not in said.summary()
    one, other = said.compression_rate_opt, by_analogy.compression_rate_opt
    assert one.value is not None and other.value is not None
    assert one.value != other.value and abs(np.log(one.value / other.value)) < 0.1
    PUBLISHED.write_csv(tmp_path / "languages.csv")
    out = tmp_path / "out"
    command(f"scaling fit {tmp_path}/languages.csv --law languages --draws 400 --out {out}")
    line = f"scaling advise --compute 1e21 --languages {out}/laws/languages.json"
    same = answer(f"{line} --language swa_Latn")
    assert same["placement"]["basis"] == "line"
    assert same["compression_rate_opt"]["value"] == pytest.approx(one.value)
    text = command(f"{line} --language mya_Mymr --parity 4").stdout
    assert "caution: parity 4 lies beyond the languages fitted" in text
    assert "is not among the languages of the fit" in mistake(f"{line} --language xxx_Latn")


def test_what_is_refused(published: FitResult, planted: FitResult) -> None:
    law2 = fit(tables.optima(), "law2", draws=0).only
    with pytest.raises(InputError, match="`languages`: the fit given is of law2"):
        place_by_fit(law2, "hin_Deva")
    with pytest.raises(InputError, match=r"`laws`: 2 fits of languages for hin_Deva; give one"):
        tl.advise(1e21, "hin_Deva", laws=[published, planted])
    others = fit(PUBLISHED.filter(pl.col("language") != "eng_Latn"), "languages", draws=0).only
    with pytest.raises(InputError, match="a language is placed beside English"):
        place_by_fit(others, "hin_Deva")
    failed = published.model_copy(update={"status": "not converged"})
    with pytest.raises(InputError, match="`languages`: not to be used"):
        place_by_fit(failed, "hin_Deva")
