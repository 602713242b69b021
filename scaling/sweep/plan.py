"""What a sweep will cost, cell by cell, and what is to be said of each before anything runs."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from scaling.data.shards import open_shards, read_manifest
from scaling.flops import latent_share, training_flops_per_byte
from scaling.laws import law1
from scaling.prepare import PreparedText, keep_beside, spec_of
from scaling.published.coefficients import PUBLISHED
from scaling.record import SPEC, write_spec
from scaling.spec import RunSpec
from scaling.sweep.cells import Cell, Tokenization
from scaling.sweep.folder import (
    SWEEP,
    Job,
    Sweep,
    SweepFolder,
    read_sweep,
    the_same_twice,
    write_sweep,
)
from scaling.sweep.queue import driver_lock
from scaling.train.machine import MachineSettings
from scaling.train.memory import available_bytes, state_bytes, step_bytes
from scaling.train.step import seconds_per_byte

FEWEST_STEPS = 300
MOST_EPOCHS = 4.0  # Muennighoff et al. 2023: up to there repeated text is worth nearly as much


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """A cell with its price.

    Attributes:
        cell: what was asked for. text: what it reads.
        spec: the run; of unfound patches, as if they were as asked.
        seconds: expected; None where the machine was not timed, or the run does not fit.
        marks: too short, repeats its text, does not fit.
        fits: False where a worker's share of the memory is known to be too small for it.
    """

    cell: Cell
    spec: RunSpec
    text: PreparedText
    marks: tuple[str, ...] = ()
    seconds: float | None = None
    fits: bool = True

    @property
    def train_bytes(self) -> int:
        """Text that it reads in all."""
        return self.spec.training.steps * self.spec.training.batch_bytes

    @property
    def compute_flops(self) -> float:
        """Training FLOPs of that text, by the `full` convention."""
        return self.flops_per_byte * self.train_bytes

    @property
    def flops_per_byte(self) -> float:
        """Training FLOPs of a byte of text."""
        return training_flops_per_byte(self.spec.model.shape, self.spec.setting)

    @property
    def epochs(self) -> float:
        """Times that it goes over its text."""
        unique = self.text.unique_bytes
        return self.train_bytes / unique if unique else math.inf

    @property
    def latent_share(self) -> float:
        """Share of the FLOPs that the global module takes."""
        return latent_share(self.spec.model.shape, self.spec.setting)

    @property
    def bytes_per_param(self) -> float:
        """Training bytes over parameters of the global module."""
        return self.train_bytes / self.spec.model.shape.global_params


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


def planned(cells: Iterable[Cell], texts: Mapping[Tokenization, PreparedText]) -> list[PlannedRun]:
    """Return the cells with their prices, in their order."""
    return [_planned(cell, texts[cell.tokenization]) for cell in cells]


def _planned(cell: Cell, text: PreparedText) -> PlannedRun:
    run = PlannedRun(cell=cell, spec=spec_of(cell.asked, text), text=text)
    steps, marks = run.spec.training.steps, []
    if steps < FEWEST_STEPS:
        marks.append(f"too short: {steps:,} steps, fits leave out those below 300")
    if run.epochs > MOST_EPOCHS:
        marks.append(f"repeats its text: {run.epochs:.3g} epochs, 4 at most count as fresh")
    return replace(run, marks=tuple(marks))


def isoflops(runs: Sequence[PlannedRun]) -> Iterator[IsoFlop]:
    """Yield the runs of each tokenization and budget, with where Law I expects their minimum."""
    groups: dict[tuple[Tokenization, float], list[PlannedRun]] = {}
    for run in runs:
        assert run.cell.asked.training.compute_flops is not None
        key = run.cell.tokenization, run.cell.asked.training.compute_flops
        groups.setdefault(key, []).append(run)
    for key, runs in groups.items():
        expected, ratios = _expected(runs), [run.bytes_per_param for run in runs]
        yield IsoFlop(*key, tuple(runs), expected, min(ratios) < expected < max(ratios))


def _expected(runs: Sequence[PlannedRun]) -> float:
    """Return Law I's bytes per parameter, at the mean share that these spend on their latents.

    The law is of models a million times as large; at this scale it is a direction, no forecast.
    """
    share = float(np.mean([run.latent_share for run in runs]))
    latent = np.asarray(share * float(np.mean([run.compute_flops for run in runs])))
    rate = np.asarray(runs[0].spec.compression_rate)
    law = "cot-law1-latent" if runs[0].spec.model.family == "blt" else "cot-law1-subword"
    return float(law1.bytes_per_param(PUBLISHED[law].estimates, latent, rate))


# How long runs will take here: a few real steps of a few of them, and what lies between.


_TIMED = 4  # of each family


@dataclass(frozen=True)
class Speed:
    """Seconds that a byte of training takes, by the FLOPs it takes.

    Attributes:
        curves: for each family, the logarithms of FLOPs and of seconds per byte.
    """

    curves: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]

    def timed(self, runs: Sequence[PlannedRun]) -> list[PlannedRun]:
        """Return the runs that fit with the time each is expected to take on one such device."""
        out = []
        for run in runs:
            if not run.fits:
                out.append(run)
                continue
            curve = self.curves[run.spec.model.family]
            per_byte = float(np.exp(np.interp(np.log(run.flops_per_byte), *curve)))
            scored = run.cell.asked.data.held_out_bytes / 3  # forward only
            out.append(replace(run, seconds=per_byte * (run.train_bytes + scored)))
        return out


def calibrated(
    runs: Sequence[PlannedRun],
    machine: MachineSettings,
    seconds: float,
    advance: Callable[[int], object],
) -> Speed:
    """Time steps of up to four runs of each family, from the cheapest byte to the dearest.

    Those that do not fit are not made, here as little as anywhere.

    Args:
        seconds: to spend on it in all, about.
        advance: called with the whole seconds just spent.
    """
    chosen = {
        family: _spread([run for run in runs if run.fits and run.spec.model.family == family])
        for family in ("blt", "subword")
    }
    share = seconds / max(1, sum(map(len, chosen.values())))
    curves = {}
    for family, some in chosen.items():
        speeds = []
        for run in some:
            speeds.append(_seconds_per_byte(run, machine, share))
            advance(round(share))
        if some:
            curves[family] = (np.log([run.flops_per_byte for run in some]), np.log(speeds))
    return Speed(curves)


def _spread(runs: list[PlannedRun]) -> list[PlannedRun]:
    """Return a few of the runs, of evenly spread cost of a byte, in its order, no cost twice."""
    by_cost = sorted({run.flops_per_byte: run for run in reversed(runs)}.items())
    places = np.unique(np.linspace(0, len(by_cost) - 1, _TIMED).round().astype(int))
    return [by_cost[place][1] for place in places] if by_cost else []


def _seconds_per_byte(run: PlannedRun, machine: MachineSettings, seconds: float) -> float:
    spec = run.spec
    if not run.text.patches_found:  # unfound patches take about as long as even ones
        assert spec.patching is not None
        spec = replace(spec, patching=replace(spec.patching, kind="static"))
    return seconds_per_byte(spec, open_shards(run.text.shards), machine, seconds)


# Budgets that fill the time there is.


class Suggestion(NamedTuple):
    """Budgets for the grid of a file.

    Attributes:
        compute_flops: in place of the file's, in its proportions.
        seconds: of all runs, over the workers.
        short: runs that would take fewer than 300 steps.
    """

    compute_flops: tuple[float, ...]
    seconds: float
    short: int


def suggest(
    budgets: Sequence[float],
    price: Callable[[Sequence[float]], Sequence[PlannedRun]],
    seconds: float,
    workers: int,
) -> Suggestion:
    """Return the file's budgets times the one factor with which all runs take `seconds`.

    Args:
        budgets: the file's. price: the runs of other budgets, timed where they fit.

    Raises:
        InputError: none fits.
    """

    def scaled(factor: float) -> tuple[float, ...]:
        return tuple(float(f"{budget * factor:.2g}") for budget in budgets)

    def total(runs: Sequence[PlannedRun]) -> float:
        times = [run.seconds or 0.0 for run in runs]
        return max(math.fsum(times) / workers, max(times))

    runs = price(scaled(1.0))
    if not any(run.fits for run in runs):
        raise InputError(
            "--suggest: no run of this sweep fits into the memory; make its models smaller, or ask"
            " for fewer --workers"
        )
    factor = 1.0
    for _ in range(8):  # time is nearly linear in the budget; scoring is not
        factor *= seconds / total(runs)
        runs = price(scaled(factor))
    short = sum(run.spec.training.steps < FEWEST_STEPS for run in runs)
    return Suggestion(scaled(factor), total(runs), short)


# Which runs do not fit into a device's memory beside the others that run there at once.


def with_memory_marks(
    runs: Sequence[PlannedRun], machine: MachineSettings, workers: int
) -> list[PlannedRun]:
    """Return the runs, those marked that need more than one worker's share of the free memory.

    Args:
        workers: at once on the device.
    """
    free = available_bytes(machine.torch_device()) / workers
    out = []
    for run in runs:
        needed = state_bytes(run.spec) + step_bytes(run.spec, 1)
        if needed > free:
            mark = f"does not fit: {needed / 1e9:.3g} GB, and {free / 1e9:.3g} GB for each worker"
            run = replace(run, fits=False, marks=(*run.marks, mark))
        out.append(run)
    return out


# From a plan to a sweep's folder: a specification beside each run, and the list of jobs.


def write_plan(folder: SweepFolder, name: str, runs: Sequence[PlannedRun]) -> Sweep:
    """Write what is to be run; runs that an earlier plan had and this one has not are kept.

    Raises:
        InputError: two runs are one and the same, a tokenizer changed since an earlier plan, the
            folder holds another sweep, somebody runs it, or it cannot be written.
    """
    jobs = tuple(_job(run) for run in runs)
    if twice := the_same_twice(jobs):
        same = next(run for run in runs if run.spec.run_id == twice[0].run_id)
        model = same.spec.model
        raise InputError(
            f"{name}: two cells are one run, {same.spec.run_id}"
            f" ({twice[0].text}, {twice[0].label} and {twice[1].label}, size"
            f" [{model.layers}, {model.dim}], {same.spec.compute_flops:g} FLOPs); ask for it"
            " once"
        )
    sweep = Sweep(name, jobs, _tokenizers(runs))
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
    if not folder.file.exists():
        return
    before = read_sweep(folder).tokenizers
    for spec, sha256 in tokenizers.items():
        if before.get(spec, sha256) != sha256:
            raise InputError(
                f"{spec}: not the tokenizer that {folder.path} was planned with; restore that"
                " file, or name another --out"
            )


def _job(run: PlannedRun) -> Job:
    languages = read_manifest(run.text.shards).languages
    language = run.cell.asked.data.language or (languages[0] if len(languages) == 1 else "")
    return Job(
        run_id=run.spec.run_id,
        shards=run.spec.shards,
        text=run.cell.tokenization.text,
        language=language,
        label=run.cell.tokenization.label,
        seconds=run.seconds,
        patching_flops=run.text.patching_flops,
        marks=run.marks,
    )


def _tokenizers(runs: Sequence[PlannedRun]) -> dict[str, str]:
    found = (run.text.tokenizer for run in runs)
    return {tokenizer.spec: tokenizer.sha256 for tokenizer in found if tokenizer is not None}
