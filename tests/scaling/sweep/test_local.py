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
from scaling.sweep.local import run_local
from scaling.sweep.queue import driver_lock
from scaling.sweep.state import SweepState
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


@pytest.mark.parametrize(("workers", "first"), [(1, "longest"), (2, "longest"), (1, "shortest")])
def test_every_run_ends_the_same_bits_in_any_order(
    whole: dict[str, Any], tmp_path: Path, workers: int, first: str
) -> None:
    folder, jobs = six(tmp_path)
    asked = jobs
    if first == "shortest":
        asked = [replace(job, seconds=float(9 - place)) for place, job in enumerate(jobs)]
    begun: list[str] = []
    seen: list[SweepState] = []

    def watch(state: SweepState) -> None:
        seen.append(state)
        for run_id, cell in state.runs.items():
            if cell.phase != "waiting" and run_id not in begun:
                begun.append(run_id)

    state = run_local(folder, asked, workers_per_device=workers, watch=watch)
    assert state.counts == {
        "waiting": 0, "running": 0, "finished": 6, "diverged": 0, "failed": 0
    }  # fmt: skip
    assert state.ended and state == seen[-1] and not state.unwritten
    order = [job.run_id for job in (reversed(jobs) if first == "longest" else jobs)]
    assert set(begun[:workers]) == set(order[:workers])
    assert max(state.workers for state in seen) == workers
    assert all_remains(folder, jobs) == whole
    assert all(names(folder.run(job.run_id)) == ENDED for job in jobs)
    assert names(tmp_path) == {"runs", "shards", "sweep.json"}


def test_what_has_ended_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, jobs = planned(tmp_path, [tiny(0)])
    assert run_local(folder, jobs).ended
    before = (folder.run(jobs[0].run_id) / "record.json").stat().st_mtime_ns

    def started(*_: Any, **__: Any) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr(local, "WorkerProcess", started)
    assert run_local(folder, jobs).counts["finished"] == 1
    assert (folder.run(jobs[0].run_id) / "record.json").stat().st_mtime_ns == before


def test_a_second_driver_is_refused(tmp_path: Path) -> None:
    folder, jobs = planned(tmp_path, [tiny(0)])
    with driver_lock(folder), pytest.raises(InputError, match=r"process \d+ on .* is running this"):
        run_local(folder, jobs)
    assert names(folder.path) == {"runs", "shards", "sweep.json"}


def test_one_run_twice_is_refused(tmp_path: Path) -> None:
    folder, jobs = planned(tmp_path, [tiny(0)])
    with pytest.raises(InputError, match="is there twice"):
        run_local(folder, jobs * 2)


def test_a_device_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    folder, jobs = planned(tmp_path, [tiny(0), tiny(1)])
    with pytest.raises(InputError, match="device 'cuda:77'"):
        run_local(folder, jobs, devices=["cuda:77"], workers_per_device=2)
    assert names(folder.path) == {"runs", "shards", "sweep.json"}


def test_the_driver_needs_no_torch() -> None:
    script = "import sys, scaling.sweep.local; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
