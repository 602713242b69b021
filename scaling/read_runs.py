"""Reading a runs table: CSV, parquet, a sweep or a folder of records; every fault by its row."""

import hashlib
import math
from pathlib import Path

import polars as pl

from corpora.errors import InputError, did_you_mean
from scaling.load_table import Table, load_table
from scaling.result import Excluded
from scaling.runs import TOO_SHORT, Runs
from scaling.schema import (
    ALIASES,
    FEWEST_STEPS,
    FINISHED,
    KEY,
    LARGEST,
    NUMBERS,
    PARAMS,
    SIGNED,
    TEXTS,
)

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
