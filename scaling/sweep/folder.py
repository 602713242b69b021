"""The folder of a sweep: what is to be run, and beside it what became of each run.

    sweep.json            name and jobs
    shards/KEY/           text, shared by the runs
    runs/RUN_ID/          spec.json; metrics, weights and record as `scaling.train` leaves them

Only `sweep.json` is written by whoever plans; everything of a run, by whoever trains it. So many
processes, and machines that share the folder, need not agree on anything but who trains what.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from corpora.errors import InputError
from corpora.files import write_json
from scaling.json_file import (
    AMOUNT,
    TEXT,
    Kind,
    check_fields,
    list_of,
    object_of,
    optional,
    read_object,
    refuse_newer,
)

SWEEP = "sweep.json"
SWEEP_VERSION = 1
_RUN_ID = re.compile(r"[0-9a-f]{16}")
_REMEDY = "plan it again"
_JOB = {
    "run_id": TEXT,
    "shards": TEXT,
    "text": TEXT,
    "language": TEXT,
    "label": TEXT,
    "seconds": optional(AMOUNT),
    "patching_flops": AMOUNT,
    "marks": list_of(TEXT),
}
_SWEEP = {
    "name": TEXT,
    "tokenizers": object_of(TEXT),
    "jobs": Kind("a list", lambda value: isinstance(value, list)),
}
_JOB_DEFAULTS = ("language", "label", "seconds", "patching_flops", "marks")


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
    """

    run_id: str
    shards: str
    text: str
    language: str = ""
    label: str = ""
    seconds: float | None = None
    patching_flops: float = 0.0
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sweep:
    """What `sweep.json` says.

    Attributes:
        name: of the sweep.
        jobs: its runs, in the order of the plan.
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


def write_sweep(folder: SweepFolder, sweep: Sweep) -> None:
    """Write `sweep.json`, whole or not at all.

    Raises:
        InputError: the folder holds another sweep, or cannot be written.
    """
    if folder.file.exists() and (there := read_sweep(folder)).name != sweep.name:
        raise InputError(
            f"{folder.path}: holds the sweep {there.name!r}; name another --out for {sweep.name!r}"
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
    path = folder.file
    value = read_object(path, _REMEDY)
    if value is None:
        raise InputError(
            f"{folder.path}: no {SWEEP} in it; name the folder that `scaling sweep` made"
        )
    version = value.pop("version", None)
    refuse_newer(path, version, SWEEP_VERSION)
    try:
        if version != SWEEP_VERSION:
            raise ValueError(f"version {version}, where this program reads {SWEEP_VERSION}")
        check_fields(value, _SWEEP)
        jobs = tuple(_job(number, one) for number, one in enumerate(value["jobs"], 1))
    except ValueError as error:
        raise InputError(f"{path}: not a sweep of this program ({error}); {_REMEDY}") from error
    return Sweep(value["name"], jobs, value["tokenizers"])


def _job(number: int, value: Any) -> Job:
    try:
        check_fields(value, _JOB, may_lack=_JOB_DEFAULTS)
    except ValueError as error:
        raise ValueError(f"job {number}: {error}") from error
    job = Job(**{**value, "marks": tuple(value.get("marks", ()))})
    # Names of folders: nothing in a file may lead out of the sweep's.
    if not _RUN_ID.fullmatch(job.run_id) or not _RUN_ID.fullmatch(job.shards):
        raise ValueError(f"{job.run_id!r}, {job.shards!r} are no names of a run and its text")
    return job


def the_same_twice(jobs: Sequence[Job]) -> tuple[Job, Job] | None:
    """Return two jobs of one specification, if there are."""
    seen: dict[str, Job] = {}
    for job in jobs:
        if job.run_id in seen:
            return seen[job.run_id], job
        seen[job.run_id] = job
    return None
