"""The languages of a fit over parity: own, pooled, and the line with its band."""

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import tokenize_lab as tl
from reports.laws.languages import law_languages
from reports.laws.results import Laws
from scaling.published import tables
from scaling.result import FitResult
from tests.reports.drawings import drawn, of_class
from tests.scaling.fits.planted_languages import planted_languages
from tests.scaling.fits.test_languages import PARITY, thinned

HOSTILE = '<script>alert("x")</script>'
NAMES = {"l0": "eng_Latn", "l3": "arb_Arab", "l5": HOSTILE}


@pytest.fixture(scope="module")
def fit() -> FitResult:
    runs = planted_languages(PARITY, np.random.default_rng(3), noise=0.006).runs
    named = thinned(runs).with_columns(pl.col("language").replace(NAMES))
    return tl.fit(named, "languages", draws=200).only


def charts(body: str) -> list[str]:
    return re.findall(r'<svg viewBox="0 0 440 340".*?</svg>', body)


def test_every_language_stands_twice_with_its_intervals(fit: FitResult) -> None:
    section = law_languages(Laws({}, [fit]))
    assert section is not None and section.identity == "laws-languages"
    body = str(section.body)
    assert len(charts(body)) == 3  # T*, bytes per parameter, loss
    for chart in map(drawn, charts(body)):
        assert len(of_class(chart, "band")) == 1 and len(of_class(chart, "curve")) == 1
        assert len(of_class(chart, "whisker")) == 2 * len(PARITY)
    share = f"{fit.estimates['compression_rate_weight:arb_Arab']:.0%}"
    assert f"of Arabic&#39;s, {share} is its own runs&#39;, the least" in body
    assert HOSTILE not in body and "&lt;script&gt;" in body
    assert law_languages(Laws({}, [])) is None


def test_optima_without_errors_have_no_own_beside_them() -> None:
    rows = tables.table(tables.LANGUAGES).filter(setting="monolingual")
    given = tl.fit(rows, "languages", draws=100)
    section = law_languages(Laws({}, [given.only]))
    assert section is not None and "by its own runs alone" not in str(section.body)
    for chart in map(drawn, charts(str(section.body))):
        assert not of_class(chart, "whisker")
    assert given.only.intervals["compression_rate_opt:hin_Deva"] is None
    bare = law_languages(Laws({}, [tl.fit(rows, "languages", draws=0).only]))
    assert bare is not None and not of_class(drawn(charts(str(bare.body))[0]), "band")


def test_the_page_and_the_figure(fit: FitResult, tmp_path: Path) -> None:
    runs = planted_languages(PARITY, np.random.default_rng(3), noise=0.006).runs
    fits = tl.fit(runs, "languages", draws=100)
    assert repr(fits.figure()) == "<Figure 'Languages over parity': 3 charts>"
    page = Path(fits.report(tmp_path / "report.html")).read_text("utf-8")
    assert "Languages under one law" in page and "and where 95 % of further languages lie" in page
