"""A run's specification as a file, `spec.json`, beside what became of the run."""

import json
from pathlib import Path

from corpora.errors import InputError
from corpora.files import write_text
from scaling.json_file import read_object, refuse_newer
from scaling.spec import SPEC_VERSION, RunSpec

SPEC = "spec.json"
_DAMAGED = "not a run's specification"
_REMEDY = "restore the file, or plan the run again"


def write_spec(folder: Path, spec: RunSpec) -> None:
    """Write `spec.json`, whole or not at all.

    Raises:
        InputError: the folder holds another run, or cannot be written.
    """
    path = folder / SPEC
    if path.exists() and (there := read_spec(path)).run_id != spec.run_id:
        raise InputError(f"{folder}: holds run {there.run_id}; give this one a folder of its own")
    write_text(path, json.dumps(spec.to_json(), indent=1, allow_nan=False) + "\n")


def read_spec(path: Path) -> RunSpec:
    """Read a specification.

    Raises:
        InputError: it is missing, torn, altered, or of another version.
    """
    value = read_object(path, _REMEDY, _DAMAGED)
    if value is None:
        raise InputError(f"{path}: there is no such file; name a run's folder")
    refuse_newer(path, value.get("version"), SPEC_VERSION)
    try:
        return RunSpec.from_json(value)
    except ValueError as error:
        raise InputError(f"{path}: {_DAMAGED} ({error}); {_REMEDY}") from error
