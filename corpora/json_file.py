"""JSON files that hold a dataclass, read from folders that people copy, edit and damage.

What a field may hold follows from its annotation, so what comes back has the types it declares:

    str                     text that UTF-8 can spell
    int                     a whole number from 0 that 64 bits hold
    float, Share            a finite number; one from 0 to 1. Whole numbers stay whole
    Amount                  one from 0 to 1e99, whose sums and square are finite
    Magnitude               one from 1e-99 to 1e99, whose logarithm and inverse are finite, too
    Hex                     text of hexadecimal digits, two for each byte
    Literal["a", "b"]       one of the words
    X | None                X, or null
    tuple[X, ...], list[X]  a list; tuple[X, Y] is one of that length
    Mapping[str, X]         an object; of a Literal in place of str, all of its words are needed
    a dataclass             an object of its fields; those with defaults may be missing
    a TypedDict             an object of its keys, which stays one: those that it does not name are
                            left as they are, as files of other versions have them

A dataclass whose file says more than its fields, or less, brings a class method `from_json`. Only
the standard library is needed: a machine that only trains can read its files.
"""

import functools
import itertools
import json
import math
import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from corpora.errors import InputError, status
from corpora.files import read_bounded

T = TypeVar("T")
Amount = Annotated[float, "from 0 to 1e99"]
Share = Annotated[float, "from 0 to 1"]
Magnitude = Annotated[float, "from 1e-99 to 1e99"]
Hex = Annotated[str, "hexadecimal"]
_Reader = Callable[[Any, str], Any]  # of a value and its place in the file; raises ValueError

# Together they take less than a gigabyte: an object has some 200 bytes, a value 8 to 60.
MOST_BYTES, _MOST_OBJECTS, _MOST_VALUES = 128 << 20, 1_000_000, 8_000_000
_MOST = 2**63  # counts stay below it: tables hold them in 64 bits
_SHOWN = 60  # characters of an unknown name
_HEX = re.compile("(?:[0-9a-f]{2})*")
_SURROGATES = re.compile("[\ud800-\udfff]")  # JSON can spell them, UTF-8 cannot


class NewerError(ValueError):
    """The file is not damaged but of a later version than this program knows."""


def read_file(path: Path, kind: type[T], *, version: int, what: str, remedy: str) -> T | None:
    """Return what a file holds, an object with the fields of `kind` and a `version`.

    None where there is no file.

    Args:
        version: that this program writes and reads.
        what: the file should be, for the message of one that is not, as `a record`.
        remedy: what to do about that.

    Raises:
        InputError: it cannot be read, or is not that; naming the field.
    """
    value = read_object(path, remedy)
    if value is None:
        return None
    try:
        take_version(value, version)
        return from_json(kind, value)
    except NewerError as error:
        raise InputError(f"{path}: {error}") from error
    except ValueError as error:
        raise InputError(f"{path}: not {what} of this program ({error}); {remedy}") from error


def read_object(path: Path, remedy: str) -> dict[str, Any] | None:
    """Return the object that a file holds; None where there is no file.

    Args:
        remedy: what to do about a damaged file, for the message.

    Raises:
        InputError: it cannot be read, is a folder or a pipe, is not UTF-8, or no JSON object.
    """
    if status(path) is None:
        return None
    try:
        value = read_value(path, remedy)
    except InputError:
        if status(path) is None:  # it was removed just now
            return None
        raise
    if not isinstance(value, dict):
        raise InputError(f"{path}: cannot be read (not an object); {remedy}")
    return value


def read_value(path: Path, remedy: str) -> Any:
    """Return the value that a JSON file holds.

    Raises:
        InputError: it cannot be read, is no JSON, or is more than can be held; naming the remedy.
    """
    content = read_bounded(path, MOST_BYTES, remedy)
    try:
        return parsed(content)
    except ValueError as error:
        raise InputError(f"{path}: cannot be read ({error}); {remedy}") from error


