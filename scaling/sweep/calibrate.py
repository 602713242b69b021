"""How long runs will take here: a few real steps of a few of them, and what lies between."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from scaling.data.shards import open_shards
from scaling.data.windows import Windows
from scaling.flops import training_flops_per_byte
from scaling.model.build import build_model
from scaling.sweep.plan import PlannedRun
from scaling.train.distributed import World
from scaling.train.machine import Machine, synchronize
from scaling.train.optimizer import adamw
from scaling.train.run import patches_of
from scaling.train.step import Stepper

_TIMED = 4  # of each family
_WARM_UP = 2  # steps


@dataclass(frozen=True)
class Speed:
    """Seconds that a byte of training takes, by the FLOPs it takes.

    Attributes:
        curves: for each family, the logarithms of FLOPs and of seconds per byte.
    """

    curves: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]

    def timed(self, runs: Sequence[PlannedRun]) -> list[PlannedRun]:
        """Return the runs with the time each is expected to take on one such device."""
        out = []
        for run in runs:
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

    Args:
        seconds: to spend on it in all, about.
        advance: called with the whole seconds just spent.
    """
    if machine.threads is not None:
        torch.set_num_threads(machine.threads)
    chosen = {
        family: _spread([run for run in runs if run.spec.model.family == family])
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
    spec, device = run.spec, machine.torch_device()
    if not run.reading.prepared:  # unfound patches take about as long as even ones
        assert spec.patching is not None
        spec = replace(spec, patching=replace(spec.patching, kind="static"))
    model = build_model(spec).to(device)
    stream = open_shards(run.reading.source.shards).train
    stepper = Stepper(
        model,
        adamw(model, spec.training),
        Windows(stream, spec.window_units, spec.seed, patches_of(spec)),
        rows=spec.rows,
        clip=spec.training.clip,
        device=device,
        autocast=machine.autocast(device),
        world=World(),
        micro_rows=machine.micro_rows,
    )
    for step in range(_WARM_UP):
        stepper.step(step)
    synchronize(device)
    begun, step = time.perf_counter(), _WARM_UP
    while (taken := time.perf_counter() - begun) < seconds or step == _WARM_UP:
        stepper.step(step)
        synchronize(device)
        step += 1
    return taken / ((step - _WARM_UP) * spec.training.batch_bytes)
