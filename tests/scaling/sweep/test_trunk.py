"""Runs of one curve that share their first steps end as if each had been trained alone."""

import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from corpora.errors import InputError
from scaling.data.shards import open_shards
from scaling.record import RECORD, SPEC, read_record, read_spec
from scaling.spec import RunSpec
from scaling.sweep.folder import Job, SweepFolder
from scaling.sweep.local import run_local
from scaling.sweep.queue import RunQueue
from scaling.sweep.run_folder import CHECKPOINT
from scaling.sweep.status import sweep_status
from scaling.train.progress import RunReport, StopRequest
from scaling.train.run import train
from tests.cli import answer
from tests.scaling.sweep.sweeps import ENDED, all_remains, names, planned_trunks, run_of
from tests.scaling.train.runs import CPU, remains, rows_tried, run

QUICK = "--no-calibration --device cpu"


def by_steps(folder: SweepFolder, jobs: list[Job], seed: int) -> list[tuple[Job, RunSpec]]:
    pairs = [(job, read_spec(folder.run(job.run_id) / SPEC)) for job in jobs]
    chosen = [pair for pair in pairs if pair[1].seed == seed]
    return sorted(chosen, key=lambda pair: pair[1].training.steps)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what is left of each run when it is trained from its first step."""
    folder, jobs = planned_trunks(tmp_path_factory.mktemp("alone"))
    for job in jobs:
        path = folder.run(job.run_id)
        run(read_spec(path / SPEC), folder.shards / job.shards, path)
    return all_remains(folder, jobs)


def test_the_longest_is_the_trunk_and_all_warm_up_alike(tmp_path: Path) -> None:
    folder, jobs = planned_trunks(tmp_path)
    for seed in (0, 1):
        (a, short), (b, middle), (c, long) = by_steps(folder, jobs, seed)
        assert (a.trunk, b.trunk, c.trunk) == (c.run_id, c.run_id, "")
        assert {spec.training.rising_steps for spec in (short, middle, long)} == {
            replace(short.training, warmup_steps=None).rising_steps
        }
        for job, spec in ((a, short), (b, middle)):
            steps = spec.training.steps
            assert job.branches_at == steps - int(0.2 * steps)
        assert c.branches_at == 0
    # Of three budgets that double, the shorter two cost a fifth each.
    own = [spec.training.steps - job.branches_at for job, spec in by_steps(folder, jobs, 0)]
    assert sum(own) <= 1.16 * own[-1]


def test_every_run_ends_with_the_bits_of_one_trained_alone(
    alone: Mapping[str, Any], tmp_path: Path
) -> None:
    folder, jobs = planned_trunks(tmp_path)
    status = run_local(folder, workers_per_device=2)
    assert status.counts["finished"] == 6
    assert all_remains(folder, jobs) == alone
    assert all(names(folder.run(job.run_id)) >= ENDED for job in jobs)
    assert not list(folder.path.glob("runs/*/checkpoint*"))
    each = sum(run.flops for run in status.runs)
    assert 0.6 * each < status.flops < 0.7 * each  # shared steps are counted once


def test_a_branch_takes_its_last_steps_alone(
    alone: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, jobs = planned_trunks(tmp_path)
    (a, short), (b, middle), (c, long) = by_steps(folder, jobs, 0)
    shards = open_shards(folder.shards / a.shards)
    branches = {folder.run(job.run_id): job.branches_at for job in (a, b)}
    queue = RunQueue(folder)
    assert a.run_id in queue.waiting and b.run_id in queue.waiting
    # Stopped between the two, twice: what was left stays, and the other is still to come.
    for _ in range(2):
        stop = StopRequest()

        def watch(report: RunReport, stop: StopRequest = stop) -> None:
            if report.step > a.branches_at:
                stop.signal = signal.SIGTERM

        train(long, shards, folder.run(c.run_id), CPU, watch, 0.0, stop, branches)
        assert (folder.run(a.run_id) / CHECKPOINT).exists()
        assert not (folder.run(b.run_id) / CHECKPOINT).exists()
    now = run_of(sweep_status(folder), a)
    assert (now.phase, now.step, now.share_done) == ("waiting", a.branches_at, 0)
    # While the trunk waits to go on, one of its branches may be trained, and the other not.
    taken = [queue.take() for _ in range(6)]
    assert a.run_id in taken and b.run_id not in taken
    train(long, shards, folder.run(c.run_id), CPU, None, 0.0, None, branches)
    tried = rows_tried(monkeypatch)
    for job, spec in ((a, short), (b, middle)):
        tried.clear()
        record = run(spec, folder.shards / job.shards, folder.run(job.run_id))
        assert len(tried) == spec.training.steps - job.branches_at
        assert record.steps == spec.training.steps
        assert remains(folder.run(job.run_id)) == alone[job.run_id]
    before = (folder.run(a.run_id) / RECORD).read_bytes()
    # A trunk that is trained again leaves those alone that have ended.
    for name in names(folder.run(c.run_id)) - {SPEC}:
        (folder.run(c.run_id) / name).unlink()
    train(long, shards, folder.run(c.run_id), CPU, None, 0.0, None, branches)
    assert (folder.run(a.run_id) / RECORD).read_bytes() == before
    assert not (folder.run(a.run_id) / CHECKPOINT).exists()


def test_a_trunk_that_leaves_nothing_is_told_in_a_line(
    alone: Mapping[str, Any], tmp_path: Path
) -> None:
    folder, jobs = planned_trunks(tmp_path)
    (a, _), _, (c, long) = by_steps(folder, jobs, 0)
    run(long, folder.shards / c.shards, folder.run(c.run_id))  # it leaves no branches
    status = run_local(folder)  # one worker
    lost = run_of(status, a)
    assert lost.phase == "failed" and "\n" not in lost.reason
    assert f"of run {c.run_id}, is gone; plan the sweep again" in lost.reason
    assert status.counts == {**status.counts, "finished": 4, "failed": 2}
    # Planned again, it is said before anything runs, and they train from their first step.
    words = f"{tmp_path / 'sweep.toml'} --out {folder.path} {QUICK}"
    marked = [
        row["run_id"] for row in answer(f"scaling plan {words}") if "trunk" in row["marks"][-1]
    ]
    assert marked == [job.run_id for job, _ in by_steps(folder, jobs, 0)[:2]]
    assert answer(f"scaling sweep {words} --workers 1 --retry-failed")["finished"] == 6
    assert all_remains(folder, jobs) == alone


def test_a_folder_that_holds_another_run_is_refused(tmp_path: Path) -> None:
    folder, jobs = planned_trunks(tmp_path)
    (a, _), _, (c, long) = by_steps(folder, jobs, 0)
    other = by_steps(folder, jobs, 1)[0][0]
    shards = open_shards(folder.shards / c.shards)
    branches = {folder.run(other.run_id): a.branches_at}
    with pytest.raises(InputError, match="holds no run that goes on from") as refused:
        train(long, shards, folder.run(c.run_id), CPU, None, 0.0, None, branches)
    assert "\n" not in str(refused.value)
    assert read_record(folder.run(other.run_id)) is None
