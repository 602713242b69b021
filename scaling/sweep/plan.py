"""A sweep's file, priced run by run, and what is to be said of it before anything runs.

A plan becomes a sweep's folder: a specification beside each run, and the list of jobs.
"""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from corpora.errors import InputError
from scaling.config.sweep_file import SweepFile
from scaling.data.shards import open_shards, read_manifest
from scaling.laws.optimum import law1_bytes_per_param
from scaling.prepare import PreparedText, keep_beside
from scaling.published.tables import PUBLISHED
from scaling.record import SPEC, write_spec
from scaling.spec import RunSpec
from scaling.sweep.cells import Tokenization, TrainByteModel, cells_of, prepare_texts
from scaling.sweep.folder import (
    SWEEP,
    Job,
    Sweep,
    SweepFolder,
    read_sweep,
    the_same_twice,
    write_sweep,
)
from scaling.sweep.mixing import to_be_prepared, with_designs
from scaling.sweep.price import (
    FEWEST_STEPS,
    PlannedRun,
    Speed,
    calibrated,
    planned,
    with_lost_trunks,
    with_memory_marks,
)
from scaling.sweep.queue import driver_lock
from scaling.train.device import device_names
from scaling.train.groups import groups_of
from scaling.train.machine import MachineSettings
from scaling.train.progress import ProgressPrinter, report_line, stop_on_signal
from scaling.train.run import train
from tokenize_lab.progress import Stage
from tokenize_lab.workers import cpu_count

CALIBRATION_SECONDS = 20.0


class PlanningStoppedError(Exception):
    """A signal ended the training of a byte model, which is saved and goes on when run again.

    Attributes:
        exit_code: what a shell expects of a process that the signal ended.
    """

    def __init__(self, exit_code: int) -> None:
        self.exit_code = exit_code


class Suggestion(NamedTuple):
    """Budgets for the grid of a file.

    Attributes:
        compute_flops: in place of the file's, in its proportions.
        seconds: of all runs, as many at once as there will be.
        short: runs that would take fewer than 300 steps.
    """

    compute_flops: tuple[float, ...]
    seconds: float
    short: int


@dataclass(frozen=True, kw_only=True)
class SweepPlan:
    """The runs of a sweep's file with their prices.

    Attributes:
        file: what was asked for, its mixtures designed. path: of the file.
        runs: one for each cell. speed: what they are timed by; None where nothing was timed.
        machine: settings of it. workers: that train at once on each device.
    """

    file: SweepFile
    path: Path
    runs: Sequence[PlannedRun]
    speed: Speed | None
    machine: MachineSettings
    workers: int

    @property
    def seconds(self) -> float | None:
        """Time that all runs will take; None where none was timed."""
        return _seconds(self.runs, self.at_once)

    @property
    def at_once(self) -> int:
        """Runs that go on at the speed that was timed: of each core, and of a GPU one, however
        many workers share it."""
        devices = device_names(self.machine.device)
        return len(devices) * (self.workers if devices == ["cpu"] else 1)

    @property
    def groups(self) -> Sequence[Sequence[PlannedRun]]:
        """Runs that are trained together as one model; those by themselves in groups of one."""
        devices = device_names(self.machine.device)
        at_once = len(devices) * self.workers
        specs = [run.spec for run in self.runs]
        found = groups_of(specs, devices[0], at_once, self.machine.together)
        return [[self.runs[place] for place in group] for group in found]

    def with_budgets(self, compute_flops: Sequence[float]) -> Sequence[PlannedRun]:
        """Return the runs of other budgets, which read the same texts."""
        file = self.file.model_copy(update={"compute_flops": list(compute_flops)})
        texts = {run.cell.tokenization: run.text for run in self.runs}
        runs = planned(cells_of(file, self.path), texts)
        runs = with_memory_marks(runs, self.machine, self.workers)
        return runs if self.speed is None else self.speed.timed(runs)

    def suggest(self, hours: float) -> Suggestion:
        """Return the file's budgets times the one factor with which all runs take so long.

        Raises:
            InputError: nothing was timed, or no run fits into the memory.
        """
        if self.speed is None:
            raise InputError("`suggest` needs the machine's speed; leave out `no_calibration`")

        def scaled(factor: float) -> tuple[float, ...]:
            return tuple(float(f"{budget * factor:.2g}") for budget in self.file.compute_flops)

        factor, runs = 1.0, self.runs
        for _ in range(8):  # time is nearly linear in the budget; scoring is not
            seconds = _seconds(runs, self.at_once)
            if seconds is None:
                way = "make its models smaller, or ask for fewer `workers`"
                raise InputError(f"`suggest`: no run of this sweep fits into the memory; {way}")
            factor *= 3600 * hours / seconds
            runs = self.with_budgets(scaled(factor))
        short = sum(run.spec.training.steps < FEWEST_STEPS for run in runs)
        return Suggestion(scaled(factor), _seconds(runs, self.at_once) or 0.0, short)


