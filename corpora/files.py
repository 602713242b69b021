"""Files that several processes share: written whole, synced, hashed.

Only the standard library, since training on a bare machine uses it too.
"""

import contextlib
import errno
import hashlib
import json
import logging
import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from corpora.errors import InputError, regular_file, unreadable

_PIECE = 1 << 20  # bytes read at once
_LONGEST_NAME = 80  # of the parts of a temporary name; the whole may have 255 bytes
_LOGGER = logging.getLogger("corpora")


@contextlib.contextmanager
def written_whole(path: str | Path, argument: str = "out") -> Iterator[Path]:
    """Yield a temporary path in `path`'s folder; on a clean exit it is synced and takes the name.

    An interrupt, a kill, a full disk or a loss of power leaves the old file, or none, and never
    half of one.

    Args:
        argument: that named the place, for the message.

    Raises:
        InputError: the folder cannot be made or written, the disk is full, or something other than
            a file has the name.
    """
    target = Path(path)
    try:
        if target.exists():  # root could replace it, were it /dev/null
            regular_file(target, f"remove it, or name a file with `{argument}`")
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
    prefix = f".{target.name[:_LONGEST_NAME]}.{host()}.{os.getpid()}."
    handle, name = tempfile.mkstemp(prefix=prefix, suffix=".part", dir=target.parent)
    return handle, Path(name)


def remove_abandoned(folder: Path) -> list[Path]:
    """Remove and return the temporary files of this host's processes that are gone.

    One that cannot be removed is told in a note, and left where it is.
    """
    with os.scandir(folder) as entries:
        parts = [entry.name for entry in entries if entry.name.endswith(".part")]
    gone = []
    for name in parts:
        made = _PART.fullmatch(name)
        if made and made["host"] == host() and not _runs(int(made["process"])):
            path = folder / name
            if removed(path):
                gone.append(path)
            else:
                _LOGGER.info("%s: left by a process that was killed, cannot be removed", path)
    return gone


def removed(path: Path) -> bool:
    """Remove the file if there is one; return whether there is none any more."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def keep_newest(files: Iterable[Path], most: int) -> None:
    """Remove the oldest of some files until so many are left.

    Raises:
        OSError: one is gone, or cannot be looked at.
    """
    listed = list(files)
    if len(listed) > most:
        for path in sorted(listed, key=lambda path: path.lstat().st_mtime)[:-most]:
            removed(path)


def host() -> str:
    """Return this machine's name as it stands in names of files."""
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


def read_bounded(path: Path, most: int, remedy: str = "pass a file") -> bytes:
    """Return the content of a file that should be small.

    Args:
        most: bytes that it may have. remedy: what to do about another, for the message.

    Raises:
        InputError: it has more, is a folder, a pipe or a device, or cannot be read.
    """
    pieces, size = [], 0
    try:
        with regular_file(path, remedy).open("rb") as file:
            # Asked for `most` at once, Python would take so much memory before it reads any.
            while size <= most and (piece := file.read(_PIECE)):
                pieces.append(piece)
                size += len(piece)
    except OSError as error:
        raise unreadable(path, error) from error
    if size > most:
        raise InputError(f"{path}: more than {most >> 20} MiB, and no such file has that; {remedy}")
    return b"".join(pieces)


def piped_text(most: int = 16 << 20) -> str:
    """Return the text on standard input.

    Args:
        most: bytes that it may have, all of which are held.

    Raises:
        InputError: nothing is piped in, it is more, or not UTF-8.
    """
    if sys.stdin is None or sys.stdin.closed:
        raise InputError("stdin: is closed; pipe a text in")
    content = sys.stdin.buffer.read(most + 1)
    if len(content) > most:
        raise InputError(f"stdin: more than {most >> 20} MiB; give less text")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"stdin, byte {error.start}: invalid UTF-8; give text") from error


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
