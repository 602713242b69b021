"""The README is true: every command it shows is run, and what it prints is what is shown.

In a ```console block a line starting with `$` is a command; what follows is its output on stdout,
a line of `...` standing for any lines. Trailing spaces do not count. A ```python block is run after
those above it, and the ```text block below it, if there is one, is what it prints.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scaling.published.tables import OPTIMA
from scaling.published.tables import path as table_path
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text("utf-8")


def shown() -> list[tuple[str, str]]:
    """Return every command with the output shown for it, in order."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", README, re.M | re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def as_pattern(output: str) -> str:
    lines = [line.rstrip() for line in output.rstrip("\n").split("\n")]
    parts = [r"(?:.*\n)*?" if line == "..." else re.escape(line) + r" *\n" for line in lines]
    return "".join(parts)


def test_no_command_needs_a_program_to_be_read() -> None:
    assert not [
        command for command, _ in shown() if re.search(r"\|\s*(python|cut|awk|jq)", command)
    ]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the README's commands run one after the other."""
    folder = tmp_path_factory.mktemp("readme")
    scripts = folder / "bin"
    scripts.mkdir()
    launcher = scripts / "tokenize-lab"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tokenize_lab "$@"\n')
    launcher.chmod(0o755)
    return folder


@pytest.mark.parametrize(("command", "output"), shown(), ids=[c[:60] for c, _ in shown()])
def test_a_command_prints_what_the_readme_shows(workplace: Path, command: str, output: str) -> None:
    path = f"{workplace / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}"
    env = {
        **os.environ,
        "PATH": path + os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=workplace,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    plain = "".join(line.rstrip() + "\n" for line in done.stdout.splitlines())
    assert re.fullmatch(as_pattern(output), plain), f"it printed:\n{done.stdout}"


def test_the_python_that_the_readme_shows_prints_what_it_shows(workplace: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$(?:\n\n^```text\n(.*?)^```$)?", README, re.M | re.S)
    assert len(blocks) > 1
    shutil.copyfile(table_path(OPTIMA), workplace / "optima.csv")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(code for code, _ in blocks)],
        cwd=workplace,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "".join(output for _, output in blocks), done.stdout
    for name in ("premium.svg", "report.html", "sizes.svg", "law2.svg"):
        assert (workplace / name).stat().st_size > 1000


@pytest.mark.parametrize("marker", ["main job", "tests"])
def test_the_two_lines_that_ci_runs_are_there(marker: str) -> None:
    """Continuous integration takes both from here and runs them in a fresh environment."""
    (line,) = re.findall(rf"^<!-- {marker} -->\n```sh\n(.*)\n```$", README, re.M)
    assert line.startswith("python3 -m venv .venv && .venv/bin/pip install ")
    assert "-c constraints.txt" in line


def test_every_recipe_the_readme_names_is_in_the_justfile() -> None:
    justfile = (ROOT / "justfile").read_text("utf-8")
    recipes = set(re.findall(r"^([a-z][a-z-]*)[^:\n]*:(?!=)", justfile, re.M))
    named = set(re.findall(r"`just ([a-z-]+)`", README))
    assert named
    assert named <= recipes


def test_every_file_the_readme_names_is_there() -> None:
    named = re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.[a-z]+|[A-Z]+\.md)`", README)
    assert named
    missing = [name for name in named if not name.startswith("out/") and not (ROOT / name).exists()]
    assert not missing