def read_content(path: Path, remedy: str) -> bytes:
    """Return the content of a JSON file, for another parser than `parsed`.

    Raises:
        InputError: it cannot be read, or is more than can be held; naming the remedy.
    """
    content = read_bounded(path, MOST_BYTES, remedy)
    try:
        _check_size(content)
    except ValueError as error:
        raise InputError(f"{path}: cannot be read ({error}); {remedy}") from error
    return content


def parsed(content: bytes) -> Any:
    """Return the JSON value that a file's content spells.

    Raises:
        ValueError: it is no JSON in UTF-8, is nested by the hundreds, or is more than can be held.
    """
    _check_size(content)
    try:
        return json.loads(content.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _check_size(content: bytes) -> None:
    if content.count(b"{") + content.count(b"[") > _MOST_OBJECTS:
        raise ValueError(f"more than {_MOST_OBJECTS:,} objects and lists")
    if content.count(b",") > _MOST_VALUES:
        raise ValueError(f"more than {_MOST_VALUES:,} values")


def take_version(value: dict[str, Any], known: int) -> None:
    """Take the version out of an object, if it is the one that this program knows.

    Raises:
        NewerError: it is a later one.
        ValueError: it is another, or none.
    """
    version = value.pop("version", None)
    if isinstance(version, int | float) and version > known:
        raise NewerError(
            f"version {version}, where this program reads {known}: a newer tokenize-lab wrote it;"
            " update this one, and leave the file as it is"
        )
    if version != known:
        raise ValueError(f"version {version}, where this program reads {known}")


def from_json(kind: type[T], value: Any, place: str = "") -> T:
    """Return the dataclass that a JSON object spells, read by its own `from_json` if it has one.

    Args:
        place: of the object in its file, as `splits.train`, for messages.

    Raises:
        ValueError: it does not; naming the field.
    """
    read = getattr(kind, "from_json", None)
    if read is None or not isinstance(value, dict):
        return from_fields(kind, value, place)
    try:
        found: T = read(value)
    except NewerError:
        raise
    except ValueError as error:
        raise ValueError(f"{place}: {error}" if place else str(error)) from error
    return found


def from_fields(kind: type[T], value: Any, place: str = "") -> T:
    """Return the dataclass `kind` of an object with just its fields; as `from_json`.

    Raises:
        ValueError: a field is missing, unknown or of the wrong type.
    """
    readers, needed = _fields(kind)  # type: ignore[arg-type]  # mypy: a class may have no hash
    if not isinstance(value, dict) or not needed.keys() <= value.keys() <= readers.keys():
        _check_keys(value, needed, readers, place)  # which says what is wrong
    return kind(**{name: readers[name](item, _in(place, name)) for name, item in value.items()})


def read_shape(kind: type[T], value: Any, what: str, remedy: str) -> T:
    """Return a JSON value that `kind`, most often a TypedDict, describes.

    Args:
        what: is being read, for the message, as the path of its file.
        remedy: what to do about a damaged one.

    Raises:
        InputError: it is not that; naming the field.
    """
    try:
        found: T = _reader(kind)(value, "")
    except ValueError as error:
        raise InputError(f"{what}: is damaged or of another version ({error}); {remedy}") from error
    return found


def damaged(file: Path, fault: str, remedy: str) -> InputError:
    """Return what says of a file whose fields have their types, and cannot be all the same."""
    return InputError(f"{file}: is damaged ({fault}); {remedy}")


def is_count(value: Any) -> bool:
    """Whether a value is a whole number from 0 that 64 bits hold."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST


def is_number(value: Any) -> bool:
    """Whether a value is a finite number, a whole one being of 64 bits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) if isinstance(value, float) else abs(value) < _MOST


@functools.cache
def _fields(kind: type) -> tuple[dict[str, _Reader], dict[str, None]]:
    """Return the readers of a dataclass's fields, and the names of those without a default."""
    hints = get_type_hints(kind, include_extras=True)
    parts: tuple[Field[Any], ...] = fields(kind)
    needed = [p.name for p in parts if p.default is MISSING and p.default_factory is MISSING]
    return {part.name: _reader(hints[part.name]) for part in parts}, dict.fromkeys(needed)


