"""A command that is killed at any of its file events leaves the next one nothing to trip over: the
rerun gives the same bits as an undisturbed run, and no file of the killed one is left behind."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from corpora.locks import OUTPUT_LOCK, alone
from tests.cli import mistake, process
from tests.conftest import ROOT

SAMPLE = (1, 2, 5, 9, -2, -1)
TEXT = "".join(f'{{"text": "line {n} of a short text, {n * n}"}}\n' for n in range(40))
MEASURING = ("tokenize_lab.cli.measure", "tokenize_lab.measurement", "polars", "regex")
TRAINING = ("tokenize_lab.training.train", "tokenizers")
CURVES = ("tokenize_lab.vocabulary_curves.job", "polars")
AUDIT = ("tokenize_lab.forensics.audit", "tokenize_lab.measurement", "polars")
FIT = ("scaling.fits.fit", "scaling.read_runs", "scipy.optimize", "polars")
REPORT = ("reports.build", "polars", "jinja2")
RUNS = ("torch", "scaling.train.run", "scaling.prepare")

CPU = "--device cpu --threads 1"
COMMANDS = {
    "measure": ("measure text.jsonl -t byte -t t/tokenizer.json --jobs 1", MEASURING),
    "train": ("tokenizers train --kind bpe text.jsonl --vocab-size 300 --out out", TRAINING),
    "vocab-curve": ("vocab-curve text.jsonl -t t/tokenizer.json --jobs 1 --out out", CURVES),
    "audit": ("tokenizers audit t/tokenizer.json text.jsonl --jobs 1 --out out", AUDIT),
    "fit": ("scaling fit runs.csv --law chinchilla --draws 0 --out out", FIT),
    "report": ("report measured", REPORT),
    "run": (f"scaling train run.toml {CPU} --out out", RUNS),
}
SPEC = """
[model]
family = "subword"
layers = 1
dim = 16
[data]
corpus = "text.jsonl"
tokenizer = "byte"
held_out_bytes = 300
context_bytes = 64
window_bytes = 16
[training]
steps = 3
batch_bytes = 256
"""
SWEEP = """name = "small"
compute_flops = [2e7]
[texts.short]
corpus = ["text.jsonl"]
held_out_bytes = 300
[[arms]]
family = "subword"
sizes = [[1, 16]]
tokenizers = ["byte"]
[training]
batch_bytes = 256
context_bytes = 64
window_bytes = 16
"""


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text, a tokenizer, runs and a measurement."""
    here = tmp_path_factory.mktemp("setup")
    (here / "text.jsonl").write_text(TEXT)
    (here / "run.toml").write_text(SPEC)
    (here / "sweep.toml").write_text(SWEEP)
    rows = ["params,tokens,loss"]
    for params in (1e7, 3e7, 1e8, 3e8):
        rows += [
            f"{params:g},{tokens:g},{1.7 + 400 / params**0.34 + 410 / tokens**0.28:.6f}"
            for tokens in (1e9, 3e9, 1e10)
        ]
    (here / "runs.csv").write_text("\n".join(rows) + "\n")
    tokenize = "tokenizers train --kind bpe text.jsonl --vocab-size 290 --out t"
    for line in (tokenize, "measure text.jsonl -t byte --out measured --no-cache --jobs 1"):
        done = process(line, cwd=here)
        assert done.exit_code == 0, done.stderr
    return here


def killed(
    setup: Path, command: str, load: Sequence[str], kill_at: Sequence[int] | None, every: int = 1
) -> dict[str, Any]:
    asked = {
        "command": command.split(), "setup": str(setup), "load": load,
        "kill_at": kill_at, "every": every,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults", json.dumps(asked)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", ["measure", "train"])
def test_some_kills(setup: Path, name: str) -> None:
    command, load = COMMANDS[name]
    found = killed(setup, command, load, SAMPLE)
    assert found["events"] > 20
    assert not found["wrong"]


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
    (tmp_path / "out").mkdir()
    with alone(tmp_path / "out" / OUTPUT_LOCK, "", ""):  # as another process would
        told = mistake(f"{line.format(here=setup)} --out {tmp_path}/out")
    assert re.search(r"out: process \d+ on .* is writing to it; wait for it, or name anoth", told)


@pytest.mark.slow
def test_a_sweep_whose_driver_is_killed(setup: Path) -> None:
    """Its workers are processes of their own, which end with it and take seconds to start."""
    command = "scaling sweep sweep.toml --no-calibration --device cpu --out out"
    found = killed(setup, command, RUNS, None, every=12)
    assert found["events"] > 50
    assert not found["wrong"]


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_every_kill(setup: Path, name: str) -> None:
    command, load = COMMANDS[name]
    found = killed(setup, command, load, None)
    assert found["events"] > 3
    assert not found["wrong"]
