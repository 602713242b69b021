"""Folders measured once for all tests of the report, and a real browser to open it in."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from corpora.open import open_corpus
from reports.build import build_report
from reports.laws.results import Laws, read_laws
from reports.laws.shipped import write_shipped_laws
from reports.measured import Measured, read_measured
from tests.made import made_once
from tests.reports.folders import hostile_folder, measured_folder
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SPECS = ("byte", "character", "mistral:v1", "mistral:v3", "mistral:tekken")


def _measure_embedded(folder: Path) -> None:
    embedded = open_corpus("embedded")
    lossy = train_tokenizer(embedded, TrainSettings("wordpiece", 600), folder / "wordpiece").path
    measured_folder(
        folder / "measured",
        [embedded, open_corpus("embedded-code")],
        [load_tokenizer(spec) for spec in (*SPECS, str(lossy))],
        baseline="mistral:v3",
    )
    build_report(folder / "measured")


@pytest.fixture(scope="session")
def embedded_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two corpora, one of them parallel, under real tokenizers and one that loses text."""
    return made_once("embedded", _measure_embedded, tmp_path_factory) / "measured"


@pytest.fixture(scope="session")
def measured(embedded_folder: Path) -> Measured:
    """It, as reports read it."""
    return read_measured(embedded_folder)


@pytest.fixture(scope="session")
def embedded_report(embedded_folder: Path) -> Path:
    """Its report."""
    return embedded_folder / "report.html"


@pytest.fixture(scope="session")
def hostile_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report in which every name and text is an attack."""
    return build_report(hostile_folder(tmp_path_factory.mktemp("hostile") / "measured"))


@pytest.fixture(scope="session")
def laws_folder(embedded_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It, with the laws of the published runs beside the counts, and its report."""

    def make(folder: Path) -> None:
        shutil.copytree(embedded_folder, folder / "measured")
        write_shipped_laws(folder / "measured")
        build_report(folder / "measured")

    return made_once("laws", make, tmp_path_factory) / "measured"


@pytest.fixture(scope="session")
def laws(laws_folder: Path) -> Laws:
    """Its laws."""
    found = read_laws(laws_folder)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def laws_report(laws_folder: Path) -> Path:
    """Its report."""
    return laws_folder / "report.html"


@pytest.fixture(scope="module")
def launch() -> "Iterator[Callable[..., Browser]]":
    """What starts a browser, with more arguments; skips where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium on this machine")
    with api.sync_playwright() as playwright:
        browsers = []

        def start(*more: str) -> "Browser":
            one = playwright.chromium.launch(executable_path=chromium, args=[*ARGUMENTS, *more])
            browsers.append(one)
            return one

        yield start
        for one in browsers:
            one.close()


@pytest.fixture(scope="module")
def browser(launch: "Callable[..., Browser]") -> "Browser":
    """A browser for the tests of one file."""
    return launch()
