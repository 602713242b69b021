"""A run's specification as a file, `spec.json`, beside what became of the run."""

import json
from pathlib import Path

from corpora.errors import InputError
from corpora.files import write_text
from scaling.spec import RunSpec

SPEC = "spec.json"


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
    try:
        value = json.loads(path.read_text("utf-8"))
        if not isinstance(value, dict):
            raise ValueError("not an object")
        return RunSpec.from_json(value)
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file; name a run's folder") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a run's specification ({error})") from error
