"""Files that several processes share: written whole, synced, hashed, locked.

Only the standard library, since training on a bare machine uses it too.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import platform
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from corpora.errors import InputError, unreadable

_LONGEST_NAME = 80  # of the parts of a temporary name; the whole may have 255 bytes
_LOOK_SECONDS = 0.05  # between two looks at a lock that another process holds


@contextlib.contextmanager
def written_whole(path: str | Path, argument: str = "out") -> Iterator[Path]:
    """Yield a temporary path in `path`'s folder; on a clean exit it is synced and takes the name.

    An interrupt, a kill, a full disk or a loss of power leaves the old file, or none, and never
    half of one.

    Args:
        argument: that named the place, for the message.

    Raises:
        InputError: the folder cannot be made or written, or the disk is full.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = new_beside(target)
        os.close(handle)
    except OSError as error:
        raise InputError(
            f"{target}: cannot be written ({error.strerror}); name another `{argument}`"
        ) from error
    try:
        yield temporary
        sync(temporary)
        temporary.chmod(0o666 & ~umask())
        temporary.replace(target)
        sync(target.parent)
    except OSError as error:
        # Libraries that write for us raise it with a text alone.
        why = error.strerror or error
        left = "" if removed(temporary) else f"; {temporary} could not be removed"
        raise InputError(
            f"{target}: could not be written ({why}); nothing was left half-written{left}"
        ) from error
    finally:
        removed(temporary)


_PART = re.compile(r"\..+\.(?P<host>[^.]+)\.(?P<process>\d+)\.\w+\.part", re.ASCII)
_tidied: set[Path] = set()  # folders that this process has looked through


def new_beside(target: Path) -> tuple[int, Path]:
    """Return a new file in the target's folder, open for writing, under a temporary name.

    The name tells host and process, so that what a killed process left is known for that: the first
    new file in a folder removes those.

    Raises:
        OSError: it cannot be made.
    """
    if target.parent not in _tidied:
        _tidied.add(target.parent)
        remove_abandoned(target.parent)
    prefix = f".{target.name[:_LONGEST_NAME]}.{_host()}.{os.getpid()}."
    handle, name = tempfile.mkstemp(prefix=prefix, suffix=".part", dir=target.parent)
    return handle, Path(name)


def remove_abandoned(folder: Path) -> list[Path]:
    """Remove and return the temporary files of this host's processes that are gone.

    One that cannot be removed is left where it is.
    """
    with os.scandir(folder) as entries:
        parts = [entry.name for entry in entries if entry.name.endswith(".part")]
    gone = []
    for name in parts:
        made = _PART.fullmatch(name)
        if made and made["host"] == _host() and not _runs(int(made["process"])):
            path = folder / name
            gone += [path] if removed(path) else []
    return gone


def removed(path: Path) -> bool:
    """Remove the file if there is one; return whether there is none any more."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _host() -> str:
    return re.sub(r"[^\w-]", "-", platform.node(), flags=re.ASCII)[:_LONGEST_NAME] or "here"


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # another user's
        return True
    return True


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> None:
    """Write a value as strict JSON, no NaN and no Infinity, indented, whole or not at all."""
    write_text(path, json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n")


def read_bytes(path: Path) -> bytes:
    """Return the file's content.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of the file's bytes, in hexadecimal.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from error


def sync(path: Path) -> None:
    """Wait until the disk has the file's content, or the folder's names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network disks cannot sync a folder
            raise
    finally:
        os.close(handle)


def umask() -> int:
    """Return the permissions that new files do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


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
        yield handle is not None
    finally:
        if handle is not None:
            os.close(handle)


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


def _locked(path: Path) -> int | None:
    """Return a handle that holds the lock, or None while another process does."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
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
        raise InputError(f"{path}: cannot be locked ({error.strerror})") from error
    os.close(handle)
    return None
