"""Which runs of a sweep are still to be trained, and which have been tried often enough."""

import contextlib
import json
import os
import platform
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from corpora.errors import InputError, one_line
from corpora.files import lock, write_text
from corpora.json_file import from_fields, read_object
from scaling.record import (
    RECORD,
    SPEC,
    RunRecord,
    failed_record,
    read_record,
    read_spec,
    write_record,
)
from scaling.sweep.folder import Job, SweepFolder, the_same_twice
from scaling.sweep.state import ENDS, Board, SweepState, expected_work

# What a run needs only while it runs, and what killed writers left half-written.


LOCK = "lock"
ATTEMPTS = "attempts.json"
# As the modules that write them name them, which cannot be asked without PyTorch.
CHECKPOINT = "checkpoint.safetensors"
WEIGHTS = "model.safetensors"
_TORN = re.compile(r"\..+\.[a-z0-9_]{8}")  # of `corpora.files.written_whole`, whatever it wrote


def remove_torn(run: Path) -> None:
    """Remove what killed writers left; only for who holds the run's lock."""
    for path in run.iterdir():
        if _TORN.fullmatch(path.name):
            path.unlink(missing_ok=True)


def cleanup(folder: SweepFolder, ended: Iterable[str]) -> None:
    """Remove from the folders of runs that have ended what only a running one needs.

    A run that failed keeps its checkpoint, so that it can go on once the cause is gone. A folder
    that another process works in is left alone.

    Raises:
        InputError: a record cannot be read, or the folder cannot be written.
    """
    for run_id in ended:
        run = folder.run(run_id)
        if not _has_leftovers(run):
            continue
        with lock(run / LOCK, lambda: True) as held:
            if not held:
                continue
            try:
                remove_torn(run)
                (run / ATTEMPTS).unlink(missing_ok=True)
                record = read_record(run)
                if record is not None and record.status in ("finished", "diverged"):
                    (run / CHECKPOINT).unlink(missing_ok=True)
                (run / LOCK).unlink(missing_ok=True)
            except OSError as error:
                raise InputError(f"{run}: cannot be written ({error.strerror})") from error


def _has_leftovers(run: Path) -> bool:
    names = {LOCK, ATTEMPTS, CHECKPOINT}
    return run.is_dir() and any(
        path.name in names or _TORN.fullmatch(path.name) for path in run.iterdir()
    )


# How often a run was tried in vain, kept beside it, so that a new driver remembers.
#
# A fault of the run's own gets one more chance. A worker that something killed, as the system does
# for want of memory, says little of the run, so there are more of those.


MOST_FAILURES = 1
MOST_DEATHS = 5


@dataclass(frozen=True)
class Attempts:
    """What went wrong so far.

    Attributes:
        failures: exceptions and crashes of the run. deaths: of its worker, by another's hand.
        reason: of the latest.
    """

    failures: int = 0
    deaths: int = 0
    reason: str = ""

    def failed(self, reason: str) -> "Attempts":
        """Return them after one more fault of the run's own, its reason as UTF-8 can spell it."""
        return replace(self, failures=self.failures + 1, reason=one_line(reason))

    def killed(self, how: str) -> "Attempts":
        """Return them after one more worker was killed."""
        return replace(self, deaths=self.deaths + 1, reason=one_line(how))

    @property
    def verdict(self) -> str:
        """Why the run is not tried again; empty while it is."""
        if self.failures > MOST_FAILURES:
            return self.reason
        if self.deaths > MOST_DEATHS:
            return f"its worker was killed {self.deaths} times; the last: {self.reason}"
        return ""


def read_attempts(run: Path) -> Attempts:
    """Return what is kept; none, if nothing is or it cannot be read."""
    try:
        return from_fields(Attempts, read_object(run / ATTEMPTS, "delete it") or {})
    except ValueError:
        return Attempts()


def write_attempts(run: Path, attempts: Attempts) -> None:
    """Keep them, if they can be: a driver that goes on remembers anyway."""
    try:
        write_text(run / ATTEMPTS, json.dumps(asdict(attempts), ensure_ascii=False) + "\n")
    except InputError:
        return