def plan_sweep(
    file: SweepFile,
    path: Path,
    folder: SweepFolder,
    stage: Stage,
    *,
    settings: MachineSettings | None = None,
    workers: int | None = None,
    calibrate: bool = True,
    elsewhere: bool = False,
    train_byte_model: TrainByteModel | None = None,
) -> SweepPlan:
    """Prepare the texts of a sweep and price its runs.

    Args:
        file: what is asked for. path: where it says so.
        folder: where texts, tokenizers and byte models are kept.
        settings: of the machine that the runs will have, in which steps are timed.
        workers: at once on each device; None for one on a GPU, one for each core of a CPU.
        calibrate: whether to time a few steps of a few models.
        elsewhere: whether another machine will train them: of this one's memory nothing is said.
        train_byte_model: trains the byte models of entropy patches; None to take the compression
            rate asked for as the one there will be.

    Raises:
        InputError: there is no such device, or text and tokenizers cannot be read.
        PlanningStoppedError: a signal ended the training of a byte model.
    """
    machine = (settings or MachineSettings(threads=1)).checked()
    if workers is None:
        workers = cpu_count() if device_names(machine.device) == ["cpu"] else 1
    asked = cells_of(to_be_prepared(file), path)
    texts = prepare_texts(asked, folder, stage, train_byte_model, machine.device)
    file = with_designs(file, path, texts)
    cells = cells_of(file, path)
    runs = with_lost_trunks(planned(cells, texts), folder)
    if not elsewhere:
        runs = with_memory_marks(runs, machine, workers)
    speed = None
    if calibrate:
        advance = stage("timing a few steps", round(CALIBRATION_SECONDS))
        speed = calibrated(runs, machine, CALIBRATION_SECONDS, advance)
        runs = speed.timed(runs)
    return SweepPlan(file=file, path=path, runs=runs, speed=speed, machine=machine, workers=workers)


def train_byte_model(spec: RunSpec, text: PreparedText, folder: Path, device: str = "cpu") -> None:
    """Train a byte model to its end, and say on stderr how far it has come.

    Raises:
        InputError: it diverged.
        PlanningStoppedError: a signal ended it.
    """
    sys.stderr.write(f"training the {spec.name}\n")
    machine = MachineSettings(device=device, threads=1)
    with stop_on_signal() as stop, ProgressPrinter(report_line) as watch:
        record = train(
            spec, open_shards(text.shards, verify=True), folder, machine, watch, stop=stop
        )
    if record.status == "interrupted":
        raise PlanningStoppedError(stop.exit_code)
    if record.status != "finished":
        raise InputError(f"{folder}: the byte model {record.status}: {record.reason}")


def _seconds(runs: Sequence[PlannedRun], at_once: int) -> float | None:
    times = [run.seconds for run in runs if run.seconds is not None]
    return max(math.fsum(times) / at_once, max(times)) if times else None


