"""What the tests of sweeps share: small sweeps, and what is left of them."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from scaling.config.sweep_file import read_sweep_file
from scaling.record import read_record, write_spec
from scaling.spec import RunSpec
from scaling.sweep.folder import Job, Sweep, SweepFolder, write_sweep
from scaling.sweep.plan import plan_sweep, write_plan
from scaling.sweep.status import RunStatus, SweepStatus
from tests.scaling.train.runs import CPU, blt_spec, remains, small_shards

ENDED = {"metrics.jsonl", "model.safetensors", "record.json", "spec.json"}
DIVERGED = ENDED - {"model.safetensors"}
FAILED = {"record.json", "spec.json"}


def blt_arm(rates: str, width: int = 16, patching: str = "static", bytes_seen: int = 0) -> str:
    """Return an arm of a sweep's file: byte latent transformers of one layer, `width` wide.

    `bytes_seen`: by the byte model that cuts their patches, if one does.
    """
    byte_model = f"{{ layers = 1, dim = {width}, train_bytes = {bytes_seen} }}"
    return f"""\
[[arms]]
family = "blt"
sizes = [[1, {width}]]
local_layers = 1
local_dim = {width}
cross_factor = 1
patching = "{patching}"
{f"entropy_model = {byte_model}" if bytes_seen else ""}
compression_rates = {rates}
"""


TRUNKS = f"""\
name = "trunks"
compute_flops = [1e8, 2e8, 4e8]
seeds = [0, 1]
[texts.english]
corpus = ["embedded:eng_Latn"]
held_out_bytes = 1000
{blt_arm("[4]")}
[training]
batch_bytes = 256
context_bytes = 64
window_bytes = 16
shared_trunk = true
"""


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


def planned_trunks(path: Path, text: str = TRUNKS) -> tuple[SweepFolder, list[Job]]:
    """Plan a sweep of two curves of three budgets, each with its trunk."""
    file, folder = path / "sweep.toml", SweepFolder(path / "out")
    path.mkdir(exist_ok=True)
    file.write_text(text)
    asked = read_sweep_file(file)
    plan = plan_sweep(
        asked, file, folder, lambda *_: lambda _: 0, settings=CPU, workers=1, calibrate=False
    )
    return folder, list(write_plan(folder, asked.name, plan.runs).jobs)


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
