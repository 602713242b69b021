"""Words of a command line that nobody means end in a result or in one line."""

import contextlib
import os
import shlex
import shutil
from pathlib import Path

import pytest

from tests.cli import command, mistake
from tests.killed import COMMANDS, TOKENIZER, write_files

RAW = os.fsdecode(b"bad\xff")  # a name that is not UTF-8, as Python holds it
# Commands that keep results in a folder, each in a way of its own.
WRITERS = ("measure", "vocab-curve", "audit", "diff", "leaderboard", "extend", "prune", "fit")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a little of everything that commands read."""
    folder = tmp_path_factory.mktemp("made")
    write_files(folder)
    with contextlib.chdir(folder):
        assert command(TOKENIZER).exit_code == 0
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, which is the working folder."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def line_of(name: str, out: str) -> str:
    """Return a command's words with another folder for its results."""
    words = [word for word in shlex.split(COMMANDS[name][-1]) if word not in ("--out", "out")]
    return shlex.join([*words, "--out", out])


@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_for_results_may_have_any_name(
    here: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    line = line_of(name, RAW)
    monkeypatch.setattr("sys.argv", ["tokenize-lab", *shlex.split(line)])  # results name it
    done = command(line)
    assert done.exit_code == 0 and [*(here / RAW).iterdir()], done.stderr


@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_for_results_that_is_a_loop_is_one_line(here: Path, name: str) -> None:
    said = mistake(line_of(name, "loop"))
    assert here.is_dir() and said.startswith("loop") and "cannot be written" in said


@pytest.mark.parametrize(
    "line", ["measure text.jsonl -t", "tokenizers audit", "vocab-curve aligned -t"]
)
def test_a_tokenizer_whose_name_no_result_can_hold_is_one_line(here: Path, line: str) -> None:
    (here / "t").rename(here / RAW)
    for spec in (RAW, f"{RAW}/tokenizer.json", f"{RAW}=byte"):
        assert r"bad\udcff" in (said := mistake(line, spec)) and "must be valid UTF-8" in said


def test_a_reference_that_no_result_can_hold_is_one_line(here: Path) -> None:
    assert here.is_dir()
    for line in (
        "measure text.jsonl -t byte --reference",
        "leaderboard specs.txt aligned --reference",
    ):
        assert "--reference" in mistake(line, RAW)


@pytest.mark.parametrize(
    "line",
    [
        "scaling plan sweep.toml --mixtures",
        "scaling reproduce --draws",
        "scaling train run.toml --threads",
        "scaling train run.toml --micro-rows",
        "scaling sweep sweep.toml --together",
        "scaling sweep sweep.toml --workers",
    ],
)
def test_more_than_anyone_has_is_said_of_the_option(here: Path, line: str) -> None:
    for number in (1 << 31, (1 << 63) - 1, 10**23):
        done = command(line, str(number))
        assert here.is_dir() and done.exit_code == 2 and line.split()[-1] in done.stderr


def test_a_share_of_documents_below_any_is_none(here: Path) -> None:
    line = "tokenizers extend t aligned --add 1 --out out --unseen 1e-320"
    assert here.is_dir() and command(line).exit_code == 0
