"""Tables of runs as they are, not validated: files, the folders of sweeps and of records."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from corpora.errors import InputError
from scaling.csv_faults import csv_fault
from scaling.sweep.collect import load_runs
from scaling.sweep.folder import SweepFolder

# What a record's rate and loss are computed from, and whether its run is long enough.
_MEASURED = ("train_bytes", "train_tokens", "validation_nats", "validation_bytes", "steps")


class Table(NamedTuple):
    """A table as it is, not validated.

    Attributes:
        frame: its rows.
        sha256: it is known by: of a file's bytes, of the CSV of a sweep, of a folder's records.
        content: what is to be kept of it, whose hash that is; empty for a folder of records.
        suffix: of a file of that content.
    """

    frame: pl.DataFrame
    sha256: str
    content: bytes
    suffix: str


def load_table(source: Path) -> Table:
    """Read a table, or the folder of a sweep or of records, each file of it once.

    Raises:
        InputError: there is no table, or it cannot be read.
    """
    if source.is_dir():
        sweep = SweepFolder(source)
        return _load_sweep(sweep) if sweep.file.exists() else _load_records(source)
    if not source.is_file():
        raise InputError(
            f"{source}: no such file; name a .csv or .parquet table, or the folder of a sweep or of"
            " records"
        )
    content = _bytes(source)
    kind = source.suffix.lower()
    try:
        if kind == ".parquet":
            frame = pl.read_parquet(io.BytesIO(content))
        elif kind == ".csv":
            fault = csv_fault(content)
            if fault:
                raise InputError(f"{source}: {fault}")
            frame = pl.read_csv(content, infer_schema_length=None)
            # An empty line, as many programs leave one at the end, is no run.
            frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
        else:
            raise InputError(
                f"{source}: not a runs table; give .csv, .parquet or a folder of records"
            )
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{source}: cannot be read as a table ({reason})") from error
    if not frame.height:
        raise InputError(f"{source}: the table has no rows")
    return Table(frame, hashlib.sha256(content).hexdigest(), content, source.suffix)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from error


def _load_sweep(folder: SweepFolder) -> Table:
    frame = load_runs(folder)
    if not frame.height:
        raise InputError(
            f"{folder.path}: no run of this sweep has ended yet; see tokenize-lab scaling status"
            f" {folder.path}"
        )
    nameless = [name for name in ("dataset", "language") if not (frame[name] != "").any()]
    frame = frame.drop(nameless)
    content = frame.write_csv().encode()
    return Table(frame, hashlib.sha256(content).hexdigest(), content, ".csv")


def _load_records(folder: Path) -> Table:
    """Read `*.json`, one run each; counts nested under `params` and such become columns."""
    digest, rows = hashlib.sha256(), []
    for file in sorted(folder.glob("*.json")):
        content = _bytes(file)
        digest.update(content)
        try:
            record = json.loads(content)
        except (ValueError, RecursionError) as error:  # brackets by the thousand
            raise InputError(
                f"{file}: not JSON ({error}); delete the torn record or re-run it"
            ) from error
        if not isinstance(record, dict):
            raise InputError(f"{file}: a record is one JSON object; delete what is not a record")
        rows.append(_flat(record))
        if not rows[-1]:
            raise InputError(f"{file}: an empty record; delete it or re-run it")
        for name in _MEASURED:
            value = rows[-1].get(name)
            if value is not None and (
                isinstance(value, bool) or not isinstance(value, int | float)
            ):
                raise InputError(f"{file}: {name} is {value!r}, not a number; mend the record")
    if not rows:
        raise InputError(f"{folder}: no record (*.json) in this folder")
    try:
        frame = pl.DataFrame(rows, infer_schema_length=None)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        # A ValueError: JSON can spell text that UTF-8 cannot.
        reason = str(error).splitlines()[0]
        raise InputError(f"{folder}: records do not make a table ({reason})") from error
    if {"validation_nats", "validation_bytes"} <= set(frame.columns):
        frame = frame.with_columns(
            (pl.col("validation_nats") / (pl.col("validation_bytes") * pl.lit(2.0).log())).alias(
                "bits_per_byte"
            )
        )
    if {"train_bytes", "train_tokens"} <= set(frame.columns):
        # What was realised in training, not what was aimed at.
        rate = pl.col("train_bytes") / pl.col("train_tokens")
        frame = frame.with_columns(rate.alias("compression_rate"))
    return Table(frame, digest.hexdigest(), b"", "")


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            flat |= {name: one for name, one in value.items() if not isinstance(one, dict | list)}
        elif not isinstance(value, list):
            flat[key] = value
    return flat
