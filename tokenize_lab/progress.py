"""How far long work has come: bars on stderr, and only where it is a terminal.

What works long takes a `ReportProgress` or a `Stage` and tells it how far it has come; the bars of
`progress` have both.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

# Called with what is being done and how much more of it is done.
ReportProgress = Callable[[str, int], object]
# Called with the name of a stretch of work and its size, if that is known; returns what is called
# with how much more of it is done.
Stage = Callable[[str, int | None], Callable[[int], object]]


def silent(_doing: str, _amount: int) -> None:
    """Take a report of progress, and show nothing."""


class ProgressBars:
    """Bars, each with what it is of; nothing where there is no terminal."""

    def __init__(self, bars: "Progress | None", label: str, total: int | None) -> None:
        self._bars, self._label, self._total = bars, label, total
        self._tasks: dict[str, TaskID] = {}

    def advance(self, amount: int) -> None:
        """Move on the bar that `progress` was given a label for."""
        self.report(self._label, amount)

    def report(self, doing: str, amount: int) -> None:
        """Say what is being done, and move its bar on: the labelled one, or one of its own, which
        has no end if the first amount is zero."""
        if self._bars is not None:
            key = self._label or doing
            if key not in self._tasks:
                self._tasks[key] = self._bars.add_task(doing, total=self._total if amount else None)
            self._bars.update(self._tasks[key], advance=amount, description=doing)

    def stage(self, label: str, total: int | None = None) -> Callable[[int], object]:
        """Begin another bar; return what moves it on."""
        if self._bars is None:
            return lambda amount: None
        bars, task = self._bars, self._bars.add_task(label, total=total)
        return lambda amount: bars.advance(task, amount)


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
        yield ProgressBars(None, label, total)
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
