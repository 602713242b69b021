"""How a sweep stands, and how long it will take."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from scaling.record import RunOutcome

Phase = Literal["waiting", "running", "finished", "diverged", "failed"]
ENDS: dict[RunOutcome, Phase] = {"finished": "finished", "diverged": "diverged", "failed": "failed"}


@dataclass(frozen=True, kw_only=True)
class CellState:
    """How one run stands.

    Attributes:
        phase: of it. reason: why it diverged or failed, or what went wrong when last tried.
        step, steps: taken and in all; 0 while nobody knows.
        seconds: its latest worker spent on it; 0 where it had ended before this driver came.
        device: it runs on.
    """

    phase: Phase
    step: int = 0
    steps: int = 0
    seconds: float = 0.0
    reason: str = ""
    device: str = ""


@dataclass(frozen=True)
class SweepState:
    """How a sweep stands.

    Attributes:
        runs: by run id, in the order of the jobs.
        seconds: since this driver began. seconds_left: expected; None while nothing tells.
        workers: at work or starting.
        unwritten: by run id, why the record of its failure could not be written.
        worker_seconds: that this driver's workers spent on runs so far, on lost ones too.
    """

    runs: Mapping[str, CellState]
    seconds: float
    seconds_left: float | None
    workers: int
    unwritten: Mapping[str, str]
    worker_seconds: float

    @property
    def counts(self) -> dict[Phase, int]:
        """How many runs are in each phase."""
        found = Counter(cell.phase for cell in self.runs.values())
        phases: tuple[Phase, ...] = ("waiting", "running", "finished", "diverged", "failed")
        return {phase: found[phase] for phase in phases}

    @property
    def ended(self) -> bool:
        """Whether no run is left to train."""
        return not self.counts["waiting"] and not self.counts["running"]


class Board:
    """What is known of each run while the driver works."""

    def __init__(self, expected: Mapping[str, float], *, in_seconds: bool) -> None:
        """Begin with runs that wait, and the work each is expected to be."""
        self.cells = {run_id: CellState(phase="waiting") for run_id in expected}
        self.unwritten: dict[str, str] = {}
        self._expected, self._in_seconds = expected, in_seconds
        self._begun = time.monotonic()
        self._since: dict[str, float] = {}  # a worker took it
        self._first: dict[str, tuple[float, int]] = {}  # time and step of its first report
        self._latest: dict[str, float] = {}  # time of its latest report
        self._work = self._spent = 0.0  # of what ended here: expected, and seconds it took
        self._cost = 0.0  # seconds of workers, of runs that none works on any more

    def started(self, run_id: str, device: str) -> None:
        """Note that a worker took a run."""
        self._left(run_id)
        self._since[run_id] = time.monotonic()
        self._first.pop(run_id, None)
        self.cells[run_id] = CellState(phase="running", device=device)

    def progressed(self, run_id: str, step: int, steps: int) -> None:
        """Note how far a run is."""
        self._latest[run_id] = time.monotonic()
        self._first.setdefault(run_id, (self._latest[run_id], step))
        self.cells[run_id] = replace(self.cells[run_id], step=step, steps=steps)

    def waits(self, run_id: str, reason: str = "") -> None:
        """Note that a run waits again."""
        self._left(run_id)
        self.cells[run_id] = CellState(phase="waiting", reason=reason)

    def ended(self, run_id: str, phase: Phase, reason: str, seconds: float | None = None) -> None:
        """Note that a run ended, after so many seconds of a worker's, if it did here."""
        if phase == "finished" and seconds is not None:
            steps, first = self.cells[run_id].steps, self._first.get(run_id, (0.0, 1))[1]
            self._work += self._expected[run_id] * (1 - (first - 1) / max(steps, first))
            self._spent += seconds
        self._left(run_id)
        cell = replace(self.cells[run_id], phase=phase, reason=reason, device="")
        self.cells[run_id] = replace(cell, seconds=seconds or 0.0)

    def state(self, workers: int) -> SweepState:
        """Return how the sweep stands."""
        now = time.monotonic()
        cells = dict(self.cells)
        for run_id, begun in self._since.items():
            cells[run_id] = replace(cells[run_id], seconds=now - begun)
        left = self._seconds_left(cells, workers)
        cost = self._cost + sum(now - begun for begun in self._since.values())
        return SweepState(cells, now - self._begun, left, workers, dict(self.unwritten), cost)

    def _left(self, run_id: str) -> None:
        """Note that no worker works on a run any more."""
        now = time.monotonic()
        self._cost += now - self._since.pop(run_id, now)

    def _seconds_left(self, cells: Mapping[str, CellState], workers: int) -> float | None:
        """Return what is left of the work at the pace seen so far, or at the pace expected."""
        work, spent, left = self._work, self._spent, []
        for run_id, cell in cells.items():
            if cell.phase == "waiting":
                left.append(self._expected[run_id])
            elif cell.phase == "running":
                done = cell.step / cell.steps if cell.steps else 0.0
                left.append(self._expected[run_id] * (1 - done))
                if done:
                    begun, first = self._first[run_id]
                    work += self._expected[run_id] * (cell.step - first) / cell.steps
                    spent += self._latest[run_id] - begun
        if not left:
            return 0.0
        pace = spent / work if work else 1.0 if self._in_seconds else None
        return None if pace is None else pace * max(max(left), sum(left) / max(workers, 1))


def expected_work(
    seconds: Mapping[str, float | None], sizes: Mapping[str, float]
) -> tuple[dict[str, float], bool]:
    """Return the work of each run, and whether it is in seconds.

    Args:
        seconds: expected; None where not timed. sizes: bytes to read, which stand in for them at
            the mean pace of the timed ones.
    """
    timed = {run_id: value for run_id, value in seconds.items() if value is not None}
    known = sum(sizes[run_id] for run_id in timed)
    scale = sum(timed.values()) / known if known else 1.0
    work = {run_id: timed.get(run_id, scale * sizes[run_id]) for run_id in seconds}
    return work, bool(timed)
