"""Arguments of public functions that are what they must be, or an `InputError` that names them.

Python passes whatever it is given; a wrong value caught here is one line, and not a wrong result.
It needs the standard library alone.
"""

import itertools
import math
import operator
from collections.abc import Iterable, Sequence
from os import PathLike, fsencode, fspath
from pathlib import Path
from typing import Any, TypeGuard

from corpora.errors import InputError, did_you_mean

_SHOWN = 60  # characters of a value that is refused
_MOST = 1_000_000  # values that a list names: tokenizers, budgets, languages
_LARGEST = (1 << 63) - 1  # of whole numbers: tables hold no larger one, and floats have an end


def whole(name: str, value: Any, least: float = -_LARGEST, most: float = _LARGEST) -> int:
    """Return a whole number from `least` to `most`; a float is none, nor is True."""
    try:
        number = operator.index(value)
    except TypeError:
        raise refused(name, value, "a whole number") from None
    if isinstance(value, bool):
        raise refused(name, value, "a whole number")
    return int(_within(name, number, least, most))


def real(name: str, value: Any, least: float = -math.inf, most: float = math.inf) -> float:
    """Return a finite number from `least` to `most`; a text that looks like one is none."""
    if isinstance(value, str | bytes | bool) or not hasattr(value, "__float__"):
        raise refused(name, value, "a number")
    # NumPy makes a float of truth, of complex numbers, of masked ones and, warning, of a list.
    kind = getattr(getattr(value, "dtype", None), "kind", "f")
    if kind not in "iuf" or getattr(value, "shape", ()) != () or hasattr(value, "mask"):
        raise refused(name, value, "a number")
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise refused(name, value, "a finite number")
    return _within(name, number, least, most)


def one_of(name: str, value: Any, known: Iterable[str]) -> str:
    """Return one of the words known."""
    known = [str(each) for each in known]
    if not isinstance(value, str) or value not in known:
        near = did_you_mean(value, known)
        raise InputError(f"`{name}`: {_short(value)} is unknown{near} ({', '.join(known)})")
    return value


def flag(name: str, value: Any) -> bool:
    """Return True or False, NumPy's too; other values that count as one are refused."""
    if type(value).__name__ not in ("bool", "bool_"):
        raise refused(name, value, "True or False")
    return bool(value)


def word(name: str, value: Any) -> str:
    """Return a text that is not empty, and can be written."""
    if not isinstance(value, str) or not value.strip():
        raise refused(name, value, "a text that is not empty")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise refused(name, value, "valid UTF-8") from None
    return value


def text(name: str, value: Any) -> str:
    """Return a text, which may be empty where nothing is asked for."""
    return "" if isinstance(value, str) and not value else word(name, value)


def listed(name: str, value: Any) -> list[Any]:
    """Return several values as a list; a single text is a list of one.

    An iterator without end is refused as one that is too long.
    """
    if isinstance(value, str):
        return [value]
    try:  # some are called iterable and are not, as NumPy's arrays of no dimension
        found = list(itertools.islice(value, _MOST + 1))
    except TypeError:
        raise refused(name, value, "a list") from None
    if len(found) > _MOST:
        raise refused(name, value, f"a list of at most {_MOST:,}")
    return found


def by_name(name: str, value: str, example: str) -> dict[str, float]:
    """Return the numbers of a text such as `eng=.6,hin=.4`, by the names before them.

    Args:
        example: of what is wanted, for the message.
    """
    found: dict[str, float] = {}
    for part in filter(None, map(str.strip, value.split(","))):
        key, _, number = map(str.strip, part.partition("="))
        if key in found:
            raise InputError(f"`{name}`: {key} is there twice")
        try:
            found[key] = float(number)
        except ValueError as error:
            raise InputError(f"`{name}`: {part}; give a number for each, as {example}") from error
    return found


def has_values(value: Any) -> TypeGuard[Iterable[Any]]:
    """Whether values can be had of it one by one; NumPy's arrays of no dimension only say so."""
    return isinstance(value, Iterable) and getattr(value, "shape", None) != ()


def single(name: str, values: Sequence[Any]) -> Any:
    """Return the one value of a list."""
    if len(values) != 1:
        raise InputError(f"`{name}`: {len(values)} given; give one")
    return values[0]


def path(name: str, value: str | PathLike[str]) -> Path:
    """Return a path."""
    try:
        text = fspath(value) if isinstance(value, str | PathLike) else ""
        written = isinstance(text, str) and "\0" not in text and fsencode(text)
    except (TypeError, UnicodeEncodeError):
        written = b""
    if not written:
        raise refused(name, value, "a path")
    return Path(value)


def refused(name: str, value: object, wanted: str) -> InputError:
    """Return what says of an argument what it must be."""
    return InputError(f"`{name}`: {_short(value)}; must be {wanted}")


def _within(name: str, number: float, least: float, most: float) -> float:
    if number < least:
        raise refused(name, number, f"at least {least:,}")
    if number > most:
        raise refused(name, number, f"at most {most:,}")
    return number


def _short(value: object) -> str:
    text = repr(value)
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return (
        shown if isinstance(value, str | int | float | None) else f"{type(value).__name__} {shown}"
    )
