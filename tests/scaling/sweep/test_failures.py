"""What goes wrong in one run is said in its record, and touches no other."""

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from corpora.errors import InputError
from corpora.locks import lock
from scaling.record import (
    SPEC,
    RunRecord,
    failed_record,
    read_record,
    read_spec,
    write_record,
    write_spec,
)
from scaling.sweep import queue as run_queue
from scaling.sweep.folder import Job, Sweep, SweepFolder, write_sweep
from scaling.sweep.local import run_local
from scaling.sweep.queue import RunQueue, driver_lock
from scaling.sweep.run_folder import (
    ATTEMPTS,
    CHECKPOINT,
    LOCK,
    Attempts,
    cleanup,
    read_attempts,
    write_attempts,
)
from scaling.train.machine import MachineSettings
from tests.scaling.sweep.drivers import BROKEN, DEADLY, FULL, faulty_workers
from tests.scaling.sweep.sweeps import (
    DIVERGED,
    ENDED,
    FAILED,
    names,
    planned,
    run_of,
    statuses,
    tiny,
)
from tests.scaling.train.runs import text_shards

__all__ = ["faulty_workers"]


def record_of(folder: SweepFolder, job: Job) -> RunRecord:
    record = read_record(folder.run(job.run_id))
    assert record is not None
    return record


def with_altered_text(folder: SweepFolder, jobs: list[Job]) -> list[Job]:
    """Return the jobs and one more, whose text was altered after it was planned."""
    text = text_shards(folder.shards, ["abc" * 100, "cab" * 100], 300)
    data = (text / "train" / "bytes.u8").read_bytes()
    (text / "train" / "bytes.u8").write_bytes(b"x" + data[1:])
    spec = replace(tiny(5), shards=text.name)
    write_spec(folder.run(spec.run_id), spec)
    more = [*jobs, Job(run_id=spec.run_id, shards=text.name, text="altered")]
    write_sweep(folder, Sweep("tiny", tuple(more), {}))
    return more


@pytest.mark.usefixtures("faulty_workers")
def test_each_fault_in_the_record_of_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, jobs = planned(
        tmp_path, [tiny(0), tiny(1, learning_rate=1e30), tiny(FULL, 200), tiny(BROKEN)]
    )
    jobs = with_altered_text(folder, jobs)
    good, nan, full, broken, altered = jobs
    faults: list[str] = []
    count = RunQueue.failed

    def counted(self: RunQueue, run_id: str, reason: str) -> None:
        faults.append(run_id)
        count(self, run_id, reason)

    monkeypatch.setattr(RunQueue, "failed", counted)
    settings = MachineSettings(threads=1, checkpoint_seconds=0.05)
    state = run_local(folder, workers_per_device=2, settings=settings)
    assert list(statuses(folder, jobs).values()) == ["finished", "diverged", *["failed"] * 3]
    assert [run.phase for run in state.runs] == list(statuses(folder, jobs).values())
    # Each was tried once more.
    assert sorted(faults) == sorted(2 * [full.run_id, broken.run_id, altered.run_id])
    assert "not finite" in record_of(folder, nan).reason
    assert "File too large" in record_of(folder, full).reason
    assert "RuntimeError: planted" in record_of(folder, broken).reason
    assert "SHA-256 differs" in record_of(folder, altered).reason
    assert run_of(state, altered).reason == record_of(folder, altered).reason
    assert record_of(folder, broken).row()["status"] == "failed"
    assert names(folder.run(good.run_id)) == ENDED
    assert names(folder.run(nan.run_id)) == DIVERGED
    assert names(folder.run(altered.run_id)) == FAILED
    assert names(folder.run(full.run_id)) <= FAILED | {"metrics.jsonl", CHECKPOINT}


@pytest.mark.slow
@pytest.mark.usefixtures("faulty_workers")
def test_a_run_whose_worker_is_killed_every_time_is_given_up(tmp_path: Path) -> None:
    folder, jobs = planned(tmp_path, [tiny(0), tiny(DEADLY)])
    state = run_local(folder, workers_per_device=2)
    assert list(statuses(folder, jobs).values()) == ["finished", "failed"]
    reason = record_of(folder, jobs[1]).reason
    assert "killed 6 times" in reason and "SIGKILL" in reason
    assert state.counts["failed"] == 1
    assert names(folder.run(jobs[1].run_id)) == FAILED


