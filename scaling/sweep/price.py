"""What the runs of a sweep will cost: compute, text, memory, and time on this machine.

Time is measured: a few real steps of a few of the runs, and what lies between.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from scaling.data.shards import Shards, open_shards
from scaling.flops import latent_share, training_flops_per_byte
from scaling.prepare import PreparedText, spec_of
from scaling.spec import RunSpec
from scaling.sweep.cells import Cell, Tokenization
from scaling.sweep.folder import SweepFolder
from scaling.sweep.run_folder import trunk_is_lost
from scaling.train.counted import counted_seconds, without_each
from scaling.train.machine import MachineSettings
from scaling.train.memory import available_bytes, state_bytes, step_bytes
from scaling.train.progress import size_text
from scaling.train.timing import seconds_per_byte

FEWEST_STEPS = 300
MOST_EPOCHS = 4.0  # Muennighoff et al. 2023: up to there repeated text is worth nearly as much
_TIMED = 4  # of each family


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """A cell with its price.

    Attributes:
        cell: what was asked for. text: what it reads.
        spec: the run; of unfound patches, as if they were as asked.
        seconds: expected; None where the machine was not timed, or the run does not fit.
        marks: too short, repeats its text, does not fit.
        fits: False where a worker's share of the memory is known to be too small for it.
        trunk: id of the run that takes its first steps; empty where none does.
    """

    cell: Cell
    spec: RunSpec
    text: PreparedText
    marks: tuple[str, ...] = ()
    seconds: float | None = None
    fits: bool = True
    trunk: str = ""

    @property
    def branches_at(self) -> int:
        """Steps that its trunk takes for it."""
        return self.spec.training.branch_step if self.trunk else 0

    @property
    def own_bytes(self) -> int:
        """Text that it reads itself."""
        return self.spec.train_bytes - self.branches_at * self.spec.training.batch_bytes

    @property
    def compute_flops(self) -> float:
        """Training FLOPs of that text, by the `full` convention."""
        return self.flops_per_byte * self.spec.train_bytes

    @property
    def flops_per_byte(self) -> float:
        """Training FLOPs of a byte of text."""
        return training_flops_per_byte(self.spec.model.shape, self.spec.cost_context)

    @property
    def epochs(self) -> float:
        """Times that it goes over its text; over that of a mixture which it reads most often."""
        size, shares = self.spec.train_bytes, self.spec.shares
        if not shares:
            return _times(size, self.text.unique_bytes)
        unique = self.text.bytes_by_language
        return max(_times(share * size, unique[name]) for name, share in shares.items())

    @property
    def latent_share(self) -> float:
        """Share of the FLOPs that the global module takes."""
        return latent_share(self.spec.model.shape, self.spec.cost_context)


def _times(size: float, unique: int) -> float:
    return size / unique if unique else math.inf


def planned(cells: Iterable[Cell], texts: Mapping[Tokenization, PreparedText]) -> list[PlannedRun]:
    """Return the cells with their prices, in their order."""
    unmarked, runs = [], []
    for cell in cells:
        text = texts[cell.tokenization]
        unmarked.append(
            PlannedRun(cell=cell, spec=spec_of(cell.asked, text, cell.shares), text=text)
        )
    for run in _with_trunks(unmarked):
        marks = []
        if (steps := run.spec.training.steps) < FEWEST_STEPS:
            marks.append(f"too short: {steps:,} steps, fits leave out those below 300")
        if warning := run.spec.model.vocabulary_warning:
            marks.append(warning)
        if run.epochs > MOST_EPOCHS:
            marks.append(f"repeats its text: {run.epochs:.3g} epochs, 4 at most count as fresh")
        runs.append(replace(run, marks=tuple(marks)))
    return runs


def _with_trunks(runs: Sequence[PlannedRun]) -> list[PlannedRun]:
    """Return the runs; those that may share their first steps warm up as the shortest of them, and
    the longest is the trunk of the others."""
    curves: dict[RunSpec, list[RunSpec]] = {}
    for run in runs:
        if run.cell.shares_trunk:
            curves.setdefault(_but_for_length(run.spec), []).append(run.spec)
    out = []
    for run in runs:
        if run.cell.shares_trunk:
            curve = sorted(curves[_but_for_length(run.spec)], key=lambda spec: spec.training.steps)
            rising = curve[0].training.rising_steps
            spec, trunk = (_with_warmup(spec, rising) for spec in (run.spec, curve[-1]))
            shares = spec != trunk and spec.training.branch_step > 0
            run = replace(run, spec=spec, trunk=trunk.run_id if shares else "")
        out.append(run)
    return out


def with_lost_trunks(runs: Sequence[PlannedRun], folder: SweepFolder) -> list[PlannedRun]:
    """Return the runs, those marked that have to train from their first step: their trunk has ended
    without leaving them a checkpoint, or what it left is gone."""
    out = []
    for run in runs:
        if run.trunk and trunk_is_lost(folder, run.spec.run_id, run.trunk):
            mark = f"trains from its first step: what its trunk {run.trunk} left for it is gone"
            run = replace(run, trunk="", marks=(*run.marks, mark))
        out.append(run)
    return out


def _but_for_length(spec: RunSpec) -> RunSpec:
    return replace(spec, training=replace(spec.training, steps=0), compute_flops=None)


def _with_warmup(spec: RunSpec, steps: int) -> RunSpec:
    return replace(spec, training=replace(spec.training, warmup_steps=steps))


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
            mark = f"does not fit: {size_text(needed)}, and {size_text(free)} for each worker"
            run = replace(run, fits=False, marks=(*run.marks, mark))
        out.append(run)
    return out


def counted(runs: Sequence[PlannedRun], gpu: str) -> dict[str, float]:
    """Return the seconds that runs would take on a GPU, one after the other: with all shortcuts,
    without each of them, and with none; counted, not timed.

    Args:
        gpu: a name of `scaling.flops.GPUS`, any capitals.
    """
    out = {}
    for name, taken in without_each().items():
        own = ((run.own_bytes / run.spec.train_bytes, run.spec) for run in runs)
        out[name] = math.fsum(share * counted_seconds(spec, gpu, taken) for share, spec in own)
    return out


@dataclass(frozen=True)
class Speed:
    """Seconds that a byte of training takes, by the FLOPs it takes.

    Attributes:
        curves: for each family, the logarithms of FLOPs and of seconds per byte.
    """

    curves: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]

    def timed(self, runs: Sequence[PlannedRun]) -> list[PlannedRun]:
        """Return the runs that fit with the time each is expected to take on one such device."""
        return [replace(run, seconds=self._seconds(run)) if run.fits else run for run in runs]

    def _seconds(self, run: PlannedRun) -> float:
        curve = self.curves[run.spec.model.family]
        per_byte = float(np.exp(np.interp(np.log(run.flops_per_byte), *curve)))
        scored = run.cell.asked.data.held_out_bytes / 3  # forward only
        return per_byte * (run.own_bytes + scored)


def calibrated(
    runs: Sequence[PlannedRun],
    machine: MachineSettings,
    seconds: float,
    advance: Callable[[int], object],
) -> Speed:
    """Time steps of up to four runs of each family, from the cheapest byte to the dearest.

    Those that do not fit are not made, here as little as anywhere.

    Args:
        seconds: to spend on it in all, about. advance: called with the whole seconds just spent.
    """
    chosen = {
        family: _spread([run for run in runs if run.fits and run.spec.model.family == family])
        for family in ("blt", "subword")
    }
    share = seconds / max(1, sum(map(len, chosen.values())))
    verified = cache(partial(open_shards, verify=True))  # runs share their texts
    curves = {}
    for family, some in chosen.items():
        speeds = []
        for run in some:
            speeds.append(_seconds_per_byte(run, verified(run.text.shards), machine, share))
            advance(round(share))
        if some:
            curves[family] = (np.log([run.flops_per_byte for run in some]), np.log(speeds))
    return Speed(curves)


def _spread(runs: list[PlannedRun]) -> list[PlannedRun]:
    """Return a few of the runs, of evenly spread cost of a byte, in its order, no cost twice."""
    by_cost = sorted({run.flops_per_byte: run for run in reversed(runs)}.items())
    places = np.unique(np.linspace(0, len(by_cost) - 1, _TIMED).round().astype(int))
    return [by_cost[place][1] for place in places] if by_cost else []


def _seconds_per_byte(
    run: PlannedRun, shards: Shards, machine: MachineSettings, seconds: float
) -> float:
    spec = run.spec
    if not run.text.patches_found:  # unfound patches take about as long as even ones
        assert spec.patching is not None
        spec = replace(spec, patching=replace(spec.patching, kind="static"))
    return seconds_per_byte(spec, shards, machine, seconds)
