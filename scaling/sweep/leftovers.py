"""What a run needs only while it runs, and what killed writers left half-written."""

import re
from collections.abc import Iterable
from pathlib import Path

from corpora.errors import InputError
from scaling.record import read_record
from scaling.sweep.folder import SweepFolder
from scaling.sweep.locks import lock

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


def remove_leftovers(folder: SweepFolder, ended: Iterable[str]) -> None:
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
