"""What the tests of sweeps share: small sweeps, and what is left of them."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from scaling.record import read_record, write_spec
from scaling.spec import RunSpec
from scaling.sweep.folder import Job, Sweep, SweepFolder, write_sweep
from scaling.sweep.status import RunStatus, SweepStatus
from tests.scaling.train.runs import blt_spec, remains, small_shards

ENDED = {"metrics.jsonl", "model.safetensors", "record.json", "spec.json"}
DIVERGED = ENDED - {"model.safetensors"}
FAILED = {"record.json", "spec.json"}


def tiny(seed: int, steps: int = 12, **training: Any) -> RunSpec:
    """Return a tiny run, whose text is still to be named."""
    return replace(blt_spec(Path("0" * 16), steps, **training), seed=seed)


def planned(path: Path, specs: Iterable[RunSpec]) -> tuple[SweepFolder, list[Job]]:
    """Plan a sweep of the runs over a small text."""
    folder = SweepFolder(path)
    shards = small_shards(folder.shards)
    specs = [replace(spec, shards=shards.name) for spec in specs]
    for spec in specs:
        write_spec(folder.run(spec.run_id), spec)
    jobs = [Job(run_id=spec.run_id, shards=shards.name, text="planted") for spec in specs]
    write_sweep(folder, Sweep("tiny", tuple(jobs), {}))
    return folder, jobs


def six(path: Path) -> tuple[SweepFolder, list[Job]]:
    """Plan a sweep of six tiny runs of different lengths."""
    return planned(path, [tiny(seed, 8 + 4 * seed) for seed in range(6)])


def all_remains(folder: SweepFolder, jobs: Iterable[Job]) -> dict[str, Any]:
    """Return weights, metrics and record of each run, less what is of the machine."""
    return {job.run_id: remains(folder.run(job.run_id)) for job in jobs}


def statuses(folder: SweepFolder, jobs: Iterable[Job]) -> dict[str, str]:
    """Return what each run's record says."""
    found = {job.run_id: read_record(folder.run(job.run_id)) for job in jobs}
    return {run_id: "none" if record is None else record.status for run_id, record in found.items()}


def run_of(status: SweepStatus, job: Job) -> RunStatus:
    """Return how a job's run stands."""
    (found,) = (run for run in status.runs if run.job.run_id == job.run_id)
    return found


def names(folder: Path) -> set[str]:
    """Return what lies in a folder."""
    return {path.name for path in folder.iterdir()}
