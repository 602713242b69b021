"""The one error a user can cause.

`InputError` is raised for whatever a person can put right: a missing file, a torn record, a name
misspelt. Its message is one line that names the place and the remedy; the command prints it and
ends with exit code 2. Everything else that goes wrong is a fault of ours and keeps its traceback.
"""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

# Control characters, line and paragraph separators, what turns the reading direction around, and
# surrogates, which have no UTF-8 form. Joiners and wide spaces stay: names are spelt with them.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class InputError(ValueError):
    """Bad input: one line saying where, what, and what to do about it."""

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(message))


def one_line(text: object) -> str:
    r"""Return `text` as it can stand in a line and be written as UTF-8.

    Control characters are escaped (`\n`, `\x1b`), and so are the bytes of a file name that are not
    UTF-8 (`\xff`, held by Python as surrogates). Any other text comes back as it is.
    """
    return _UNSAFE.sub(_escaped, str(text))


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


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"  # the byte that the surrogate stands for
    return match[0].encode("unicode_escape").decode("ascii")