def test_failed_runs_are_taken_up_again_only_when_asked(tmp_path: Path) -> None:
    folder, (job,) = planned(tmp_path, [tiny(0)])
    spec = read_spec(folder.run(job.run_id) / "spec.json")
    write_record(folder.run(job.run_id), failed_record(spec, "planted"))
    assert run_local(folder).counts["failed"] == 1
    assert run_local(folder, retry_failed=True).counts["finished"] == 1
    assert names(folder.run(job.run_id)) == ENDED


def test_a_failure_that_cannot_be_recorded_is_told_and_tried_afresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, (job,) = planned(tmp_path, [tiny(0)])
    write_attempts(folder.run(job.run_id), Attempts(failures=2, reason="the disk was full"))

    def full(*_: object) -> None:
        raise InputError("record.json: could not be written (No space left on device)")

    with monkeypatch.context() as patched:
        patched.setattr(run_queue, "write_record", full)
        state = run_local(folder)
    assert state.counts["failed"] == 1 and state.ended
    (run,) = state.runs
    assert run.reason.startswith("the disk was full; ") and "No space left" in run.reason
    assert read_record(folder.run(job.run_id)) is None
    assert run_local(folder).counts["finished"] == 1
    assert names(folder.run(job.run_id)) == ENDED


def test_a_folder_that_takes_no_change_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, (job,) = planned(tmp_path, [tiny(0)])
    write_attempts(folder.run(job.run_id), Attempts(failures=2, reason="planted"))

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    def unwritten(*_: object) -> None:
        raise InputError("record.json: could not be written (Read-only file system)")

    with monkeypatch.context() as patched:
        patched.setattr(run_queue, "write_record", unwritten)
        patched.setattr(Path, "unlink", refused)
        state = run_local(folder)
    assert state.counts["failed"] == 1 and "Read-only" in state.runs[0].reason
    write_record(
        folder.run(job.run_id), failed_record(read_spec(folder.run(job.run_id) / SPEC), "planted")
    )
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refused)
        with pytest.raises(InputError, match=r"cannot be written \(Read-only"):
            run_local(folder, retry_failed=True)


def test_attempts_outlive_the_driver(tmp_path: Path) -> None:
    folder, (job,) = planned(tmp_path, [tiny(0)])
    with driver_lock(folder):
        first = RunQueue(folder)
        first.waiting.popleft()
        first.failed(job.run_id, "once")
    assert read_attempts(folder.run(job.run_id)) == Attempts(1, 0, "once")
    second = RunQueue(folder)
    for _ in range(5):
        second.waiting.popleft()
        second.killed(job.run_id, "SIGKILL")
    assert list(second.waiting) == [job.run_id]  # five deaths are no fault of its own
    second.waiting.popleft()
    second.failed(job.run_id, "twice")
    assert not second.waiting and record_of(folder, job).reason == "twice"
    (folder.run(job.run_id) / ATTEMPTS).write_text("torn {")
    assert read_attempts(folder.run(job.run_id)) == Attempts()


def test_a_fault_is_recorded_whatever_it_says(tmp_path: Path) -> None:
    folder, (job,) = planned(tmp_path, [tiny(0)])
    queue = RunQueue(folder)
    for _ in range(2):
        queue.waiting.popleft()
        queue.failed(job.run_id, "no such file: a\udcffb\x1b[2J")  # of a name that is no UTF-8
    assert record_of(folder, job).reason == r"no such file: a\xffb\x1b[2J"


def test_leftovers_of_runs_that_ended_go_unless_another_process_is_there(tmp_path: Path) -> None:
    folder, jobs = planned(tmp_path, [tiny(seed) for seed in range(2)])
    for job in jobs:
        run = folder.run(job.run_id)
        spec = read_spec(run / "spec.json")
        write_record(run, failed_record(spec, "planted"))
        for name in (
            ".record.json.elsewhere.7.ab12cd34.part",
            ".tokenizer.txt.x_y_z_w1",
            LOCK,
            ATTEMPTS,
        ):
            (run / name).touch()
        (run / CHECKPOINT).touch()
        (run / "notes.txt").touch()
    first, second = (folder.run(job.run_id) for job in jobs)
    with lock(second / LOCK, lambda: True) as held:
        assert held
        cleanup(folder, [job.run_id for job in jobs])
    assert names(first) == FAILED | {CHECKPOINT, "notes.txt"}  # it may go on from there
    assert ".record.json.elsewhere.7.ab12cd34.part" in names(second)
