"""The command beside packages of other projects that have the names of ours, and its version."""

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


def run(folder: Path, *words: str, path: str = str(ROOT)) -> "subprocess.CompletedProcess[str]":
    """Run the command in a folder, as `python -m` does, with modules found on `path`."""
    return subprocess.run(
        [sys.executable, "-m", "tokenize_lab", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["reports", "scaling", "corpora"])
def test_a_folder_may_have_packages_of_its_own(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("raise SystemExit('not this one')")
    done = run(tmp_path, "corpora", "list")
    assert done.returncode == 0 and "embedded" in done.stdout, done.stderr


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
    done = run(tmp_path, "corpora", "list", path=f"{other}:{ROOT}")
    assert (done.returncode, done.stdout) == (2, "")
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
    done = run(ROOT, "--version")
    assert done.stdout == f"tokenize-lab {importlib.metadata.version('tokenize-lab')}\n"


def test_the_entropy_rate_of_a_source_is_noted(tmp_path: Path) -> None:
    words = ("measure", "synthetic:zipf:bytes=1e4", "-t", "byte", "--json")
    done = run(tmp_path, *words)
    assert json.loads(done.stdout)[0]["bytes_per_token"] == 1.0
    assert "synthetic:zipf:bytes=1e4: entropy rate 2.0896 bits per byte" in done.stderr
