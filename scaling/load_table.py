"""Tables of runs as they are, not validated: files, data frames, folders of sweeps and records."""

import csv
import hashlib
import io
import sys
from collections import Counter
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import polars as pl

from corpora.arguments import path as named_path
from corpora.errors import InputError, is_file, is_folder
from corpora.files import read_bounded
from corpora.json_file import MOST_BYTES, parsed
from corpora.panics import panics_as_errors
from corpora.readers.parquet_pages import pages
from scaling.sweep.collect import load_runs
from scaling.sweep.folder import SweepFolder

TABLES = (".csv", ".parquet")
_MOST_BYTES, _MOST_UNPACKED, _MOST_VALUES = 128 << 20, 512 << 20, 10_000_000

_NO_RECORD = "name the folder of the runs, or move the file out of it"

# What a record's rate and loss are computed from, and whether its run is long enough.
_MEASURED = ("train_bytes", "train_tokens", "validation_nats", "validation_bytes", "steps")


@runtime_checkable
class ArrowFrame(Protocol):
    """A data frame of another library, which hands its columns over as Arrow's."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return a capsule of the columns."""


# What `read_runs` reads; a pandas data frame is an `ArrowFrame`.
RunsSource = str | PathLike[str] | pl.DataFrame | pl.LazyFrame | ArrowFrame


class LoadedTable(NamedTuple):
    """A table as it is.

    Attributes:
        frame: its rows.
        name: what messages and results call it.
        sha256: of a file's bytes, of the CSV of a sweep or a frame, of the records of a folder.
        content: what that hash is of, to be kept beside a fit; empty for a folder of records.
        suffix: of a file of that content.
    """

    frame: pl.DataFrame
    name: str
    sha256: str
    content: bytes
    suffix: str


def load_table(source: RunsSource, name: str = "") -> LoadedTable:
    """Read a table, or the folder of a sweep or of records, each file of it once.

    Args:
        source: a `.csv` or `.parquet` file, a folder, or a data frame of polars, pandas or any
            library that exports Arrow streams.
        name: what messages and results call it; by default the path, or `data frame`.

    Raises:
        InputError: there is no table, or it cannot be read.
    """
    if not isinstance(source, str | PathLike):
        return _from_frame(_polars(source), name or "data frame")
    path = named_path("runs", source)
    name = name or str(source)
    if is_folder(path):
        sweep = SweepFolder(path)
        return _load_sweep(sweep, name) if sweep.file.exists() else _load_records(path, name)
    if not is_file(path):
        raise InputError(
            f"{path}: no such file; name a .csv or .parquet table, or the folder of a sweep or of"
            " records"
        )
    suffix = path.suffix.lower()
    if suffix not in TABLES:
        raise InputError(f"{path}: not a runs table; give .csv, .parquet or a folder of records")
    content = read_bounded(path, _MOST_BYTES, "give the runs alone")
    try:
        if suffix == ".parquet":
            with panics_as_errors():
                _check_size(path, content)
                frame = _unnested(pl.read_parquet(io.BytesIO(content)))
        else:
            if fault := _csv_fault(content):
                raise InputError(f"{path}: {fault}")
            frame = pl.read_csv(content, infer_schema_length=None)
            # An empty line, as many programs leave one at the end, is no run.
            frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    except InputError:
        raise
    except (pl.exceptions.PolarsError, ValueError) as error:  # a ValueError: it panicked
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: cannot be read as a table ({reason})") from error
    if not frame.height:
        raise InputError(f"{path}: the table has no rows")
    return LoadedTable(frame, name, hashlib.sha256(content).hexdigest(), content, path.suffix)


def _check_size(path: Path, content: bytes) -> None:
    """Refuse a table that unpacks to more than can be held.

    Raises:
        polars.exceptions.PolarsError, ValueError: it is no whole table.
    """
    unpacked = sum(page.unpacked for page in pages(io.BytesIO(content), None))
    if unpacked > _MOST_UNPACKED:
        what = f"unpacks to {unpacked:,} bytes, and no table of runs has over {_MOST_UNPACKED:,}"
        raise InputError(f"{path}: {what}; give the runs alone")
    table = pl.scan_parquet(io.BytesIO(content))
    rows, columns = table.select(pl.len()).collect().item(), len(table.collect_schema())
    if rows * columns > _MOST_VALUES:
        what = f"{rows:,} rows of {columns:,} columns, and no table of runs has over"
        raise InputError(f"{path}: {what} {_MOST_VALUES:,} values; give the runs alone")


def _polars(source: object) -> pl.DataFrame:
    if isinstance(source, pl.LazyFrame):
        return source.collect()
    if isinstance(source, pl.DataFrame):
        return source
    # Whoever has a pandas frame has imported pandas; nobody else need have it installed.
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(source, pandas.DataFrame):
        return _from_pandas(source)
    column = pandas is not None and isinstance(source, pandas.Series)
    if isinstance(source, ArrowFrame) and not column:
        return pl.DataFrame(source)
    raise InputError(
        f"`runs`: a {type(source).__name__}, not a table; give a path or a data frame of polars or"
        " pandas"
    )


