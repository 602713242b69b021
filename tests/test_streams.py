"""Standard streams that are full, closed, left early, or know few letters: no command minds."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from scaling.sweep.folder import Sweep, write_sweep
from tests.conftest import ROOT
from tests.scaling.sweep.sweeps import planned, tiny

NAME = "Straße 😀"
SWEEP = """\
name = "small"
compute_flops = [1e9]
[texts.english]
corpus = "embedded:eng_Latn"
held_out_bytes = 1000
[[arms]]
family = "subword"
sizes = [[1, 16]]
tokenizers = ["byte"]
[training]
batch_bytes = 256
context_bytes = 64
window_bytes = 64
"""
COMMANDS = (
    "report {sweep} --out {out}",
    "report {sweep} --out {out} --json",
    "corpora list",
    "corpora list --json",
    "corpora show embedded",
    "corpora verify embedded",
    "tokenizers show byte",
    "scaling reproduce --draws 20",
    "scaling status {sweep}",
)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of one run, planned, whose text has letters that ASCII lacks."""
    folder, (job,) = planned(tmp_path_factory.mktemp("sweep"), [tiny(0)])
    write_sweep(folder, Sweep("tiny", (replace(job, text=NAME),), {}))
    return folder.path


def lab(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the shell that has `LAB` for the program."""
    program = f"{sys.executable} -m tokenize_lab"
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command.replace('LAB', program)}"],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_output_that_nobody_can_read(command: str, sweep: Path, tmp_path: Path) -> None:
    words = command.format(sweep=sweep, out=tmp_path / "report.html")
    for redirect, what in (("> /dev/full", "No space left"), (">&-", "standard output is closed")):
        done = lab(f"LAB {words} {redirect}")
        assert done.returncode == 2 and what in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
    left = lab(f"LAB {words} | head -c 1")
    assert left.returncode == 0 and "Traceback" not in left.stderr
    assert len(left.stdout) == 1


@pytest.mark.parametrize("command", ["report {}", "scaling fit {} --law law2"])
def test_a_name_too_long_for_a_file_is_one_line(command: str) -> None:
    done = lab(f"LAB {command.format('x' * 300)}")
    assert done.returncode == 2
    assert done.stderr.startswith("error: xxx") and "too long for a file's name" in done.stderr
    assert done.stderr.count("\n") == 1


def test_watching_needs_a_terminal_not_a_closed_output(sweep: Path) -> None:
    done = lab(f"LAB scaling status {sweep} --watch >&-")
    assert done.returncode == 2 and "--watch is for a terminal" in done.stderr


def test_a_closed_stderr_stops_nothing(tmp_path: Path) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text(SWEEP)
    asked = f"{file} --no-calibration --json --out {tmp_path / 'out'}"
    planning = lab(f"LAB scaling plan {asked} 2>&-")
    assert planning.returncode == 0 and json.loads(planning.stdout)
    wrong = lab(f"LAB scaling status {tmp_path / 'none'} 2>&-")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    nothing = lab(f"LAB scaling status {tmp_path / 'none'} >&- 2>&-")
    assert nothing.returncode == 2


@pytest.mark.parametrize("words", ["--help", "scaling fit --help", ""])
def test_help_that_cannot_be_written_is_one_line(words: str) -> None:
    done = lab(f"LAB {words} > /dev/full")
    assert done.returncode == 2
    assert done.stderr == "error: No space left on device; make room and run this again\n"


def test_a_full_disk_under_stderr_stops_nothing(tmp_path: Path) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text(SWEEP)
    out = tmp_path / "out"
    trained = lab(f"LAB scaling sweep {file} --no-calibration --out {out} 2> /dev/full")
    assert trained.returncode == 0
    status = json.loads(lab(f"LAB scaling status {out} --json").stdout)
    assert status["counts"]["finished"] == len(status["runs"]) == 1
    wrong = lab(f"LAB scaling status {tmp_path / 'none'} 2> /dev/full")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    misspelt = lab(f"LAB scaling status {out} --jsn 2> /dev/full")
    assert (misspelt.returncode, misspelt.stdout) == (2, "")


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "utf-8"},
    ],
)
def test_letters_that_the_terminal_lacks_are_escaped(
    environment: dict[str, str], sweep: Path
) -> None:
    done = lab(f"LAB scaling status {sweep}", **environment)
    assert done.returncode == 0, done.stderr
    whole = environment == {"PYTHONIOENCODING": "utf-8"}
    shown = "Straße 😀" if whole else "Stra\\xdfe \\U0001f600"
    assert shown in done.stdout
    listed = lab(f"LAB scaling status {sweep} --json", **environment)
    assert listed.returncode == 0, listed.stderr
    assert NAME in json.dumps(json.loads(listed.stdout), ensure_ascii=False)
    wrong = lab("LAB scaling status Straße", **environment)
    assert wrong.returncode == 2 and wrong.stderr.startswith("error: Stra")
