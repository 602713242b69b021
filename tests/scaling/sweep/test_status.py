"""How a sweep stands is read from its files, whatever state they and the clocks are in."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from corpora.files import write_text
from corpora.locks import lock
from corpora.output import drawn
from scaling.cli import status as cli_sweep
from scaling.record import RECORD, SPEC, failed_record, read_spec, write_record
from scaling.sweep.folder import Job, Sweep, SweepFolder, write_sweep
from scaling.sweep.queue import RunQueue, status_line
from scaling.sweep.run_folder import DRIVER_LOCK, LOCK, WEIGHTS, Attempts, write_attempts
from scaling.sweep.status import RunStatus, SweepStatus, sweep_status
from scaling.sweep.text import MOST_RUNS, status_text
from scaling.sweep.worker import train_job
from scaling.train.metrics import METRICS
from scaling.train.progress import StopRequest, duration
from tests import cli
from tests.conftest import ROOT
from tests.scaling.sweep.records import ended, record_of
from tests.scaling.sweep.sweeps import planned, tiny
from tests.scaling.train.runs import CPU


def trained(folder: SweepFolder, job: Job, stop: StopRequest | None = None) -> None:
    train_job(folder, job, CPU, stop or StopRequest(), set())


def answer(folder: SweepFolder) -> Any:
    return cli.answer(f"scaling status {folder.path}")


def files(folder: SweepFolder) -> dict[Path, tuple[int, bytes]]:
    found = (path for path in folder.path.rglob("*") if path.is_file())
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


def under_way(folder: SweepFolder, job: Job, lines: str, silent: float = 0.0) -> Path:
    """Write metrics that were last touched so many seconds ago."""
    path = folder.run(job.run_id) / METRICS
    path.write_text(lines)
    then = time.time() - silent
    os.utime(path, (then, then))
    return path


def text_of(status: SweepStatus) -> str:
    return "".join(drawn(status_text(status)))


def line(step: int, seconds: float = 1.0) -> str:
    return json.dumps({"step": step, "train_bytes": 256 * step, "seconds": seconds}) + "\n"


def test_real_runs(tmp_path: Path) -> None:
    specs = [tiny(0), tiny(1, 12, learning_rate=1e9), tiny(2), tiny(3)]
    folder, jobs = planned(tmp_path, specs)
    before = answer(folder)
    assert before["counts"]["waiting"] == 4 and before["flops"] == 0
    assert before["seconds_left"] is None
    assert {run["steps"] for run in before["runs"]} == {12}
    for job in jobs[:2]:
        trained(folder, job)
    stop = StopRequest()
    stop.signal = signal.SIGTERM
    trained(folder, jobs[2], stop)
    before_files = files(folder)
    value = answer(folder)
    assert files(folder) == before_files
    finished, diverged, stopped, waiting = value["runs"]
    assert finished["phase"] == "finished" and 1 < finished["bits_per_byte"] < 12
    assert finished["step"] == 12 and finished["seconds"] > 0 and finished["flops"] > 0
    assert diverged["phase"] == "diverged" and "not finite" in diverged["reason"]
    assert diverged["bits_per_byte"] is None
    # Its metrics are of just now, but its record says that it stopped.
    assert stopped["phase"] == "waiting" and stopped["step"] == 1
    assert stopped["flops"] == pytest.approx(finished["flops"] / 12)
    assert waiting["phase"] == "waiting" and waiting["silent_seconds"] is None
    assert value["flops"] == pytest.approx(sum(run["flops"] for run in value["runs"]))
    later = sweep_status(folder, time.time() + 3600)
    assert [run.phase for run in later.runs] == ["finished", "diverged", "waiting", "waiting"]
    assert "stopped" in text_of(later)
    text = cli.command(f"scaling status {tmp_path}").stdout
    assert "1 finished, 2 waiting, 1 diverged" in text and "not finite" in text
    # Rows of one tokenization and T are told apart by what they cost.
    head, *rows = text.splitlines()
    end = head.index("FLOPs") + len("FLOPs")
    assert float(rows[0][:end].split()[-1]) == pytest.approx(finished["flops"], rel=0.01)


@pytest.mark.parametrize(
    ("lines", "silent", "phase", "step"),
    [
        ("", 0, "running", 0),
        (line(3), 0, "running", 3),
        (line(3), 59, "running", 3),
        (line(3), 61, "waiting", 3),
        # Steps of 100 seconds each: four of them are no silence.
        (line(3, 300.0), 400, "running", 3),
        (line(3, 300.0), 600, "waiting", 3),
        # Held-out text takes its time, and no metrics are written.
        (line(12), 1000, "running", 12),
        (line(12), 2000, "waiting", 12),
        # The clock of whoever trains is ahead by a day.
        (line(3), -86_400, "running", 3),
        (line(2) + line(3)[:10], 0, "running", 2),
        (line(2) + "null\n[]\n{}\n" + '{"step": "x"}\n', 0, "running", 2),
        ("not metrics\n", 0, "running", 0),
        (line(1) * 1000 + line(7), 0, "running", 7),
        (line(2) + '{"step": 3, "train_bytes": -1, "seconds": "x"}\n', 0, "running", 3),
        (line(2) + '{"step": 1e999}\n{"step": 9223372036854775808}\n', 0, "running", 2),
    ],
)
def test_metrics_in_any_state(
    tmp_path: Path, lines: str, silent: float, phase: str, step: int
) -> None:
    folder, (job,) = planned(tmp_path, [tiny(0)])
    under_way(folder, job, lines, silent)
    (run,) = answer(folder)["runs"]
    assert (run["phase"], run["step"], run["steps"]) == (phase, step, 12)
    assert run["silent_seconds"] >= 0


@pytest.mark.parametrize(
    ("lines", "after_the_record", "phase"),
    [
        (line(5), 0, "waiting"),
        # All steps are taken: it was stopped as it scored, and not left alone for half an hour.
        (line(12), -1, "waiting"),
        (line(12), -1000, "waiting"),
        # It goes on.
        (line(5), 1, "running"),
        # It went on, and was killed.
        (line(5), 1000, "waiting"),
    ],
)
def test_a_run_that_was_stopped_waits_until_it_goes_on(
    tmp_path: Path, lines: str, after_the_record: float, phase: str
) -> None:
    folder, (job,) = planned(tmp_path, [tiny(0)])
    run = folder.run(job.run_id)
    then = under_way(folder, job, lines, max(0.0, -after_the_record)).stat().st_mtime
    write_record(run, record_of(read_spec(run / SPEC), status="interrupted", validation_nats=None))
    os.utime(run / RECORD, (then - after_the_record, then - after_the_record))
    now = max(then, then - after_the_record) + (1000 if after_the_record == 1000 else 0)
    (found,) = sweep_status(folder, now).runs
    assert (found.phase, found.steps) == (phase, 12)
    assert found.step == json.loads(lines)["step"]


def test_a_run_whose_worker_was_killed_waits(tmp_path: Path) -> None:
    folder, (job,) = planned(tmp_path, [tiny(0)])
    now = under_way(folder, job, line(5)).stat().st_mtime
    held = folder.run(job.run_id) / LOCK
    with lock(held):
        assert sweep_status(folder, now).runs[0].phase == "running"
    assert held.exists()
    assert sweep_status(folder, now).runs[0].phase == "waiting"
    # What is locked on another machine may not be seen here.
    (folder.path / DRIVER_LOCK).write_text("process 1 on another machine")
    assert sweep_status(folder, now).runs[0].phase == "running"


def test_a_run_whose_record_was_removed_waits(tmp_path: Path) -> None:
    folder, (job,) = planned(tmp_path, [tiny(0)])
    now = under_way(folder, job, line(12)).stat().st_mtime
    assert sweep_status(folder, now).runs[0].phase == "running"
    (folder.run(job.run_id) / WEIGHTS).touch()
    assert sweep_status(folder, now).runs[0].phase == "waiting"


def test_a_run_that_goes_on_by_a_clock_that_was_put_back(tmp_path: Path) -> None:
    folder, (job,) = planned(tmp_path, [tiny(0)])
    run = folder.run(job.run_id)
    spec = read_spec(run / SPEC)
    write_record(run, record_of(spec, status="interrupted", steps=4, validation_nats=None))
    now = under_way(folder, job, line(5)).stat().st_mtime
    os.utime(run / RECORD, (now + 3600, now + 3600))
    assert sweep_status(folder, now).runs[0].phase == "running"
    assert sweep_status(folder, now + 1000).runs[0].phase == "waiting"


def test_pipes_and_folders_are_not_read(tmp_path: Path) -> None:
    folder, jobs = planned(tmp_path, [tiny(seed) for seed in range(4)])
    first, second, third, fourth = (folder.run(job.run_id) for job in jobs)
    os.mkfifo(first / RECORD)
    (second / RECORD).mkdir()
    os.mkfifo(third / METRICS)
    (fourth / SPEC).unlink()
    os.mkfifo(fourth / SPEC)
    runs = answer(folder)["runs"]
    assert [run["phase"] for run in runs] == ["unreadable", "unreadable", "waiting", "unreadable"]
    assert "not a regular file but a pipe" in runs[0]["reason"]
    assert "not a regular file but a folder" in runs[1]["reason"]


def test_only_the_end_of_metrics_is_read(tmp_path: Path) -> None:
    folder, (job,) = planned(tmp_path, [tiny(0)])
    path = under_way(folder, job, "")
    with path.open("r+b") as file:  # a hole of a terabyte: reading it all would never end
        file.truncate(1 << 40)
        file.seek(0, 2)
        file.write(b"\n" + line(5).encode())
    assert sweep_status(folder).runs[0].step == 5


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda value: {**value, "version": 99}, "a newer tokenize-lab wrote it; update this one"),
        (lambda value: {**value, "status": "odd"}, "'status' is not one of"),
        (lambda value: {**value, "status": []}, "'status' is not one of"),
        (lambda value: {}, "version None"),
        (lambda value: [], "cannot be read"),
        (lambda value: {**value, "steps": None}, "'steps' is not a whole number"),
        (lambda value: {**value, "derived": {**value["derived"], "run_id": "other"}}, "run other"),
        (lambda value: {**value, "seconds": math.nan}, "'seconds' is not a number"),
    ],
)
def test_a_record_that_cannot_be_read(tmp_path: Path, change: Any, said: str) -> None:
    folder, (job, _) = planned(tmp_path, [tiny(0), tiny(1)])
    trained(folder, job)
    path = folder.run(job.run_id) / RECORD
    write_text(path, json.dumps(change(json.loads(path.read_text()))))
    first, second = answer(folder)["runs"]
    assert first["phase"] == "unreadable" and said in first["reason"]
    assert second["phase"] == "waiting"
    write_text(path, path.read_text()[:50])
    assert answer(folder)["runs"][0]["phase"] == "unreadable"


def test_a_failed_run_and_a_folder_that_is_gone(tmp_path: Path) -> None:
    specs = [tiny(seed) for seed in range(3)]
    folder, jobs = planned(tmp_path, specs)
    specs = [replace(spec, shards=job.shards) for spec, job in zip(specs, jobs, strict=True)]
    ended(folder, failed_record(specs[0], "its worker\nwas killed"))
    (folder.run(jobs[1].run_id) / SPEC).unlink()
    (folder.run(jobs[2].run_id) / SPEC).write_text("{")
    failed, gone, torn = answer(folder)["runs"]
    assert failed["phase"] == "failed" and failed["reason"] == "its worker\\nwas killed"
    assert gone["phase"] == "waiting" and gone["steps"] is None
    assert torn["phase"] == "unreadable"
    assert sweep_status(folder).counts["unreadable"] == 1


def of_job(expected: float | None, **status: Any) -> RunStatus:
    job = Job(run_id="0" * 16, shards="0" * 16, text="a", seconds=expected)
    return RunStatus(job=job, **{"phase": "waiting", **status})


RUNNING = {"phase": "running", "steps": 10}
HALF = {**RUNNING, "step": 5}


@pytest.mark.parametrize(
    ("runs", "left"),
    [
        ([of_job(10.0), of_job(20.0)], 30),
        # Finished runs took twice what was expected.
        ([of_job(10.0, phase="finished", seconds=20.0), of_job(30.0)], 60),
        # A third of it was done in the time expected of that.
        ([of_job(9.0, **RUNNING, step=3, seconds=2.7), of_job(30.0)], 36.3),
        # A running run is three times as slow as expected, after what it had done before a stop.
        ([of_job(10.0, **HALF, seconds=15.0), of_job(20.0)], 75),
        ([of_job(10.0, phase="diverged", step=1, steps=10, seconds=2.0), of_job(10.0)], 20),
        # Two at once; and never less than the longest.
        ([of_job(40.0, phase="running"), of_job(20.0, phase="running"), of_job(20.0)], 40),
        ([of_job(10.0, phase="running"), of_job(90.0, phase="running")], 90),
        # One that was not timed takes as long as the others; for as much text, where that is known.
        ([of_job(None), of_job(10.0)], 20),
        ([of_job(None, planned_bytes=20), of_job(10.0, planned_bytes=10)], 30),
        ([of_job(None), of_job(None, phase="finished", seconds=7.0)], 7),
        ([of_job(None, planned_bytes=9), of_job(None, planned_bytes=3, **HALF, seconds=2)], 14),
        # Nothing is promised before anything is known.
        ([of_job(None)], None),
        ([of_job(None, **RUNNING)], None),
        ([of_job(1.0, phase="failed"), of_job(9.0, phase="diverged")], 0),
        ([], 0),
    ],
)  # fmt: skip
def test_time_left(runs: list[RunStatus], left: float | None) -> None:
    expected = None if left is None else pytest.approx(left)
    assert SweepStatus("planted", tuple(runs)).seconds_left == expected


def test_the_live_line_says_what_status_says(tmp_path: Path) -> None:
    folder, jobs = planned(tmp_path, [tiny(seed) for seed in range(4)])
    timed = tuple(replace(job, seconds=20.0) for job in jobs)
    write_sweep(folder, Sweep("tiny", timed, {}))
    trained(folder, jobs[0])
    under_way(folder, jobs[1], line(6, 150.0))
    queue = RunQueue(folder)
    queue.started(jobs[1].run_id)
    counts, left = "1 finished, 1 running, 2 waiting", " left with 1 at once"
    live, summary = (
        status_line(queue.status(), 4000.0),
        text_of(sweep_status(folder)).splitlines()[-1],
    )
    assert live.startswith(f"{counts}; 67 min (0 s of workers); some ") and live.endswith(left)
    assert summary.startswith(f"tiny: {counts}; ") and summary.endswith(left)
    assert live.rpartition("; ")[2] == summary.rpartition("; ")[2]
    assert queue.status().to_json() == sweep_status(folder).to_json() | {"runs": ANY}


def test_what_went_wrong_is_said_of_a_run_that_waits_for_another_attempt(tmp_path: Path) -> None:
    folder, (job,) = planned(tmp_path, [tiny(0)])
    metrics = under_way(folder, job, line(3))
    assert sweep_status(folder).runs[0].phase == "running"
    write_attempts(folder.run(job.run_id), Attempts(0, 1, "worker ended by SIGKILL"))
    (run,) = sweep_status(folder).runs
    assert (run.phase, run.step, run.reason) == ("waiting", 3, "worker ended by SIGKILL")
    os.utime(metrics, (time.time() + 1, time.time() + 1))
    (run,) = sweep_status(folder).runs
    assert (run.phase, run.reason) == ("running", "")  # it was taken up again


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (89.4, "89 s"),
        (90, "2 min"),
        (5400, "1 h 30 min"),
        (3 * 3600 + 299, "3 h 05 min"),
        (86_400 * 2 + 3600 * 4, "2 d 04 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_many_runs_are_counted_by_text_tokenization_and_rate(tmp_path: Path) -> None:
    folder, jobs = SweepFolder(tmp_path), []
    for seed in range(60):
        spec = replace(tiny(seed), compression_rate=4.0 if seed % 2 else 8.0)
        label = "static" if seed < 30 else "entropy"
        jobs.append(ended(folder, record_of(spec, 2 + seed / 100), label=label, text="a\x1bb"))
    write_sweep(folder, Sweep("many", tuple(jobs[:MOST_RUNS]), {}))
    assert jobs[3].run_id in text_of(sweep_status(folder))
    write_sweep(folder, Sweep("many", tuple(jobs), {}))
    text = text_of(sweep_status(folder))
    rows = text.splitlines()
    assert len(rows) == 1 + 4 + 2 and jobs[3].run_id not in text
    head, first, second, *_ = rows
    assert head.split()[:4] == ["text", "tokenization", "T", "runs"]
    assert "waiting" not in head and "\x1b" not in text
    assert first.split()[:5] == ["a\\x1bb", "static", "8", "15", "15"]
    assert "2.0000 to 2.2800" in first and "2.0100 to 2.2900" in second
    assert "60 finished" in rows[-1]


def test_many_faults_are_not_all_printed(tmp_path: Path) -> None:
    folder, jobs = planned(tmp_path, [tiny(seed) for seed in range(15)])
    for job in jobs:
        (folder.run(job.run_id) / SPEC).write_text("{")
    text = text_of(sweep_status(folder))
    assert "and 5 more" in text


def test_no_sweep_is_one_line(tmp_path: Path) -> None:
    assert "no sweep.json" in cli.mistake(f"scaling status {tmp_path}")


def test_watching_is_for_terminals(tmp_path: Path) -> None:
    planned(tmp_path, [tiny(0)])
    assert "--watch is for a terminal" in cli.mistake(f"scaling status {tmp_path} --watch")


def test_watching_ends_with_the_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, (job,) = planned(tmp_path, [tiny(0)])
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    looked: list[float] = []

    def sleep(seconds: float) -> None:
        looked.append(seconds)
        if len(looked) == 2:
            trained(folder, job)

    monkeypatch.setattr("scaling.cli.status.time.sleep", sleep)
    cli_sweep.status(tmp_path, watch=True, every=3.0)
    assert looked == [3.0, 3.0]
    screens = capsys.readouterr().out.split("\x1b[H\x1b[J")[1:]
    assert len(screens) == 3
    assert "1 waiting" in screens[0] and "1 finished" in screens[2]


def test_how_a_sweep_stands_is_told_without_pytorch(tmp_path: Path) -> None:
    """From any machine that sees the folder; and PyTorch takes seconds to load."""
    folder, _ = planned(tmp_path, [tiny(seed=1)])
    script = (
        "import sys; sys.modules['torch'] = None; sys.argv[1:] = ['scaling', 'status', "
        f"{str(folder.path)!r}]; from tokenize_lab.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "waiting" in done.stdout
