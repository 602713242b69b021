"""Folders of shards in the making: one maker at a time, whole or absent, nothing left behind."""

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from corpora.errors import InputError
from scaling.data.shards import MANIFEST, FileEntry, check_files, file_sha256, read_manifest

_LOCK = "lock"
# What a person can put right: rights, room, a file where a folder should be.
_DISK = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EEXIST,
    errno.ENOTDIR,
)  # fmt: skip


def finished(folder: Path) -> bool:
    """Return whether the shards are there, every file of its size.

    Raises:
        InputError: a folder of that name is there and is not what was built.
    """
    if not folder.exists():
        return False
    check_files(folder, read_manifest(folder), verify=False)
    return True


@contextlib.contextmanager
def scratch_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Yield a new folder in `parent`, removed at the end; those of killed makers go first.

    Raises:
        InputError: it cannot be made, or the disk is full.
    """
    with _disk_errors(parent):
        parent.mkdir(parents=True, exist_ok=True)
        for old in parent.glob(f"{prefix}*"):
            with _lock(old, wait=False) as free:
                if free:
                    shutil.rmtree(old, ignore_errors=True)
        held = False
        while not held:  # another maker may take a new folder for an old one before it is locked
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            try:
                with _lock(folder, wait=True) as held:
                    if held:
                        yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def working_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder that outlives interrupts, while no other process has it; made if absent.

    Whoever finishes the work removes it.

    Raises:
        InputError: it cannot be made, or the disk is full.
    """
    with _disk_errors(folder):
        free = False
        while not free:  # the one waited for may have finished, and removed the folder
            folder.mkdir(parents=True, exist_ok=True)
            with _lock(folder, wait=True) as free:
                if free:
                    yield folder


def publish(made: Path, target: Path) -> Path:
    """Sync the files of `made` to disk and give the folder its name at once.

    Returns `target`, also where another process was the first to make it.
    """
    for path in sorted(made.rglob("*"), reverse=True):
        _sync(path)
    _sync(made)
    made.chmod(0o777 & ~_umask())
    try:
        made.rename(target)
    except OSError:
        if not (target / MANIFEST).is_file():
            raise
    _sync(target.parent)
    return target


def file_entries(folder: Path) -> dict[str, FileEntry]:
    """Return size and SHA-256 of every file in the folder but the manifest, by relative path."""
    return {
        path.relative_to(folder).as_posix(): FileEntry(path.stat().st_size, file_sha256(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


def link_or_copy(source: Path, target: Path) -> None:
    """Let `target` be the same file as `source`, or a copy where the disk has no links."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


@contextlib.contextmanager
def _lock(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the folder's lock, which ends with the process that holds it; yield whether it is held.

    The lock is a file beside the content. It counts only while it is still the one in the folder.
    """
    path = folder / _LOCK
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            held = path.exists() and os.path.samestat(os.fstat(handle), path.stat())
        except (BlockingIOError, FileNotFoundError):
            held = False
        yield held
    finally:
        os.close(handle)


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK:
            raise
        raise InputError(
            f"{folder}: cannot be written ({error.strerror}); make room there, or name another"
            " folder"
        ) from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


# Locks that end with the process that holds them, on files that whoever holds them may remove.


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
