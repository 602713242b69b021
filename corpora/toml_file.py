"""Settings that a person writes as TOML: read, checked, and what is wrong said in one line.

The line says which file, which line, which key, and what to do about it. TOML's reader does not
tell where a key stood, so lines are looked up in the text: what is written plainly (a key at the
beginning of its line, under its table) is found, and nothing else is needed.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from corpora.errors import InputError, did_you_mean, location
from corpora.files import read_bounded

_CONTRADICTION = "contradiction"
_MOST_BYTES = 4 << 20
# The library keeps every beginning of a dotted key: 60 KB of one would take gigabytes.
_DEEPEST = 64
_PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+"""
_DEEP_KEY = re.compile(rf"(?<![\w-])(?:{_PART}){{{_DEEPEST}}}")
_SYNTAX_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")
_Table = TypeVar("_Table", bound=BaseModel)


def read_toml(file: Path, root: type[_Table]) -> _Table:
    """Return what a file says.

    Args:
        root: what it is to be.

    Raises:
        InputError: it cannot be read, is not TOML, has an unknown key, a value out of bounds, or
            keys that contradict one another.
    """
    text = read_text(file)
    return checked(file, text, parsed(file, text), root)


def contradiction(what: str, *place: str | int) -> PydanticCustomError:
    """Return what a validator raises.

    Args:
        what: what is wrong, and what to do about it.
        place: keys that lead from the validator's table to where it is wrong; none for all of it.
    """
    return PydanticCustomError(_CONTRADICTION, "{what}", {"what": what, "place": place})


def read_text(file: Path) -> str:
    """Return a file's text, without a byte order mark, which some editors put before every file.

    Raises:
        InputError: it cannot be read, or is not UTF-8.
    """
    try:
        return read_bounded(file, _MOST_BYTES).decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{location(file, byte=error.start)}: invalid UTF-8; TOML is UTF-8, so save it as that"
        ) from error


def parsed(file: Path, text: str) -> dict[str, Any]:
    """Return the text of a file as TOML.

    Raises:
        InputError: it is none; naming line and column.
    """
    if deep := _DEEP_KEY.search(text):
        first = text.count("\n", 0, deep.start()) + 1
        raise InputError(f"{location(file, first)}: a key of more than {_DEEPEST} parts; fix it")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _SYNTAX_PLACE.search(str(error))
        what = _SYNTAX_PLACE.sub("", str(error))
        line = int(place[1]) if place else None
        column = f" in column {place[2]}" if place else ""
        raise InputError(f"{location(file, line)}: not TOML{column}: {what}; fix it") from error
    except (ValueError, RecursionError) as error:  # numbers or lists without end
        raise InputError(f"{file}: not TOML that can be read ({error}); fix it") from error


def checked(file: Path, text: str, value: dict[str, Any], root: type[_Table]) -> _Table:
    """Return the value of a file as what it is to be.

    Args:
        text: of the file, to find lines in.

    Raises:
        InputError: it has an unknown key, a value out of bounds, or keys that contradict one
            another.
    """
    try:
        return root.model_validate(value)
    except ValidationError as error:
        first, place = _first(error, root)
        where = location(file, _line_of(text, place.path))
        parts = (where, place.words, _sentence(first, place))
        raise InputError(": ".join(part for part in parts if part)) from error


