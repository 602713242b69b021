"""What a run's folder holds while the run is worked on: a lock, failed attempts, torn files.

A fault of the run itself gets it one more attempt. A worker that something killed, as the system
does for want of memory, says little of the run, so there are more of those.
"""

import contextlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from corpora.errors import InputError, sanitize
from corpora.files import write_text
from corpora.json_file import from_fields, read_object
from corpora.locks import lock
from scaling.record import read_record
from scaling.sweep.folder import SweepFolder

LOCK = "lock"
DRIVER_LOCK = "driver.lock"  # of the sweep; says which process on which machine holds it
ATTEMPTS = "attempts.json"
# As the modules that write them name them, which cannot be asked without PyTorch.
CHECKPOINT = "checkpoint.safetensors"
WEIGHTS = "model.safetensors"
MOST_FAILURES = 1
MOST_DEATHS = 5
# What `corpora.files.written_whole` leaves, whatever it wrote; and left in older versions.
_TORN = re.compile(r"\..+\.(part|[a-z0-9_]{8})")


@dataclass(frozen=True)
class Attempts:
    """What went wrong with a run so far, kept beside it so that the next driver knows.

    Attributes:
        failures: exceptions and crashes of the run itself.
        deaths: workers that were killed while they trained it. reason: of the latest.
    """

    failures: int = 0
    deaths: int = 0
    reason: str = ""

    def failed(self, reason: str) -> "Attempts":
        """Return them with one more failure of the run itself."""
        return replace(self, failures=self.failures + 1, reason=sanitize(reason))

    def killed(self, how: str) -> "Attempts":
        """Return them with one more worker killed."""
        return replace(self, deaths=self.deaths + 1, reason=sanitize(how))

    @property
    def verdict(self) -> str:
        """Why the run is not tried again; empty while it is."""
        if self.failures > MOST_FAILURES:
            return self.reason
        if self.deaths > MOST_DEATHS:
            return f"its worker was killed {self.deaths} times; the last: {self.reason}"
        return ""


def read_attempts(run: Path) -> Attempts:
    """Return what is kept of a run; no attempts where nothing is, or it cannot be read."""
    try:
        return from_fields(Attempts, read_object(run / ATTEMPTS, "delete it") or {})
    except ValueError:
        return Attempts()


def write_attempts(run: Path, attempts: Attempts) -> None:
    """Keep them, if they can be: a driver that goes on remembers anyway."""
    with contextlib.suppress(InputError):
        write_text(run / ATTEMPTS, json.dumps(asdict(attempts), ensure_ascii=False) + "\n")


def remove_torn(run: Path) -> None:
    """Remove what killed writers left; only for the process that holds the run's lock."""
    for path in run.iterdir():
        if _TORN.fullmatch(path.name):
            path.unlink(missing_ok=True)


def trunk_is_lost(folder: SweepFolder, run_id: str, trunk: str) -> bool:
    """Return whether a run can no longer go on from its trunk: that took its last step, and what it
    left, if anything, is not there.

    Raises:
        InputError: a record cannot be read.
    """
    run = folder.run(run_id)
    if (run / CHECKPOINT).exists() or _is_over(run) or not _is_over(folder.run(trunk)):
        return False
    return not (run / CHECKPOINT).exists()  # it may have been left just now


def _is_over(run: Path) -> bool:
    record = read_record(run)
    return record is not None and record.status in ("finished", "diverged")


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
                if _is_over(run):
                    (run / CHECKPOINT).unlink(missing_ok=True)
                (run / LOCK).unlink(missing_ok=True)
            except OSError as error:
                raise InputError(f"{run}: cannot be written ({error.strerror})") from error


def _has_leftovers(run: Path) -> bool:
    names = [path.name for path in run.iterdir()] if run.is_dir() else []
    return any(name in (LOCK, ATTEMPTS, CHECKPOINT) or _TORN.fullmatch(name) for name in names)
