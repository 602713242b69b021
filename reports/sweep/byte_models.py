"""What entropy patches cost beside the budgets: the byte model that places them."""

from collections.abc import Sequence

from reports.laws.text import power
from reports.sweep.material import SweepRun, budgets


def byte_models(runs: Sequence[SweepRun]) -> str:
    """Return what was spent on the byte models of these runs; empty where there are none.

    No budget holds it, and without these words entropy patches would look as cheap as others.
    """
    placed = [run for run in runs if _flops(run)]
    if not placed:
        return ""
    # One model may place the patches of many runs, and is paid for once.
    models = {run.spec.patching and run.spec.patching.entropy_model: _flops(run) for run in placed}
    total, least = float(f"{sum(models.values()):.3g}"), min(budgets(placed))
    who = "The byte model that places" if len(models) == 1 else "The byte models that place"
    words = f"{who} the entropy patches took {power(total)} FLOPs more, which no budget here counts"
    return (
        f"{words}: {total / least:.2g} times the least of them." if total > least else f"{words}."
    )


def reading_flops(run: SweepRun) -> float | None:
    """Return the most FLOPs that reading a byte with the byte model of a run's patches can take."""
    record = run.record
    if record is None or not record.patching_flops or not record.unique_bytes:
        return None
    # What training it took is in the sum too; the record does not part the two.
    return record.patching_flops / record.unique_bytes


def _flops(run: SweepRun) -> float:
    return 0.0 if run.record is None else run.record.patching_flops
