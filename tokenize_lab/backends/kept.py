"""What loading a vocabulary found out, kept beside the packages' files, so that it is proven once.

Reading a vocabulary of 100,000 tokens, and proving that another engine gives the same ids, takes
seconds; taking the outcome of an earlier time takes hundredths. An entry is found by the file's own
bytes, by what was asked of them, by the libraries' versions and by the code that reads: whatever
changes one of them is loaded afresh. An entry holds numbers and text, checked as they are read, of
which a few known types are made; one that is torn, or cannot be read or written, does no harm.
"""

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from corpora.files import keep_newest
from tokenize_lab.packages import kept_folder
from tokenize_lab.sealed import Whole, read_sealed, write_sealed

T = TypeVar("T")

LEAST_BYTES = 1 << 16  # a smaller file is read as quickly
_MOST_ENTRIES = 128  # the oldest go; one takes a few megabytes
_LIBRARIES = ("numpy", "regex", "tiktoken", "tokenizers")
# What making something of numbers and text that another hand has sealed raises.
_NOT_MADE = (ValueError, LookupError, TypeError, RecursionError)


def kept(
    content: bytes,
    asked: Iterable[str],
    types: Iterable[type],
    load: Callable[[], T],
    least: int | None = None,
) -> T:
    """Return what `load` returned for the same file at an earlier time, or returns now.

    Arguments:
        content: of the file.
        asked: whatever else the outcome depends on.
        types: the dataclasses and named tuples that it is made of.
        least: bytes of content below which nothing is kept; `LEAST_BYTES`.
    """
    if len(content) < (LEAST_BYTES if least is None else least):
        return load()
    path = _path(content, asked)
    if entry := read_sealed(path, path.name):
        with contextlib.suppress(*_NOT_MADE):
            facts, *arrays = entry
            by_name = {kind.__name__: kind for kind in types}
            found: T = _made(json.loads(facts.tobytes()), arrays, by_name)
            return found
    loaded = load()
    _keep(path, loaded)
    return loaded


def _path(content: bytes, asked: Iterable[str]) -> Path:
    digest = hashlib.sha256("\0".join((_sources(), *_versions(), *asked)).encode())
    digest.update(hashlib.sha256(content).digest())
    return kept_folder("vocabularies") / digest.hexdigest()


@cache
def _versions() -> tuple[str, ...]:
    return tuple(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES)


@cache
def _sources() -> str:
    """Return the hash of the code that reads vocabularies."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for place in (folder, folder.parent, folder.parent / "merges"):
        for path in sorted(place.glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _keep(path: Path, loaded: object) -> None:
    arrays: list[Whole] = []
    facts = json.dumps(_facts(loaded, arrays)).encode()
    with contextlib.suppress(OSError):
        write_sealed(path, path.name, [np.frombuffer(facts, np.uint8), *arrays])
        keep_newest(path.parent.glob("[!.]*"), _MOST_ENTRIES)


def _facts(value: Any, arrays: list[Whole]) -> Any:
    """Return a value as JSON has it, its bytes and arrays put into `arrays`."""
    match value:
        case None | str() | bool() | int() | float():
            return value
        case bytes():
            return {"bytes": _put(np.frombuffer(value, np.uint8), arrays)}
        case np.ndarray():
            return {"array": _put(value, arrays)}
        case tuple() if not hasattr(value, "_fields"):
            return {"tuple": [_facts(part, arrays) for part in value]}
    names = (
        [field.name for field in dataclasses.fields(value)]
        if dataclasses.is_dataclass(value)
        else value._fields
    )
    fields = {name: _facts(getattr(value, name), arrays) for name in names}
    return {"type": type(value).__name__, "fields": fields}


def _put(array: Whole, arrays: list[Whole]) -> int:
    arrays.append(array)
    return len(arrays) - 1


def _made(facts: Any, arrays: Sequence[Whole], types: Mapping[str, type]) -> Any:
    match facts:
        case {"bytes": place}:
            return arrays[place].tobytes()
        case {"array": place}:
            return arrays[place]
        case {"tuple": parts}:
            return tuple(_made(part, arrays, types) for part in parts)
        case {"type": name, "fields": fields}:
            values = {field: _made(value, arrays, types) for field, value in fields.items()}
            return types[name](**values)
    return facts
