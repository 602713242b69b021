"""The main job, as a newcomer runs it: what it says is true, and it says it again."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from corpora.bootstrap import DocumentBootstrap
from corpora.open import open_corpus
from reports.demo import half
from tests.conftest import ROOT
from tokenize_lab.counts.schema import merged
from tokenize_lab.results import load_results
from tokenize_lab.rows import RowSettings, measure_rows


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> "tuple[Path, str, str]":
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, "-m", "tokenize_lab", "demo", "--out", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return folder, done.stdout, done.stderr


def test_halves_share_no_line_and_stay_aligned() -> None:
    embedded = open_corpus("embedded")
    odd, even = half(embedded, odd=True), half(embedded, odd=False)
    assert not {d.text for d in odd.documents} & {d.text for d in even.documents}
    whole = sum(len(batch.texts) for batch in embedded.batches())
    assert len(odd.documents) + len(even.documents) == whole
    for part in (odd, even):
        lines = {d.language: [] for d in part.documents}  # type: dict[str, list[int | None]]
        for document in part.documents:
            lines[document.language].append(document.alignment)
        assert all(numbers == list(range(1, 25)) for numbers in lines.values())


def test_it_leaves_a_report_and_trained_tokenizers(demo: "tuple[Path, str, str]") -> None:
    folder, stdout, stderr = demo
    assert str(folder / "report.html") in stdout
    assert (folder / "report.html").stat().st_size > 100_000
    cards = sorted(folder.glob("tokenizers/*/card.json"))
    assert len(cards) == 4
    for card in cards:
        assert json.loads(card.read_text("utf-8"))
    assert "training" in stderr


def test_what_it_says_is_what_was_counted(demo: "tuple[Path, str, str]") -> None:
    folder, stdout, _ = demo
    results = load_results(folder)
    sizes = {t["name"]: t["vocabulary_size"] for t in results.provenance["tokenizers"]}
    rows = measure_rows(
        merged(results.counts, ["language"]),
        RowSettings(sizes, "whitespace", bootstrap=DocumentBootstrap(0)),
    )
    ours = [r for r in rows if r["tokenizer"] == "mistral:tekken" and r["premium"] is not None]
    worst = max(ours, key=lambda row: row["premium"])
    assert worst["language"] == "amh_Ethi"
    (said,) = re.findall(r"Under mistral:tekken, (\w+) pays most: ([0-9.]+) \[", stdout)
    assert said == ("Amharic", f"{worst['premium']:.2f}")


@pytest.mark.slow  # measured, trained and reported text has its own tests of that
def test_it_says_the_same_again(demo: "tuple[Path, str, str]", tmp_path: Path) -> None:
    folder, stdout, _ = demo
    again = subprocess.run(
        [sys.executable, "-m", "tokenize_lab", "demo", "--out", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert again.stdout.replace(str(tmp_path), str(folder)) == stdout
    for name in ("counts.parquet", "histograms.parquet", "samples.json"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name
