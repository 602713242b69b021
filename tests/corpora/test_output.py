"""Tables fit the terminal, and no name, number or code in them is broken."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from corpora.output import emit, fitted
from tests.conftest import ROOT
from tokenize_lab.cli.tables import text_table


def lines_of(table: Table, width: int) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(*fitted(table, console), sep="\n")
    return capture.get().splitlines()


def measured(tokenizers: list[str], languages: list[str]) -> Table:
    rows = [[language, *("4.30 ±.16" for _ in tokenizers)] for language in languages]
    return text_table("Bytes per token", ["language", *tokenizers], rows)


def test_a_table_that_fits_is_left_as_it_is() -> None:
    table = measured(["byte"], ["eng_Latn"])
    console = Console(width=80)
    assert fitted(table, console) == [table]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 33), min_size=1, max_size=9),
    st.lists(st.integers(1, 30), min_size=1, max_size=5),
    st.integers(76, 120),
)
def test_whatever_the_names_no_line_is_too_long_and_none_is_broken(
    tokenizers: list[int], languages: list[int], width: int
) -> None:
    headings = [f"{n}{'x' * size}:v3" for n, size in enumerate(tokenizers)]
    names = [f"{n}{'y' * size}" for n, size in enumerate(languages)]
    lines = lines_of(measured(headings, names), width)
    assert all(len(line) <= width for line in lines)
    words = {word for line in lines for word in line.split()}
    assert {*headings, *names} <= words
    assert sum(line.count("4.30 ±.16") for line in lines) == len(headings) * len(names)


def test_columns_that_do_not_fit_move_to_a_table_that_begins_with_the_same_names() -> None:
    languages = [f"language-{n}" for n in range(9)]
    lines = lines_of(measured([f"tokenizer-number-{n}" for n in range(5)], languages), 80)
    assert sum(line.count("language-3") for line in lines) == 2
    assert any("Bytes per token (2 of 2)" in line for line in lines)


def test_few_rows_of_many_wide_columns_are_turned() -> None:
    names = [f"truncated:{n}:mistral:tekken" for n in range(1000, 1006)]
    lines = lines_of(measured(names, ["eng_Latn", "hin_Deva"]), 80)
    assert sum("eng_Latn" in line for line in lines) == 1
    assert [line.split()[1] for line in lines if "truncated" in line] == names


def test_prose_is_folded_between_words() -> None:
    why = "each distinct chunk of text is encoded once and counted for all of them"
    headings = ["tokenizer", "why"]
    table = text_table("", headings, [["mistral:tekken", why]], left=headings, lines=False)
    lines = lines_of(table, 40)
    assert " ".join(" ".join(line[15:].split()) for line in lines[1:]).split() == why.split()


def test_where_no_column_fits_each_row_is_a_table_of_its_own() -> None:
    headings = ["a", "b"]
    rows = [["x" * 50, "y" * 50], ["z" * 50, "v" * 50]]
    table = text_table("", headings, rows, left=headings)
    words = [word for line in lines_of(table, 60) for word in line.split() if len(word) == 50]
    assert [word[0] for word in words] == ["x", "y", "z", "v"]


@pytest.mark.skipif(not hasattr(pty, "openpty"), reason="needs a terminal of Unix")
def test_on_a_terminal_of_80_columns_every_name_stands_whole(tmp_path: Path) -> None:
    names = [f"a-rather-long-name-{n}" for n in range(5)]
    words = ["measure", "embedded:eng_Latn,hin_Deva,tha_Thai", "--replicates", "0", "--no-cache"]
    words += ["--out", str(tmp_path), *(word for name in names for word in ("-t", f"{name}=byte"))]
    ours, theirs = pty.openpty()
    env = {**os.environ, "COLUMNS": "80", "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    command = [sys.executable, "-m", "tokenize_lab", *words]
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, env=env) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # Linux's way of saying that the other end is closed
            pass
        os.close(ours)
    assert process.returncode == 0
    text = shown.decode()
    assert all(text.count(name) >= 2 for name in names)
    assert all(text.count(code) >= 1 for code in ("eng_Latn", "hin_Deva", "tha_Thai"))


def test_whether_somebody_reads_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    there, here = os.pipe()
    with os.fdopen(here, "w", encoding="utf-8") as stdout:
        monkeypatch.setattr("sys.stdout", stdout)
        assert emit(["a", "b"])
        assert os.read(there, 9) == b"ab"
        os.close(there)
        assert not emit(["c"])
