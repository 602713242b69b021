"""A run stopped anywhere and run again ends as one that was never stopped, bit for bit."""

import os
import random
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from corpora.corpus import DocumentCorpus
from scaling.data.build_text import build_text
from scaling.data.shards import open_shards
from scaling.model.weights import WEIGHTS
from scaling.record import RECORD, write_spec
from scaling.spec import RunSpec
from scaling.train.checkpoint import CHECKPOINT
from scaling.train.metrics import METRICS
from scaling.train.progress import RunReport, StopRequest
from scaling.train.run import train
from tests.scaling.data.test_order import NAMES, documents
from tests.scaling.train.runs import (
    CPU,
    blt_spec,
    byte_tokens,
    metrics,
    python,
    remains,
    run,
    small_shards,
    started,
    subword_spec,
)

STEPS = 12


@pytest.fixture(scope="module", params=["blt", "subword", "mixed"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an uninterrupted run, its shards beside it."""
    folder = tmp_path_factory.mktemp("whole")
    text = small_shards(folder / "shards")
    shards = byte_tokens(text, folder / "shards") if request.param == "subword" else text
    spec = (subword_spec if request.param == "subword" else blt_spec)(shards, STEPS)
    if request.param == "mixed":
        corpora = [DocumentCorpus(name, documents(name)) for name in NAMES]
        asked = dict.fromkeys(NAMES, 200)
        shards = build_text(corpora, folder / "shards", held_out_bytes=asked)
        shares = {"aa": 0.6, "bb": 0.3, "cc": 0.1}
        spec = replace(spec, shards=shards.name, shares=shares)
    assert run(spec, shards, folder / "run").status == "finished"
    return folder / "run"


def spec_of(whole: Path) -> tuple[RunSpec, Path]:
    from scaling.record import SPEC, read_spec

    spec = read_spec(whole / SPEC)
    return spec, whole.parent / "shards" / spec.shards


def stopped_at(whole: Path, folder: Path, *steps: int) -> None:
    """Train in `folder`, stopped after each of the steps."""
    spec, shards = spec_of(whole)
    for step in steps:
        stop = StopRequest()

        def watch(report: RunReport, stop: StopRequest = stop, step: int = step) -> None:
            if report.step == step and not report.scored_bytes:
                stop.signal = signal.SIGTERM

        record = train(spec, open_shards(shards), folder, CPU, watch, stop=stop)
        assert (record.status, record.steps) == ("interrupted", step)
        assert record.bits_per_byte is None
        assert (folder / CHECKPOINT).exists() and not (folder / WEIGHTS).exists()
        assert [line["step"] for line in metrics(folder)] == list(range(1, step + 1))


@pytest.mark.parametrize("steps", [(1,), (5,), (STEPS - 1,), (STEPS,), (1, 2, 7, STEPS)], ids=str)
def test_stopped_anywhere(whole: Path, tmp_path: Path, steps: tuple[int, ...]) -> None:
    stopped_at(whole, tmp_path, *steps)
    spec, shards = spec_of(whole)
    record = run(spec, shards, tmp_path)
    assert remains(tmp_path) == remains(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        path.name for path in whole.iterdir()
    )
    assert record.seconds > 0


def test_stopped_while_scoring(whole: Path, tmp_path: Path) -> None:
    spec, shards = spec_of(whole)
    stop, scored = StopRequest(), []

    def watch(report: RunReport) -> None:
        if report.scored_bytes:
            scored.append(report.scored_bytes)
            stop.signal = signal.SIGINT

    record = train(spec, open_shards(shards), tmp_path, CPU, watch, stop=stop)
    assert (record.status, record.reason) == ("interrupted", "told to stop (SIGINT)")
    assert (record.steps, record.bits_per_byte, len(scored)) == (STEPS, None, 1)
    assert (tmp_path / CHECKPOINT).exists()
    assert (tmp_path / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes()
    reports: list[RunReport] = []
    train(spec, open_shards(shards), tmp_path, CPU, reports.append)
    assert all(report.scored_bytes for report in reports)  # no step was taken again
    assert max(report.scored_bytes for report in reports) > scored[0]
    assert remains(tmp_path) == remains(whole)


def test_killed_without_a_checkpoint_it_begins_anew(whole: Path, tmp_path: Path) -> None:
    (tmp_path / METRICS).write_text('{"step": 1, "nats_per_target": 9.0, "seconds": 1}\n{"st')
    spec, shards = spec_of(whole)
    run(spec, shards, tmp_path)
    assert remains(tmp_path) == remains(whole)


def test_lines_that_a_kill_tore_or_a_checkpoint_does_not_hold_are_dropped(
    whole: Path, tmp_path: Path
) -> None:
    stopped_at(whole, tmp_path, 4)
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"step": 5, "nats_per_target": 1.0, "seconds": 1}\n{"step": 6, "nats_p')
    spec, shards = spec_of(whole)
    run(spec, shards, tmp_path)
    assert remains(tmp_path) == remains(whole)


def test_the_seed_and_the_order_of_text_are_part_of_the_run(whole: Path, tmp_path: Path) -> None:
    spec, shards = spec_of(whole)
    run(replace(spec, seed=1), shards, tmp_path)
    assert remains(tmp_path)[0] != remains(whole)[0]


# Runs long enough to be hit by a signal, in processes of their own.


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an uninterrupted run of 120 steps."""
    folder = tmp_path_factory.mktemp("longer")
    shards = small_shards(folder / "shards")
    assert run(blt_spec(shards, 120), shards, folder / "run").status == "finished"
    return folder / "run"


def hit(process: "subprocess.Popen[str]", number: signal.Signals, seen: Path, after: float) -> None:
    """Send a signal so many seconds after a file appeared."""
    for _ in range(600):
        if seen.exists() or process.poll() is not None:
            break
        time.sleep(0.05)
    time.sleep(after)
    process.send_signal(number)


def command_of(longer: Path, folder: Path) -> list[str]:
    spec, shards = spec_of(longer)
    write_spec(folder, spec)
    names = (str(folder / "spec.json"), str(shards), "--out", str(folder / "run"))
    return python("-m", "scaling.train", *names, "--threads", "1", "--device", "cpu")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_at_a_step(
    longer: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    # In the background SIGINT may be ignored from the beginning; the run hears it nevertheless.
    before = signal.signal(number, signal.SIG_IGN)
    try:
        process = started(command_of(longer, tmp_path))
        hit(process, number, tmp_path / "run" / METRICS, 0.3)
        out, err = process.communicate(timeout=60)
    finally:
        signal.signal(number, before)
        process.kill()
    assert process.returncode == code, err
    *log, last = err.splitlines()
    assert out == "" and "saved at step" in last
    assert all(line.startswith("step ") for line in log)
    assert (tmp_path / "run" / CHECKPOINT).exists()
    assert not (tmp_path / "run" / WEIGHTS).exists()
    spec, shards = spec_of(longer)
    run(spec, shards, tmp_path / "run")
    assert remains(tmp_path / "run") == remains(longer)


KILLED = """
import sys
from pathlib import Path
from scaling.data.shards import open_shards
from scaling.record import read_spec
from scaling.train.machine import MachineSettings
from scaling.train.run import train
machine = MachineSettings(device="cpu", threads=1, checkpoint_seconds=0)
spec, shards, folder = map(Path, sys.argv[1:])
train(read_spec(spec), open_shards(shards), folder, machine)
"""


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_at_any_moment_again_and_again(longer: Path, tmp_path: Path, seed: int) -> None:
    spec, shards = spec_of(longer)
    write_spec(tmp_path, spec)
    folder = tmp_path / "run"
    draw = random.Random(seed)
    for _ in range(2 if seed == 0 else 8):
        names = (str(tmp_path / "spec.json"), str(shards), str(folder))
        process = started(python("-c", KILLED, *names))
        hit(process, signal.SIGKILL, folder / CHECKPOINT, draw.uniform(0, 0.5))
        assert process.wait(60) == -signal.SIGKILL or (folder / RECORD).exists()
        process.communicate()
    run(spec, shards, folder)
    assert remains(folder) == remains(longer)
    left = [name for name in os.listdir(folder) if not name.startswith(f".{CHECKPOINT}")]
    assert sorted(left) == sorted(os.listdir(longer))
