"""The command: beside other projects' packages, on streams that fail, its version and notes."""

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import Done, process
from tests.conftest import ROOT

SWEEP = """\
name = "small"
compute_flops = [1e9]
[texts."Straße 😀"]
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


def shell(line: str, **environment: str) -> Done:
    """Run a line of the shell that has `LAB` for the program."""
    done = subprocess.run(
        [
            "bash",
            "-c",
            f"set -o pipefail; {line.replace('LAB', f'{sys.executable} -m tokenize_lab')}",
        ],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("name", ["reports", "scaling", "corpora"])
def test_a_folder_may_have_packages_of_its_own(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("raise SystemExit('not this one')")
    done = process("corpora list", cwd=tmp_path)
    assert done.exit_code == 0 and "embedded" in done.stdout, done.stderr


def test_worker_processes_do_not_find_them_either(tmp_path: Path) -> None:
    (tmp_path / "corpora.py").write_text("raise SystemExit('not this one')")
    script = (
        "import multiprocessing, importlib.util, tokenize_lab.__main__ as main;"
        "main.leave_working_folder();"
        "pool = multiprocessing.get_context('spawn').Pool(1);"
        "print(pool.apply(importlib.util.find_spec, ['corpora']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert str(ROOT / "corpora" / "__init__.py") in done.stdout, done.stderr


def test_a_foreign_package_is_named_with_the_remedy(tmp_path: Path) -> None:
    other = tmp_path / "site"
    (other / "reports").mkdir(parents=True)
    (other / "reports" / "__init__.py").write_text("")
    done = process("corpora list", cwd=tmp_path, env={"PYTHONPATH": f"{other}:{ROOT}"})
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: {other / 'reports'} is found in place of tokenize-lab's own package reports; "
        f"leave {other} out of PYTHONPATH\n"
    )


def test_a_package_that_lies_over_ours_is_named(tmp_path: Path) -> None:
    for name in ("corpora", "tokenize_lab", "scaling", "reports"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "corpora").unlink()
    (tmp_path / "corpora").mkdir()
    (tmp_path / "corpora" / "__init__.py").write_text("")
    script = (
        "import sys, tokenize_lab.__main__ as m, pathlib; m.HOME = pathlib.Path(sys.argv.pop());"
        "m.foreign_package = lambda: ''; m.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "No module named 'corpora.errors'; another project's package" in done.stderr


def test_the_version() -> None:
    done = process("--version")
    assert done.stdout == f"tokenize-lab {importlib.metadata.version('tokenize-lab')}\n"


def test_the_entropy_rate_of_a_source_is_noted(tmp_path: Path) -> None:
    done = process("measure synthetic:zipf:bytes=1e4 -t byte --json", cwd=tmp_path)
    assert done.json()[0]["bytes_per_token"] == 1.0
    assert "synthetic:zipf:bytes=1e4: entropy rate 2.0896 bits per byte" in done.stderr


def test_output_that_nobody_can_read() -> None:
    for redirect, what in (("> /dev/full", "No space left"), (">&-", "standard output is closed")):
        done = shell(f"LAB corpora list {redirect}")
        assert done.exit_code == 2 and done.stderr.count("\n") == 1 and what in done.stderr
    left = shell("LAB corpora show embedded --json | head -c 1")
    assert (left.exit_code, left.stderr, len(left.stdout)) == (0, "", 1)
    help_full = shell("LAB --help > /dev/full")
    assert help_full.exit_code == 2
    assert help_full.stderr == "error: No space left on device; make room and run this again\n"


def test_a_name_too_long_for_a_file_is_one_line() -> None:
    done = process(f"report {'x' * 300}")
    assert done.exit_code == 2 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: xxx") and "too long for a file's name" in done.stderr


def test_a_stderr_that_fails_stops_nothing(tmp_path: Path) -> None:
    file, out = tmp_path / "sweep.toml", tmp_path / "out"
    file.write_text(SWEEP, "utf-8")
    trained = shell(f"LAB scaling sweep {file} --no-calibration --out {out} 2> /dev/full")
    assert trained.exit_code == 0
    status = json.loads(shell(f"LAB scaling status {out} --json 2>&-").stdout)
    assert status["counts"]["finished"] == len(status["runs"]) == 1
    shown = shell(f"LAB scaling status {out}", PYTHONIOENCODING="ascii")
    assert shown.exit_code == 0 and "Stra\\xdfe \\U0001f600" in shown.stdout
    wrong = shell(f"LAB scaling status {tmp_path / 'none'} 2>&-")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
