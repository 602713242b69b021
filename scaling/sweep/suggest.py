"""Budgets that fill the time there is."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from corpora.errors import InputError
from scaling.sweep.plan import FEWEST_STEPS, PlannedRun


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