class Docket:
    """The runs of a sweep, for its one driver.

    Attributes:
        board: how each run stands.
        waiting: runs to be trained, the next one first.
    """

    def __init__(self, folder: SweepFolder, jobs: Sequence[Job], *, retry_failed: bool) -> None:
        """See which runs have ended, clear up behind them, and put the others in order.

        Raises:
            InputError: a specification or a record cannot be read, or a folder not be written.
        """
        self.folder = folder
        self._specs = {job.run_id: read_spec(folder.run(job.run_id) / SPEC) for job in jobs}
        sizes = {
            run_id: float(spec.training.steps * spec.training.batch_bytes)
            for run_id, spec in self._specs.items()
        }
        work, in_seconds = expected_work({job.run_id: job.seconds for job in jobs}, sizes)
        self.board = Board(work, in_seconds=in_seconds)
        if retry_failed:
            self._forget_failures()
        open_ones = [run_id for run_id in work if not self.has_ended(run_id)]
        self._attempts = {run_id: read_attempts(folder.run(run_id)) for run_id in open_ones}
        self.waiting = deque(sorted(open_ones, key=lambda run_id: -work[run_id]))
        self.cleanup()
        for run_id in open_ones:
            self._judge(run_id)  # a driver may have been killed before it could

    def has_ended(self, run_id: str) -> bool:
        """Whether a run has its last record, which is noted."""
        record = self._record(run_id)
        phase = None if record is None else ENDS.get(record.status)
        if record is None or phase is None:
            return False
        self.board.ended(run_id, phase, record.reason)
        return True

    def put_back(self, run_id: str, reason: str = "") -> None:
        """Have a run wait as the next one, nothing held against it."""
        self.waiting.appendleft(run_id)
        self.board.waits(run_id, reason)

    def killed(self, run_id: str, how: str) -> None:
        """Note that something killed a run's worker."""
        self._again(run_id, self._attempts[run_id].killed(how))

    def failed(self, run_id: str, reason: str) -> None:
        """Note a fault of the run's own."""
        self._again(run_id, self._attempts[run_id].failed(reason))

    def cleanup(self) -> None:
        """Remove what runs that have ended left."""
        ended = [
            run_id
            for run_id, cell in self.board.cells.items()
            if cell.phase in ENDS.values() and run_id not in self.board.unwritten
        ]
        cleanup(self.folder, ended)

    def _again(self, run_id: str, attempts: Attempts) -> None:
        """Put a run behind the others, unless it was tried often enough."""
        self._attempts[run_id] = attempts
        write_attempts(self.folder.run(run_id), attempts)
        self.waiting.append(run_id)
        self.board.waits(run_id, attempts.reason)
        self._judge(run_id)

    def _judge(self, run_id: str) -> None:
        """Give a run up that was tried often enough, and say so in its record."""
        verdict = self._attempts[run_id].verdict
        if not verdict:
            return
        self.waiting.remove(run_id)
        self.board.ended(run_id, "failed", verdict)
        run = self.folder.run(run_id)
        try:
            write_record(run, failed_record(self._specs[run_id], verdict))
        except InputError as error:
            # To be tried afresh when the disk has room again.
            self.board.unwritten[run_id] = str(error)
            with contextlib.suppress(OSError):  # it takes no change at all by now
                (run / ATTEMPTS).unlink(missing_ok=True)

    def _forget_failures(self) -> None:
        for run_id in self._specs:
            record = self._record(run_id)
            if record is None or record.status != "failed":
                continue
            run = self.folder.run(run_id)
            try:
                for name in (ATTEMPTS, RECORD):
                    (run / name).unlink(missing_ok=True)
            except OSError as error:
                raise InputError(f"{run}: cannot be written ({error.strerror})") from error

    def _record(self, run_id: str) -> RunRecord | None:
        return read_record(self.folder.run(run_id))


# One driver at a time for a sweep.


DRIVER_LOCK = "driver.lock"
Watch = Callable[[SweepState], object]


def drive(
    folder: SweepFolder,
    jobs: Sequence[Job],
    train: Callable[[Docket], object],
    *,
    retry_failed: bool,
    watch: Watch | None,
) -> SweepState:
    """Have `train` work off what has not ended, clear up behind it, and say how the sweep stands.

    Raises:
        InputError: another process drives the sweep, a run is there twice, its specification or
            record cannot be read, or the folder cannot be written.
    """
    if twice := the_same_twice(jobs):
        raise InputError(f"{folder.file}: run {twice[0].run_id} is there twice; plan it again")
    with driver_lock(folder):
        docket = Docket(folder, jobs, retry_failed=retry_failed)
        train(docket)
        docket.cleanup()
        state = docket.board.state(0)
    if watch is not None:
        watch(state)
    return state


@contextlib.contextmanager
def driver_lock(folder: SweepFolder) -> Iterator[None]:
    """Keep other drivers out of the sweep, until this one ends or dies.

    Raises:
        InputError: another one is there, or the folder cannot be written.
    """
    path = folder.path / DRIVER_LOCK
    with lock(path, lambda: True) as held:
        if not held:
            who = ""
            with contextlib.suppress(OSError):  # it may just have ended
                who = path.read_text("utf-8", "replace")
            raise InputError(
                f"{folder.path}: {who or 'another process'} is running this sweep; wait for it, or"
                " stop it"
            )
        with contextlib.suppress(OSError):  # a full disk: it is locked all the same
            path.write_text(f"process {os.getpid()} on {platform.node()}", "utf-8")
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # it holds nobody up, being locked no more
                path.unlink(missing_ok=True)
