"""What a run is and what became of it: `spec.json` and `record.json`, beside the run's weights.

Each is whole or absent.
"""

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from corpora.errors import InputError
from corpora.files import write_json, write_text
from corpora.json_file import Amount, NewerError, Share, from_fields, read_file, read_object
from scaling.flops import CONVENTIONS, training_flops_per_byte
from scaling.spec import RunSpec

RECORD_VERSION = 1
RECORD = "record.json"
SPEC = "spec.json"
_WHAT = "a record"
_REMEDY = "delete it and run again"  # a damaged record costs its run, and nothing else
_SPEC_REMEDY = "restore the file, or plan the run again"
RunOutcome = Literal["finished", "diverged", "interrupted", "failed"]


@dataclass(frozen=True, kw_only=True)
class LanguageRecord:
    """What a run read of one language, and what its held-out text came to.

    Attributes:
        language: as the shards call it; of a mixture's run, the text's name.
        train_bytes: text of it that the steps read. train_tokens: in patches or tokens.
        validation_nats: summed over its held-out text; None unless finished.
        validation_bytes: of that text. validation_tokens: of it.
        validation_interval: of bits per byte, 95 %, over documents; None with fewer than two.
        unique_bytes: training text of it that there was; 0 where a record does not say.
    """

    language: str
    train_bytes: int
    train_tokens: int
    validation_nats: Amount | None
    validation_bytes: int
    validation_tokens: int
    validation_interval: tuple[float, float] | None
    unique_bytes: int = 0

    @property
    def bits_per_byte(self) -> float | None:
        """Held-out bits per byte of raw text."""
        return _bits_per_byte(self.validation_nats, self.validation_bytes)

    @property
    def compression_rate(self) -> float | None:
        """T of its held-out text, bytes per patch or token; None where none was scored."""
        tokens = self.validation_tokens
        return self.validation_bytes / tokens if tokens else None

    @property
    def train_compression_rate(self) -> float | None:
        """T of what was read of it; None where nothing was."""
        return self.train_bytes / self.train_tokens if self.train_tokens else None


def _bits_per_byte(nats: float | None, size: int) -> float | None:
    return None if nats is None or not size else nats / (math.log(2) * size)


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
        validation_bytes: of held-out text scored. validation_tokens: of it, where counted.
        validation_interval: of bits per byte, 95 %, over documents; None with fewer than two.
        languages: the same of each language of the text; records of earlier versions have none.
        patching_flops: spent once on the byte model that placed the patches: training it and
            reading the text with it; 0 without one. No convention includes it.
        seconds, device, versions, commit, host: of this machine; no part of the result.
    """

    spec: RunSpec
    status: RunOutcome
    reason: str
    params: Mapping[str, int]
    steps: int
    train_bytes: int
    train_tokens: int
    unique_bytes: int
    epochs: Amount
    validation_nats: Amount | None
    validation_bytes: int
    validation_tokens: int
    validation_interval: tuple[float, float] | None
    patching_flops: Amount
    seconds: Amount
    device: str
    versions: Mapping[str, str]
    commit: str
    host: str
    languages: tuple[LanguageRecord, ...] = ()

    def __post_init__(self) -> None:
        if not {"global", "total"} <= self.params.keys():
            raise ValueError("'params' is not counts of which one is global, and one total")

    @property
    def bits_per_byte(self) -> float | None:
        """Held-out bits per byte of raw text."""
        return _bits_per_byte(self.validation_nats, self.validation_bytes)

    @property
    def flops(self) -> dict[str, float]:
        """Training FLOPs of the text that was read, by every convention of `scaling.flops`."""
        shape, setting = self.spec.model.shape, self.spec.cost_context
        return {
            name: training_flops_per_byte(shape, setting, name) * self.train_bytes
            for name in CONVENTIONS
        }

    def row(self) -> dict[str, Any]:
        """Return the record as one row of a runs table, its columns as `scaling.runs` names."""
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

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "RunRecord":
        """Return what `to_json` gave, its version taken out.

        Raises:
            ValueError: it is not that; naming the field.
        """
        if "derived" not in value:
            raise ValueError("'derived' is missing")
        return from_fields(cls, {name: part for name, part in value.items() if name != "derived"})


def failed_record(spec: RunSpec, reason: str) -> RunRecord:
    """Return the record of a run that came to no end: nothing it read or took is counted."""
    shape = spec.model.shape
    local, total = shape.local_params, shape.total_params
    return RunRecord(
        spec=spec,
        status="failed",
        reason=reason,
        params={"global": shape.global_params, "local": local, "total": total},
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
    return read_file(folder / RECORD, RunRecord, version=RECORD_VERSION, what=_WHAT, remedy=_REMEDY)


@dataclass(frozen=True, kw_only=True)
class RecordSummary:
    """What a record says of how its run ended, as it was derived when it was written.

    Attributes:
        run_id: of the run. status, reason, steps, seconds: as of `RunRecord`.
        planned_steps, batch_bytes, compression_rate: of its specification.
        bits_per_byte: of held-out text; None unless finished.
        compute_flops: spent on training, by the `full` convention.
        shares: of the texts of a mixture. languages: as of `RunRecord`.
    """

    run_id: str
    status: RunOutcome
    reason: str
    steps: int
    planned_steps: int
    batch_bytes: int
    compression_rate: Amount
    bits_per_byte: Amount | None
    compute_flops: Amount
    seconds: Amount
    shares: Mapping[str, Share] = field(default_factory=dict)
    languages: tuple[LanguageRecord, ...] = ()

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "RecordSummary":
        """Return the summary of a record's object; the rest of it is not looked at.

        Raises:
            ValueError: it is not a record's; naming the field.
        """
        derived, spec = value.get("derived"), value.get("spec")
        if not isinstance(derived, dict) or not isinstance(spec, dict):
            raise ValueError("'derived' or 'spec' is missing")
        training = spec.get("training")
        if not isinstance(training, dict):
            raise ValueError("'spec.training' is missing")
        names = ("run_id", "compression_rate", "bits_per_byte", "compute_flops")
        chosen = {name: derived.get(name) for name in names}
        chosen |= {name: value.get(name) for name in ("status", "reason", "steps", "seconds")}
        chosen |= {"shares": spec.get("shares", {}), "languages": value.get("languages", [])}
        steps, batch_bytes = training.get("steps"), training.get("batch_bytes")
        return from_fields(cls, {**chosen, "planned_steps": steps, "batch_bytes": batch_bytes})


def summary(folder: Path) -> RecordSummary | None:
    """Return the summary of a run's record, or None where there is none yet.

    For looking at many runs: what follows from the specification is not computed again.

    Raises:
        InputError: it is torn, of another version, or no record; naming the field.
    """
    path = folder / RECORD
    return read_file(path, RecordSummary, version=RECORD_VERSION, what=_WHAT, remedy=_REMEDY)


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
    value = read_object(path, _SPEC_REMEDY)
    if value is None:
        raise InputError(f"{path}: there is no such file; name a run's folder")
    try:
        return RunSpec.from_json(value)
    except NewerError as error:
        raise InputError(f"{path}: {error}") from error
    except ValueError as error:
        raise InputError(f"{path}: not a run's specification ({error}); {_SPEC_REMEDY}") from error
