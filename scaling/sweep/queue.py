"""Which runs of a sweep are still to be trained: for its one driver, here or at a cluster."""

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

from corpora.errors import InputError
from corpora.locks import alone
from scaling.record import RECORD, failed_record, write_record
from scaling.spec import RunSpec
from scaling.sweep.folder import SweepFolder, the_same_twice
from scaling.sweep.run_folder import (
    ATTEMPTS,
    CHECKPOINT,
    DRIVER_LOCK,
    Attempts,
    cleanup,
    read_attempts,
    trunk_is_lost,
    write_attempts,
)
from scaling.sweep.status import RunStatus, StatusReader, SweepStatus, sweep_status
from scaling.train.groups import alike
from scaling.train.progress import StopRequest, duration

_TELL_SECONDS = 1.0
_TELL_SHARE = 0.02  # of the driver's time; to read the files of ten thousand runs takes a while
WatchSweep = Callable[[SweepStatus], object]


class RunQueue:
    """The runs that wait, what became of the others, and what they cost.

    Attributes:
        jobs: of the sweep, by run id.
        waiting: ids of runs to be trained, the next one first.
        stop: where a request to stop is noted; faults after it are not held against a run.
        reader: of the sweep's files, which alone say how its runs stand.
        unwritten: by run id, why it was given up, where no record of that could be written.
    """

    def __init__(
        self,
        folder: SweepFolder,
        stop: StopRequest | None = None,
        watch: WatchSweep | None = None,
        *,
        retry_failed: bool = False,
    ) -> None:
        """See which runs have ended, clean up behind them, and put the others in order.

        Raises:
            InputError: a specification or a record cannot be read, or a folder not be written.
        """
        if retry_failed:
            _forget_failures(folder)
        self.folder, self.stop = folder, stop or StopRequest()
        self.reader = StatusReader(folder)
        self.jobs = {job.run_id: job for job in self.reader.sweep.jobs}
        if twice := the_same_twice(self.reader.sweep.jobs):
            raise InputError(f"{folder.file}: run {twice[0].run_id} is there twice; plan it again")
        self.unwritten: dict[str, str] = {}
        self._watch, self._tell_at = watch, 0.0
        self._since: dict[str, float] = {}  # a worker took it
        self._spent = 0.0  # seconds of workers, on runs that none works on any more
        status = self.reader.read()
        work = zip(status.runs, status.expected_work(), strict=True)
        longest_first = [run for run, _ in sorted(work, key=lambda pair: -pair[1])]
        self.waiting = deque(run.job.run_id for run in longest_first if not _ended(run))
        self._attempts = {run_id: read_attempts(folder.run(run_id)) for run_id in self.waiting}
        cleanup(folder, self.reader.ended)
        for run_id in list(self.waiting):
            self.reader.spec(run_id)  # that cannot be read: before anything is trained
            self._judge(run_id)  # a driver may have been killed before it could

    def take(self) -> str | None:
        """Take the next run off the queue; None where none waits but for its trunk.

        A run whose trunk has ended and left it nothing has failed.

        Raises:
            InputError: there is a record that cannot be read.
        """
        for run_id in list(self.waiting):
            trunk = self.jobs[run_id].trunk
            if trunk and trunk_is_lost(self.folder, run_id, trunk):
                self.waiting.remove(run_id)
                what = f"the checkpoint that it was to go on from, of run {trunk}, is gone"
                way = "plan the sweep again, and it trains from its first step"
                self.failed(run_id, f"{self.folder.run(run_id)}: {what}; {way}")
            elif not self._awaits_trunk(run_id):
                self.waiting.remove(run_id)
                return run_id
        return None

    def take_together(self, most: Callable[[RunSpec], int], workers: int) -> list[str]:
        """Take the next run, and with it those like it that are to be trained together; none as
        `take`. One that a worker failed at or died with before is trained by itself.

        Args:
            most: returns how many runs like one are trained together at most.
            workers: that train at once, of which none is to go without a run.

        Raises:
            InputError: as `take`.
        """
        first = self.take()
        if first is None:
            return []
        spec, found = self.reader.spec(first), [first]
        size = min(most(spec), math.ceil((1 + len(self.waiting)) / workers))
        if size > 1 and self._attempts[first] == Attempts():
            shared = alike(spec)
            for run_id in list(self.waiting):
                if len(found) == size:
                    break
                if alike(self.reader.spec(run_id)) == shared and self._may_join(run_id):
                    self.waiting.remove(run_id)
                    found.append(run_id)
        return found

    def _may_join(self, run_id: str) -> bool:
        trunk = self.jobs[run_id].trunk
        if trunk and (trunk_is_lost(self.folder, run_id, trunk) or self._awaits_trunk(run_id)):
            return False
        return self._attempts[run_id] == Attempts()

    def _awaits_trunk(self, run_id: str) -> bool:
        trunk = self.jobs[run_id].trunk
        if trunk not in self.jobs or trunk in self.unwritten:
            return False
        return not (self.folder.run(run_id) / CHECKPOINT).exists() and not self.has_ended(trunk)

    def has_ended(self, run_id: str) -> bool:
        """Return whether a run has its last record.

        Raises:
            InputError: there is a record that cannot be read.
        """
        return _ended(self.reader.read_run(self.jobs[run_id], time.time()))

    def started(self, run_id: str) -> None:
        """Note that a worker took a run."""
        self.released(run_id)
        self._since[run_id] = time.monotonic()

    def released(self, run_id: str) -> None:
        """Note that no worker works on a run any more."""
        now = time.monotonic()
        self._spent += now - self._since.pop(run_id, now)

    def requeue(self, run_id: str) -> None:
        """Have a run wait as the next one, nothing held against it."""
        self.released(run_id)
        self.waiting.appendleft(run_id)

    def killed(self, run_id: str, how: str) -> None:
        """Note that something killed a run's worker."""
        self._try_again(run_id, self._attempts[run_id].killed(how))

    def failed(self, run_id: str, reason: str) -> None:
        """Note a fault of the run itself."""
        self._try_again(run_id, self._attempts[run_id].failed(reason))

    def status(self) -> SweepStatus:
        """Return how the sweep stands."""
        found, runs, now = self.reader.read(), [], time.monotonic()
        for run in found.runs:
            why = self.unwritten.get(run.job.run_id)
            runs.append(run if why is None else replace(run, phase="failed", reason=why))
        spent = self._spent + sum(now - begun for begun in self._since.values())
        return replace(found, runs=tuple(runs), worker_seconds=spent)

    def tell(self) -> None:
        """Tell whoever watches how the sweep stands, if it is time."""
        begun = time.monotonic()
        if self._watch is not None and begun >= self._tell_at:
            self._watch(self.status())
            now = time.monotonic()
            self._tell_at = now + max(_TELL_SECONDS, (now - begun) / _TELL_SHARE)

    def _try_again(self, run_id: str, attempts: Attempts) -> None:
        """Put a run behind the others, unless it was tried often enough."""
        if self.stop.signal is not None:  # a full disk, say, kept it from being saved
            self.requeue(run_id)
            return
        self.released(run_id)
        self._attempts[run_id] = attempts
        write_attempts(self.folder.run(run_id), attempts)
        self.waiting.append(run_id)
        self._judge(run_id)

    def _judge(self, run_id: str) -> None:
        """Give a run up that was tried often enough, and say so in its record."""
        if not (verdict := self._attempts[run_id].verdict):
            return
        self.waiting.remove(run_id)
        run = self.folder.run(run_id)
        try:
            write_record(run, failed_record(self.reader.spec(run_id), verdict))
        except InputError as error:
            # To be tried afresh when the disk has room again.
            self.unwritten[run_id] = f"{verdict}; no record of it could be written: {error}"
            with contextlib.suppress(OSError):  # it takes no change at all by now
                (run / ATTEMPTS).unlink(missing_ok=True)


