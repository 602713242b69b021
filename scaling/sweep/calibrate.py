"""How long runs will take here: a few real steps of a few of them, and what lies between."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scaling.data.shards import open_shards
from scaling.flops import training_flops_per_byte
from scaling.sweep.plan import PlannedRun
from scaling.train.machine import Machine
from scaling.train.speed import seconds_per_byte

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
            per_byte = float(np.exp(np.interp(np.log(_flops(run)), *curve)))
            scored = run.cell.asked.data.held_out_bytes / 3  # forward only
            out.append(replace(run, seconds=per_byte * (run.train_bytes + scored)))
        return out


def calibrated(
    runs: Sequence[PlannedRun],
    machine: Machine,
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
            curves[family] = (np.log([_flops(run) for run in some]), np.log(speeds))
    return Speed(curves)


def _spread(runs: list[PlannedRun]) -> list[PlannedRun]:
    """Return a few of the runs, of evenly spread cost of a byte, in its order, no cost twice."""
    by_cost = sorted({_flops(run): run for run in reversed(runs)}.items())
    places = np.unique(np.linspace(0, len(by_cost) - 1, _TIMED).round().astype(int))
    return [by_cost[place][1] for place in places] if by_cost else []


def _flops(run: PlannedRun) -> float:
    return training_flops_per_byte(run.spec.model.shape, run.spec.setting)


def _seconds_per_byte(run: PlannedRun, machine: Machine, seconds: float) -> float:
    spec = run.spec
    if not run.reading.prepared:  # unfound patches take about as long as even ones
        assert spec.patching is not None
        spec = replace(spec, patching=replace(spec.patching, kind="static"))
    return seconds_per_byte(spec, open_shards(run.reading.source.shards), machine, seconds)
