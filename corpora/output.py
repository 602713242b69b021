"""Results on standard output, where another program may read them, or nobody can."""

import codecs
import json
import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from corpora.errors import InputError

if TYPE_CHECKING:
    from rich.console import RenderableType

_UNFOLDED = 10_000  # columns of a file or a pipe: nothing in them needs folding


def emit(parts: Iterable[str]) -> None:
    """Write the parts to standard output.

    A reader that has gone (`| head`) is no mistake: the rest is left unsaid.

    Raises:
        InputError: standard output is closed, or its disk is full.
    """
    if sys.stdout is None:
        raise InputError("standard output is closed; leave it open, or send it to /dev/null")
    try:
        for part in parts:
            sys.stdout.write(part)
        sys.stdout.flush()
    except BrokenPipeError:
        silence()
    except OSError as error:
        silence()
        raise InputError(f"standard output cannot be written ({error.strerror})") from error


def json_list(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield a list of rows as strict JSON, row by row."""
    separator = "[\n"
    for row in rows:
        yield separator + _dumps(row)
        separator = ",\n"
    yield "\n]\n" if separator == ",\n" else "[]\n"


def json_object(value: Any) -> Iterator[str]:
    """Yield one value as strict JSON, no NaN and no Infinity, indented for people."""
    yield _dumps(value, indent=1)
    yield "\n"


def drawn(parts: "Iterable[RenderableType]") -> Iterator[str]:
    """Yield rich's tables and text as they look on the terminal that stdout is, or on plain paper.

    For `emit`, since what rich itself prints ends in a traceback where nobody reads.
    """
    # Yielded, not returned: rich ends a capture with an empty write, and a full disk refuses that
    # one, too, so `emit` has to be around it.
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = _UNFOLDED
    with console.capture() as capture:
        console.print(*parts, sep="\n")
    yield capture.get()


def _dumps(value: Any, indent: int | None = None) -> str:
    # Where stdout has no sign for a letter, JSON has an escape; stdout's own would not be JSON.
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    plain = codecs.lookup(encoding).name == "utf-8"
    return json.dumps(value, ensure_ascii=not plain, allow_nan=False, indent=indent)


def silence() -> None:
    """Send to nobody what is still buffered: it would be tried once more when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
