"""`tokenize-lab corpora`, run as a person runs it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from corpora.cli import app
from corpora.errors import InputError


def run(*arguments: str) -> str:
    """Return what the command prints on standard output."""
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False, env={"COLUMNS": "200"})
    assert done.exit_code == 0
    return done.stdout


def run_json(*arguments: str) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not strict JSON")

    return json.loads(run(*arguments, "--json"), parse_constant=refuse)


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
    (tmp_path / "a.txt").write_text("[bold]not markup[/bold]\n")
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\ntitle = "t"\nsource = "s"\nlicence = "l"\n'
        f'[[files]]\npath = "a.txt"\nlanguage = "eng"\nsha256 = "{"0" * 64}"\n'
    )
    assert "[bold]not markup[/bold]" in run("show", str(tmp_path / "mine.toml"))
    with pytest.raises(InputError, match="expected SHA-256 0000"):
        run("verify", str(tmp_path / "mine.toml"))


def test_unknown_names_are_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'embedded'"):
        run("show", "embeded")
    with pytest.raises(InputError, match="no such file"):
        run("verify", "nowhere.toml")
