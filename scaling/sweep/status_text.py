"""How a sweep stands, as lines for people."""

import math
import sys
from collections import Counter
from collections.abc import Sequence

from corpora.errors import one_line
from scaling.sweep.state import SweepState
from scaling.sweep.status import PHASES, RunStatus, SweepStatus

MOST_RUNS = 40  # listed one by one; of more, one line per text, tokenization and T
_MOST_FAULTS = 10
_PER_RUN = ("run", "text", "tokenization", "T", "phase", "steps", "bits per byte", "FLOPs", "time")
_PER_CELL = ("text", "tokenization", "T", "runs", *PHASES, "bits per byte", "FLOPs")


def status_text(status: SweepStatus) -> str:
    """Return a table of the runs, what went wrong, and a summary."""
    if len(status.runs) <= MOST_RUNS:
        table = [_PER_RUN, *map(_run, status.runs)]
    else:
        table = _cells(status.runs)
    return "\n".join([*_aligned(table), *_faults(status.runs), *_summary(status)]) + "\n"


def _run(run: RunStatus) -> tuple[str, ...]:
    phase: str = run.phase
    if run.phase == "waiting" and run.step:
        phase = "stopped"
    return (
        run.job.run_id,
        run.job.text,
        run.job.label,
        _rate(run),
        phase,
        f"{run.step:,}/{run.steps:,}" if run.steps else "",
        "" if run.bits_per_byte is None else f"{run.bits_per_byte:.4f}",
        f"{run.flops:.3g}" if run.flops else "",
        duration(run.seconds) if run.seconds else "",
    )


def _cells(runs: Sequence[RunStatus]) -> list[tuple[str, ...]]:
    cells: dict[tuple[str, str, str], list[RunStatus]] = {}
    for run in runs:
        cells.setdefault((run.job.text, run.job.label, _rate(run)), []).append(run)
    table = [_PER_CELL]
    for names, group in cells.items():
        counts = Counter(run.phase for run in group)
        scores = [run.bits_per_byte for run in group if run.bits_per_byte is not None]
        found = f"{min(scores):.4f} to {max(scores):.4f}" if scores else ""
        phases = [str(counts[phase] or "") for phase in PHASES]
        flops = sum(run.flops for run in group)
        table.append((*names, str(len(group)), *phases, found, f"{flops:.3g}"))
    shown = [i for i, row in enumerate(zip(*table, strict=True)) if any(row[1:])]
    return [tuple(row[i] for i in shown) for row in table]


def _faults(runs: Sequence[RunStatus]) -> list[str]:
    faults = [run for run in runs if run.reason]
    lines = [f"{run.job.run_id} {run.phase}: {run.reason}" for run in faults[:_MOST_FAULTS]]
    if len(faults) > _MOST_FAULTS:
        lines.append(f"and {len(faults) - _MOST_FAULTS:,} more; --json has all of them")
    return ["", *lines] if lines else []


def _summary(status: SweepStatus) -> list[str]:
    counts = ", ".join(f"{count:,} {phase}" for phase, count in status.counts.items() if count)
    left = status.seconds_left
    line = f"{one_line(status.name)}: {counts or 'no runs'}; {status.flops:.4g} training FLOPs"
    if status.ended:
        return ["", line]
    if left is None:
        return ["", f"{line}; nothing tells yet how long the rest takes"]
    running = max(1, status.counts["running"])
    return ["", f"{line}; some {duration(left)} left with {running} at once"]


def _rate(run: RunStatus) -> str:
    return "" if run.compression_rate is None else f"{run.compression_rate:.3g}"


def duration(seconds: float) -> str:
    """Return seconds for people, to two units: `45 s`, `12 min`, `3 h 05 min`, `2 d 04 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02} min"
    days, hours = divmod(hours, 24)
    return f"{days:,} d {hours:02} h"


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    rows = [[one_line(value) for value in row] for row in table]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)) for row in rows)
    return [line.rstrip() for line in lines]


# Telling a person how a sweep stands.


_TELL_SECONDS = 30.0


class Told:
    """A line on how the sweep stands: written over on a terminal, now and then elsewhere."""

    def __init__(self) -> None:
        self.terminal = sys.stderr.isatty()
        self.latest, self.ended = -math.inf, False

    def __enter__(self) -> "Told":
        return self

    def __exit__(self, *_: object) -> None:
        if self.terminal:
            sys.stderr.write("\n")

    def __call__(self, state: SweepState) -> None:
        wait = math.inf if state.ended and self.ended else _TELL_SECONDS
        news = self.terminal or (state.ended and not self.ended)
        if not news and state.seconds - self.latest < wait:
            return
        self.latest, self.ended = state.seconds, state.ended
        counts = {phase: count for phase, count in state.counts.items() if count}
        left = state.seconds_left
        line = ", ".join(f"{count} {phase}" for phase, count in counts.items())
        line += f"; {duration(state.seconds)}"
        if state.worker_seconds:
            line += f" ({duration(state.worker_seconds)} of workers)"
        line += f", about {duration(left)} left" if left else ""
        sys.stderr.write(f"\r{line:<79}" if self.terminal else line + "\n")
        sys.stderr.flush()
