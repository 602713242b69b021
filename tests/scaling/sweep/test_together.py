"""Runs that are alike are given to a worker together; each ends with what is its own."""

import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from scaling.spec import RunSpec
from scaling.sweep import local
from scaling.sweep.folder import Sweep, SweepFolder, write_sweep
from scaling.sweep.local import WorkerProcess, run_local
from scaling.sweep.queue import RunQueue
from scaling.sweep.run_folder import CHECKPOINT, Attempts, write_attempts
from scaling.sweep.status import SweepStatus
from scaling.train.groups import FILLING_FLOPS, MOST_MEMBERS, alike, groups_of, most_members
from scaling.train.machine import MachineSettings
from scaling.train.progress import StopRequest
from tests.scaling.sweep.sweeps import DIVERGED, ENDED, names, planned, statuses, tiny
from tests.scaling.train.runs import close, run

THREE = MachineSettings(threads=1, checkpoint_seconds=0.05, together=3)
# A worker that breaks wherever several runs are trained together.
BROKEN = """
import sys
import scaling.sweep.worker as worker
def broken(*_):
    raise RuntimeError("planted")
worker.train_jobs = broken
sys.exit(worker.main(sys.argv[1:]))
"""


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Return a list that gets what workers are given."""
    found: list[tuple[str, ...]] = []
    give = WorkerProcess.give

    def noted(self: WorkerProcess, *run_ids: str) -> None:
        found.append(run_ids)
        give(self, *run_ids)

    monkeypatch.setattr(WorkerProcess, "give", noted)
    return found


def as_alone(folder: SweepFolder, specs: list[RunSpec], other: Path) -> None:
    """Require runs of the sweep to have ended near what they come to by themselves."""
    for spec in specs:
        alone = other / spec.run_id
        run(spec, folder.shards / spec.shards, alone)
        close(folder.run(spec.run_id), alone, 2e-5)


def test_runs_alike_are_trained_together(tmp_path: Path, given: list[tuple[str, ...]]) -> None:
    wide = tiny(3)
    wide = replace(wide, model=replace(wide.model, dim=32))
    asked = [tiny(0), tiny(1, 9), tiny(2, learning_rate=1e30), wide, tiny(4)]
    folder, jobs = planned(tmp_path / "sweep", asked)
    specs = [replace(spec, shards=jobs[0].shards) for spec in asked]
    status = run_local(folder, settings=THREE)
    assert status.counts["finished"] == 4 and status.counts["diverged"] == 1
    assert sorted(map(len, given)) == [1, 1, 3]
    ended = {job.run_id: ENDED for job in jobs} | {jobs[2].run_id: DIVERGED}
    assert {job.run_id: names(folder.run(job.run_id)) for job in jobs} == ended
    as_alone(folder, [specs[0], specs[1], specs[3], specs[4]], tmp_path / "alone")


def test_stopped_and_run_again_they_go_on(tmp_path: Path) -> None:
    asked = [tiny(seed, 80 + 10 * seed) for seed in range(3)]
    folder, jobs = planned(tmp_path / "sweep", asked)
    stop = StopRequest()

    def watch(status: SweepStatus) -> None:
        if list(folder.runs.glob(f"*/{CHECKPOINT}")):
            stop.signal = signal.SIGTERM

    assert not run_local(folder, settings=THREE, watch=watch, stop=stop).ended
    assert set(statuses(folder, jobs).values()) == {"interrupted"}
    assert run_local(folder, settings=THREE).counts["finished"] == 3
    assert all(names(folder.run(job.run_id)) == ENDED for job in jobs)
    as_alone(folder, [replace(spec, shards=jobs[0].shards) for spec in asked], tmp_path / "alone")


@pytest.mark.slow
def test_what_broke_together_is_tried_alone(
    tmp_path: Path, given: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = local.command

    def faulty(folder: SweepFolder, settings: MachineSettings) -> list[str]:
        return [sys.executable, "-c", BROKEN, *plain(folder, settings)[4:]]

    monkeypatch.setattr(local, "command", faulty)
    folder, _ = planned(tmp_path, [tiny(seed) for seed in range(3)])
    assert run_local(folder, settings=THREE).counts["finished"] == 3
    assert list(map(len, given)) == [3, 1, 1, 1]


def test_one_that_failed_before_is_trained_by_itself(tmp_path: Path) -> None:
    folder, jobs = planned(tmp_path, [tiny(seed) for seed in range(3)])
    write_attempts(folder.run(jobs[1].run_id), Attempts(deaths=1, reason="planted"))
    queue = RunQueue(folder)
    taken = [queue.take_together(lambda spec: 3, 1) for _ in range(3)]
    assert sorted(taken) == sorted([[], [jobs[1].run_id], [jobs[0].run_id, jobs[2].run_id]])


def test_no_worker_goes_without_a_run(tmp_path: Path) -> None:
    folder, _ = planned(tmp_path, [tiny(seed) for seed in range(5)])
    queue = RunQueue(folder)
    assert [len(queue.take_together(lambda spec: 9, 2)) for _ in range(4)] == [3, 1, 1, 0]


def test_a_branch_joins_when_its_trunk_has_left_it_something(tmp_path: Path) -> None:
    folder, jobs = planned(tmp_path, [tiny(0, 20), tiny(0), tiny(1)])
    branch = replace(jobs[1], trunk=jobs[0].run_id, branches_at=9)
    write_sweep(folder, Sweep("tiny", (jobs[0], branch, jobs[2]), {}))
    queue = RunQueue(folder)
    assert queue.take_together(lambda spec: 9, 1) == [jobs[0].run_id, jobs[2].run_id]
    assert queue.take_together(lambda spec: 9, 1) == []
    (folder.run(branch.run_id) / CHECKPOINT).write_bytes(b"")
    assert queue.take_together(lambda spec: 9, 1) == [branch.run_id]


CHANGES: dict[str, tuple[bool, Callable[[RunSpec], RunSpec]]] = {
    "seed": (True, lambda spec: replace(spec, seed=7)),
    "budget": (True, lambda spec: replace(spec, compute_flops=1e9)),
    "shares": (True, lambda spec: replace(spec, shares={"eng_Latn": 1.0})),
    "T that came out": (True, lambda spec: replace(spec, compression_rate=3.9)),
    "steps": (True, lambda spec: replace(spec, training=replace(spec.training, steps=99))),
    "warm-up": (True, lambda spec: replace(spec, training=replace(spec.training, warmup_steps=3))),
    "decay": (False, lambda spec: replace(spec, training=replace(spec.training, weight_decay=0.3))),
    "optimiser": (
        False,
        lambda spec: replace(spec, training=replace(spec.training, optimiser="muon")),
    ),
    "width": (False, lambda spec: replace(spec, model=replace(spec.model, dim=32))),
    "context": (False, lambda spec: replace(spec, context_bytes=32)),
    "text": (False, lambda spec: replace(spec, shards="1" * 16)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_runs_must_have_in_common(change: str) -> None:
    same, changed = CHANGES[change]
    assert (alike(changed(tiny(0))) == alike(tiny(0))) is same


def test_tokens_are_alike_where_their_windows_are_as_long() -> None:
    spec = replace(tiny(0), patching=None, compression_rate=4.0)
    spec = replace(spec, model=replace(spec.model, family="subword", local_layers=0))
    assert alike(spec) == alike(replace(spec, compression_rate=4.01))
    assert alike(spec) != alike(replace(spec, compression_rate=5.0))


def test_small_models_fill_a_gpu_and_large_ones_train_alone() -> None:
    small = tiny(0)
    assert most_members(small, "cuda:1") == MOST_MEMBERS
    large = replace(small, model=replace(small.model, layers=12, dim=768))
    large = replace(large, training=replace(large.training, batch_bytes=1 << 19))
    assert most_members(large, "cuda") == 1
    medium = replace(small, training=replace(small.training, batch_bytes=1 << 20))
    assert 1 < most_members(medium, "cuda") < MOST_MEMBERS < FILLING_FLOPS
    assert most_members(small, "cpu") == 1 and most_members(small, "cpu", 4) == 4
    filling = replace(small, model=replace(small.model, diffusion_block=4))
    assert most_members(filling, "cuda", 4) == 1


def test_groups_hold_every_run_once() -> None:
    specs = [tiny(seed) for seed in range(5)]
    specs.insert(2, replace(tiny(9), model=replace(tiny(9).model, dim=32)))
    assert groups_of(specs, "cpu", 1) == [[place] for place in (0, 1, 3, 4, 5, 2)]
    assert groups_of(specs, "cpu", 1, 4) == [[0, 1, 3, 4], [5], [2]]
    assert groups_of(specs, "cuda", 2) == [[0, 1, 3], [4, 5], [2]]
    assert groups_of([], "cuda", 2) == []
