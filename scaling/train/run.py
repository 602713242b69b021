"""One training run, from its specification to its record; killed or stopped, it can continue.

What a run asks for, which are its steps, and what it makes of them stand here. Who computes them
is another matter: its own model, or one that many runs are stacked in (`scaling.train.together`).
"""

import contextlib
import math
import platform
import signal
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from corpora.errors import InputError
from scaling.data.order import windows_of
from scaling.data.shards import Shards
from scaling.evaluate.score import Scores, interval, score
from scaling.flops import training_flops_per_byte
from scaling.model.weights import WEIGHTS, AnyModel, build_model, parameter_counts, write_tensors
from scaling.record import RunOutcome, RunRecord, read_record, write_record, write_spec
from scaling.spec import RunSpec
from scaling.train.branches import leave_branch
from scaling.train.checkpoint import CHECKPOINT, RunProgress, load_checkpoint, save_checkpoint
from scaling.train.device import World, commit, device_name, joined, peak_flops, summed, versions
from scaling.train.machine import MachineSettings
from scaling.train.memory import rows_that_fit
from scaling.train.metrics import METRICS, MetricsLog
from scaling.train.optimiser import optimiser_of, set_learning_rate, wsd
from scaling.train.outcome import languages_read, metrics_of, unique_bytes
from scaling.train.progress import RunReport, RunWatch, StopRequest
from scaling.train.step import SMOOTHING, AskedStep, Stepper, StepResult, divergence, stepper_of

_FLUSH_SECONDS = 5.0


def train(
    spec: RunSpec,
    shards: Shards,
    folder: Path,
    machine: MachineSettings | None = None,
    watch: RunWatch | None = None,
    patching_flops: float = 0.0,
    stop: StopRequest | None = None,
    branches: Mapping[Path, int] | None = None,
) -> RunRecord:
    """Train the model of `spec` in `folder`, or continue where an earlier call was stopped.

    A run that has ended is returned as it is. A request to stop ends the step under way, or
    the scoring, saves a checkpoint and returns a record of status `interrupted`; the next call
    continues there, and on a CPU ends with the same bits. Numbers that are not finite, or a loss
    that stays above that of guessing, end it with status `diverged`.

    Args:
        shards: text of the key that the specification names.
        folder: the run's own; it gets spec.json, metrics.jsonl, model.safetensors, record.json.
        patching_flops: what finding the patches cost, for the record.
        stop: where a request to stop is noted, as by `scaling.train.progress.stop_on_signal`.
        branches: folders of runs that go on from this one, each with the step at which it does.

    Raises:
        InputError: the shards are others, the folder holds another run, its checkpoint cannot be
            used, there is too little text or memory, or no such device.
    """
    machine = machine or MachineSettings()
    ended = ended_record(spec, shards, folder)
    device = machine.torch_device()
    if machine.threads is not None:
        torch.set_num_threads(machine.threads)
    if ended is not None:
        return ended
    with joined(device) as world:
        stop = stop or StopRequest()
        run = RunUnderWay(
            spec, shards, folder, machine, patching_flops, stop, branches, watch, world
        )
        return run.to_the_end()


def ended_record(spec: RunSpec, shards: Shards, folder: Path) -> RunRecord | None:
    """Return the record of a run that has ended; None of one that is to be trained.

    Raises:
        InputError: the shards are others, or the folder holds another run.
    """
    if shards.manifest.key != spec.shards:
        raise InputError(
            f"{shards.folder}: shards {shards.manifest.key}, where the run wants {spec.shards}"
        )
    ended = read_record(folder)
    if ended is not None and ended.spec.run_id != spec.run_id:
        raise InputError(f"{folder}: holds run {ended.spec.run_id}; give this one its own folder")
    return ended if ended is not None and ended.status != "interrupted" else None


class _StoppedError(Exception):
    """Scoring was told to stop."""


