"""The folder of a sweep: what is to be run, and beside it what became of each run.

    sweep.json            name and jobs
    shards/KEY/           text, shared by the runs
    runs/RUN_ID/          spec.json; metrics, weights and record as `scaling.train` leaves them

The planner writes `sweep.json` alone, and the process that trains a run everything of that run. So
many processes, and machines that share the folder, need only agree on who trains what.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from corpora.errors import InputError
from corpora.files import write_json
from corpora.json_file import Amount, read_file

SWEEP = "sweep.json"
SWEEP_VERSION = 1
_RUN_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run of a sweep.

    Attributes:
        run_id: of its specification, which lies in the run's folder.
        shards: key of its text in the sweep's folder of shards.
        text: what the sweep calls the text. language: of it; empty where it has none or several.
        label: what tables call the tokenization: `static`, `entropy`, a tokenizer's name.
        seconds: expected on the machine that planned; None where it was not timed.
        patching_flops: what finding the patches cost, for the record.
        marks: what is to be said of it: too short, repeats its text, ...
        trunk: the run that takes its first steps, and which it waits for; empty where none does.
        branches_at: after how many steps it goes on by itself; 0 without a trunk.
    """

    run_id: str
    shards: str
    text: str
    language: str = ""
    label: str = ""
    seconds: Amount | None = None
    patching_flops: Amount = 0.0
    marks: tuple[str, ...] = ()
    trunk: str = ""
    branches_at: int = 0

    def __post_init__(self) -> None:
        # Names of folders: nothing in a file may lead out of the sweep's.
        names = (self.run_id, self.shards, self.trunk or self.run_id)
        if not all(map(_RUN_ID.fullmatch, names)):
            raise ValueError(
                f"{', '.join(map(repr, names))} are no names of a run, its text and trunk"
            )


@dataclass(frozen=True)
class Sweep:
    """What `sweep.json` says.

    Attributes:
        name: of the sweep. jobs: its runs, in the order of the plan.
        tokenizers: SHA-256 of each tokenizer's file when it was planned, by spec.
    """

    name: str
    jobs: tuple[Job, ...]
    tokenizers: dict[str, str]


@dataclass(frozen=True)
class SweepFolder:
    """Where the parts of a sweep lie."""

    path: Path

    @property
    def file(self) -> Path:
        """The list of jobs."""
        return self.path / SWEEP

    @property
    def shards(self) -> Path:
        """The folder of all texts."""
        return self.path / "shards"

    @property
    def runs(self) -> Path:
        """The folder of all runs."""
        return self.path / "runs"

    def run(self, run_id: str) -> Path:
        """Return a run's folder."""
        return self.runs / run_id


def check_folder(folder: SweepFolder) -> SweepFolder:
    """Return where the check of a sweep's learning rates is kept."""
    return SweepFolder(folder.path / "rates")


def write_sweep(folder: SweepFolder, sweep: Sweep) -> None:
    """Write `sweep.json`, whole or not at all.

    Raises:
        InputError: the folder holds another sweep, or cannot be written.
    """
    if folder.file.exists() and (there := read_sweep(folder)).name != sweep.name:
        raise InputError(
            f"{folder.path}: holds the sweep {there.name!r}; name another `out` for {sweep.name!r}"
        )
    value = {
        "version": SWEEP_VERSION,
        "name": sweep.name,
        "tokenizers": sweep.tokenizers,
        "jobs": [asdict(job) for job in sweep.jobs],
    }
    write_json(folder.file, value)


def read_sweep(folder: SweepFolder) -> Sweep:
    """Read `sweep.json`.

    Raises:
        InputError: there is none, or it is torn, altered, or of another version.
    """
    sweep = read_file(
        folder.file, Sweep, version=SWEEP_VERSION, what="a sweep", remedy="plan it again"
    )
    if sweep is None:
        why = f"no {SWEEP} in it; name the folder that `scaling sweep` made"
        raise InputError(f"{folder.path}: {why}")
    return sweep


def branches_of(jobs: Iterable[Job], run_id: str) -> dict[str, int]:
    """Return the runs that a run is the trunk of, with the step at which each branches."""
    return {job.run_id: job.branches_at for job in jobs if job.trunk == run_id}


def the_same_twice(jobs: Sequence[Job]) -> tuple[Job, Job] | None:
    """Return two jobs of one specification, if there are."""
    seen: dict[str, Job] = {}
    for job in jobs:
        if job.run_id in seen:
            return seen[job.run_id], job
        seen[job.run_id] = job
    return None
