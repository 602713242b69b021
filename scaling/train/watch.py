"""Telling a person, or a log file, how a run stands."""

import math
import sys
import time

from scaling.train.report import Report

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
