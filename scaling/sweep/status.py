"""How the runs of a sweep stand, from its files alone.

Any machine that shares the folder can ask, whoever trains. A run is taken to be running if its
metrics were touched lately, unless a record written since says that it was stopped; of a file of
metrics only the end is read. Clocks of other machines may differ and jump: what lies in the future
was touched now, and steps beyond those of the record were taken after it.
"""

import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from corpora.errors import InputError, one_line
from scaling.flops import training_flops_per_byte
from scaling.record import RECORD, SPEC, RecordSummary, read_spec, summary
from scaling.spec import RunSpec
from scaling.sweep.folder import Job, SweepFolder, read_sweep
from scaling.train.metrics import METRICS, values_of

Phase = Literal["waiting", "running", "finished", "diverged", "failed", "unreadable"]
PHASES: tuple[Phase, ...] = (
    *("finished", "running", "waiting"),
    *("diverged", "failed", "unreadable"),
)
_ENDS: Mapping[str, Phase] = {"finished": "finished", "diverged": "diverged", "failed": "failed"}
_LATELY = 60.0  # seconds; metrics are written every five, or after each step that takes longer
_STEPS_MISSED = 5  # a run that has been silent for so many of its steps has stopped
_SCORING_SECONDS = 1800.0  # and after the last one it may score for so long
_TAIL_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """How one run stands.

    Attributes:
        job: of the sweep.
        phase: of it; a run that was stopped waits, with the steps it has.
        step, steps: taken and in all; steps is 0 where nothing says.
        compression_rate: T of its specification; None where nothing says.
        bits_per_byte: of held-out text; None unless finished.
        flops: spent on training so far, by the `full` convention.
        seconds: of training so far.
        silent_seconds: since its metrics were written, of a run that has not ended; else None.
        reason: why it diverged, failed or cannot be read.
    """

    job: Job
    phase: Phase
    step: int = 0
    steps: int = 0
    compression_rate: float | None = None
    bits_per_byte: float | None = None
    flops: float = 0.0
    seconds: float = 0.0
    silent_seconds: float | None = None
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "run_id": self.job.run_id,
            "text": self.job.text,
            "language": self.job.language,
            "label": self.job.label,
            "marks": list(self.job.marks),
            "phase": self.phase,
            "step": self.step,
            "steps": self.steps or None,
            "compression_rate": self.compression_rate,
            "bits_per_byte": self.bits_per_byte,
            "flops": self.flops,
            "seconds": self.seconds,
            "expected_seconds": _number(self.job.seconds),
            "silent_seconds": self.silent_seconds,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class SweepStatus:
    """How a sweep stands.

    Attributes:
        name: of the sweep. runs: in the order of the plan.
    """

    name: str
    runs: tuple[RunStatus, ...]

    @property
    def counts(self) -> dict[Phase, int]:
        """How many runs are in each phase."""
        found = Counter(run.phase for run in self.runs)
        return {phase: found[phase] for phase in PHASES}

    @property
    def flops(self) -> float:
        """Spent on training so far, by the `full` convention."""
        return math.fsum(run.flops for run in self.runs)

    @property
    def ended(self) -> bool:
        """Whether no run is left to train."""
        return not self.counts["waiting"] and not self.counts["running"]

    @property
    def seconds_left(self) -> float | None:
        """Expected, with as many runs at once as run now (one, if none does); None if unknown.

        What jobs were expected to take is scaled by what finished runs took. A job without an
        expectation is expected to take what the others do on average.
        """
        if self.ended:
            return 0.0
        known = [one for run in self.runs if (one := _number(run.job.seconds))]
        ends = [run for run in self.runs if run.phase == "finished" and run.seconds > 0]
        pairs = [(run.seconds, one) for run in ends if (one := _number(run.job.seconds))]
        pace = 1.0
        if known:
            usual = math.fsum(known) / len(known)
            if pairs:
                pace = math.fsum(p[0] for p in pairs) / math.fsum(p[1] for p in pairs)
        elif ends:
            usual = math.fsum(run.seconds for run in ends) / len(ends)
        else:
            return None
        left = [
            pace
            * (_number(run.job.seconds) or usual)
            * (1 - run.step / max(run.steps, run.step, 1))
            for run in self.runs
            if run.phase in ("waiting", "running")
        ]
        return max(max(left), math.fsum(left) / max(1, self.counts["running"]))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "name": self.name,
            "counts": self.counts,
            "flops": self.flops,
            "seconds_left": self.seconds_left,
            "runs": [run.to_json() for run in self.runs],
        }


