"""What became of one run: one JSON file, whole or absent, beside the run's weights."""

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from corpora.errors import InputError
from corpora.files import write_json, write_text
from scaling.flops import CONVENTIONS, TRAINING_FACTOR, forward_flops_per_byte
from scaling.json_file import (
    AMOUNT,
    COUNT,
    NUMBER,
    TEXT,
    check_fields,
    list_of,
    object_of,
    one_of,
    optional,
    read_object,
    refuse_newer,
)
from scaling.spec import SPEC_VERSION, RunSpec

RECORD_VERSION = 1
RECORD = "record.json"
REMEDY = "delete it and run again"  # a damaged record costs its run, and nothing else
Status = Literal["finished", "diverged", "interrupted", "failed"]
# Fields of a record's file; the specification and what was derived are seen to by themselves.
_FIELDS = {
    "status": one_of(get_args(Status)),
    "reason": TEXT,
    "params": object_of(COUNT, needed=("global", "total")),
    "steps": COUNT,
    "train_bytes": COUNT,
    "train_tokens": COUNT,
    "unique_bytes": COUNT,
    "epochs": AMOUNT,
    "validation_nats": optional(AMOUNT),
    "validation_bytes": COUNT,
    "validation_tokens": COUNT,
    "validation_interval": optional(list_of(NUMBER, 2)),
    "patching_flops": AMOUNT,
    "seconds": AMOUNT,
    "device": TEXT,
    "versions": object_of(TEXT),
    "commit": TEXT,
    "host": TEXT,
}


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One run's specification, costs and results.

    Attributes:
        spec: what was asked for.
        status: how it ended. reason: why, unless it finished.
        params: parameter counts by convention: `global`, `local`, `total` as the shape counts
            them; `built`, every number that was trained; `embedding` and `head`.
        steps: optimiser steps taken.
        train_bytes: text they read. train_tokens: in patches or tokens.
        unique_bytes: training text there was. epochs: how often it was read.
        validation_nats: summed over the held-out text; None unless finished.
        validation_bytes: of held-out text scored. validation_tokens: likewise, where counted.
        validation_interval: of bits per byte, 95 %, over documents; None with fewer than two.
        patching_flops: spent once on the byte model that placed the patches: training it and
            reading the text with it; 0 without one. No convention includes it.
        seconds, device, versions, commit, host: of this machine; no part of the result.
    """

    spec: RunSpec
    status: Status
    reason: str
    params: Mapping[str, int]
    steps: int
    train_bytes: int
    train_tokens: int
    unique_bytes: int
    epochs: float
    validation_nats: float | None
    validation_bytes: int
    validation_tokens: int
    validation_interval: tuple[float, float] | None
    patching_flops: float
    seconds: float
    device: str
    versions: Mapping[str, str]
    commit: str
    host: str

    @property
    def bits_per_byte(self) -> float | None:
        """Held-out bits per byte of raw text."""
        if self.validation_nats is None or not self.validation_bytes:
            return None
        return self.validation_nats / (math.log(2) * self.validation_bytes)

    @property
    def flops(self) -> dict[str, float]:
        """Training FLOPs of the text that was read, by every convention of `scaling.flops`."""
        shape, setting = self.spec.model.shape, self.spec.setting
        return {
            name: TRAINING_FACTOR * forward_flops_per_byte(shape, setting, name) * self.train_bytes
            for name in CONVENTIONS
        }

    def row(self) -> dict[str, Any]:
        """Return the record as one row of a runs table, its columns as `scaling.schema` names."""
        flops = self.flops
        return {
            "run_id": self.spec.run_id,
            "name": self.spec.name,
            "tokenization": self.spec.model.family,
            "status": self.status,
            "reason": self.reason,
            "seed": self.spec.seed,
            "compute_flops": flops["full"],
            **{f"compute_flops_{name}": value for name, value in flops.items() if name != "full"},
            "flops_convention": "full",
            "compression_rate": self.spec.compression_rate,
            "global_params": self.params["global"],
            "total_params": self.params["total"],
            "vocabulary_size": self.spec.model.vocabulary_size,
            "embedding_dim": self.spec.model.dim,
            "steps": self.steps,
            "train_bytes": self.train_bytes,
            "train_tokens": self.train_tokens,
            "unique_bytes": self.unique_bytes,
            "bits_per_byte": self.bits_per_byte,
        }

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; what follows from others stands under `derived`."""
        value = {**asdict(self), "spec": self.spec.to_json(), "version": RECORD_VERSION}
        return {**value, "derived": {**self.row(), "flops": self.flops}}


def failed_record(spec: RunSpec, reason: str) -> RunRecord:
    """Return the record of a run that came to no end: nothing it read or took is counted."""
    shape = spec.model.shape
    return RunRecord(
        spec=spec,
        status="failed",
        reason=reason,
        params={
            "global": shape.global_params,
            "local": shape.local_params,
            "total": shape.total_params,
        },
        steps=0,
        train_bytes=0,
        train_tokens=0,
        unique_bytes=0,
        epochs=0.0,
        validation_nats=None,
        validation_bytes=0,
        validation_tokens=0,
        validation_interval=None,
        patching_flops=0.0,
        seconds=0.0,
        device="",
        versions={"python": platform.python_version()},
        commit="",
        host=platform.node(),
    )


def write_record(folder: Path, record: RunRecord) -> Path:
    """Write `record.json`, whole or not at all.

    Raises:
        InputError: the folder cannot be written.
    """
    path = folder / RECORD
    write_json(path, record.to_json())
    return path


def read_record(folder: Path) -> RunRecord | None:
    """Return a run's record, or None where there is none yet.

    Raises:
        InputError: it is torn, altered, of another version, or no record; naming the field.
    """
    path = folder / RECORD
    value = read_object(path, REMEDY)
    if value is None:
        return None
    try:
        check_version(path, value)
        del value["derived"]
        spec = value.pop("spec")
        if isinstance(spec, dict):
            refuse_newer(path, spec.get("version"), SPEC_VERSION)
        check_fields(value, _FIELDS)
        interval = value.pop("validation_interval")
        return RunRecord(
            spec=RunSpec.from_json(spec),
            validation_interval=None if interval is None else (interval[0], interval[1]),
            **value,
        )
    except InputError:
        raise
    except KeyError as error:
        raise InputError(
            f"{path}: not a record of this program ({error} is missing); {REMEDY}"
        ) from error
    except ValueError as error:
        raise InputError(f"{path}: not a record of this program ({error}); {REMEDY}") from error


def check_version(path: Path, value: dict[str, Any]) -> None:
    """Take the version out of a record's file, if it is this program's.

    Raises:
        InputError: it is a later one.
        ValueError: it is another, or none.
    """
    version = value.pop("version", None)
    refuse_newer(path, version, RECORD_VERSION)
    if version != RECORD_VERSION:
        raise ValueError(f"version {version}, where this program reads {RECORD_VERSION}")


# A run's specification as a file, `spec.json`, beside what became of the run.


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
