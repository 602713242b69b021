"""One lock for what two processes must not do at once: runs, sweeps, caches, folders of results.

A lock is a file with its holder's process and host in it. The system ends it with the process,
however that ends, so none is ever stale.
"""

import contextlib
import errno
import fcntl
import logging
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path

from corpora.errors import InputError, is_present
from corpora.files import new_beside, removed

OUTPUT_LOCK = ".lock"
SCRATCH = "tokenize-lab-"  # begins the names of folders in the system's one for such
_SCRATCH_LOCK = "lock"
_LOOK_SECONDS = 0.05  # between two looks at a lock that another process holds
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)
# What a person can put right: rights, room, a file where a folder should be, or a link.
_DISK = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EEXIST,
    errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EXDEV,
)  # fmt: skip
_LOGGER = logging.getLogger("corpora")
# Folders that the work of this thread has.
_own: ContextVar[frozenset[str]] = ContextVar("_own", default=frozenset())


class NoLocksError(InputError):
    """The disk knows no locks."""


@contextlib.contextmanager
def lock(path: Path, give_up: Callable[[], bool] = lambda: False) -> Iterator[bool]:
    """Hold the lock of the file `path`, made if absent; yield whether it is held.

    The lock ends with the process that holds it, however it ends. It counts only while the file is
    still the one of that name, so its holder may remove it. It is not held where `give_up` said so
    or the folder of the file is gone.

    Args:
        give_up: asked again and again while another process holds the lock.

    Raises:
        InputError: the file cannot be made or locked.
    """
    handle = None
    try:
        while (handle := _locked(path)) is None and path.parent.is_dir() and not give_up():
            time.sleep(_LOOK_SECONDS)
        if handle is not None:
            with contextlib.suppress(OSError):  # a full disk: it is locked all the same
                os.ftruncate(handle, 0)
                os.pwrite(handle, f"process {os.getpid()} on {platform.node()}".encode(), 0)
        yield handle is not None
    finally:
        if handle is not None:
            os.close(handle)


def remove_locked(path: Path) -> None:
    """Remove the folder of a lock that this process holds.

    The lock goes last: whoever could have it sooner would take what is left for its own. Whoever
    comes for it then finds an empty folder, and removes or fills that.

    Raises:
        OSError: something in the folder cannot be removed.
    """
    for entry in path.parent.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry != path:
            entry.unlink()
    path.unlink()
    try:
        path.parent.rmdir()
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.ENOENT):  # somebody came for it
            raise


def is_locked(path: Path) -> bool:
    """Return whether a process of this machine holds the lock of a file; nothing is made."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


@contextlib.contextmanager
def alone(path: Path, doing: str, remedy: str) -> Iterator[None]:
    """Hold the lock `path`, and remove it in the end; refuse where another process has it.

    Args:
        doing: what its holder does: `is running this sweep`. remedy: for who comes second.

    Raises:
        InputError: another process has it, or it cannot be made.
    """
    with lock(path, lambda: True) as held:
        if not held:
            holder = ""
            with contextlib.suppress(OSError):  # it may just have ended
                holder = path.read_text("utf-8", "replace")
            raise InputError(f"{path.parent}: {holder or 'another process'} {doing}; {remedy}")
        try:
            yield
        finally:
            removed(path)


def remove_abandoned_lock(folder: Path) -> None:
    """Remove the lock that a killed process left in a folder of results, once all else was there.

    For who finds the results made and writes nothing: who writes removes it anyway.
    """
    path = folder / OUTPUT_LOCK
    if path.exists():
        with contextlib.suppress(InputError), lock(path, lambda: True) as free:
            if free:
                removed(path)


@contextlib.contextmanager
def being_written(folder: Path, argument: str = "out") -> Iterator[None]:
    """Keep a folder for this process's results, from before the work until they are written.

    The folder is made if absent, seen to be writable, and removed again if nothing came into it.
    A step of the work that has the folder may ask for it again.

    Args:
        argument: that named the folder, for the message.

    Raises:
        InputError: it cannot be made or written, or another process is writing to it.
    """
    place = os.path.realpath(folder)  # `Path.resolve` itself raises where links lead in a circle
    if place in _own.get():
        yield
        return
    new = not is_present(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, probe = new_beside(folder / OUTPUT_LOCK)
        os.close(handle)
    except OSError as error:
        why = f"cannot be written ({error.strerror}); name another `{argument}`"
        raise InputError(f"{folder}: {why}") from error
    removed(probe)
    try:
        with contextlib.ExitStack() as held:
            remedy = f"wait for it, or name another `{argument}`"
            try:
                held.enter_context(alone(folder / OUTPUT_LOCK, "is writing to it", remedy))
            except NoLocksError as error:
                _LOGGER.info("%s; two commands at once would replace each other's results", error)
            token = _own.set(_own.get() | {place})
            try:
                yield
            finally:
                _own.reset(token)
    finally:
        if new:
            with contextlib.suppress(OSError):  # there are results in it
                folder.rmdir()


@contextlib.contextmanager
def scratch_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Yield a new folder in `parent`, removed at the end; those of killed makers go first.

    Raises:
        InputError: it cannot be made, or the disk is full.
    """
    with disk_errors(parent):
        parent.mkdir(parents=True, exist_ok=True)
        for old in parent.glob(f"{prefix}*"):
            _remove_if_abandoned(old)
        held = False
        while not held:  # another maker may take a new folder for an old one before it is locked
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            try:
                with lock(folder / _SCRATCH_LOCK) as held:
                    if held:
                        try:
                            yield folder
                        finally:
                            with contextlib.suppress(OSError):
                                remove_locked(folder / _SCRATCH_LOCK)
            finally:  # as much as can be, also where no lock was to be had
                shutil.rmtree(folder, ignore_errors=True)


def _remove_if_abandoned(folder: Path) -> None:
    try:
        if folder.is_symlink() or not folder.is_dir() or folder.stat().st_uid != os.getuid():
            return  # not one of ours: the parent may be everybody's
        with lock(folder / _SCRATCH_LOCK, lambda: True) as free:
            if free:
                remove_locked(folder / _SCRATCH_LOCK)
    except (OSError, InputError) as error:
        if folder.exists():
            _LOGGER.info("%s: left by a process that was killed, not removed (%s)", folder, error)


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Say of a folder that there is no room, or no right to write there.

    Raises:
        InputError: that is so.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK:
            raise
        raise InputError(
            f"{folder}: cannot be written ({error.strerror}); make room there, or name another"
            " folder"
        ) from error


def _locked(path: Path) -> int | None:
    """Return a handle that holds the lock, or None while another process does."""
    try:
        # Through a link that leads nowhere it could never be made, and would be waited for.
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(
            f"{path}: cannot be made ({error.strerror}); it keeps two processes from one work"
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), path.stat()):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError as error:
        os.close(handle)
        kind = NoLocksError if error.errno in _NO_LOCKS else InputError
        raise kind(f"{path}: cannot be locked ({error.strerror})") from error
    os.close(handle)
    return None
