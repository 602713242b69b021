"""What lies at a path that a person named; one clear line where the system will not say.

`pathlib`'s own `is_file` and `is_dir` raise for a name that is too long and for a folder that may
not be searched.
"""

import errno
import os
import stat
from pathlib import Path

from corpora.errors import InputError

SHOWN = 60  # characters of a name too long to be shown whole


def is_file(path: Path) -> bool:
    """Return whether a file is there.

    Raises:
        InputError: the name is too long, or a folder on the way may not be searched.
    """
    found = _status(path)
    return found is not None and stat.S_ISREG(found.st_mode)


def is_folder(path: Path) -> bool:
    """Return whether a folder is there.

    Raises:
        InputError: the name is too long, or a folder on the way may not be searched.
    """
    found = _status(path)
    return found is not None and stat.S_ISDIR(found.st_mode)


def is_present(path: Path) -> bool:
    """Return whether anything is there.

    Raises:
        InputError: the name is too long, or a folder on the way may not be searched.
    """
    return _status(path) is not None


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            written = str(path)
            raise InputError(
                f"{written[:SHOWN]}...: {len(written)} characters are too long for a file's name"
            ) from error
        raise InputError(f"{path}: cannot be reached ({error.strerror})") from error
