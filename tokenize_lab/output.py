"""Results on standard output, where another program may read them, or nobody can."""

import sys
from collections.abc import Iterable, Iterator
from json import dumps
from typing import Any

from corpora.errors import InputError


def emit(parts: Iterable[str]) -> None:
    """Write the parts to standard output.

    A reader that has gone (`| head`) is no mistake: the rest is left unsaid.

    Raises:
        InputError: standard output is closed, or its disk is full.
    """
    if sys.stdout is None:
        raise InputError("standard output is closed; leave it open, or read the files in --out")
    try:
        for part in parts:
            sys.stdout.write(part)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()
    except OSError as error:
        _silence()
        raise InputError(f"standard output cannot be written ({error.strerror})") from error


def json_list(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield a list of rows as strict JSON, row by row."""
    separator = "[\n"
    for row in rows:
        yield separator + dumps(row, ensure_ascii=False, allow_nan=False)
        separator = ",\n"
    yield "\n]\n" if separator == ",\n" else "[]\n"


def json_object(value: Any) -> Iterator[str]:
    """Yield one value as strict JSON, no NaN and no Infinity, indented for people."""
    yield dumps(value, ensure_ascii=False, allow_nan=False, indent=1)
    yield "\n"


def _silence() -> None:
    # What is still buffered would be written, and fail, once more when Python ends.
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
