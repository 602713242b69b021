"""Workers and drivers stopped or killed at any moment: the sweep ends as if nobody had."""

import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from corpora.errors import InputError
from scaling.record import SPEC, read_record, read_spec
from scaling.sweep.folder import Job, SweepFolder
from scaling.sweep.local import run_local
from scaling.sweep.run_folder import CHECKPOINT, DRIVER_LOCK
from tests.scaling.sweep.drivers import FAULTY, FULL, drive, workers_of
from tests.scaling.sweep.sweeps import (
    DIVERGED,
    ENDED,
    FAILED,
    all_remains,
    names,
    planned,
    statuses,
    tiny,
)
from tests.scaling.train.runs import metrics, run


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def saved(folder: SweepFolder) -> list[Path]:
    return list(folder.runs.glob(f"*/{CHECKPOINT}"))


def three(path: Path) -> tuple[SweepFolder, list[Job]]:
    return planned(path, [tiny(seed, 150) for seed in range(3)])


def undisturbed(planned: SweepFolder, jobs: list[Job], folder: SweepFolder) -> None:
    """Train the planned runs into another folder, in this process."""
    for job in jobs:
        spec = read_spec(planned.run(job.run_id) / SPEC)
        run(spec, planned.shards / job.shards, folder.run(job.run_id))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what is left of three runs that nobody stopped."""
    folder, jobs = three(tmp_path_factory.mktemp("whole"))
    undisturbed(folder, jobs, folder)
    return all_remains(folder, jobs)


@pytest.mark.parametrize(
    ("number", "code", "times"),
    [
        (signal.SIGINT, 130, 1),
        pytest.param(signal.SIGINT, -signal.SIGINT, 2, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 143, 1, marks=pytest.mark.slow),
    ],
)
def test_stopped_it_saves_and_goes_on(
    whole: dict[str, Any], tmp_path: Path, number: signal.Signals, code: int, times: int
) -> None:
    folder, jobs = three(tmp_path)
    driver = drive(tmp_path)
    try:
        until(lambda: saved(folder))
        with pytest.raises(InputError, match="is running this sweep"):
            run_local(folder)
        workers = workers_of(driver)
        assert len(workers) == 2
        for worker in workers:
            worker.send_signal(signal.SIGINT)  # as a terminal sends it to all of them
        for _ in range(times):
            driver.send_signal(number)
            time.sleep(0.01)
        _, err = driver.communicate(timeout=60)
    finally:
        driver.kill()
    assert driver.returncode == code, err
    psutil.wait_procs(workers, timeout=30)
    assert not any(worker.is_running() for worker in workers)
    open_ones = {
        run_id for run_id, status in statuses(folder, jobs).items() if status != "finished"
    }
    assert open_ones
    if times == 1:
        assert not (tmp_path / DRIVER_LOCK).exists()
    assert run_local(folder, workers_per_device=2).counts["finished"] == 3
    assert all_remains(folder, jobs) == whole
    assert all(names(folder.run(job.run_id)) == ENDED for job in jobs)
    assert names(tmp_path) == {"runs", "shards", "sweep.json"}


def test_workers_end_with_a_killed_driver(tmp_path: Path) -> None:
    folder, _ = three(tmp_path)
    driver = drive(tmp_path)
    try:
        until(lambda: saved(folder))
        workers = workers_of(driver)
    finally:
        driver.kill()
    driver.communicate()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert len(workers) == 2 and not alive
    found = [read_record(path.parent) for path in saved(folder)]
    assert any(record is not None and record.status == "interrupted" for record in found)


class Trouble:
    """A sweep whose workers and drivers are killed."""

    def __init__(self, folder: SweepFolder, seed: int) -> None:
        self.folder, self.draw = folder, random.Random(seed)
        self.all_workers: set[psutil.Process] = set()
        self.killed = {"worker": 0, "driver": 0}
        self.driver = self.drive()

    def drive(self) -> "subprocess.Popen[str]":
        return drive(self.folder.path, code=FAULTY)

    def strike(self, victim: str, after: float) -> None:
        """Kill a worker, or the driver, which is started again."""
        until(lambda: workers_of(self.driver) or self.driver.poll() is not None)
        time.sleep(self.draw.uniform(0, after))
        workers = workers_of(self.driver)
        self.all_workers.update(workers)
        if self.driver.poll() is not None:
            return
        if victim == "driver":
            self.driver.kill()
            self.driver.communicate()
            self.driver = self.drive()
        elif workers:
            self.draw.choice(workers).kill()
        self.killed[victim] += 1

    def end(self) -> str:
        """Let the sweep end; return what the last driver says of it."""
        try:
            out, err = self.driver.communicate(timeout=200)
        finally:
            self.driver.kill()
        assert self.driver.returncode == 0, err
        return out


@pytest.mark.parametrize(
    ("cells", "steps", "kills", "longest"),
    [(6, 40, 3, 1.5), pytest.param(24, 120, 20, 2.5, marks=pytest.mark.slow)],
)
def test_killed_again_and_again(
    tmp_path: Path, cells: int, steps: int, kills: int, longest: float
) -> None:
    specs = [tiny(seed, steps) for seed in range(cells - 2)]
    specs += [tiny(FULL, 10 * steps), tiny(cells, steps, learning_rate=1e30)]
    folder, jobs = planned(tmp_path / "killed", specs)
    good, full, nan = jobs[: cells - 2], jobs[-2], jobs[-1]
    trouble = Trouble(folder, seed=kills)
    try:
        for strike in range(kills):
            trouble.strike("driver" if strike % 4 == 2 else "worker", longest)
        said = trouble.end()
    finally:
        trouble.driver.kill()
    assert sum(trouble.killed.values()) == kills, "the sweep was over too soon"
    assert (
        f"'finished': {cells - 2}, 'running': 0, 'waiting': 0, 'diverged': 1, 'failed': 1" in said
    )

    found = statuses(folder, jobs)
    assert [found[job.run_id] for job in good] == ["finished"] * len(good)
    assert (found[nan.run_id], found[full.run_id]) == ("diverged", "failed")
    record = read_record(folder.run(full.run_id))
    assert record is not None and "File too large" in record.reason
    assert all(names(folder.run(job.run_id)) == ENDED for job in good)
    assert names(folder.run(nan.run_id)) == DIVERGED
    assert names(folder.run(full.run_id)) <= FAILED | {"metrics.jsonl", CHECKPOINT}
    assert names(folder.path) == {"runs", "shards", "sweep.json"}
    assert len(names(folder.runs)) == cells
    psutil.wait_procs(trouble.all_workers, timeout=10)
    assert not any(worker.is_running() for worker in trouble.all_workers)

    calm = SweepFolder(tmp_path / "calm")
    undisturbed(folder, [*good, nan], calm)
    assert all_remains(folder, good) == all_remains(calm, good)
    assert metrics(folder.run(nan.run_id)) == metrics(calm.run(nan.run_id))
