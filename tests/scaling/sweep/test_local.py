"""A sweep on this machine ends with a record of each run, the same bits in any order."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from corpora.errors import InputError
from scaling.record import SPEC, read_spec
from scaling.sweep import local
from scaling.sweep.folder import Sweep, write_sweep
from scaling.sweep.local import WorkerProcess, run_local
from scaling.sweep.queue import driver_lock
from scaling.sweep.status import SweepStatus
from tests.conftest import ROOT
from tests.scaling.sweep.sweeps import ENDED, all_remains, names, planned, six, tiny
from tests.scaling.train.runs import run


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what is left of six runs trained in this process, one after the other."""
    folder, jobs = six(tmp_path_factory.mktemp("whole"))
    for job in jobs:
        path = folder.run(job.run_id)
        run(read_spec(path / SPEC), folder.shards / job.shards, path)
    return all_remains(folder, jobs)


@pytest.mark.parametrize(
    ("workers", "first"),
    [pytest.param(1, "longest", marks=pytest.mark.slow), (2, "longest"), (1, "shortest")],
)
def test_every_run_ends_the_same_bits_in_any_order(
    whole: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
    first: str,
) -> None:
    folder, jobs = six(tmp_path)
    if first == "shortest":
        timed = (replace(job, seconds=float(9 - place)) for place, job in enumerate(jobs))
        write_sweep(folder, Sweep("tiny", tuple(timed), {}))
    begun: list[str] = []
    started: list[str] = []
    give, start = WorkerProcess.give, WorkerProcess.__init__

    def given(self: WorkerProcess, *run_ids: str) -> None:
        begun.extend(run_ids)
        give(self, *run_ids)

    def noted(self: WorkerProcess, *settings: Any) -> None:
        started.append(settings[1])
        start(self, *settings)

    monkeypatch.setattr(WorkerProcess, "give", given)
    monkeypatch.setattr(WorkerProcess, "__init__", noted)
    seen: list[SweepStatus] = []
    state = run_local(folder, workers_per_device=workers, watch=seen.append)
    assert state.counts["finished"] == 6 and state.ended and state == seen[-1]
    assert begun == [job.run_id for job in (reversed(jobs) if first == "longest" else jobs)]
    assert started == ["cpu"] * workers
    assert all_remains(folder, jobs) == whole
    assert all(names(folder.run(job.run_id)) == ENDED for job in jobs)
    assert names(tmp_path) == {"runs", "shards", "sweep.json"}


def test_what_has_ended_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, jobs = planned(tmp_path, [tiny(0)])
    assert run_local(folder).ended
    before = (folder.run(jobs[0].run_id) / "record.json").stat().st_mtime_ns

    def started(*_: Any, **__: Any) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr(local, "WorkerProcess", started)
    assert run_local(folder).counts["finished"] == 1
    assert (folder.run(jobs[0].run_id) / "record.json").stat().st_mtime_ns == before


def test_a_second_driver_is_refused(tmp_path: Path) -> None:
    folder, _ = planned(tmp_path, [tiny(0)])
    with driver_lock(folder), pytest.raises(InputError, match=r"process \d+ on .* is running this"):
        run_local(folder)
    assert names(folder.path) == {"runs", "shards", "sweep.json"}


def test_one_run_twice_is_refused(tmp_path: Path) -> None:
    folder, jobs = planned(tmp_path, [tiny(0)])
    write_sweep(folder, Sweep("tiny", (*jobs, *jobs), {}))
    with pytest.raises(InputError, match="is there twice"):
        run_local(folder)


def test_a_device_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    folder, _ = planned(tmp_path, [tiny(0), tiny(1)])
    with pytest.raises(InputError, match="device 'cuda:77'"):
        run_local(folder, devices=["cuda:77"], workers_per_device=2)
    assert names(folder.path) == {"runs", "shards", "sweep.json"}


def test_the_driver_needs_no_torch() -> None:
    script = "import sys, scaling.sweep.local; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
