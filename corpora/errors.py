"""The one error a user can cause, and what lies at a path that a user names.

`InputError` is raised for whatever a person can put right: a missing file, a torn record, a name
misspelt. Its message is one line that names the place and the remedy, and arguments in backticks;
the command prints it with its own options in their place, and ends with exit code 2. Everything
else that goes wrong is a fault of ours and keeps its traceback.
"""

import difflib
import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

# Control characters, line and paragraph separators, what turns the reading direction around, and
# surrogates, which have no UTF-8 form. Joiners and wide spaces stay: names are spelt with them.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_ARGUMENT = re.compile(r"`([a-z]\w*)(?:=([^`]*))?`")
_LONGEST = 8_000  # characters of a message; a name of a column can have millions


class InputError(ValueError):
    """Bad input: one line saying where, what, and what to do about it."""

    def __init__(self, message: object = "") -> None:
        line = sanitize(message)
        if len(line) > _LONGEST:  # the place stands at its beginning, the remedy at its end
            line = f"{line[: _LONGEST // 2]} [...] {line[-_LONGEST // 2 :]}"
        super().__init__(line)


def sanitize(text: object) -> str:
    r"""Return `text` as it can stand in a line and be written as UTF-8.

    Control characters are escaped (`\n`, `\x1b`), and so are the bytes of a file name that are not
    UTF-8 (`\xff`, held by Python as surrogates). Any other text comes back as it is.
    """
    return _UNSAFE.sub(_escaped, str(text))


def as_options(text: str, options: Mapping[str, str]) -> str:
    """Return a message with the arguments it names as options of a command.

    The library writes `vocab_size`, `on_invalid="skip"` or `parallel=False`, in backticks; the
    command says --vocab-size, --on-invalid skip, --no-parallel. What the command has no option for
    stays as it is.

    Args:
        options: the option by the argument's name; the option of a switch turned off by
            `name=False`.
    """

    def option(match: re.Match[str]) -> str:
        name, value = match[1], (match[2] or "").strip("\"'")
        if f"{name}={value}" in options:
            return options[f"{name}={value}"]
        if name not in options:
            return match[0]
        return options[name] + (f" {value}" if value and value != "True" else "")

    return _ARGUMENT.sub(option, text)


def location(path: str | Path, line: int | None = None, byte: int | None = None) -> str:
    """Return `path:line:byte`, leaving out what is not known; lines count from 1, bytes from 0."""
    place = str(path) if line is None else f"{path}:{line}"
    return place if byte is None else f"{place} (byte {byte})"


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest known word, or an empty string."""
    known = list(known)
    near = [name for name in known if str(name).lower() == str(word).lower()]
    near = near or difflib.get_close_matches(str(word), known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def install_hint(extra: str) -> str:
    """Return how to install an extra: from a clone, since no index holds this project."""
    return f"install it with: pip install '.[{extra}]' (in tokenize-lab's own folder)"


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"  # the byte that the surrogate stands for
    return match[0].encode("unicode_escape").decode("ascii")


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
            " fix the link, or name the file itself"
        )
    above = status(folder)
    if above is None:
        raise InputError(f"{path}: no such file; the folder {folder} does not exist either")
    if not stat.S_ISDIR(above.st_mode):
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


def is_file(path: Path) -> bool:
    """Return whether a file is there.

    `Path.is_file` itself raises for a name that is too long.

    Raises:
        InputError: the name is too long, or a folder on the way may not be searched.
    """
    found = status(path)
    return found is not None and stat.S_ISREG(found.st_mode)


def is_folder(path: Path) -> bool:
    """Return whether a folder is there; raises as `is_file`."""
    found = status(path)
    return found is not None and stat.S_ISDIR(found.st_mode)


def is_present(path: Path) -> bool:
    """Return whether anything is there; raises as `is_file`."""
    return status(path) is not None
