"""JSON files of ours, read from folders that people copy, edit and damage.

What comes back has been checked: later code may count on the types of its fields.
"""

import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from corpora.errors import InputError, regular_file, status, unreadable

MOST = 2**63  # counts stay below it: tables hold them in 64 bits
_SHOWN = 60  # characters of a name that is none of ours
_SURROGATES = re.compile("[\ud800-\udfff]")  # JSON can spell them, UTF-8 cannot


class Kind(NamedTuple):
    """What a field may hold: in words, and as a check."""

    words: str
    holds: Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not _SURROGATES.search(value)


def is_count(value: Any) -> bool:
    """Whether a value is a whole number from 0 that 64 bits hold."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) if isinstance(value, float) else abs(value) < MOST


TEXT = Kind("text", _is_text)
COUNT = Kind("a whole number from 0", is_count)
NUMBER = Kind("a finite number", _is_number)
AMOUNT = Kind("a finite number from 0", lambda value: _is_number(value) and value >= 0)
OBJECT = Kind("an object", lambda value: isinstance(value, dict))


def one_of(words: Collection[str]) -> Kind:
    """Return the kind of one of the words."""
    return Kind(f"one of {', '.join(words)}", lambda value: _is_text(value) and value in words)


def optional(kind: Kind) -> Kind:
    """Return the same kind, or null."""
    return Kind(f"{kind.words}, or null", lambda value: value is None or kind.holds(value))


def list_of(kind: Kind, length: int | None = None) -> Kind:
    """Return the kind of a list, of any length or just one."""

    def holds(value: Any) -> bool:
        fits = isinstance(value, list) and length in (None, len(value))
        return fits and all(map(kind.holds, value))

    return Kind(f"a list of {'' if length is None else f'{length}, each '}{kind.words}", holds)


def object_of(kind: Kind, needed: Collection[str] = ()) -> Kind:
    """Return the kind of an object whose values are all of one kind, some keys being needed."""

    def holds(value: Any) -> bool:
        if not isinstance(value, dict) or not set(needed) <= value.keys():
            return False
        return all(map(_is_text, value)) and all(map(kind.holds, value.values()))

    named = f", with {' and '.join(needed)}" if needed else ""
    return Kind(f"an object whose values are each {kind.words}{named}", holds)


def check_fields(value: Any, fields: Mapping[str, Kind], may_lack: Collection[str] = ()) -> None:
    """Check that a value is an object of just these fields, each of its kind.

    Raises:
        ValueError: it is not; naming the field.
    """
    if not isinstance(value, dict):
        raise ValueError("not an object")
    for name, kind in fields.items():
        if name in value and not kind.holds(value[name]):
            raise ValueError(f"{name!r} is not {kind.words}")
        if name not in value and name not in may_lack:
            raise ValueError(f"{name!r} is missing")
    for name in value:
        if name not in fields:
            raise ValueError(f"{name[:_SHOWN]!r} is none of its fields")


def refuse_newer(path: Path, version: Any, known: int) -> None:
    """Refuse a file that is not damaged but of a later version than this program knows.

    Raises:
        InputError: it is.
    """
    if isinstance(version, int | float) and version > known:
        raise InputError(
            f"{path}: version {version}, where this program reads {known}: a newer tokenize-lab"
            " wrote it; update this one, and leave the file as it is"
        )


def read_object(path: Path, remedy: str, damaged: str = "cannot be read") -> dict[str, Any] | None:
    """Return the object that a file holds; None where there is no file.

    Args:
        remedy: what to do about a damaged file, for the message. damaged: what to say of it.

    Raises:
        InputError: it cannot be read, is a folder or a pipe, is not UTF-8, or no JSON object.
    """
    if status(path) is None:
        return None
    try:
        value = json.loads(regular_file(path, remedy).read_text("utf-8"))
    except FileNotFoundError:  # it was removed just now
        return None
    except InputError:
        if status(path) is None:  # likewise
            return None
        raise
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, RecursionError) as error:  # brackets by the thousand
        raise InputError(f"{path}: {damaged} ({error}); {remedy}") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: {damaged} (not an object); {remedy}")
    return value
