"""Sweeps for people: a plan (as plain values too), and how a sweep stands: a table and a line."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from corpora.errors import sanitize
from scaling.sweep.queue import counts_text, left_text
from scaling.sweep.status import PHASES, RunStatus, SweepStatus
from scaling.train.progress import duration

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    # Plans price models with PyTorch, which how a sweep stands is told without.
    from scaling.sweep.plan import IsoFlop, SweepPlan
    from scaling.sweep.price import PlannedRun

_LEFT = ("text", "patches")  # columns of words


def plan_rows(plan: "SweepPlan") -> list[dict[str, Any]]:
    """Return the planned runs as plain JSON values, each with how many it is trained together with,
    itself included."""
    sizes = {id(run): len(group) for group in plan.groups for run in group}
    return [{**_plan_row(run), "together": sizes[id(run)]} for run in plan.runs]


def _plan_row(run: "PlannedRun") -> dict[str, Any]:
    spec = run.spec
    return {
        "run_id": spec.run_id if run.text.patches_found else None,
        "text": run.cell.name,
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
        **({"shares": dict(spec.shares)} if spec.shares else {}),
    }


def plan_text(plan: "SweepPlan") -> list["Table | Text"]:
    """Return the plan, a row for each tokenization and budget, and lines of what is to be said."""
    from rich.text import Text

    from scaling.sweep.plan import isoflops
    from tokenize_lab.cli.tables import text_table

    groups = list(isoflops(plan.runs))
    columns = _columns(groups)
    title, rows = f"Plan of the sweep {plan.file.name}", zip(*columns.values(), strict=True)
    mixed = [] if not plan.file.mixtures else [_mixtures(plan)]
    notes = ["Law I: bytes/param at the minimum by the published law of far larger models"]
    if not all(group.brackets for group in groups):
        notes.append("* no size below it, or none above: the minimum may be at the grid's edge")
    total = math.fsum(run.compute_flops for run in plan.runs)
    time = ""
    if plan.seconds is not None:
        time = f", about {duration(plan.seconds)} with {workers_text(plan)}"
    return [
        *mixed,
        text_table(title, list(columns), rows, left=_LEFT, lines=False),
        *map(Text, notes),
        *(Text(line, style="yellow") for line in _marks(plan.runs)),
        *map(Text, _groups(plan)),
        Text(f"{len(plan.runs)} runs, {total:.3g} FLOPs{time}"),
    ]


def counts_table(counts: Mapping[str, float], gpu: str) -> "Table":
    """Return what a GPU's shortcuts are worth, as `scaling.sweep.price.counted` counts it."""
    from tokenize_lab.cli.tables import text_table

    best = min(counts.values())
    rows = [[name, f"{value:,.3g}", f"{value - best:+,.3g}"] for name, value in counts.items()]
    title = f"One {gpu.upper()}, counted"
    return text_table(title, ["steps", "seconds", "more"], rows, left=("steps",), lines=False)


def _groups(plan: "SweepPlan") -> list[str]:
    """Return a line on the runs that are trained together, if any are."""
    groups = [group for group in plan.groups if len(group) > 1]
    if not groups:
        return []
    few, many = min(map(len, groups)), max(map(len, groups))
    sizes = f"of {few}" if few == many else f"of {few} to {many}"
    count = f"{len(groups)} group{'s' if len(groups) > 1 else ''}"
    return [
        f"{sum(map(len, groups))} of {len(plan.runs)} runs are trained together, in {count}"
        f" {sizes}: one model, a member for each run"
    ]


def _mixtures(plan: "SweepPlan") -> "Table":
    """Return the shares of each mixture, per cent of the bytes."""
    from tokenize_lab.cli.tables import text_table

    texts = list(plan.file.texts)
    rows = [
        [mixture.name or "", *(f"{100 * share:.1f}" for share in mixture.shares(texts).values())]
        for mixture in plan.file.mixtures
    ]
    title = f"Mixtures of {plan.file.name}, per cent of the bytes"
    return text_table(title, ["mixture", *texts], rows, left=("mixture",), lines=False)


def _marks(runs: "Sequence[PlannedRun]") -> list[str]:
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