_HEADER_LINE = re.compile(r"\s*(\[\[?)\s*([^\[\],]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY_LINE = re.compile(r"\s*((?:\"[^\"]*\"|'[^']*'|[\w-]+)(?:\s*\.\s*[\w-]+)*)\s*=")
_KEY = re.compile(r"\"([^\"]*)\"|'([^']*)'|([\w-]+)")
_BARE_KEY = re.compile(r"[\w-]+", re.ASCII)  # what TOML takes without quotes
_SHOWN = 40  # characters shown of a wrong value
_EXPECTED = {  # by pydantic's type of error; filled with its context
    "int_type": "a valid integer",
    "float_type": "a valid number",
    "string_type": "a valid string",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "finite_number": "a finite number",
    "multiple_of": "a multiple of {multiple_of}",
    "string_pattern_mismatch": "written as {pattern}",
    "greater_than": "greater than {gt:.15g}",
    "greater_than_equal": "greater than or equal to {ge:.15g}",
    "less_than": "less than {lt:.15g}",
    "less_than_equal": "less than or equal to {le:.15g}",
}
_EMPTY = ("too_short", "string_too_short")
_NO_TABLE = ("model_type", "dict_type", "list_type", "model_attributes_type")


def argument_refusal(error: ValidationError, root: type[BaseModel]) -> InputError:
    """Return the first thing that is wrong with values that stand in no file, as one line."""
    first, place = _first(error, root)
    return InputError(f"`{place.path[-1]}`: {_sentence(first, place)}")


class _Place(NamedTuple):
    """Where something is wrong.

    Attributes:
        words: as the file writes it: `[texts.english] inflate`.
        path: keys and numbers that lead there from the root.
        table: what the last key stands in, or is, if `is_table`.
        is_name: whether the last key's name is wrong, and not what it holds.
    """

    words: str
    path: tuple[str | int, ...]
    table: type[BaseModel]
    is_table: bool
    is_name: bool


def _first(error: ValidationError, root: type[BaseModel]) -> tuple[ErrorDetails, _Place]:
    # A misspelt key is unknown, and the one meant is missing; the first of these says more. Of what
    # may be a table or else a value, a value's fault says more than that it is no table.
    def precedence(details: ErrorDetails) -> tuple[bool, bool]:
        return details["type"] != "extra_forbidden", details["type"] in _NO_TABLE

    first = min(error.errors(include_url=False), key=precedence)
    return first, _place(root, (*first["loc"], *first.get("ctx", {}).get("place", ())))


def _place(root: type[BaseModel], loc: Sequence[str | int]) -> _Place:
    """Walk from the root along what pydantic calls a location."""
    table, header, keys, path = root, "", list[str](), list[str | int]()
    is_table = False
    pieces = iter(loc)
    for piece in pieces:
        if piece == "[key]":
            return _Place(header, tuple(path), table, is_table, is_name=True)
        field = table.model_fields.get(str(piece))
        inner = _table_in(field.annotation) if field is not None else None
        path.append(piece)
        is_table = inner is not None
        if inner is None:  # a value, or no key at all; what follows is within the value
            keys.append(_written(piece))
            break
        table, container = inner, get_origin(field.annotation) if field is not None else None
        if container in (dict, list, tuple) and (which := next(pieces, None)) is not None:
            path.append(which)
            named = f"[{piece}.{_written(which)}]"
            header = named if container is dict else f"[[{piece}]] number {int(which) + 1}"
        elif not header:
            header = f"[[{piece}]]" if container in (list, tuple) else f"[{piece}]"
        else:  # within a table, a value may be a table or else of another type; pydantic says which
            keys.append(_written(piece))
            if next(pieces, None) != table.__name__:
                break
    words = " ".join(part for part in (header, ".".join(keys)) if part)
    return _Place(words, tuple(path), table, is_table, is_name=False)


def _table_in(annotation: Any) -> type[BaseModel] | None:
    """Return the table that a key holds: itself, or by name, by number, or as one of its types."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((table for part in get_args(annotation) if (table := _table_in(part))), None)


def _written(key: str | int) -> str:
    return str(key) if _BARE_KEY.fullmatch(str(key)) else f'"{key}"'


def _sentence(error: ErrorDetails, place: _Place) -> str:
    given, kind, context = error["input"], error["type"], error.get("ctx", {})
    text = str(given)
    shown = repr(text[:_SHOWN] + "..." if len(text) > _SHOWN else given)
    subject = "its name " if place.is_name else ""
    if kind == _CONTRADICTION:
        return f"{subject}{context['what']}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "extra_forbidden":
        known = list(place.table.model_fields)
        near = did_you_mean(str(place.path[-1]), known)
        return f"unknown key{near or '; the keys here are ' + ', '.join(known)}"
    if kind == "missing":
        return f"missing; add {'the table' if place.is_table else 'it'}"
    if kind in _EMPTY:
        return f"{subject}is empty; fill it, or remove it if it need not be there"
    if kind in _NO_TABLE and place.is_table:
        return "must be one table of keys and values; write it as such"
    if kind == "literal_error":
        near = did_you_mean(text, re.findall(r"'([^']*)'", context["expected"]))
        return f"is {shown}; it must be {context['expected']}{near}"
    if kind in _EXPECTED:
        return f"{subject}is {shown}; it must be {_EXPECTED[kind].format(**context)}"
    return f"{subject}is {shown}: {error['msg']}"


def _line_of(text: str, path: Sequence[str | int]) -> int | None:
    """Return the line of a key, or else of the nearest table around it, if written plainly."""
    lines: dict[tuple[str | int, ...], int] = {}
    inside: tuple[str | int, ...] = ()
    arrays = Counter[tuple[str | int, ...]]()
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER_LINE.match(line):
            inside = ()
            for key in _keys(header[2]):
                if inside in arrays:  # a table of the last one of an array
                    inside = (*inside, arrays[inside] - 1)
                inside = (*inside, key)
            if header[1] == "[[":
                arrays[inside] += 1
                inside = (*inside, arrays[inside] - 1)
            lines.setdefault(inside, number)
        elif pair := _KEY_LINE.match(line):
            lines.setdefault((*inside, *_keys(pair[1])), number)
    prefixes = (tuple(path[:length]) for length in range(len(path), 0, -1))
    return next((lines[prefix] for prefix in prefixes if prefix in lines), None)


def _keys(written: str) -> list[str]:
    return ["".join(groups) for groups in _KEY.findall(written)]