class IsoFlop(NamedTuple):
    """The sizes of one tokenization at one budget.

    Attributes:
        tokenization: how they see their text. compute_flops: the budget.
        runs: one for each size and seed.
        expected: bytes per parameter at which Law I as published expects the minimum.
        brackets: whether some size is below that and some above.
    """

    tokenization: Tokenization
    compute_flops: float
    runs: tuple[PlannedRun, ...]
    expected: float
    brackets: bool


def isoflops(runs: Sequence[PlannedRun]) -> Iterator[IsoFlop]:
    """Yield the runs of each tokenization and budget, with where Law I expects their minimum."""
    groups: dict[tuple[Tokenization, float], list[PlannedRun]] = {}
    for run in runs:
        assert run.cell.asked.training.compute_flops is not None
        key = run.cell.tokenization, run.cell.asked.training.compute_flops
        groups.setdefault(key, []).append(run)
    for key, runs in groups.items():
        expected, ratios = _expected(runs), [run.spec.bytes_per_param for run in runs]
        yield IsoFlop(*key, tuple(runs), expected, min(ratios) < expected < max(ratios))


def _expected(runs: Sequence[PlannedRun]) -> float:
    """Return Law I's bytes per parameter, at the mean share that these spend on their latents.

    The law is of models a million times as large; at this scale it is a direction, no forecast.
    """
    share = float(np.mean([run.latent_share for run in runs]))
    latent = np.asarray(share * float(np.mean([run.compute_flops for run in runs])))
    rate = np.asarray(runs[0].spec.compression_rate)
    law = "cot-law1-latent" if runs[0].spec.model.family == "blt" else "cot-law1-subword"
    return float(law1_bytes_per_param(PUBLISHED[law].estimates, latent, rate))


def write_plan(folder: SweepFolder, name: str, runs: Sequence[PlannedRun]) -> Sweep:
    """Write what is to be run; runs that an earlier plan had and this one has not are kept.

    Raises:
        InputError: two runs are one and the same, a tokenizer changed since an earlier plan, the
            folder holds another sweep, somebody runs it, or it cannot be written.
    """
    jobs = tuple(_job(run) for run in runs)
    if twice := the_same_twice(jobs):
        same = next(run.spec for run in runs if run.spec.run_id == twice[0].run_id)
        which = f"{twice[0].text}, {twice[0].label} and {twice[1].label}"
        size = f"[{same.model.layers}, {same.model.dim}]"
        raise InputError(
            f"{name}: two cells are one run, {same.run_id} ({which}, size {size},"
            f" {same.compute_flops:g} FLOPs); ask for it once"
        )
    tokenizers = (run.text.tokenizer for run in runs)
    sweep = Sweep(name, jobs, {found.spec: found.sha256 for found in tokenizers if found})
    with driver_lock(folder):  # its workers would be given runs that the list no longer has
        _refuse_other_tokenizers(folder, sweep.tokenizers)
        for torn in folder.path.glob(f".{SWEEP}.*"):  # of killed planners
            torn.unlink(missing_ok=True)
        write_sweep(folder, sweep)
        for run in runs:
            out = folder.run(run.spec.run_id)
            if not (out / SPEC).exists():
                keep_beside(run.text, out)
                write_spec(out, run.spec)
    return sweep


def _refuse_other_tokenizers(folder: SweepFolder, tokenizers: Mapping[str, str]) -> None:
    before = read_sweep(folder).tokenizers if folder.file.exists() else {}
    for spec, sha256 in tokenizers.items():
        if before.get(spec, sha256) != sha256:
            what = f"not the tokenizer that {folder.path} was planned with"
            raise InputError(f"{spec}: {what}; restore that file, or name another `out`")


def _job(run: PlannedRun) -> Job:
    languages = read_manifest(run.text.shards).languages
    language = run.cell.asked.data.language or (languages[0] if len(languages) == 1 else "")
    return Job(
        run_id=run.spec.run_id,
        shards=run.spec.shards,
        text=run.cell.name,
        language=language,
        label=run.cell.tokenization.label,
        seconds=run.seconds,
        patching_flops=run.text.patching_flops,
        marks=run.marks,
        trunk=run.trunk,
        branches_at=run.branches_at,
    )
