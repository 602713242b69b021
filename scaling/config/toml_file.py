"""Files of settings: found by path or as an example, told apart, read and checked.

A file is of one run (`scaling train`) or of a sweep (`scaling plan` and `sweep`).
"""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from corpora.errors import InputError, did_you_mean, status
from corpora.toml_file import checked, parsed, read_text

EXAMPLES = Path(__file__).parents[1] / "experiments"
_SettingsFile = TypeVar("_SettingsFile", bound=BaseModel)


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


def read_toml_file(path: str | Path, root: type[_SettingsFile]) -> _SettingsFile:
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
    value = parsed(file, text)
    _refuse_other_kind(path, value, root)
    return checked(file, text, value, root)


def _refuse_other_kind(asked: str | Path, value: Mapping[str, Any], root: type[BaseModel]) -> None:
    sweep = not value.keys().isdisjoint(("arms", "texts"))
    if sweep == (not value.keys().isdisjoint(("model", "data"))):
        return  # neither, or a mixture: what is wrong is told key by key
    if sweep != ("arms" in root.model_fields):
        kind, command = ("a sweep", "sweep") if sweep else ("one run", "train")
        words = f"tokenize-lab scaling {command} {shlex.quote(str(asked))}"
        raise InputError(f"{asked} is {kind}: {words}")