def _from_pandas(frame: Any) -> pl.DataFrame:
    """Copy the columns; polars would need pyarrow for those of text."""
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InputError(f"data frame: two columns are called {str(twice)!r}; rename one")
    columns = {
        str(name): [
            None if missing else value
            for value, missing in zip(column.tolist(), column.isna().tolist(), strict=True)
        ]
        for name, column in frame.items()
    }
    try:
        return pl.DataFrame(columns, infer_schema_length=None)
    except (TypeError, pl.exceptions.PolarsError) as error:
        raise InputError(f"data frame: {str(error).splitlines()[0]}") from error


def _from_frame(frame: pl.DataFrame, name: str) -> LoadedTable:
    if not frame.height:
        raise InputError(f"{name}: the table has no rows")
    try:
        frame = _unnested(frame)
        content = frame.write_csv().encode()
    except pl.exceptions.PolarsError as error:  # a column of lists
        raise InputError(f"{name}: {str(error).splitlines()[0]}; drop that column") from error
    return LoadedTable(frame, name, hashlib.sha256(content).hexdigest(), content, ".csv")


def _unnested(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the table with a column `outer.inner` for each field of a nested one."""
    while nested := [name for name, kind in frame.schema.items() if isinstance(kind, pl.Struct)]:
        for name in nested:
            fields = frame[name].struct.unnest()
            frame = frame.drop(name).hstack(
                fields.rename({f: f"{name}.{f}" for f in fields.columns})
            )
    return frame


def _load_sweep(folder: SweepFolder, name: str) -> LoadedTable:
    frame = load_runs(folder)
    if not frame.height:
        raise InputError(
            f"{folder.path}: no run of this sweep has ended yet; see tokenize-lab scaling status"
            f" {folder.path}"
        )
    unnamed = [column for column in ("dataset", "language") if not (frame[column] != "").any()]
    return _from_frame(frame.drop(unnamed), name)


def _load_records(folder: Path, name: str) -> LoadedTable:
    """Read `*.json`, one run each; counts nested under `params` and such become columns."""
    digest, rows = hashlib.sha256(), []
    for file in sorted(folder.glob("*.json")):
        content = read_bounded(file, MOST_BYTES, _NO_RECORD)
        digest.update(content)
        rows.append(_record(file, content))
    if not rows:
        raise InputError(f"{folder}: no record (*.json) in this folder")
    try:
        frame = pl.DataFrame(rows, infer_schema_length=None)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        # A ValueError: JSON can spell text that UTF-8 cannot.
        reason = str(error).splitlines()[0]
        raise InputError(f"{folder}: records do not make a table ({reason})") from error
    if {"validation_nats", "validation_bytes"} <= set(frame.columns):
        bits = pl.col("validation_nats") / (pl.col("validation_bytes") * pl.lit(2.0).log())
        frame = frame.with_columns(bits_per_byte=bits)
    if {"train_bytes", "train_tokens"} <= set(frame.columns):
        # What was realised in training, not what was aimed at.
        rate = pl.col("train_bytes") / pl.col("train_tokens")
        frame = frame.with_columns(compression_rate=rate)
    return LoadedTable(frame, name, digest.hexdigest(), b"", "")


def _record(file: Path, content: bytes) -> dict[str, Any]:
    try:
        record = parsed(content)
        row = _flat(record) if isinstance(record, dict) else {}
    except (ValueError, RecursionError) as error:
        what = f"not JSON ({error}), and so no record of a run; {_NO_RECORD}"
        raise InputError(f"{file}: {what}") from error
    if not isinstance(record, dict):
        raise InputError(f"{file}: a record of a run is one JSON object; {_NO_RECORD}")
    if not row:
        raise InputError(f"{file}: an empty record; {_NO_RECORD}")
    for name in _MEASURED:
        value = row.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise InputError(f"{file}: {name} is {value!r}, not a number; fix the record")
    return row


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a record by name; nested ones by their own and by `outer.inner`."""
    flat: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            flat |= {k: part for k, part in value.items() if not isinstance(part, dict | list)}
            flat |= {f"{key}.{name}": part for name, part in _flat(value).items()}
        elif not isinstance(value, list):
            flat[key] = value
    return flat


def _csv_fault(content: bytes) -> str:
    """Return what is wrong with a CSV file, by its line, and what to do; empty where nothing is."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        return f"line {line}: is not UTF-8; save the table as UTF-8"
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    begun = 1
    try:
        header = next(rows, [])
        if len(header) == 1 and ";" in header[0]:
            return "line 1: columns are separated by semicolons; separate them by commas"
        times = Counter(header)
        twice = next((name for name in header if times[name] > 1), None)
        if twice is not None:
            return f"line 1: two columns are called {twice!r}; rename one"
        begun = rows.line_num + 1
        for row in rows:
            if row and len(row) != len(header):
                fields = f"{len(row)} fields, where the header names {len(header)}"
                return f"line {begun}: {fields}; fix the line"
            begun = rows.line_num + 1
    except csv.Error as error:
        return f"line {begun}: {error}; fix the line"
    return ""
