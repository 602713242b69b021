"""Reading a runs table: CSV, parquet, a sweep or a folder of records; every fault by its row."""

import csv
import hashlib
import io
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from corpora.errors import InputError, did_you_mean
from scaling.result import Excluded
from scaling.runs import (
    ALIASES,
    FEWEST_STEPS,
    FINISHED,
    KEY,
    LARGEST,
    NUMBERS,
    PARAMS,
    SIGNED,
    TEXTS,
    TOO_SHORT,
    Runs,
)
from scaling.sweep.collect import load_runs
from scaling.sweep.folder import SweepFolder

# Why a CSV file cannot be read as a table, by its line, where a library says less.


def csv_fault(content: bytes) -> str:
    """Return what is wrong with a CSV file and what to do; empty where nothing is."""
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
        twice = next((name for name in header if header.count(name) > 1), None)
        if twice is not None:
            return f"line 1: two columns are called {twice!r}; rename one"
        begun = rows.line_num + 1
        for row in rows:
            if row and len(row) != len(header):
                return (
                    f"line {begun}: {len(row)} fields, where the header names {len(header)};"
                    " mend the line"
                )
            begun = rows.line_num + 1
    except csv.Error as error:
        return f"line {begun}: {error}; mend the line"
    return ""


# Tables of runs as they are, not validated: files, the folders of sweeps and of records.


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


TABLES = (".csv", ".parquet")


def read_runs(
    path: str | Path,
    params: str = "",
    flops_convention: str = "",
    keep_short: bool = False,
    loss: str = "",
) -> Runs:
    """Read and validate a table of runs, or of optima.

    Args:
        path: a `.csv` or `.parquet` file, a folder of one JSON record per run, or a sweep's.
        params: parameter count the laws shall use; by default the first the table has of
            `scaling.schema.PARAMS`.
        flops_convention: keep only rows of this convention, where the table mixes several.
        keep_short: keep runs of fewer than 300 steps.
        loss: column that holds the loss in nats per token, where it is called something else.

    Raises:
        InputError: naming the row and what to do about it.
    """
    return runs_from_table(
        load_table(Path(path)), str(path), params, flops_convention, keep_short, loss
    )


def runs_from_table(
    table: Table,
    source: str,
    params: str = "",
    flops_convention: str = "",
    keep_short: bool = False,
    loss: str = "",
) -> Runs:
    """Validate a table; the arguments are those of `read_runs`, and what messages call it.

    Raises:
        InputError: naming the row and what to do about it.
    """
    frame = table.frame
    if loss:
        if loss not in frame.columns:
            raise InputError(f"{source}: no column {loss!r}{did_you_mean(loss, frame.columns)}")
        clashing = [name for name in ("nats_per_token", "bits_per_byte") if name != loss]
        frame = frame.drop(clashing, strict=False).rename({loss: "nats_per_token"})
    return runs_from_frame(frame, source, table.sha256, params, flops_convention, keep_short)


def runs_from_frame(
    frame: pl.DataFrame,
    name: str,
    sha256: str = "",
    params: str = "",
    flops_convention: str = "",
    keep_short: bool = False,
) -> Runs:
    """Validate a frame as a runs table; the arguments are those of `read_runs`.

    Args:
        name: what messages call the table.
        sha256: of where it came from; by default of the frame's own CSV.

    Raises:
        InputError: naming the row and what to do about it.
    """
    source = name
    sha256 = sha256 or hashlib.sha256(frame.write_csv().encode()).hexdigest()
    frame, notes = _renamed(frame, source)
    frame = frame.with_columns(
        pl.int_range(1, frame.height + 1).alias("row"),
        pl.col(name for name in TEXTS if name in frame.columns).cast(pl.String).fill_null(""),
    )
    frame, excluded = _exclude_unfinished(frame, source, keep_short)
    if not frame.height:
        raise InputError(f"{source}: no finished run; {len(excluded)} were left out")
    frame = _numbers(frame, source)
    frame, convention = _one_convention(frame, source, flops_convention)
    _refuse_duplicates(frame, source)
    chosen = _choose_params(frame, source, params)
    return Runs(frame, name, sha256, chosen, convention, excluded, notes)


def _renamed(frame: pl.DataFrame, source: str) -> tuple[pl.DataFrame, tuple[str, ...]]:
    known = {*NUMBERS, *SIGNED, *TEXTS}
    renames = {
        name: ALIASES[name]
        for name in frame.columns
        if name in ALIASES and ALIASES[name] not in frame.columns
    }
    taken = list(renames.values())
    for target in taken:
        if taken.count(target) > 1:
            names = [name for name, one in renames.items() if one == target]
            raise InputError(f"{source}: columns {', '.join(names)} all mean {target}; keep one")
    frame = frame.rename(renames)
    if not known & set(frame.columns):
        guess = did_you_mean(frame.columns[0], known)
        raise InputError(
            f"{source}: no column of a runs table (has {', '.join(frame.columns[:8])}){guess}"
        )
    return frame, tuple(f"column {old!r} is read as {new}" for old, new in renames.items())