@dataclass(eq=False)
class RunUnderWay:
    """The moving parts of a run, of which the fields are those of `train`.

    Attributes:
        stepper: takes its steps, by itself or with those of other runs.
        others: seconds of this process that went into other runs meanwhile.
    """

    spec: RunSpec
    shards: Shards
    folder: Path
    machine: MachineSettings
    patching_flops: float
    stop: StopRequest
    branches: Mapping[Path, int] | None = None
    watch: RunWatch | None = None
    world: World = field(default_factory=World)
    others: float = 0.0

    def __post_init__(self) -> None:
        spec, shards, machine = self.spec, self.shards, self.machine
        device = self.device = machine.torch_device()
        self.autocast = machine.autocast(device)
        self.windows = windows_of(spec, shards)
        self.windows.batch(0, spec.rows, (0, 1))  # too little text shows before anything is made
        rows = rows_that_fit(spec, machine, device, self.world)
        self.progress = RunProgress(micro_rows=rows)
        self.stepper: Stepper
        self.model: AnyModel = build_model(spec).to(device)
        self.optimizer = optimiser_of(self.model, spec.training)
        checkpoint = self.folder / CHECKPOINT
        if checkpoint.exists():
            self.progress = load_checkpoint(
                checkpoint, spec.run_id, spec.training.steps, self.model, self.optimizer
            )
        # As before, for the same bits; fewer where fewer are asked for, or fit by now.
        self.micro_rows = min(rows, self.progress.micro_rows or rows)
        self.peak = peak_flops(device, self.autocast) if self.watch else math.nan
        self.begun, self.before = time.perf_counter(), self.progress.seconds
        self.first_step = self.progress.step
        self.read_every = machine.reads_every(device)
        # Steps that were asked for and not read yet, each with its rate and when that was.
        self.asked: list[tuple[AskedStep, float, float]] = []

    @property
    def leads(self) -> bool:
        """Whether this process writes."""
        return self.world.rank == 0

    def own_stepper(self) -> Stepper:
        """Return what takes its steps by themselves."""
        return stepper_of(
            self.spec,
            self.model,
            self.optimizer,
            self.windows,
            self.machine,
            self.device,
            self.world,
            self.micro_rows,
        )

    def to_the_end(self) -> RunRecord:
        """Train, score, and write the record."""
        self.stepper = self.own_stepper()
        with contextlib.closing(self.steps()) as steps:
            try:
                step = next(steps)
                while True:
                    step = steps.send(self.stepper.ask(step, checked=self.read_every == 1))
            except StopIteration as end:
                return self.ended(*end.value)

    def ended(self, status: RunOutcome, reason: str) -> RunRecord:
        """Score what was trained to the end, and write the record."""
        scores = None
        if status == "finished":
            if self.leads:  # before scoring, which may take long or fail
                notes = {"run_id": self.spec.run_id}
                write_tensors(self.folder / WEIGHTS, dict(self.model.named_parameters()), notes)
            try:
                scores = self.score()
            except _StoppedError:
                status, reason = "interrupted", self.why_stopped()
                self.save()
        if scores is not None and not math.isfinite(scores.nats):
            status, reason, scores = "diverged", "the held-out loss is not finite", None
        record = self.record(status, reason, scores)
        if self.leads:
            if status == "diverged":
                (self.folder / WEIGHTS).unlink(missing_ok=True)
            write_record(self.folder, record)
            if status != "interrupted":
                (self.folder / CHECKPOINT).unlink(missing_ok=True)
        return record

    def steps(self) -> Generator[int, AskedStep, tuple[RunOutcome, str]]:
        """Yield the number of each step that is left, be sent what came of it, and return how the
        run ended and why; the rate of the step is set before."""
        if self.leads:
            write_spec(self.folder, self.spec)
        log = MetricsLog(self.folder / METRICS, self.progress.step) if self.leads else None
        saved = flushed = time.perf_counter()
        reason = ""
        try:
            while self.progress.step < self.spec.training.steps:
                yield from self.ask()
                if not self.is_due():
                    continue
                reason = self.read(log)
                if reason:
                    break
                self.leave_branches(log)
                now = time.perf_counter()
                stopping = self.told_to_stop()
                if stopping or now - saved > self.machine.checkpoint_seconds:
                    self.save(log)
                    saved = flushed = now
                elif log is not None and now - flushed > _FLUSH_SECONDS:
                    log.flush()
                    flushed = now
                if stopping:
                    return "interrupted", self.why_stopped()
            if log is not None:
                log.flush()  # before the record: who sees that one counts on all of them
        finally:
            if log is not None:
                log.close()
        return "diverged" if reason else "finished", reason

    def leave_branches(self, log: MetricsLog | None) -> None:
        """Leave what the runs that branch here go on from, if this process writes."""
        steps = self.branches or {}
        folders = [branch for branch, step in steps.items() if step == self.progress.step]
        if log is None or not folders:
            return
        log.flush()
        here = self.record("interrupted", "", None)
        for branch in folders:
            leave_branch(branch, here, log.path, self.model, self.optimizer, self.progress)

    def ask(self) -> Generator[int, AskedStep, None]:
        """Have the next step taken."""
        training, step = self.spec.training, self.progress.step + len(self.asked)
        rate = training.learning_rate * wsd(training, step)
        set_learning_rate(self.optimizer, rate)
        asked = yield step
        self.asked.append((asked, rate, self.seconds))

    @property
    def seconds(self) -> float:
        """Spent on the run, over all interruptions."""
        return self.before + time.perf_counter() - self.begun - self.others

    def is_due(self) -> bool:
        """Whether what was asked for is to be read: in all processes after the same steps."""
        step = self.progress.step + len(self.asked)
        told = self.world.size == 1 and self.stop.signal is not None
        ends = {self.spec.training.steps, *(self.branches or {}).values()}
        return told or len(self.asked) >= self.read_every or step in ends

    def read(self, log: MetricsLog | None) -> str:
        """Read what was asked for and say, if so, why there can be no other step."""
        asked, self.asked = self.asked, []
        reason = ""
        for step, rate, seconds in asked:
            self.progress.seconds = seconds
            result, reason = self.account(step.read(), rate, log)
            if reason:
                break
        if self.watch is not None and self.leads:
            self.watch(self.report(result))
        return reason

    def account(
        self, mine: StepResult, rate: float, log: MetricsLog | None
    ) -> tuple[StepResult, str]:
        """Note a step; return what all processes saw of it, and why it is the last, if so."""
        progress = self.progress
        counts = mine.nats, mine.targets, mine.tokens, mine.bytes, mine.block_nats
        sums = summed(list(counts), self.world, self.device)
        targets, tokens, size = map(int, sums[1:4])
        result = StepResult(sums[0], targets, tokens, size, mine.gradient_norm, sums[4])
        loss = result.nats / result.targets
        progress.smoothed = (
            loss if progress.step == 0 else SMOOTHING * progress.smoothed + (1 - SMOOTHING) * loss
        )
        progress.step += 1
        progress.train_bytes += result.bytes
        progress.train_tokens += result.tokens
        progress.micro_rows = self.stepper.micro_rows
        if log is not None:
            fills_blocks = self.spec.model.diffusion_block is not None
            log.append(metrics_of(result, progress, rate, fills_blocks))
        guessing = math.log(self.spec.model.vocabulary_size)
        return result, divergence(
            progress.step, loss, result.gradient_norm, progress.smoothed, guessing
        )

    def report(self, result: StepResult) -> RunReport:
        """Return how the run stands."""
        progress, steps = self.progress, self.spec.training.steps
        done = progress.step - self.first_step
        per_step = (time.perf_counter() - self.begun) / done
        speed = result.bytes / per_step
        flops = training_flops_per_byte(self.spec.model.shape, self.spec.cost_context)
        bits = progress.smoothed * result.targets / (math.log(2) * result.bytes)
        used, left = flops * speed / (self.peak * self.world.size), steps - progress.step
        return RunReport(progress.step, steps, bits, speed, per_step * left, used)

    def told_to_stop(self) -> bool:
        """Whether any process was told to."""
        mine = float(self.stop.signal is not None)
        told = summed([mine], self.world, self.device)[0] > 0
        if told and self.stop.signal is None:
            # Another process was: all end alike, and the one that writes saves.
            self.stop.signal = signal.SIGTERM
        return told

    def save(self, log: MetricsLog | None = None) -> None:
        """Write a checkpoint, the metrics before it, if this process writes."""
        if log is not None:
            log.flush()
        if self.leads:
            path, run_id = self.folder / CHECKPOINT, self.spec.run_id
            save_checkpoint(path, run_id, self.model, self.optimizer, self.progress)

    def why_stopped(self) -> str:
        """Return the reason of a run that was told to stop."""
        assert self.stop.signal is not None
        return f"told to stop ({self.stop.signal.name})"

    def score(self) -> Scores:
        """Return the scores of the held-out text; a process that is told to stop raises, and as
        every process scores by itself, none waits for it."""
        done = 0

        def advance(size: int) -> None:
            nonlocal done
            done += size
            if self.stop.signal is not None:
                raise _StoppedError
            if self.watch is not None and self.leads:
                steps = self.progress.step
                self.watch(RunReport(steps, steps, math.nan, math.nan, math.nan, math.nan, done))

        return score(
            self.model,
            self.shards.held_out,
            self.spec.window_units,
            self.stepper.micro_rows,
            self.windows.patches,
            self.device,
            autocast=self.autocast,
            advance=advance,
        )

    def record(self, status: RunOutcome, reason: str, scores: Scores | None) -> RunRecord:
        """Return what became of the run."""
        progress, spec = self.progress, self.spec
        return RunRecord(
            spec=spec,
            status=status,
            reason=reason,
            params=parameter_counts(self.model),
            steps=progress.step,
            train_bytes=progress.train_bytes,
            train_tokens=progress.train_tokens,
            unique_bytes=unique_bytes(spec, self.shards),
            epochs=self.windows.epochs(progress.step, spec.rows),
            validation_nats=None if scores is None else scores.nats,
            validation_bytes=0 if scores is None else scores.bytes,
            validation_tokens=0 if scores is None else scores.patches or scores.units,
            validation_interval=None if scores is None else interval(scores),
            languages=languages_read(spec, self.shards, self.windows, progress, scores),
            patching_flops=self.patching_flops,
            seconds=self.seconds,
            device=device_name(self.device),
            versions=versions(),
            commit=commit(),
            host=platform.node(),
        )
