"""Telling a person how a sweep stands."""

import math
import sys

from scaling.sweep.state import SweepState
from scaling.sweep.status_text import duration

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
