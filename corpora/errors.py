"""The one error a user can cause.

`InputError` is raised for whatever a person can put right: a missing file, a torn record, a name
misspelt. Its message is one line that names the place and the remedy; the command prints it and
ends with exit code 2. Everything else that goes wrong is a fault of ours and keeps its traceback.
"""

import difflib
from collections.abc import Iterable
from pathlib import Path


class InputError(ValueError):
    """Bad input: one line saying where, what, and what to do about it."""


def at(path: str | Path, line: int | None = None, byte: int | None = None) -> str:
    """Return `path:line:byte`, leaving out what is not known; lines count from 1, bytes from 0."""
    place = str(path)
    if line is not None:
        place += f":{line}"
    if byte is not None:
        place += f" (byte {byte})"
    return place


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest known word, or an empty string."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
