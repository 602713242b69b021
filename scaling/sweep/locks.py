"""Locks that end with the process that holds them, on files that whoever holds them may remove."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from corpora.errors import InputError

_LOOK_SECONDS = 0.05


@contextlib.contextmanager
def lock(path: Path, give_up: Callable[[], bool]) -> Iterator[bool]:
    """Hold the lock of the file `path`, made if absent; yield whether it is held.

    Args:
        give_up: asked again and again while another process holds it.

    Raises:
        InputError: the file cannot be made.
    """
    handle = None
    try:
        while (handle := _taken(path)) is None and not give_up():
            time.sleep(_LOOK_SECONDS)
        yield handle is not None
    finally:
        if handle is not None:
            os.close(handle)


def _taken(path: Path) -> int | None:
    """Return a handle that holds the lock, or None while another process does."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be made ({error.strerror}); it keeps two processes from one work"
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # It counts only while it is still the file of that name.
        if os.path.samestat(os.fstat(handle), path.stat()):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError as error:
        os.close(handle)
        raise InputError(f"{path}: cannot be locked ({error.strerror})") from error
    os.close(handle)
    return None
