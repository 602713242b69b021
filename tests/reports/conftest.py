"""Folders measured once for all tests of the report."""

import shutil
from pathlib import Path

import pytest

from corpora.open import open_corpus
from reports.build import build_report
from reports.laws.shipped import write_shipped_laws
from tests.reports.folders import hostile_folder, measured_folder
from tokenize_lab.load import load_tokenizer
from tokenize_lab.train.settings import TrainSettings
from tokenize_lab.train.train import train_tokenizer

SPECS = ("byte", "character", "mistral:v1", "mistral:v3", "mistral:tekken")


@pytest.fixture(scope="session")
def embedded_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two corpora, one of them parallel, under real tokenizers and one that loses text."""
    root = tmp_path_factory.mktemp("embedded")
    embedded = open_corpus("embedded")
    lossy = train_tokenizer(embedded, TrainSettings("wordpiece", 600), root / "wordpiece").path
    return measured_folder(
        root / "measured",
        [embedded, open_corpus("embedded-code")],
        [load_tokenizer(spec) for spec in (*SPECS, str(lossy))],
        baseline="mistral:v3",
    )


@pytest.fixture(scope="session")
def embedded_report(embedded_folder: Path) -> Path:
    """Its report."""
    return build_report(embedded_folder)


@pytest.fixture(scope="session")
def hostile_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report in which every name and text is an attack."""
    return build_report(hostile_folder(tmp_path_factory.mktemp("hostile") / "measured"))


@pytest.fixture(scope="session")
def laws_folder(embedded_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The measured folder with the laws of the published runs beside the counts."""
    folder = tmp_path_factory.mktemp("laws") / "measured"
    shutil.copytree(embedded_folder, folder)
    write_shipped_laws(folder)
    return folder


@pytest.fixture(scope="session")
def laws_report(laws_folder: Path) -> Path:
    """Its report."""
    return build_report(laws_folder)
