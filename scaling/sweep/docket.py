"""Which runs of a sweep are still to be trained, and which have been tried often enough."""

import contextlib
from collections import deque
from collections.abc import Sequence

from corpora.errors import InputError
from scaling.record import RECORD, RunRecord, failed_record, read_record, write_record
from scaling.spec_json import SPEC, read_spec
from scaling.sweep.attempts import Attempts, read_attempts, write_attempts
from scaling.sweep.folder import Job, SweepFolder
from scaling.sweep.leftovers import ATTEMPTS, remove_leftovers
from scaling.sweep.state import ENDS, Board, expected_work


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
        self.clear_up()
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

    def clear_up(self) -> None:
        """Remove what runs that have ended left."""
        ended = [
            run_id
            for run_id, cell in self.board.cells.items()
            if cell.phase in ENDS.values() and run_id not in self.board.unwritten
        ]
        remove_leftovers(self.folder, ended)

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
