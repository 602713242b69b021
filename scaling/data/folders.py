"""Folders of shards in the making: one maker at a time, whole or absent, nothing left behind."""

import contextlib
import errno
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from corpora.errors import InputError
from corpora.files import file_sha256, lock, sync, umask
from scaling.data.shards import MANIFEST, FileEntry, check_files, read_manifest

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
            with lock(old / _LOCK, lambda: True) as free:
                if free:
                    shutil.rmtree(old, ignore_errors=True)
        held = False
        while not held:  # another maker may take a new folder for an old one before it is locked
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            try:
                with lock(folder / _LOCK) as held:
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
            with lock(folder / _LOCK) as free:
                if free:
                    yield folder


def publish(made: Path, target: Path) -> Path:
    """Sync the files of `made` to disk and give the folder its name at once.

    Returns `target`, also where another process was the first to make it.
    """
    for path in sorted(made.rglob("*"), reverse=True):
        sync(path)
    sync(made)
    made.chmod(0o777 & ~umask())
    try:
        made.rename(target)
    except OSError:
        if not (target / MANIFEST).is_file():
            raise
    sync(target.parent)
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
