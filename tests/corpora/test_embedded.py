"""The embedded corpus: what can be checked of it without a reader of every language."""

import csv
import statistics
import unicodedata
from pathlib import Path

import pytest

from corpora.manifest import SAMPLES, Manifest, embedded_manifests, to_toml, verify
from corpora.open import manifest_path, open_corpus
from corpora.toml_file import read_toml
from tests.corpora.reading import documents

PARALLEL = sorted((SAMPLES / "parallel").glob("*.txt"))


@pytest.fixture(scope="module")
def lines() -> dict[str, list[str]]:
    """Every language's lines."""
    found: dict[str, list[str]] = {}
    for document in documents(open_corpus("embedded")):
        found.setdefault(document.language, []).append(document.text)
    return found


def test_manifests_say_what_the_files_are() -> None:
    for path, manifest in embedded_manifests().items():
        stale = "run `just embedded-manifest` if the change was meant"
        assert path.read_text(encoding="utf-8") == to_toml(manifest), stale


@pytest.mark.parametrize("name", ["embedded", "embedded-code"])
def test_checksums_hold(name: str) -> None:
    path = manifest_path(name)
    manifest = read_toml(path, Manifest)
    assert len(verify(manifest, path.parent)) == len(manifest.files)
    assert manifest.licence == "CC0-1.0"
    assert "SPDX-License-Identifier: CC0-1.0" in (SAMPLES / "LICENSE").read_text()


def test_it_is_broad_enough(lines: dict[str, list[str]]) -> None:
    assert {"eng_Latn", "fra_Latn", "vie_Latn", "arb_Arab", "rus_Cyrl", "hin_Deva"} <= set(lines)
    assert len(lines) >= 20
    assert len({language.split("_")[1] for language in lines}) >= 12
    assert {len(of_language) for of_language in lines.values()} == {48}


def test_domains_follow_the_lines() -> None:
    of_line = {
        document.alignment: document.domain
        for document in documents(open_corpus("embedded:hin_Deva"))
    }
    assert of_line == {
        n: "everyday" if n <= 16 else "technical" if n <= 32 else "narrative" for n in range(1, 49)
    }


@pytest.mark.parametrize("path", PARALLEL, ids=lambda path: path.stem)
def test_files_are_clean(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text == unicodedata.normalize("NFC", text)
    assert text.endswith("\n")
    assert "\r" not in text
    lines = text.removesuffix("\n").split("\n")
    assert len(set(lines)) == len(lines)
    assert all(line and line == line.strip() for line in lines)


def test_no_line_is_left_in_english(lines: dict[str, list[str]]) -> None:
    english = set(lines["eng_Latn"])
    for language, of_language in lines.items():
        if language != "eng_Latn":
            assert not english & set(of_language), language


def test_lengths_agree_with_professional_translations(
    lines: dict[str, list[str]], shared: Path
) -> None:
    with (shared / "data" / "parity.tsv").open(encoding="utf-8") as file:
        table = csv.DictReader(file, delimiter="\t")
        expected = {row["code"]: float(row["parity_vs_eng"]) for row in table}
    size = {
        language: sum(len(line.encode()) for line in of_language)
        for language, of_language in lines.items()
    }
    deviation = {
        language: abs(size[language] / size["eng_Latn"] / expected[language] - 1)
        for language in lines
        if language in expected and language != "eng_Latn"
    }
    assert len(deviation) >= 19
    assert {language for language, d in deviation.items() if d > 0.25} == set()
    assert statistics.median(deviation.values()) <= 0.08


def test_programs_are_whole_files() -> None:
    found = documents(open_corpus("embedded-code"))
    assert {d.language for d in found} == {"python", "javascript", "rust", "c", "java", "sql"}
    for document in found:
        assert document.domain == "code"
        assert document.text == (SAMPLES / document.source).read_text(encoding="utf-8")
        assert len(document.text.splitlines()) >= 20
