"""Writing a file so that it is either whole or absent."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corpora.errors import InputError


@contextlib.contextmanager
def written_whole(path: str | Path, option: str = "--out") -> Iterator[Path]:
    """Yield a temporary path in `path`'s folder; on a clean exit it is synced and takes the name.

    An interrupt, a kill or a full disk leaves the old file, or none, and never half of one.

    Args:
        option: that named the place, for the message.

    Raises:
        InputError: the folder cannot be made or written, or the disk is full.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise InputError(
            f"{target}: cannot be written ({error.strerror}); name another {option}"
        ) from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except OSError as error:
        # Libraries that write for us raise it with a text alone.
        why = error.strerror or error
        raise InputError(
            f"{target}: could not be written ({why}); nothing was left half-written"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> None:
    """Write a value as strict JSON, no NaN and no Infinity, indented, whole or not at all."""
    write_text(path, json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
