"""`tokenize-lab corpora`, run as a person runs it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from corpora.cli import app
from corpora.errors import InputError
from corpora.files import file_sha256


def run(*arguments: str) -> str:
    """Return what the command prints on standard output."""
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False, env={"COLUMNS": "200"})
    assert done.exit_code == 0
    return done.stdout


def run_json(*arguments: str) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not strict JSON")

    return json.loads(run(*arguments, "--json"), parse_constant=refuse)


def declared(folder: Path, name: str, content: str) -> str:
    """Write a file and a manifest that declares it English; return where the manifest lies."""
    file = folder / name
    file.write_text(content)
    path = folder / "mine.toml"
    path.write_text(
        'name = "mine"\ntitle = "t"\nsource = "s"\nlicence = "l"\n'
        f'[[files]]\npath = "{name}"\nlanguage = "eng"\nsha256 = "{file_sha256(file)}"\n'
    )
    return str(path)


def test_list_names_every_declared_corpus() -> None:
    rows = {row["name"]: row for row in run_json("list")}
    assert rows["embedded"]["parallel"] is True
    assert rows["embedded"]["where"] == "files"
    assert rows["c4"]["where"] == "hub:allenai/c4"
    assert rows["udhr"]["languages"] is None
    table = run("list")
    assert all(name in table for name in rows)


def test_show_gives_source_licence_bytes_and_a_sample_of_each_language() -> None:
    shown = run_json("show", "embedded")
    assert shown["licence"] == "CC0-1.0"
    of_language = {row["language"]: row for row in shown["languages"]}
    english = Path("corpora/samples/parallel/eng_Latn.txt")
    text = (Path(__file__).parents[2] / english).read_text(encoding="utf-8")
    assert of_language["eng_Latn"]["documents"] == 48
    assert of_language["eng_Latn"]["bytes"] == len(text.replace("\n", "").encode())
    assert of_language["eng_Latn"]["sample"] == text.splitlines()[0]
    printed = run("show", "embedded")
    assert "CC0-1.0" in printed
    assert of_language["hin_Deva"]["sample"][:30] in printed


def test_show_does_not_read_a_hub_data_set() -> None:
    shown = run_json("show", "flores-plus")
    assert shown["where"] == "hub:openlanguagedata/flores_plus"
    assert {"language": "hin_Deva", "documents": None, "bytes": None, "sample": None} in shown[
        "languages"
    ]
    assert "said by the data itself" in run("show", "udhr")


def test_verify_checks_every_file() -> None:
    verified = run_json("verify", "embedded-code")["verified"]
    assert {row["path"] for row in verified} >= {"code/python.py", "code/sql.sql"}
    assert "embedded-code: 6 files" in run("verify", "embedded-code")


def test_a_persons_own_manifest_can_be_shown_and_verified(tmp_path: Path) -> None:
    path = declared(tmp_path, "a.txt", "[bold]not \x1b[1mmarkup[/bold]\n")
    assert r"[bold]not \x1b[1mmarkup[/bold]" in run("show", path)
    assert run_json("verify", path)["name"] == "mine"
    (tmp_path / "a.txt").write_text("changed\n")
    for command in ("show", "verify"):
        with pytest.raises(InputError, match=r"a\.txt: expected SHA-256 .*, found "):
            run(command, path)


def test_languages_that_records_name_are_shown_too(tmp_path: Path) -> None:
    records = '{"text": "un", "language": "fra_Latn"}\n{"text": "dos", "language": "spa_Latn"}\n'
    path = declared(tmp_path, "a.jsonl", records)
    assert run_json("show", path)["languages"] == [
        {"language": "eng", "documents": 0, "bytes": 0, "sample": None},
        {"language": "fra_Latn", "documents": 1, "bytes": 2, "sample": "un"},
        {"language": "spa_Latn", "documents": 1, "bytes": 3, "sample": "dos"},
    ]
    assert "spa_Latn" in run("show", path)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'embedded'"):
        run("show", "embeded")
    with pytest.raises(InputError, match="no such file"):
        run("verify", "nowhere.toml")


def test_synthetic_corpora_are_listed_and_shown() -> None:
    rows = {row["name"]: row for row in run_json("list")}
    assert rows["synthetic:zipf"]["where"] == "made when read"
    shown = run_json("show", "synthetic:markov:bytes=1e4")
    assert shown["entropy_bits_per_byte"] == pytest.approx(2.988, abs=0.001)
    assert shown["languages"][0]["bytes"] == 10_000
    with pytest.raises(InputError, match="no files to verify"):
        run("verify", "synthetic:zipf")
