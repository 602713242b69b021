"""How far long work has come, on stderr: bars on a terminal, and now and then a line in a log.

What works long takes a `ReportProgress` or a `Stage` and tells it how far it has come; the bars of
`progress` have both.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from corpora.errors import sanitize

if TYPE_CHECKING:
    from rich.progress import Progress

# Called with what is being done and how much more of it is done.
ReportProgress = Callable[[str, int], object]
# Called with the name of a stretch of work and its size, if that is known; returns what is called
# with how much more of it is done.
Stage = Callable[[str, int | None], Callable[[int], object]]


_LOG_SECONDS = 30.0


def silent(_doing: str, _amount: int) -> None:
    """Take a report of progress, and show nothing."""


class LogLines:
    """What a log is told of work that takes long: a line every half minute, none before the first.

    It has of `rich.progress.Progress` what `ProgressBars` calls.
    """

    def __init__(self, bytes: bool, seconds: float = _LOG_SECONDS) -> None:
        """Write lines, `seconds` apart at least; `bytes`: whether amounts are bytes."""
        self._bytes, self._seconds, self._latest = bytes, seconds, time.monotonic()
        self._tasks: list[tuple[str, int | None, int]] = []

    def add_task(self, description: str, total: int | None) -> int:
        """Begin to count; return by which number to call it."""
        self._tasks.append((description, total, 0))
        return len(self._tasks) - 1

    def update(self, task: int, advance: int, description: str) -> None:
        """Count, and say so if it is time."""
        _, total, done = self._tasks[task]
        done += advance
        self._tasks[task] = description, total, done
        if time.monotonic() - self._latest < self._seconds:
            return
        self._latest = time.monotonic()
        amount = ""
        if total:
            amount = f": {min(1.0, done / total):.0%}"
        elif done:
            amount = f": {done / 1e6:,.1f} MB" if self._bytes else f": {done:,}"
        sys.stderr.write(f"{sanitize(description)}{amount}\n")
        sys.stderr.flush()


class ProgressBars:
    """Bars, or lines of a log, each with what it is of."""

    def __init__(self, bars: "Progress | LogLines", label: str, total: int | None) -> None:
        self._bars: Any = bars
        self._label, self._total = label, total
        self._tasks: dict[str, int] = {}

    def advance(self, amount: int) -> None:
        """Move on the bar that `progress` was given a label for."""
        self.report(self._label, amount)

    def report(self, doing: str, amount: int) -> None:
        """Say what is being done, and move its bar on: the labelled one, or one of its own, which
        has no end if the first amount is zero."""
        key = self._label or doing
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(doing, total=self._total if amount else None)
        self._bars.update(self._tasks[key], advance=amount, description=doing)

    def stage(self, label: str, total: int | None = None) -> Callable[[int], object]:
        """Begin another bar; return what moves it on."""
        bars, task = self._bars, self._bars.add_task(label, total=total)
        return lambda amount: bars.update(task, advance=amount, description=label)


@contextmanager
def progress(
    label: str = "", total: int | None = None, *, bytes: bool = True
) -> Iterator[ProgressBars]:
    """Show progress while the block runs.

    Arguments:
        label: what is being done, all on one bar; without one, each report has its own.
        total: of each bar that a report begins; None where it is not known.
        bytes: whether amounts are bytes, shown with their speed; otherwise they are shown as a
            share of the total, or as a number where that is not known.
    """
    if not sys.stderr.isatty():
        yield ProgressBars(LogLines(bytes), label, total)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.text import Text

    class AmountColumn(ProgressColumn):
        def render(self, task: Task) -> Text:
            known = task.total is not None
            return Text(f"{task.percentage:3.0f}%" if known else f"{task.completed:,.0f}")

    amounts = (DownloadColumn(), TransferSpeedColumn()) if bytes else (AmountColumn(),)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *amounts,
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        yield ProgressBars(bars, label, total)
