"""Telling a person, or a log file, how a run stands."""

import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

# How a run stands, for those who watch it.


@dataclass(frozen=True)
class Report:
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


Watch = Callable[[Report], object]


_LOG_SECONDS = 30.0


def told(report: Report) -> str:
    """Return a report as a line."""
    if report.scored_bytes:
        return f"scoring held-out text: {report.scored_bytes / 1e6:.1f} MB"
    return (
        f"step {report.step:,}/{report.steps:,}"
        f"  {report.bits_per_byte:.3f} bits per byte"
        f"  {report.bytes_per_second / 1e3:,.1f} KB/s"
        f"  {100 * report.utilisation:.0f} % of peak"
        f"  {_clock(report.seconds_left)} left"
    )


class LogWatch:
    """Writes a line to stderr now and then, for a log; a terminal has its line written over."""

    def __init__(self, seconds: float | None = None) -> None:
        """Write every so many seconds; None for often on a terminal and seldom elsewhere."""
        self.terminal = sys.stderr.isatty()
        self.seconds = seconds or (0.5 if self.terminal else _LOG_SECONDS)
        self.latest = time.monotonic() - self.seconds + 2  # nothing for what takes two seconds
        self.shown = False

    def __call__(self, report: Report) -> None:
        """Write a report, if it is time."""
        now = time.monotonic()
        if now - self.latest < self.seconds:
            return
        self.latest, self.shown = now, True
        line = told(report)
        sys.stderr.write(f"\r{line:<79}" if self.terminal else line + "\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Leave the terminal on a line of its own."""
        if self.terminal and self.shown:
            sys.stderr.write("\r" + " " * 79 + "\r")


def _clock(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


# Being told to stop: the step under way is finished, then the run is saved.


SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
def heard() -> Iterator[StopRequest]:
    """Note Ctrl-C and SIGTERM instead of obeying them at once; the second one is obeyed at once.

    Only the main thread hears signals; elsewhere nothing changes.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(number: int, frame: FrameType | None) -> None:
        if request.signal is not None:
            _obey(number)
        request.signal = signal.Signals(number)

    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _obey(number: int) -> NoReturn:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)
