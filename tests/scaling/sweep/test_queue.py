"""What a driver has of its sweep: runs that wait, faults remembered, what it cost so far."""

import os
import shutil
import time
from pathlib import Path

import pytest

from scaling.record import RECORD, SPEC, read_spec, write_record
from scaling.sweep import queue as run_queue
from scaling.sweep.collect import load_runs
from scaling.sweep.folder import SweepFolder
from scaling.sweep.queue import RunQueue
from scaling.sweep.run_folder import Attempts, read_attempts
from scaling.sweep.status import SweepStatus, sweep_status
from scaling.train.metrics import METRICS
from tests.scaling.sweep.records import reads, record_of
from tests.scaling.sweep.sweeps import planned, run_of, tiny

OLD = Path(__file__).parent / "old"  # as version 0.1 left it, weights and checkpoints left out


class Clock:
    """Stands for the time of a driver."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return time.time()


def test_the_cost_so_far_is_of_lost_workers_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(run_queue, "time", clock)
    folder, (a, b) = planned(tmp_path, [tiny(0), tiny(1)])
    queue = RunQueue(folder)
    assert queue.status().worker_seconds == 0
    queue.started(a.run_id)
    queue.started(b.run_id)
    queue.waiting.clear()
    clock.now = 10.0
    assert queue.status().worker_seconds == 20
    queue.killed(a.run_id, "SIGKILL")
    clock.now = 15.0
    queue.released(b.run_id)
    queue.started(a.run_id)
    clock.now = 16.0
    queue.started(a.run_id)  # on another node, the first being lost
    clock.now = 18.0
    queue.failed(a.run_id, "planted")
    clock.now = 30.0
    assert queue.status().worker_seconds == 10 + 15 + 3


def test_it_tells_now_and_then_and_reads_a_last_record_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(run_queue, "time", clock)
    folder, jobs = planned(tmp_path, [tiny(0), tiny(1)])
    first = folder.run(jobs[0].run_id)
    write_record(first, record_of(read_spec(first / SPEC)))
    told: list[SweepStatus] = []
    queue = RunQueue(folder, watch=told.append)
    counts = reads(monkeypatch)
    for clock.now in (1.0, 1.5, 2.5):
        queue.tell()
    assert len(told) == 2 and told[0].counts["finished"] == 1
    assert counts == {}
    second = folder.run(jobs[1].run_id)
    write_record(second, record_of(read_spec(second / SPEC)))
    clock.now = 4.0
    queue.tell()
    assert told[-1].ended and counts == {RECORD: 1}


def test_a_sweep_of_an_older_program_is_read_and_goes_on(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path / "old")
    shutil.copytree(OLD, folder.path)
    for path in folder.runs.glob(f"*/{METRICS}"):
        os.utime(path, (1e9, 1e9))
    finished, stopped, failed = sweep_status(folder).runs
    assert finished.phase == "finished" and finished.step == 12 and finished.bits_per_byte
    assert (stopped.phase, stopped.step, stopped.steps) == ("waiting", 1, 12)
    assert (failed.phase, failed.reason) == ("waiting", "worker ended by SIGKILL")
    assert load_runs(folder)["run_id"].to_list() == [finished.job.run_id]
    queue = RunQueue(folder)
    assert set(queue.waiting) == {stopped.job.run_id, failed.job.run_id}
    run_id = failed.job.run_id
    assert read_attempts(folder.run(run_id)) == Attempts(1, 2, "worker ended by SIGKILL")
    queue.waiting.remove(run_id)
    queue.failed(run_id, "once more")
    assert run_of(queue.status(), failed.job).phase == "failed"
