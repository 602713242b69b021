"""A command that is killed at any of its file events leaves the next one nothing to trip over: the
rerun gives the same bits as an undisturbed run, and no file of the killed one is left behind. So it
is where another command of the kind comes between, and where the disk is full for a while."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from corpora.locks import OUTPUT_LOCK, alone
from tests.cli import mistake, process
from tests.conftest import ROOT
from tests.killed import COMMANDS, TOKENIZER, WRITE_NOTHING, write_files
from tests.tokenize_lab.local_registry import serving, wheel
from tokenize_lab.__main__ import build_app

SAMPLE = (1, 2, 5, 9, -2, -1)
# Of these every so many: one is made of other commands, the other does what `sweep` does and more.
LONG = {"demo": 400, "sweep-rich": 8}
FULL = {**LONG, "demo": 600, "design": 25}  # of pages, of which these write many
OWN_DISK = ["unshare", "--user", "--map-root-user", "--mount"]


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what commands read."""
    here = tmp_path_factory.mktemp("setup")
    write_files(here)
    return here


def wrong(
    setup: Path,
    fault: str,
    commands: Sequence[str],
    numbers: Sequence[int] | None = None,
    every: int = 1,
) -> dict[str, Any]:
    """Return what went wrong, by the number of the event; see that there were events."""
    asked = {
        "fault": fault, "commands": commands, "setup": str(setup),
        "numbers": numbers, "every": every,
    }  # fmt: skip
    words = [sys.executable, "-m", "tests.faults", json.dumps(asked)]
    if fault == "full":
        words = [*OWN_DISK, *words]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["ended"] and (fault != "full" or found["ended"].get("2"))
    told: dict[str, Any] = found["wrong"]
    return told


def tokenizer(setup: Path) -> Path:
    """Return the file of a tokenizer, trained where it is not there."""
    if not (setup / "t").exists():
        assert process(TOKENIZER, cwd=setup).exit_code == 0
    return setup / "t" / "tokenizer.json"


def commands(group: Any, words: Sequence[str] = ()) -> Iterator[str]:
    """Yield the words of every command below a group."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name))


def test_no_command_is_left_out() -> None:
    tried = [f"{lines[-1]} " for lines in COMMANDS.values()]
    every = set(commands(get_command(build_app())))
    writing = {name for name in every if any(line.startswith(f"{name} ") for line in tried)}
    assert writing | WRITE_NOTHING == every and not writing & WRITE_NOTHING


@pytest.mark.parametrize("name", ["measure", "train"])
def test_some_kills(setup: Path, name: str) -> None:
    assert not wrong(setup, "kill", COMMANDS[name], SAMPLE)


@pytest.mark.parametrize(
    "line",
    [
        "measure {here}/text.jsonl -t byte --no-cache",
        "vocab-curve {here}/text.jsonl -t {here}/t --no-cache",
        "tokenizers train {here}/text.jsonl --kind bpe --vocab-size 300",
        "tokenizers prune {here}/t {here}/text.jsonl --to 280",
        "scaling fit {here}/runs.csv --law chinchilla",
    ],
)
def test_the_second_command_into_a_folder_is_refused(
    setup: Path, tmp_path: Path, line: str
) -> None:
    tokenizer(setup)
    (tmp_path / "out").mkdir()
    with alone(tmp_path / "out" / OUTPUT_LOCK, "", ""):  # as another process would
        told = mistake(f"{line.format(here=setup)} --out {tmp_path}/out")
    assert re.search(r"out: process \d+ on .* is writing to it; wait for it, or name anoth", told)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_every_kill(setup: Path, name: str) -> None:
    assert not wrong(setup, "kill", COMMANDS[name], every=LONG.get(name, 1))


@pytest.mark.slow
def test_every_kill_of_a_sweeps_worker(setup: Path) -> None:
    assert not wrong(setup, "worker", COMMANDS["sweep"])


@pytest.mark.slow
def test_every_kill_while_a_package_is_fetched(
    setup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"toy/tokenizer.json": tokenizer(setup).read_bytes()}
    with serving(tmp_path, monkeypatch) as registry:
        registry.pypi["toy"] = {"toy-1.0-py3-none-any.whl": wheel("toy", "1.0", files)}
        assert not wrong(setup, "kill", ["tokenizers show pypi:toy"])


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_another_command_at_some_event(setup: Path, name: str) -> None:
    assert not wrong(setup, "pause", COMMANDS[name], every=LONG.get(name, 7))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*COMMANDS} - {"cache-clear"}))
def test_a_disk_that_is_full_after_some_pages(setup: Path, name: str) -> None:
    if subprocess.run([*OWN_DISK, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody have a disk of his own")
    assert not wrong(setup, "full", COMMANDS[name], every=FULL.get(name, 3))
