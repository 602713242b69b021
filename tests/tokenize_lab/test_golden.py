"""Real production tokenizers on 38 languages, against the reference and the libraries."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

SPECS = ["byte", "character", "mistral:v1", "mistral:v3", "mistral:tekken"]


@pytest.fixture(scope="module")
def rows(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("golden")
    command = [sys.executable, "-m", "tokenize_lab", "measure", str(shared / "data" / "parallel")]
    for spec in SPECS:
        command += ["-t", spec]
    command += ["--json", "--out", str(folder / "out"), "--cache", str(folder / "cache")]
    command += ["--replicates", "20"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout))


@pytest.fixture(scope="module")
def lines(shared: Path) -> dict[str, list[str]]:
    files = sorted((shared / "data" / "parallel").glob("???_????.txt"))
    return {path.stem: path.read_bytes().decode().split("\n")[:-1] for path in files}


def test_every_language_and_tokenizer_has_a_row(rows: list[dict[str, Any]]) -> None:
    assert len(rows) == 190
    assert len({(row["language"], row["tokenizer"]) for row in rows}) == 190


def test_parity_is_the_reference_to_four_decimals(rows: list[dict[str, Any]], shared: Path) -> None:
    table = (shared / "data" / "parity.tsv").read_text("utf-8").splitlines()[1:]
    reference = {line.split("\t")[0]: line.split("\t") for line in table}
    for row in rows:
        code, size, characters, parity, _ = reference[row["language"]]
        assert f"{row['parity']:.4f}" == parity, code
        assert (row["bytes"], row["characters"]) == (int(size), int(characters))


def test_bytes_and_characters_are_tokens_of_themselves(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if row["tokenizer"] == "byte":
            assert row["bytes_per_token"] == 1
        if row["tokenizer"] == "character":
            assert row["characters_per_token"] == 1


def test_every_lossless_tokenizer_gives_every_line_back(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert row["exact_documents"] == row["documents"] == 1997
        assert row["token_bytes"] == row["bytes"]


@pytest.mark.parametrize("version", ["v1", "v3", "tekken"])
def test_token_counts_are_the_librarys_own(
    rows: list[dict[str, Any]], lines: dict[str, list[str]], version: str
) -> None:
    spec = importlib.util.find_spec("mistral_common")
    assert spec is not None
    assert spec.origin is not None
    data = Path(spec.origin).parent / "data"
    if version == "tekken":
        from mistral_common.tokens.tokenizers.tekken import Tekkenizer

        own = Tekkenizer.from_file(sorted(data.glob("tekken_*.json"))[-1])
    else:
        from mistral_common.tokens.tokenizers.sentencepiece import SentencePieceTokenizer

        (file,) = data.glob(f"*.model.{version}")
        own = SentencePieceTokenizer(str(file))
    for row in rows:
        if row["tokenizer"] == f"mistral:{version}":
            texts = lines[row["language"]]
            expected = sum(len(own.encode(text, bos=False, eos=False)) for text in texts)
            assert row["tokens"] == expected, row["language"]


def test_fertility_is_null_for_scripts_without_spaces(rows: list[dict[str, Any]]) -> None:
    without = {row["language"] for row in rows if row["fertility"] is None}
    assert without == {
        "bod_Tibt",
        "jpn_Jpan",
        "khm_Khmr",
        "mya_Mymr",
        "tha_Thai",
        "zho_Hans",
        "zho_Hant",
    }


def test_measuring_again_encodes_nothing_and_says_so(
    rows: list[dict[str, Any]], shared: Path, tmp_path: Path
) -> None:
    command = [
        sys.executable,
        "-m",
        "tokenize_lab",
        "measure",
        str(shared / "data" / "parallel"),
        "-t",
        "byte",
        "--json",
        "--cache",
        str(tmp_path / "cache"),
        "--replicates",
        "0",
    ]
    env = {**os.environ, "NO_COLOR": "1"}
    first, second = (
        subprocess.run(
            [*command, "--out", str(tmp_path / name)],
            cwd=ROOT,
            env=env,
            check=True,
            capture_output=True,
            text=True,
        )
        for name in ("one", "two")
    )
    assert "nothing was encoded" not in first.stderr
    assert "every count came from the cache; nothing was encoded" in second.stderr
    assert first.stdout == second.stdout
    assert (tmp_path / "one" / "counts.parquet").read_bytes() == (
        tmp_path / "two" / "counts.parquet"
    ).read_bytes()
