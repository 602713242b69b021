"""Folders of shards in the making: one maker at a time, whole or absent, nothing left behind."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from corpora.files import file_sha256, sync, umask
from corpora.locks import disk_errors, lock, remove_locked
from scaling.data.shards import MANIFEST, FileEntry, check_files, read_manifest

_LOCK = "lock"


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
def working_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder that outlives interrupts, while no other process has it; made if absent.

    Where the work is done without an error, it is removed.

    Raises:
        InputError: it cannot be made, or the disk is full.
    """
    with disk_errors(folder):
        free = False
        while not free:  # the one waited for may have finished, and removed the folder
            folder.mkdir(parents=True, exist_ok=True)
            with lock(folder / _LOCK) as free:
                if free:
                    yield folder
                    remove_locked(folder / _LOCK)


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