def _exclude_unfinished(
    frame: pl.DataFrame, source: str, keep_short: bool
) -> tuple[pl.DataFrame, tuple[Excluded, ...]]:
    gone: list[Excluded] = []
    keep = [True] * frame.height
    columns = set(frame.columns)
    for index, row in enumerate(frame.iter_rows(named=True)):
        status = str(row["status"] or "") if "status" in columns else ""
        if status.lower() not in FINISHED:
            why = str(row["reason"] or "") if "reason" in columns else ""
            reason = f"{status}: {why}" if why else status
        elif (
            not keep_short
            and "steps" in columns
            and _count(row["steps"], source, index) < FEWEST_STEPS
        ):
            reason = f"{TOO_SHORT}: {row['steps']} steps, fewer than {FEWEST_STEPS}"
        else:
            continue
        keep[index] = False
        gone.append(Excluded(row=index + 1, reason=reason))
    return frame.filter(pl.Series(keep)), tuple(gone)


def _count(steps: object, source: str, index: int) -> float:
    """Return the steps of a row; none counts as nought."""
    try:
        return float(str(steps)) if steps else 0
    except ValueError as error:
        raise InputError(
            f"{source}: row {index + 1}: steps is {steps!r}, not a positive number; mend the row, "
            "or give it a status with a reason"
        ) from error


def _numbers(frame: pl.DataFrame, source: str) -> pl.DataFrame:
    for name in frame.columns:
        if name not in NUMBERS and name not in SIGNED:
            continue
        values = frame[name].cast(pl.Float64, strict=False)
        wrong = values.is_null() | values.is_nan() | (values.abs() > LARGEST)
        if name in NUMBERS:
            wrong = wrong | (values <= 0)
        if wrong.fill_null(True).any():
            first = frame.filter(wrong.fill_null(True))
            rows, found = first["row"].to_list(), first[name][0]
            more = f" ({len(rows)} rows in all)" if len(rows) > 1 else ""
            needed = "a positive number" if name in NUMBERS else "a finite number"
            if isinstance(found, float) and LARGEST < abs(found) < math.inf:
                needed = f"one of at most {LARGEST:g}"
            raise InputError(
                f"{source}: row {rows[0]}: {name} is {'empty' if found is None else found}, "
                f"not {needed}{more}; mend the row, or give it a status with a reason"
            )
        frame = frame.with_columns(values.alias(name))
    return frame


def _one_convention(frame: pl.DataFrame, source: str, wanted: str) -> tuple[pl.DataFrame, str]:
    if "flops_convention" not in frame.columns and wanted:
        raise InputError(
            f"{source}: has no column flops_convention; leave --flops-convention out, or add it"
        )
    if "flops_convention" not in frame.columns:
        return frame, wanted or "undeclared"
    found = sorted({str(name) for name in frame["flops_convention"].to_list()})
    if wanted:
        if wanted not in found:
            raise InputError(
                f"{source}: no row counts FLOPs by {wanted!r}; it has {', '.join(found)}"
            )
        return frame.filter(pl.col("flops_convention") == wanted), wanted
    if len(found) > 1:
        raise InputError(
            f"{source}: mixed FLOPs conventions ({', '.join(found)}); "
            "choose one with --flops-convention"
        )
    return frame, found[0]


def _refuse_duplicates(frame: pl.DataFrame, source: str) -> None:
    key = [name for name in KEY if name in frame.columns]
    if not key:
        return
    repeated = frame.filter(pl.struct(key).is_duplicated())
    if repeated.height:
        first = repeated.row(0, named=True)
        same = repeated.filter(
            pl.all_horizontal(pl.col(name).eq_missing(first[name]) for name in key)
        )
        rows = ", ".join(str(row) for row in same["row"].to_list())
        raise InputError(
            f"{source}: rows {rows} are the same run (equal {', '.join(key)}); "
            "drop one, or add a seed or run_id column that tells them apart"
        )


def _choose_params(frame: pl.DataFrame, source: str, wanted: str) -> str:
    present = [name for name in PARAMS if name in frame.columns]
    if wanted and wanted not in present:
        has = ", ".join(present) or "none"
        raise InputError(f"{source}: no parameter count {wanted!r}; it has {has}")
    return wanted or (present[0] if present else "")
