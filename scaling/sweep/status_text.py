"""How a sweep stands, for people: a table of its runs, and one line."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from corpora.errors import sanitize
from scaling.sweep.status import PHASES, RunStatus, SweepStatus
from scaling.train.progress import duration

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

MOST_RUNS = 40  # listed one by one; of more, one line per text, tokenization and T
_MOST_FAULTS = 10
_NAMES = ("text", "tokenization")  # folded where a terminal is narrow
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
    summary = f"{sanitize(status.name)}: {_counts(status)}; {flops}{_left(status)}"
    return [table, *map(Text, [*_faults(status.runs), "", summary])]


def status_line(status: SweepStatus, seconds: float) -> str:
    """Return the live line of a driver that began so many seconds ago."""
    spent = ""
    if status.worker_seconds:
        spent = f" ({duration(status.worker_seconds)} of workers)"
    return f"{_counts(status)}; {duration(seconds)}{spent}{_left(status)}"


def _counts(status: SweepStatus) -> str:
    counts = status.counts.items()
    return ", ".join(f"{count:,} {phase}" for phase, count in counts if count) or "no runs"


def _left(status: SweepStatus) -> str:
    if status.ended:
        return ""
    left = status.seconds_left
    if left is None:
        return "; nothing tells yet how long the rest takes"
    return f"; some {duration(left)} left with {max(1, status.counts['running'])} at once"


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
        ]
        for run in runs
    ]
    return [*_PER_RUN], rows


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
