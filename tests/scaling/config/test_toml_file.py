"""A file of one run and a file of a sweep are told apart, and so are their commands."""

from pathlib import Path

import pytest

from scaling.config.toml_file import example
from tests.cli import command, mistake


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train micro", "micro is a sweep: tokenize-lab scaling sweep micro"),
        ("train micro --show", "micro is a sweep: tokenize-lab scaling sweep micro"),
        ("plan first", "first is one run: tokenize-lab scaling train first"),
        ("sweep first", "first is one run: tokenize-lab scaling train first"),
    ],
)
def test_an_example_of_the_other_kind_is_sent_to_its_command(line: str, message: str) -> None:
    assert mistake(f"scaling {line}") == message


def test_so_is_a_file_of_ones_own(tmp_path: Path) -> None:
    sweep, run = tmp_path / "my sweep.toml", tmp_path / "run.toml"
    sweep.write_bytes(example("micro").read_bytes())
    run.write_bytes(example("first").read_bytes())
    assert mistake("scaling train", sweep) == (
        f"{sweep} is a sweep: tokenize-lab scaling sweep '{sweep}'"
    )
    assert mistake("scaling plan", run) == f"{run} is one run: tokenize-lab scaling train {run}"


def test_an_example_is_shown_as_it_is() -> None:
    assert command("scaling train first --show").stdout == example("first").read_text("utf-8")
    assert command("scaling plan micro --show").stdout == example("micro").read_text("utf-8")
