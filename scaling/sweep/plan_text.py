"""A plan for people, and as plain values."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scaling.sweep.plan import IsoFlop, SweepPlan, isoflops
from scaling.sweep.price import PlannedRun
from scaling.train.progress import duration

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_LEFT = ("text", "patches")  # columns of words


def plan_row(run: PlannedRun) -> dict[str, Any]:
    """Return a planned run as plain JSON values."""
    spec = run.spec
    return {
        "run_id": spec.run_id if run.text.patches_found else None,
        "text": run.cell.tokenization.text,
        "label": run.cell.tokenization.label,
        "compression_rate": spec.compression_rate,
        "budget_flops": run.spec.compute_flops,
        "layers": spec.model.layers,
        "dim": spec.model.dim,
        "seed": spec.seed,
        "global_params": spec.model.shape.global_params,
        "total_params": spec.model.shape.total_params,
        "steps": spec.training.steps,
        "train_bytes": run.spec.train_bytes,
        "compute_flops": run.compute_flops,
        "epochs": run.epochs,
        "latent_share": run.latent_share,
        "bytes_per_param": run.spec.bytes_per_param,
        "seconds": run.seconds,
        "marks": list(run.marks),
    }


def plan_text(plan: SweepPlan) -> list["Table | Text"]:
    """Return the plan, a row for each tokenization and budget, and lines of what is to be said."""
    from rich.text import Text

    from tokenize_lab.cli.tables import text_table

    groups = list(isoflops(plan.runs))
    columns = _columns(groups)
    title, rows = f"Plan of the sweep {plan.file.name}", zip(*columns.values(), strict=True)
    notes = ["Law I: bytes/param at the minimum by the published law of far larger models"]
    if not all(group.brackets for group in groups):
        notes.append("* no size below it, or none above: the minimum may be at the grid's edge")
    total = math.fsum(run.compute_flops for run in plan.runs)
    time = ""
    if plan.seconds is not None:
        time = f", about {duration(plan.seconds)} with {workers_text(plan)}"
    return [
        text_table(title, list(columns), rows, left=_LEFT, lines=False),
        *map(Text, notes),
        *(Text(line, style="yellow") for line in _marks(plan.runs)),
        Text(f"{len(plan.runs)} runs, {total:.3g} FLOPs{time}"),
    ]


def _marks(runs: Sequence[PlannedRun]) -> list[str]:
    """Return a line for each thing that is said of some runs, with what is said of the first."""
    found: dict[str, list[str]] = {}
    for run in runs:
        for mark in run.marks:
            what, _, why = mark.partition(": ")
            found.setdefault(what, []).append(why)
    lines = []
    for what, whys in found.items():
        first = whys[0] if len(whys) == 1 else f"the first: {whys[0]}"
        lines.append(f"{len(whys)} of {len(runs)} runs: {what} ({first})")
    return lines


def _columns(groups: Sequence[IsoFlop]) -> dict[str, list[str]]:
    """Return the table's columns, those left out in which all cells would say the same."""
    columns = {
        "text": [group.tokenization.text for group in groups],
        "patches": [group.tokenization.label for group in groups],
        "T": [f"{group.runs[0].spec.compression_rate:.3g}" for group in groups],
        "FLOPs": [f"{group.compute_flops:.3g}" for group in groups],
        "runs": [str(len(group.runs)) for group in groups],
        "steps": [_span([run.spec.training.steps for run in group.runs]) for group in groups],
        "epochs": [f"{max(run.epochs for run in group.runs):.2g}" for group in groups],
        "latent %": [_span([100 * run.latent_share for run in g.runs]) for g in groups],
        "bytes/param": [
            _span([run.spec.bytes_per_param for run in group.runs]) for group in groups
        ],
        "Law I": [f"{group.expected:.3g}" + "* "[group.brackets] for group in groups],
        "minutes": [_minutes(group.runs) for group in groups],
    }
    same = {name for name in ("text", "minutes") if len(set(columns[name])) == 1}
    return {name: cells for name, cells in columns.items() if name not in same}


def _minutes(runs: Sequence[PlannedRun]) -> str:
    timed = [run.seconds for run in runs if run.seconds is not None]
    return f"{math.fsum(timed) / 60:.1f}" if timed else ""


def _span(values: Sequence[float]) -> str:
    ends = (min(values), max(values))
    low, high = (f"{end:.0f}" if end >= 100 else f"{end:.2g}" for end in ends)
    return low if low == high else f"{low}-{high}"


def workers_text(plan: SweepPlan) -> str:
    """Return how many workers train at once on each device."""
    return f"{plan.workers} worker{'s' if plan.workers > 1 else ''}"
