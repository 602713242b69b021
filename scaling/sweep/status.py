"""How the runs of a sweep stand, from its files alone, and how long the others will take.

Any machine that shares the folder can ask; the live line of the sweep's driver asks here, too.
A run is taken to be running if its metrics were touched lately, unless a record or a failed attempt
written since says that it was stopped; of a file of metrics only the end is read. Clocks of other
machines may differ and jump: what lies in the future was touched now, and steps beyond those of the
record were taken after it.
"""

import math
import platform
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from corpora.errors import InputError, sanitize
from corpora.json_file import is_number
from corpora.locks import is_locked
from scaling.flops import training_flops_per_byte
from scaling.record import RECORD, SPEC, LanguageRecord, RecordSummary, read_spec, summary
from scaling.spec import RunSpec
from scaling.sweep.folder import Job, SweepFolder, read_sweep
from scaling.sweep.run_folder import ATTEMPTS, DRIVER_LOCK, LOCK, WEIGHTS, read_attempts
from scaling.train.metrics import METRICS, values_of

Phase = Literal["finished", "running", "waiting", "diverged", "failed", "unreadable"]
PHASES: tuple[Phase, ...] = get_args(Phase)
_ENDS: Mapping[str, Phase] = {"finished": "finished", "diverged": "diverged", "failed": "failed"}
_LATELY = 60.0  # seconds; metrics are written every five, or after each step that takes longer
_STEPS_MISSED = 5  # a run that has been silent for so many of its steps has stopped
_SCORING_SECONDS = 1800.0  # and after the last one it may score for so long
_TAIL_BYTES = 4096
_OF_LANGUAGES = ("bits_per_byte", "compression_rate", "train_bytes")


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """How one run stands.

    Attributes:
        job: its line of the plan.
        phase: a run that was stopped waits, with the steps it has.
        step, steps: taken and in all; steps is 0 where nothing says.
        planned_bytes: text that it reads in all; 0 where nothing says.
        compression_rate: T of its specification; None where nothing says.
        bits_per_byte: of held-out text; None unless finished.
        flops: spent on training so far, by the `full` convention. seconds: of training so far.
        silent_seconds: since its metrics were written, of a run that has not ended; else None.
        reason: why it diverged, failed or cannot be read, or why it waits for another attempt.
        shares: of the texts of a mixture. languages: what it read and scored of each; none before
            it has ended.
    """

    job: Job
    phase: Phase
    step: int = 0
    steps: int = 0
    planned_bytes: int = 0
    compression_rate: float | None = None
    bits_per_byte: float | None = None
    flops: float = 0.0
    seconds: float = 0.0
    silent_seconds: float | None = None
    reason: str = ""
    shares: Mapping[str, float] = field(default_factory=dict)
    languages: tuple[LanguageRecord, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether its last record is written."""
        return self.phase in _ENDS

    @property
    def share_done(self) -> float:
        """Share of its steps, less those that its trunk took for it, that it has taken."""
        if self.phase == "finished":
            return 1.0
        shared = self.job.branches_at
        own = max(0, self.step - shared)
        return own / max(self.steps - shared, own, 1)

    @property
    def own_flops(self) -> float:
        """Of its FLOPs, those that no trunk spent for it."""
        shared = min(self.job.branches_at, self.step)
        return self.flops * (1 - shared / max(1, self.step))

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
            "expected_seconds": self.job.seconds,
            "silent_seconds": self.silent_seconds,
            "reason": self.reason,
            "shares": dict(self.shares),
            "languages": {
                part.language: {name: getattr(part, name) for name in _OF_LANGUAGES}
                for part in self.languages
            },
        }


@dataclass(frozen=True)
class SweepStatus:
    """How a sweep stands.

    Attributes:
        name: of the sweep. runs: in the order of the plan.
        worker_seconds: that its present driver's workers have spent on runs, those of lost workers
            too; None where no driver says.
    """

    name: str
    runs: tuple[RunStatus, ...]
    worker_seconds: float | None = None

    @property
    def counts(self) -> dict[Phase, int]:
        """How many runs are in each phase."""
        found = Counter(run.phase for run in self.runs)
        return {phase: found[phase] for phase in PHASES}

    @property
    def flops(self) -> float:
        """Spent on training so far, by the `full` convention; steps that are shared once."""
        return math.fsum(run.own_flops for run in self.runs)

    @property
    def ended(self) -> bool:
        """Whether no run is left to train."""
        return not any(run.phase in ("waiting", "running") for run in self.runs)

    def expected_work(self) -> list[float]:
        """Return what each run takes in all: seconds where any was timed, bytes of text otherwise.

        A run that was not timed takes what the timed ones do for as much text.
        """
        timed = [run for run in self.runs if run.job.seconds]
        seconds = math.fsum(run.job.seconds or 0.0 for run in timed)
        text = sum(run.planned_bytes for run in timed)
        per_byte = seconds / text if text else 0.0 if timed else 1.0
        work = [run.job.seconds or per_byte * run.planned_bytes for run in self.runs]
        known = [amount for amount in work if amount]
        usual = math.fsum(known) / len(known) if known else 1.0
        return [amount or usual for amount in work]

    @property
    def seconds_left(self) -> float | None:
        """Expected, with as many runs at once as run now (one, if none does); None if unknown.

        The pace is that at which runs, ended or not, got through the work expected of them; before
        any has, the one that the plan was timed at.
        """
        work = self.expected_work()
        left, done, spent = [], 0.0, 0.0
        for run, amount in zip(self.runs, work, strict=True):
            if run.phase in ("waiting", "running"):
                left.append(amount * (1 - run.share_done))
            if run.seconds:
                done += amount * run.share_done
                spent += run.seconds
        if not left:
            return 0.0
        if done:
            pace = spent / done
        elif any(run.job.seconds for run in self.runs):
            pace = 1.0
        else:
            return None
        return pace * max(max(left), math.fsum(left) / max(1, self.counts["running"]))

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
    return StatusReader(folder).read(now)


class StatusReader:
    """Reads how a sweep stands, again and again; what cannot change is read once.

    Attributes:
        folder: of the sweep. sweep: its list of jobs.
    """

    def __init__(self, folder: SweepFolder) -> None:
        """Read the list of jobs.

        Raises:
            InputError: there is none, or it cannot be read.
        """
        self.folder, self.sweep = folder, read_sweep(folder)
        self._ended: dict[str, RunStatus] = {}
        self._specs: dict[str, RunSpec] = {}

    @property
    def ended(self) -> list[str]:
        """Ids of runs that had ended when they were last read."""
        return list(self._ended)

    def read(self, now: float | None = None) -> SweepStatus:
        """Return how the runs stand, by this machine's clock or another's."""
        clock = time.time() if now is None else now
        runs = tuple(self.read_run(job, clock) for job in self.sweep.jobs)
        return SweepStatus(self.sweep.name, runs)

    def read_run(self, job: Job, now: float) -> RunStatus:
        """Return how one run stands; where its files cannot be read, that is its phase."""
        if job.run_id in self._ended:
            return self._ended[job.run_id]
        run = self.folder.run(job.run_id)
        try:
            record = summary(run)
            if record is None:
                return self._under_way(run, job, now)
            if record.run_id != job.run_id:
                raise InputError(f"{run / RECORD}: of run {record.run_id}; plan the sweep again")
            if record.status == "interrupted":
                return self._under_way(run, job, now, _written(run / RECORD), record.steps)
            self._ended[job.run_id] = _ended(record, job)
            return self._ended[job.run_id]
        except InputError as error:
            return RunStatus(job=job, phase="unreadable", reason=str(error))

    def spec(self, run_id: str) -> RunSpec:
        """Return a run's specification.

        Raises:
            InputError: it cannot be read.
        """
        if run_id not in self._specs:
            self._specs[run_id] = read_spec(self.folder.run(run_id) / SPEC)
        return self._specs[run_id]

    def specs_left(self) -> list[RunSpec]:
        """Return the specifications of the runs that have not ended.

        Raises:
            InputError: one cannot be read.
        """
        return [self.spec(run.job.run_id) for run in self.read().runs if not run.ended]

    def _under_way(
        self, run: Path, job: Job, now: float, stopped: float = -math.inf, stopped_at: int = 0
    ) -> RunStatus:
        """Return the status of a run that has not ended.

        Args:
            stopped: when a record was written that says it was stopped; stopped_at: its steps.
        """
        if job.run_id not in self._specs and not (run / SPEC).exists():
            return RunStatus(job=job, phase="waiting")
        spec = self.spec(job.run_id)
        training = spec.training
        tried = _written(run / ATTEMPTS)
        waiting = RunStatus(
            job=job,
            phase="waiting",
            steps=training.steps,
            planned_bytes=spec.train_bytes,
            compression_rate=spec.compression_rate,
            shares=spec.shares,
            reason=read_attempts(run).reason if tried else "",
        )
        latest = _latest(run / METRICS)
        if latest is None:
            return waiting
        per_byte = training_flops_per_byte(spec.model.shape, spec.cost_context)
        begun = replace(
            waiting,
            step=latest.step,
            flops=per_byte * latest.train_bytes,
            seconds=latest.seconds,
            silent_seconds=max(0.0, now - latest.time),
        )
        # A run that goes on opens its metrics, and so writes them, before anything else.
        recorded = stopped >= latest.time and stopped_at >= latest.step
        if recorded or tried >= latest.time or _silent(latest, spec, now):
            return begun
        if _left_alone(self.folder, run):
            return begun
        return replace(begun, phase="running", reason="")


def _ended(record: RecordSummary, job: Job) -> RunStatus:
    return RunStatus(
        job=job,
        phase=_ENDS[record.status],
        step=record.steps,
        steps=record.planned_steps,
        planned_bytes=record.planned_steps * record.batch_bytes,
        compression_rate=record.compression_rate,
        bits_per_byte=record.bits_per_byte,
        flops=record.compute_flops,
        seconds=record.seconds,
        reason=sanitize(record.reason),
        shares=record.shares,
        languages=record.languages,
    )


class _Latest(NamedTuple):
    """The last whole line of a run's metrics, and when they were written."""

    time: float
    step: int
    train_bytes: float
    seconds: float


def _silent(latest: _Latest, spec: RunSpec, now: float) -> bool:
    """Whether the metrics were not written for so long that nobody trains the run."""
    patience = max(_LATELY, _STEPS_MISSED * latest.seconds / max(latest.step, 1))
    if latest.step >= spec.training.steps:
        patience = max(patience, _SCORING_SECONDS)
    return now - latest.time > patience


def _left_alone(folder: SweepFolder, run: Path) -> bool:
    """Whether nobody trains a run, though its metrics were written lately: its worker was killed
    and holds its lock no more, or it had ended and its record was removed."""
    if not (run / LOCK).exists():
        return (run / WEIGHTS).exists()
    try:
        elsewhere = (folder.path / DRIVER_LOCK).read_text("utf-8", "replace")
    except OSError:
        elsewhere = ""
    # Locks of other machines may not be seen here.
    seen = not elsewhere or elsewhere.endswith(f" on {platform.node()}")
    return seen and not is_locked(run / LOCK)


def _written(path: Path) -> float:
    """Return when a file was last written, in seconds since 1970; 0 where there is none."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _latest(path: Path) -> _Latest | None:
    """Return the end of a run's metrics; None where there are none."""
    try:
        if not path.is_file():  # to open a pipe is to wait for its writer
            return None
        with path.open("rb") as file:
            size = file.seek(0, 2)
            begin = max(0, size - _TAIL_BYTES)
            file.seek(begin)
            lines = file.read().split(b"\n")
        written = path.stat().st_mtime
    except OSError:
        return None
    whole = lines[:-1] if begin == 0 else lines[1:-1]
    value = next(filter(None, map(values_of, reversed(whole))), {"step": 0})
    read, seconds = _amount(value.get("train_bytes")), _amount(value.get("seconds"))
    return _Latest(written, value["step"], read, seconds)


def _amount(value: Any) -> float:
    return float(value) if is_number(value) and value >= 0 else 0.0
