"""One driver at a time for a sweep."""

import contextlib
import os
import platform
from collections.abc import Iterator

from corpora.errors import InputError
from scaling.sweep.folder import SweepFolder
from scaling.sweep.locks import lock

DRIVER_LOCK = "driver.lock"


@contextlib.contextmanager
def driving(folder: SweepFolder) -> Iterator[None]:
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