def _columns(groups: "Sequence[IsoFlop]") -> dict[str, list[str]]:
    """Return the table's columns, those left out in which all cells would say the same."""
    columns = {
        "text": [group.tokenization.text for group in groups],
        "patches": [group.tokenization.label for group in groups],
        "T": [_rates(group.runs) for group in groups],
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


def _rates(runs: "Sequence[PlannedRun]") -> str:
    rates = [run.spec.compression_rate for run in runs]
    ends = [f"{end:.3g}" for end in (min(rates), max(rates))]
    return "-".join(dict.fromkeys(ends))


def _minutes(runs: "Sequence[PlannedRun]") -> str:
    timed = [run.seconds for run in runs if run.seconds is not None]
    return f"{math.fsum(timed) / 60:.1f}" if timed else ""


def _span(values: Sequence[float]) -> str:
    ends = (min(values), max(values))
    low, high = (f"{end:.0f}" if end >= 100 else f"{end:.2g}" for end in ends)
    return low if low == high else f"{low}-{high}"


def workers_text(plan: "SweepPlan") -> str:
    """Return how many workers train at once on each device."""
    return f"{plan.workers} worker{'s' if plan.workers > 1 else ''}"


if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

MOST_RUNS = 40  # listed one by one; of more, one line per text, tokenization and T
_MOST_FAULTS = 10
_OF_MIXTURES = ("shares, %", "bits/byte of each")
_NAMES = ("text", "tokenization", *_OF_MIXTURES)  # folded where a terminal is narrow
_WORDS = (*_NAMES, "run", "phase")  # the other columns hold numbers
_PER_RUN = ("run", "text", "tokenization", "T", "phase", "steps", "bits/byte", "FLOPs", "time")
_PER_CELL = ("text", "tokenization", "T", "runs", *PHASES, "bits/byte", "FLOPs")


def status_text(status: SweepStatus) -> list["Table | Text"]:
    """Return a table of the runs, what went wrong, and a summary."""
    from rich.text import Text

    from tokenize_lab.cli.tables import text_table

    few = len(status.runs) <= MOST_RUNS
    headings, rows = _per_run(status.runs) if few else _per_cell(status.runs)
    cells = [[sanitize(cell) for cell in row] for row in rows]
    table = text_table("", headings, cells, left=_WORDS, lines=False)
    for heading, column in zip(headings, table.columns, strict=True):
        column.no_wrap = heading not in _NAMES
    flops = f"{status.flops:.4g} training FLOPs"
    summary = f"{sanitize(status.name)}: {counts_text(status)}; {flops}{left_text(status)}"
    return [table, *map(Text, [*_faults(status.runs), "", summary])]


def _per_run(runs: Sequence[RunStatus]) -> tuple[list[str], list[list[str]]]:
    """Return headings and a row of each run."""
    rows = [
        [
            run.job.run_id,
            run.job.text,
            run.job.label,
            _rate(run),
            "stopped" if run.phase == "waiting" and run.step else run.phase,
            f"{run.step:,}/{run.steps:,}" if run.steps else "",
            "" if run.bits_per_byte is None else f"{run.bits_per_byte:.4f}",
            f"{run.flops:.3g}" if run.flops else "",
            duration(run.seconds) if run.seconds else "",
            " ".join(f"{name} {100 * share:.0f}" for name, share in run.shares.items()),
            _by_language(run),
        ]
        for run in runs
    ]
    # Of the others no run has something to say.
    shown = [*range(len(_PER_RUN)), *(i for i in (-2, -1) if any(row[i] for row in rows))]
    return [(*_PER_RUN, *_OF_MIXTURES)[i] for i in shown], [[row[i] for i in shown] for row in rows]


def _by_language(run: RunStatus) -> str:
    """Return the bits per byte of each language, where there are several."""
    if len(run.languages) < 2:
        return ""
    found = ((part.language, part.bits_per_byte) for part in run.languages)
    return " ".join(f"{name} {bits:.3f}" for name, bits in found if bits is not None)


def _per_cell(runs: Sequence[RunStatus]) -> tuple[list[str], list[list[str]]]:
    """Return headings and a row of each text, tokenization and T, without columns of nothing."""
    cells: dict[tuple[str, str, str], list[RunStatus]] = {}
    for run in runs:
        cells.setdefault((run.job.text, run.job.label, _rate(run)), []).append(run)
    rows = []
    for names, group in cells.items():
        counts = Counter(run.phase for run in group)
        scores = [run.bits_per_byte for run in group if run.bits_per_byte is not None]
        found = f"{min(scores):.4f} to {max(scores):.4f}" if scores else ""
        phases = [str(counts[phase] or "") for phase in PHASES]
        flops = sum(run.flops for run in group)
        rows.append((*names, str(len(group)), *phases, found, f"{flops:.3g}"))
    shown = [place for place, column in enumerate(zip(*rows, strict=True)) if any(column)]
    return [_PER_CELL[i] for i in shown], [[row[i] for i in shown] for row in rows]


def _faults(runs: Sequence[RunStatus]) -> list[str]:
    faults = [run for run in runs if run.reason]
    lines = [f"{run.job.run_id} {run.phase}: {run.reason}" for run in faults[:_MOST_FAULTS]]
    if len(faults) > _MOST_FAULTS:
        lines.append(f"and {len(faults) - _MOST_FAULTS:,} more; --json has all of them")
    return ["", *lines] if lines else []


def _rate(run: RunStatus) -> str:
    return "" if run.compression_rate is None else f"{run.compression_rate:.3g}"