def sweep_status(folder: SweepFolder, now: float | None = None) -> SweepStatus:
    """Return how the runs of a sweep stand; nothing is written.

    Args:
        now: seconds since 1970; by default this machine's clock.

    Raises:
        InputError: there is no sweep, or its list of jobs cannot be read.
    """
    sweep = read_sweep(folder)
    clock = time.time() if now is None else now
    return SweepStatus(sweep.name, tuple(_status(folder, job, clock) for job in sweep.jobs))


def _status(folder: SweepFolder, job: Job, now: float) -> RunStatus:
    run = folder.run(job.run_id)
    try:
        record = summary(run)
        if record is None:
            return _under_way(run, job, now)
        if record.run_id != job.run_id:
            raise InputError(f"{run / RECORD}: of run {record.run_id}; plan the sweep again")
        if record.status != "interrupted":
            return _ended(record, job)
        return _under_way(run, job, now, _Stop(_written(run / RECORD), record.steps))
    except InputError as error:
        return RunStatus(job=job, phase="unreadable", reason=str(error))


def _ended(record: RecordSummary, job: Job) -> RunStatus:
    return RunStatus(
        job=job,
        phase=_ENDS[record.status],
        step=record.steps,
        steps=record.planned_steps,
        compression_rate=record.compression_rate,
        bits_per_byte=record.bits_per_byte,
        flops=record.compute_flops,
        seconds=record.seconds,
        reason=one_line(record.reason),
    )


class _Stop(NamedTuple):
    """When a record was written that says a run was stopped, seconds since 1970, and its steps."""

    time: float
    step: float


def _written(path: Path) -> float:
    """Return when a file was last written, in seconds since 1970; 0 where that is unknown."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _under_way(run: Path, job: Job, now: float, stop: _Stop | None = None) -> RunStatus:
    """Return the status of a run that has not ended.

    Args:
        stop: the latest that a record tells of.

    Raises:
        InputError: its specification cannot be read.
    """
    if not (run / SPEC).exists():
        return RunStatus(job=job, phase="waiting")
    spec = read_spec(run / SPEC)
    steps, rate = spec.training.steps, spec.compression_rate
    latest = _latest(run / METRICS)
    if latest is None:
        return RunStatus(job=job, phase="waiting", steps=steps, compression_rate=rate)
    silent = max(0.0, now - latest.time)
    patience = max(_LATELY, _STEPS_MISSED * latest.seconds / max(latest.step, 1))
    if latest.step >= steps:
        patience = max(patience, _SCORING_SECONDS)
    # A run that goes on opens its metrics, and so writes them, before anything else.
    stopped = stop is not None and stop.time >= latest.time and stop.step >= latest.step
    waits = stopped or silent > patience
    return RunStatus(
        job=job,
        phase="waiting" if waits else "running",
        step=latest.step,
        steps=steps,
        compression_rate=rate,
        flops=_flops(spec, latest.train_bytes),
        seconds=latest.seconds,
        silent_seconds=silent,
    )


class _Latest(NamedTuple):
    """The last whole line of a run's metrics, and when they were written."""

    time: float
    step: int
    train_bytes: float
    seconds: float


def _latest(path: Path) -> _Latest | None:
    """Return the end of a run's metrics; None where there are none."""
    try:
        if not path.is_file():  # to open a pipe is to wait for whoever writes into it
            return None
        with path.open("rb") as file:
            size = file.seek(0, 2)
            begin = max(0, size - _TAIL_BYTES)
            file.seek(begin)
            lines = file.read().split(b"\n")
        written = path.stat().st_mtime
    except OSError:
        return None
    for line in reversed(lines[:-1] if begin == 0 else lines[1:-1]):
        value = values_of(line)
        if value is not None:
            read, seconds = _number(value.get("train_bytes")), _number(value.get("seconds"))
            return _Latest(written, value["step"], read or 0.0, seconds or 0.0)
    return _Latest(written, 0, 0.0, 0.0)


def _flops(spec: RunSpec, train_bytes: float) -> float:
    return training_flops_per_byte(spec.model.shape, spec.setting) * train_bytes


def _number(value: object) -> float | None:
    """Return a number of 0 or more, or None for whatever else stands in its place."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if 0 <= value < math.inf else None
    except OverflowError:  # a whole number of 400 digits
        return None
