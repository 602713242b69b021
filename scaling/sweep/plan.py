"""What a sweep will cost, cell by cell, and what is to be said of each before anything runs."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from scaling.flops import latent_share, training_flops_per_byte
from scaling.laws import law1
from scaling.prepare import run_of
from scaling.published.coefficients import PUBLISHED
from scaling.spec import RunSpec
from scaling.sweep.cells import Cell, View
from scaling.sweep.sources import Reading

FEWEST_STEPS = 300
MOST_EPOCHS = 4.0  # Muennighoff et al. 2023: up to there repeated text is worth nearly as much


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """A cell with its price.

    Attributes:
        cell: what was asked for. spec: the run; of unfound patches, as if they were as asked.
        reading: what it reads.
        train_bytes: text it reads in all. compute_flops: for that, by our count.
        epochs: times it goes over its text. latent_share: of the FLOPs, in the global module.
        seconds: expected; None where the machine was not timed, or the run does not fit.
        marks: too short, repeats its text, does not fit.
        fits: False where a worker's share of the memory is known to be too small for it.
    """

    cell: Cell
    spec: RunSpec
    reading: Reading
    train_bytes: int
    compute_flops: float
    epochs: float
    latent_share: float
    marks: tuple[str, ...]
    seconds: float | None = None
    fits: bool = True

    @property
    def bytes_per_param(self) -> float:
        """Training bytes over parameters of the global module."""
        return self.train_bytes / self.spec.model.shape.global_params


class IsoFlop(NamedTuple):
    """The sizes of one view at one budget.

    Attributes:
        view: how they see their text. compute_flops: the budget.
        runs: one for each size and seed.
        expected: bytes per parameter at which Law I as published expects the minimum.
        brackets: whether some size is below that and some above.
    """

    view: View
    compute_flops: float
    runs: tuple[PlannedRun, ...]
    expected: float
    brackets: bool


def planned(cells: Iterable[Cell], readings: Mapping[View, Reading]) -> list[PlannedRun]:
    """Return the cells with their prices, in their order."""
    return [_planned(cell, readings[cell.view]) for cell in cells]


def _planned(cell: Cell, reading: Reading) -> PlannedRun:
    spec = run_of(cell.asked, reading.source).spec
    shape, setting, training = spec.model.shape, spec.setting, spec.training
    train_bytes = training.steps * training.batch_bytes
    epochs = train_bytes / reading.unique_bytes if reading.unique_bytes else math.inf
    marks = []
    if training.steps < FEWEST_STEPS:
        marks.append(f"too short: {training.steps:,} steps, fits leave out those below 300")
    if epochs > MOST_EPOCHS:
        marks.append(f"repeats its text: {epochs:.3g} epochs, 4 at most count as fresh")
    return PlannedRun(
        cell=cell,
        spec=spec,
        reading=reading,
        train_bytes=train_bytes,
        compute_flops=training_flops_per_byte(shape, setting) * train_bytes,
        epochs=epochs,
        latent_share=latent_share(shape, setting),
        marks=tuple(marks),
    )


def isoflops(runs: Sequence[PlannedRun]) -> Iterator[IsoFlop]:
    """Yield the runs of each view and budget, with where Law I expects their minimum."""
    groups: dict[tuple[View, float], list[PlannedRun]] = {}
    for run in runs:
        assert run.cell.asked.compute_flops is not None
        groups.setdefault((run.cell.view, run.cell.asked.compute_flops), []).append(run)
    for (view, budget), members in groups.items():
        expected, ratios = _expected(members), [run.bytes_per_param for run in members]
        yield IsoFlop(view, budget, tuple(members), expected, min(ratios) < expected < max(ratios))


def _expected(runs: Sequence[PlannedRun]) -> float:
    """Return Law I's bytes per parameter, at the mean share that these spend on their latents.

    The law is of models a million times as large; at this scale it is a direction, no forecast.
    """
    share = float(np.mean([run.latent_share for run in runs]))
    latent = np.asarray(share * float(np.mean([run.compute_flops for run in runs])))
    rate = np.asarray(runs[0].spec.compression_rate)
    law = "cot-law1-latent" if runs[0].spec.model.family == "blt" else "cot-law1-subword"
    return float(law1.bytes_per_param(PUBLISHED[law].estimates, latent, rate))
