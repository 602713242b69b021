"""The page of a mixture: the best one, losses over shares, what caps cost, tokenizers beside each
other."""

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from reports.build import build_report
from scaling.fits.fit import fit
from tests.reports.browsers import PHONE, Opened, overlapping_labels
from tests.scaling.mixtures.planted import WORTH, runs_table

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def arms() -> pl.DataFrame:
    fairer = WORTH.copy()
    fairer[2, 2] -= 2.0
    both = [runs_table(24, 0.004), runs_table(24, 0.004, worth=fairer)]
    sized = {"eng": 2e7, "rus": 8e6, "hin": 1e6, "vie": 4e6}
    return pl.concat(
        [
            table.with_columns(
                pl.lit(name).alias("tokenization"),
                pl.lit(2e7).alias("train_bytes"),
                *(pl.lit(size).alias(f"unique_bytes:{text}") for text, size in sized.items()),
            )
            for name, table in zip(("static", "<b>bpe"), both, strict=True)
        ]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mixture")
    fit(arms(), "mixture", draws=30).write(path)
    return path


def test_the_page_says_what_was_found(folder: Path) -> None:
    page = build_report(folder).read_text()
    for said in (
        "For the mean of all 4 languages the best mixture is",
        "static beside &lt;b&gt;bpe: the best mixture moves",
        "Loss over each share, &lt;b&gt;bpe",
        "What caps cost",
        "four epochs cost",
        "best of draws",
        "at equal shares",
    ):
        assert said in page
    assert "<b>bpe" not in page
    assert "Law II was not fitted" not in page  # other laws are not missed


def test_without_sizes_it_says_what_is_missing(tmp_path: Path) -> None:
    fit(runs_table(20, 0.004), "mixture", target="hin", draws=0).write(tmp_path)
    page = build_report(tmp_path).read_text()
    assert "size of eng, rus, hin and vie (unique_bytes:NAME)" in page
    assert "loss of hin" in page


def test_the_page_holds_on_a_phone(browser: "Browser", folder: Path) -> None:
    context = browser.new_context(viewport=PHONE)
    opened = Opened(context, build_report(folder))
    assert overlapping_labels(opened.page, "#mixture svg", "text") == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    opened.check_silent()
    context.close()