def _reader(hint: Any) -> _Reader:
    """Return the reader of what an annotation describes."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint in _PLAIN:
        return _PLAIN[hint]
    if is_typeddict(hint):
        return _typed_dict(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return functools.partial(from_json, hint)
    if origin is Literal:
        words = f"one of {', '.join(inner)}"
        return _checked(words, lambda value: isinstance(value, str) and value in inner)
    if origin in (Union, UnionType):
        (some,) = (_reader(part) for part in inner if part is not NoneType)
        return lambda value, place: None if value is None else some(value, place)
    if origin is NotRequired:
        return _reader(inner[0])
    if origin is tuple:
        return _tuple(*inner)
    if origin is list:
        read = _tuple(inner[0], ...)
        return lambda value, place: list(read(value, place))
    if origin in (dict, Mapping):
        return _mapping(*inner)
    raise TypeError(f"{hint}: no annotation that JSON is read by")


def _tuple(*inner: Any) -> _Reader:
    length = None if inner[1:] == (...,) else len(inner)
    some = [_reader(part) for part in inner[: length or 1]]

    def read(value: Any, place: str) -> tuple[Any, ...]:
        if not isinstance(value, list) or length not in (None, len(value)):
            words = f"a list of {length}" if length else "a list"
            raise ValueError(f"{place!r} is not {words}" if place else f"not {words}")
        each = some if length else itertools.repeat(some[0])
        parts = enumerate(zip(each, value, strict=False), 1)
        return tuple(reader(item, _in(place, number)) for number, (reader, item) in parts)

    return read


@functools.cache
def _typed_dict(kind: Any) -> _Reader:
    readers = {k: _reader(hint) for k, hint in get_type_hints(kind, include_extras=True).items()}
    needed = sorted(kind.__required_keys__, key=list(readers).index)

    def read(value: Any, place: str) -> dict[str, Any]:
        _check_keys(value, needed, value, place)
        return {k: readers[k](v, _in(place, k)) if k in readers else v for k, v in value.items()}

    return read


def _mapping(key: Any, item: Any) -> _Reader:
    some, needed = _reader(item), get_args(key)  # the words of a Literal; none of str

    def read(value: Any, place: str) -> dict[str, Any]:
        _check_keys(value, needed, needed or value, place)
        return {name: some(part, _in(place, name)) for name, part in value.items()}

    return read


def _check_keys(value: Any, needed: Iterable[str], known: Container[str], place: str) -> None:
    if not isinstance(value, dict) or not all(map(_is_text, value)):
        raise ValueError(f"{place!r} is not an object" if place else "not an object")
    for name in needed:
        if name not in value:
            raise ValueError(f"{_in(place, name)!r} is missing")
    for name in value:
        if name not in known:
            raise ValueError(f"{_in(place, name[:_SHOWN])!r} is none of its fields")


def _in(place: str, name: str | int) -> str:
    return f"{place}.{name}" if place else str(name)


def _checked(words: str, holds: Callable[[Any], Any]) -> _Reader:
    def read(value: Any, place: str) -> Any:
        if not holds(value):
            raise ValueError(f"{place!r} is not {words}")
        return value

    return read


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and (value.isascii() or not _SURROGATES.search(value))


_PLAIN: dict[Any, _Reader] = {
    Any: lambda value, place: value,
    str: _checked("text", _is_text),
    Hex: _checked("hexadecimal", lambda value: isinstance(value, str) and _HEX.fullmatch(value)),
    bool: _checked("true or false", lambda value: isinstance(value, bool)),
    int: _checked("a whole number from 0", is_count),
    float: _checked("a finite number", is_number),
    Share: _checked("a number from 0 to 1", lambda value: is_number(value) and 0 <= value <= 1),
    Magnitude: _checked(
        "a number from 1e-99 to 1e99", lambda value: is_number(value) and 1e-99 <= value <= 1e99
    ),
    Amount: _checked(
        "a number from 0 to 1e99", lambda value: is_number(value) and 0 <= value <= 1e99
    ),
}
