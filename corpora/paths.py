"""What lies at a path, said in one line where it is not what was hoped for."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from corpora.errors import InputError, did_you_mean

_SHOWN = 60  # characters shown of a name that is too long for any file


def unreadable(path: Path, error: OSError) -> InputError:
    """Return the refusal of a file or folder that the system would not let be read."""
    if isinstance(error, PermissionError):
        return InputError(
            f"{path}: cannot be read ({os.strerror(errno.EACCES)}); make it and the folders above"
            " it readable, or leave it out"
        )
    if error.errno == errno.ENAMETOOLONG:
        name = str(path)
        return InputError(
            f"{name[:_SHOWN]}...: too long for a file's name ({len(name)} characters);"
            " pass a file or folder"
        )
    return InputError(f"{path}: cannot be read ({error.strerror or error})")


def status(path: Path) -> os.stat_result | None:
    """Return what the system knows of `path`, links followed; None where there is nothing.

    Raises:
        InputError: it does not let that be known, or the name can be no file's.
    """
    try:
        return path.stat()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise unreadable(path, error) from error
    except ValueError as error:
        raise InputError(f"{path}: can be no file's name ({error})") from error


def existing(path: Path) -> Path:
    """Return `path`.

    Raises:
        InputError: there is nothing there; the message names the nearest thing that is.
    """
    if status(path) is not None:
        return path
    folder = path.parent
    if path.is_symlink():
        raise InputError(
            f"{path}: a link to {path.readlink()}, which does not exist or leads back here;"
            " mend the link, or name the file itself"
        )
    beneath = status(folder)
    if beneath is None:
        raise InputError(f"{path}: no such file; the folder {folder} does not exist either")
    if not stat.S_ISDIR(beneath.st_mode):
        raise InputError(f"{path}: no such file; {folder} is no folder")
    near = did_you_mean(path.name, names_in(folder))
    raise InputError(f"{path}: no such file{near or f' in {folder}'}")


def regular_file(path: Path, remedy: str = "pass a file") -> Path:
    """Return `path`.

    Args:
        remedy: what to do about it, for the message.

    Raises:
        InputError: there is nothing there, or a folder, a pipe or a device.
    """
    found = status(existing(path))
    if found is None or not stat.S_ISREG(found.st_mode):
        what = "a folder" if found and stat.S_ISDIR(found.st_mode) else "a pipe or a device"
        raise InputError(f"{path}: not a regular file but {what}; {remedy}")
    return path


def names_in(folder: Path) -> list[str]:
    """Return the names in the folder, to guess from; none where it cannot be listed."""
    try:
        return os.listdir(folder)
    except OSError:
        return []


def names_below(folder: Path) -> Iterator[Path]:
    """Yield what lies below the folder and is no folder, relative to it, in no order.

    Hidden folders are passed over, and links to folders are not followed.

    Raises:
        InputError: a folder cannot be listed. Leaving it out would leave its text out unsaid.
    """

    def refuse(error: OSError) -> None:
        raise unreadable(Path(error.filename), error) from error

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            yield Path(place, name).relative_to(folder)
