"""Files of settings: found by path or as an example, told apart, read and checked.

A file is of one run (`scaling train`) or of a sweep (`scaling plan` and `sweep`).
"""

import re
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from corpora.errors import InputError, did_you_mean, location, regular_file, status, unreadable
from scaling.config.messages import refusal

EXAMPLES = Path(__file__).parents[1] / "experiments"
_SYNTAX_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")

_Root = TypeVar("_Root", bound=BaseModel)


def example(path: str | Path) -> Path:
    """Return the path of an example that comes with the package, where `path` is its bare name and
    no file of that name is there; else `path`.

    Raises:
        InputError: there is no such file, and a name much like it is an example's.
    """
    examples = {file.stem: file for file in sorted(EXAMPLES.glob("*.toml"))}
    near = did_you_mean(str(path), examples)
    if not near or status(Path(path)) is not None:
        return Path(path)
    if str(path) not in examples:
        raise InputError(f"{path}: no such file or example{near}")
    return examples[str(path)]


def read_toml_file(path: str | Path, root: type[_Root]) -> _Root:
    """Return what a file, or an example, asks for.

    Args:
        root: what the file is to be.

    Raises:
        InputError: it cannot be read, is not TOML, is of the other kind, has an unknown key, a
            value out of bounds, or keys that contradict one another. The message names file, line,
            table and key.
    """
    file = example(path)
    text = read_text(file)
    value = _parsed(file, text)
    _refuse_other_kind(path, value, root)
    try:
        return root.model_validate(value)
    except ValidationError as error:
        raise refusal(file, text, error, root) from error


def read_text(file: Path) -> str:
    """Return a file's text, without a byte order mark, which some editors put before every file.

    Raises:
        InputError: it cannot be read, or is not UTF-8.
    """
    try:
        return regular_file(file).read_text(encoding="utf-8").removeprefix("\ufeff")
    except OSError as error:
        raise unreadable(file, error) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{location(file, byte=error.start)}: invalid UTF-8; TOML is UTF-8, so save it as that"
        ) from error


def _parsed(file: Path, text: str) -> dict[str, Any]:
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


def _refuse_other_kind(asked: str | Path, value: Mapping[str, Any], root: type[BaseModel]) -> None:
    sweep = not value.keys().isdisjoint(("arms", "texts"))
    if sweep == (not value.keys().isdisjoint(("model", "data"))):
        return  # neither, or a mixture: what is wrong is told key by key
    if sweep != ("arms" in root.model_fields):
        kind, command = ("a sweep", "sweep") if sweep else ("one run", "train")
        raise InputError(
            f"{asked} is {kind}: tokenize-lab scaling {command} {shlex.quote(str(asked))}"
        )