def drive(
    folder: SweepFolder,
    train: Callable[[RunQueue], object],
    *,
    retry_failed: bool,
    watch: WatchSweep | None,
    stop: StopRequest | None,
) -> SweepStatus:
    """Have `train` work off the queue, clean up behind it, and return how the sweep stands.

    Raises:
        InputError: another process drives the sweep, a run is there twice, its specification or
            record cannot be read, or the folder cannot be written.
    """
    with driver_lock(folder):
        queue = RunQueue(folder, stop, watch, retry_failed=retry_failed)
        if queue.waiting:
            train(queue)
        status = queue.status()
        cleanup(folder, queue.reader.ended)
    if watch is not None:
        watch(status)
    return status


def status_line(status: SweepStatus, seconds: float) -> str:
    """Return the live line of a driver that began so many seconds ago."""
    spent = ""
    if status.worker_seconds:
        spent = f" ({duration(status.worker_seconds)} of workers)"
    return f"{counts_text(status)}; {duration(seconds)}{spent}{left_text(status)}"


def counts_text(status: SweepStatus) -> str:
    """Return how many runs are in each phase that some are in."""
    counts = status.counts.items()
    return ", ".join(f"{count:,} {phase}" for phase, count in counts if count) or "no runs"


def left_text(status: SweepStatus) -> str:
    """Return how long the rest takes, to stand at the end of a line; nothing where none is left."""
    if status.ended:
        return ""
    left = status.seconds_left
    if left is None:
        return "; nothing tells yet how long the rest takes"
    return f"; some {duration(left)} left with {max(1, status.counts['running'])} at once"


@contextlib.contextmanager
def driver_lock(folder: SweepFolder) -> Iterator[None]:
    """Keep other drivers out of the sweep, until this one ends or dies.

    Raises:
        InputError: another one is there, or the folder cannot be written.
    """
    with alone(folder.path / DRIVER_LOCK, "is running this sweep", "wait for it, or stop it"):
        yield


def _ended(run: RunStatus) -> bool:
    if run.phase == "unreadable":
        raise InputError(run.reason)
    return run.ended


def _forget_failures(folder: SweepFolder) -> None:
    """Have runs that failed wait again, with what their checkpoints hold."""
    failed = (run for run in sweep_status(folder).runs if run.phase == "failed")
    for run in [folder.run(status.job.run_id) for status in failed]:
        try:
            for name in (ATTEMPTS, RECORD):
                (run / name).unlink(missing_ok=True)
        except OSError as error:
            raise InputError(f"{run}: cannot be written ({error.strerror})") from error
