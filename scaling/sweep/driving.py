"""One driver at a time for a sweep."""

import contextlib
import os
import platform
from collections.abc import Callable, Iterator, Sequence

from corpora.errors import InputError
from scaling.sweep.docket import Docket
from scaling.sweep.folder import Job, SweepFolder, the_same_twice
from scaling.sweep.locks import lock
from scaling.sweep.state import SweepState

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
    with driving(folder):
        docket = Docket(folder, jobs, retry_failed=retry_failed)
        train(docket)
        docket.clear_up()
        state = docket.board.state(0)
    if watch is not None:
        watch(state)
    return state


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
