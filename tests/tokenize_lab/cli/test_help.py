"""Help says what is written, in groups, wrapped once; and a shell completes what can be named."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from tests.cli import command
from tests.conftest import ROOT
from tokenize_lab.__main__ import build_app
from tokenize_lab.cli import complete

NARROW = {"COLUMNS": "80"}


def every_command(app: typer.Typer, before: str = "") -> Iterator[str]:
    yield before
    for each in app.registered_commands:
        assert each.callback is not None
        name = each.name or each.callback.__name__
        yield f"{before} {name.replace('_', '-')}"
    for group in app.registered_groups:
        assert group.typer_instance is not None
        yield from every_command(group.typer_instance, f"{before} {group.name}")


@pytest.mark.parametrize("line", list(every_command(build_app())))
def test_no_line_of_help_is_too_wide_or_folded_twice(line: str) -> None:
    done = command(f"{line} --help", env=NARROW)
    assert done.exit_code == 0, done.stderr
    assert not re.search("[─│╭]", done.stdout)
    # An example of a command is one line, however long.
    lines = [text for text in done.stdout.splitlines() if not text.startswith("  tokenize-lab ")]
    assert all(len(text) <= 80 for text in lines), max(lines, key=len)
    paragraphs = re.split(r"\n\s*\n", done.stdout)
    for paragraph in paragraphs[1:2]:
        filled = [text for text in paragraph.splitlines()[:-1] if text.strip()]
        assert all(len(text) > 50 for text in filled), paragraph


def test_what_looks_like_markup_is_shown() -> None:
    help_of_train = command("scaling train --help", env=NARROW).stdout
    for table in ("[model]", "[patching]", "[data]", "[training]"):
        assert table in help_of_train
    help_of_measure = command("measure --help").stdout
    assert "[NAME=]SPEC" in help_of_measure and "truncated:4096:SPEC" in help_of_measure
    groups = (
        "What is measured:",
        "--tokenizer",
        "What text is read:",
        "--language-field",
        "How it",
    )
    at = [help_of_measure.index(text) for text in groups]
    assert at == sorted(at)


def test_help_of_fit_says_what_each_law_needs() -> None:
    text = command("scaling fit --help", env=NARROW).stdout
    assert re.search(r"law2 +compute_flops, compression_rate, bits_per_byte\n", text)


def test_a_group_says_of_each_command_what_it_does() -> None:
    text = command("scaling --help", env=NARROW).stdout
    assert "Price every run of a sweep, and train none." in text and "..." not in text[60:]


@pytest.mark.parametrize(
    ("function", "begun", "found"),
    [
        (complete.corpora, "embedded:hi", ["embedded:hin_Deva"]),
        (complete.corpora, "embedded:eng_Latn,am", ["embedded:eng_Latn,amh_Ethi"]),
        (complete.corpora, "udh", ["udhr"]),
        (complete.tokenizers, "mistral:te", ["mistral:tekken"]),
        (complete.tokenizers, "x=truncated:400:mistral:v1", ["x=truncated:400:mistral:v1"]),
        (complete.kinds, "su", ["superbpe"]),
        (complete.words(["law1", "law2", "joint"]), "law", ["law1", "law2"]),
    ],
)
def test_what_may_come_next(
    function: complete.Completion, begun: str, found: list[str], tmp_path: Path
) -> None:
    assert function(begun) == found


def test_files_are_completed_too(tmp_path: Path) -> None:
    (tmp_path / "text.jsonl").write_text("")
    (tmp_path / "texts").mkdir()
    (tmp_path / ".hidden").write_text("")
    assert complete.corpora(f"{tmp_path}/te") == [f"{tmp_path}/text.jsonl", f"{tmp_path}/texts/"]
    assert complete.tokenizers(f"hf:{tmp_path}/text.") == [f"hf:{tmp_path}/text.jsonl"]
    assert complete.toml_files(f"{tmp_path}/") == [f"{tmp_path}/text.jsonl", f"{tmp_path}/texts/"]
    assert complete.corpora(f"{tmp_path}/none/x") == []


def test_a_shell_is_told() -> None:
    env = {"_TOKENIZE_LAB_COMPLETE": "complete_bash", "COMP_CWORD": "4"}
    env["COMP_WORDS"] = "tokenize-lab scaling fit --law app"
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv = ['tokenize-lab']; import runpy;"
         "runpy.run_module('tokenize_lab', run_name='__main__', alter_sys=False)"],
        cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["approach1", "approach2"], done.stderr
