"""Telling a person, or a log, how work stands; and being told to stop."""

import math
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Generic, Self, TypeVar

State = TypeVar("State")
_LOG_SECONDS = 30.0


@dataclass(frozen=True)
class RunReport:
    """How a run stands, for those who watch it.

    Attributes:
        step, steps: taken, and in all.
        bits_per_byte: of the training text, smoothed.
        bytes_per_second: of training text. seconds_left: at that speed.
        utilisation: FLOPs by the project's count over the device's measured peak.
        scored_bytes: of the held-out text, once training is over.
    """

    step: int
    steps: int
    bits_per_byte: float
    bytes_per_second: float
    seconds_left: float
    utilisation: float
    scored_bytes: int = 0


RunWatch = Callable[[RunReport], object]


def report_line(report: RunReport) -> str:
    """Return a report as a line."""
    if report.scored_bytes:
        return f"scoring held-out text: {report.scored_bytes / 1e6:.1f} MB"
    return (
        f"step {report.step:,}/{report.steps:,}"
        f"  {report.bits_per_byte:.3f} bits per byte"
        f"  {report.bytes_per_second / 1e3:,.1f} KB/s"
        f"  {100 * report.utilisation:.0f} % of peak"
        f"  {duration(report.seconds_left)} left"
    )


def duration(seconds: float) -> str:
    """Return seconds for people, to two units: `45 s`, `12 min`, `3 h 05 min`, `2 d 04 h`."""
    if not math.isfinite(seconds):
        return "?"
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


def size_text(size: float) -> str:
    """Return bytes for people, in powers of ten: `999 B`, `1.5 KB`, `14.6 GB`."""
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.0f} PB"


class ProgressPrinter(Generic[State]):
    """Writes a line on how work stands to stderr: over the last on a terminal, rarely in a log."""

    def __init__(self, line: Callable[[State], str], seconds: float | None = None) -> None:
        """Write what `line` says of a state.

        Args:
            seconds: between two lines; None for often on a terminal and rarely elsewhere.
        """
        self.line, self.terminal, self.shown = line, sys.stderr.isatty(), False
        self.seconds = seconds or (0.5 if self.terminal else _LOG_SECONDS)
        self.latest = time.monotonic() - self.seconds + 2  # nothing for what takes two seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.terminal and self.shown:
            sys.stderr.write("\n")

    def __call__(self, state: State) -> None:
        """Write how the work stands, if it is time."""
        if time.monotonic() - self.latest >= self.seconds:
            self.write(state)

    def write(self, state: State) -> None:
        """Write how the work stands."""
        self.latest, self.shown = time.monotonic(), True
        line = self.line(state)
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r{line[:width]:<{width}}")
        else:
            sys.stderr.write(line + "\n")
        sys.stderr.flush()


class StopRequest:
    """Whether, and by which signal, the run was told to stop."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    @property
    def exit_code(self) -> int:
        """What a shell expects of a process that a signal ended: 130 or 143."""
        assert self.signal is not None
        return 128 + self.signal


@contextmanager
def stop_on_signal() -> Iterator[StopRequest]:
    """Note Ctrl-C and SIGTERM instead of obeying them at once; the second one is obeyed at once.

    Only the main thread receives signals; in others nothing changes.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(number: int, frame: FrameType | None) -> None:
        if request.signal is None:
            request.signal = signal.Signals(number)
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            raise SystemExit(128 + number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
