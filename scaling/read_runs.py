"""Reading a runs table: columns under their names, numbers checked, every fault by its row."""

import math
from collections.abc import Mapping

import polars as pl

from corpora.arguments import flag, real, refused, text
from corpora.errors import InputError, did_you_mean
from scaling.complete import TOLERANCE, complete, last_of_logs, last_rows, merge_budgets
from scaling.load_table import LoadedTable, RunsSource, load_table
from scaling.result import Excluded, Finding, noted
from scaling.runs import (
    ALIASES,
    FEWEST_STEPS,
    FINISHED,
    KEY,
    LARGEST,
    LOSSES,
    NUMBERS,
    PARAMS,
    SIGNED,
    TEXTS,
    TOO_SHORT,
    Runs,
    is_per_text,
    named_columns,
)

MOST_TOLERANCE = 0.2  # budgets of a designed grid lie further apart
_TELL = "; say what they hold with `columns` params=THEIRS, and so on"
COLUMNS = tuple(dict.fromkeys([*NUMBERS, *SIGNED, *TEXTS, *KEY]))


def read_runs(
    source: RunsSource | LoadedTable,
    name: str = "",
    *,
    columns: Mapping[str, str] | None = None,
    params: str = "",
    flops_convention: str = "",
    keep_short: bool = False,
    loss: str = "",
    budget_tolerance: float = TOLERANCE,
    last: bool = False,
) -> Runs:
    """Read and validate a table of runs, or of optima.

    Args:
        source: a `.csv` or `.parquet` file, the folder of a sweep, a folder of one JSON record per
            run, or a data frame of polars, pandas or a library that exports Arrow streams.
        name: what messages and results call it; by default the path, or `data frame`.
        columns: what the table calls a column, by the name it has here (`COLUMNS`), e.g.
            `{"bits_per_byte": "val_bpb"}`. Common other names are known (`scaling.runs.ALIASES`).
        params: parameter count that laws use; by default the first of `scaling.runs.PARAMS` that
            the table has.
        flops_convention: keep only rows of this convention, where the table mixes several.
        keep_short: keep runs of fewer than 300 steps.
        loss: column of losses in nats per token: `columns={"nats_per_token": loss}`, and no bits
            per byte that the table may give as well.
        budget_tolerance: budgets, and compression rates, that agree to within this fraction are one
            (`scaling.complete.merge_budgets`); 0 takes them as they stand.
        last: of every run, take the row where its training ended; checkpoints before that go.

    What a table leaves to be worked out is worked out, and noted (`scaling.complete.complete`); of
    a log that counts nothing but steps, its last row is the run.

    Raises:
        InputError: naming the row and what to do about it.
    """
    name, params, loss = text("name", name), text("params", params), text("loss", loss)
    flops_convention = text("flops_convention", flops_convention)
    table = source if isinstance(source, LoadedTable) else load_table(source, name)
    source_name, frame = name or table.name, table.frame
    keep_short, last = flag("keep_short", keep_short), flag("last", last)
    budget_tolerance = real("budget_tolerance", budget_tolerance, 0, MOST_TOLERANCE)
    if columns is not None and not isinstance(columns, Mapping):
        raise refused("columns", columns, "a mapping from names here to the table's")
    if loss:
        columns = {**(columns or {}), "nats_per_token": loss}
        if loss != "bits_per_byte" and "bits_per_byte" not in columns:
            frame = frame.drop("bits_per_byte", strict=False)
    if columns:
        frame = _as_told(frame, columns, source_name)
    frame, notes = _as_known(frame, source_name)
    _check_kinds(frame, source_name)
    frame = frame.with_columns(
        pl.int_range(1, frame.height + 1).alias("row"),
        pl.col(name for name in TEXTS if name in frame.columns).cast(pl.String).fill_null(""),
    )
    frame, of_logs = last_of_logs(frame)
    frame, excluded = _exclude_unfinished(frame, source_name, keep_short)
    if not frame.height:
        raise InputError(f"{source_name}: {_none_left(excluded)}")
    frame = _numbers(frame, source_name)
    frame, convention = _one_convention(frame, source_name, flops_convention)
    _refuse_duplicates(frame, source_name)
    chosen = _choose_params(frame, source_name, params)
    if last:
        frame = last_rows(frame)
    declared = "compute_flops" in frame.columns
    frame, worked_out = complete(frame, source_name, chosen)
    if not declared and "compute_flops" in frame.columns:
        convention = "6 N D"
    frame, merged = merge_budgets(frame, budget_tolerance)
    frame = frame.select(pl.exclude("row"), "row")  # read again, it is the same table
    notes = (*notes, *of_logs, *worked_out, *merged)
    return Runs(frame, source_name, table.sha256, chosen, convention, excluded, notes)


def _check_kinds(frame: pl.DataFrame, source: str) -> None:
    """Refuse columns of what can be read as neither numbers nor text."""
    words = (pl.Categorical, pl.Enum)
    for name, kind in frame.schema.items():
        number = name in NUMBERS or name in SIGNED or name == "steps"
        if not number and name not in TEXTS:
            continue
        if kind.is_nested() or kind in (pl.Binary, pl.Object) or (number and kind in words):
            what = "numbers" if number else "text"
            raise InputError(f"{source}: {name} is a column of {kind}, not of {what}; convert it")


def _none_left(excluded: tuple[Excluded, ...]) -> str:
    short = sum(gone.reason.startswith(TOO_SHORT) for gone in excluded)
    others = len(excluded) - short
    rows = f"all {short} rows are" if short > 1 else "its one row is"
    if not others:
        return f"{rows} of runs under {FEWEST_STEPS} steps; keep them with `keep_short`"
    said = f"no finished run; {others} {'was' if others == 1 else 'were'} left out, the first for: "
    said += next(gone.reason for gone in excluded if not gone.reason.startswith(TOO_SHORT))
    if short:
        were = "one is" if short == 1 else f"{short} are"
        said += f"; {were} under {FEWEST_STEPS} steps, kept by `keep_short`"
    return said


def _as_told(frame: pl.DataFrame, columns: Mapping[str, str], source: str) -> pl.DataFrame:
    """Rename columns as the caller says; one already of that name is another thing, and goes."""
    for column, given in columns.items():
        if column not in COLUMNS and not is_per_text(str(column)):
            raise InputError(
                f"`columns`: no column {column!r} in a runs table{did_you_mean(column, COLUMNS)}"
            )
        if given not in frame.columns:
            raise InputError(f"{source}: no column {given!r}{did_you_mean(given, frame.columns)}")
    given_names = set(columns.values())
    if len(given_names) < len(columns):
        raise InputError("`columns`: each column of the table can stand for one thing only")
    clashing = [column for column in columns if column not in given_names]
    names = {given: column for column, given in columns.items()}
    return frame.drop(clashing, strict=False).rename(names)


def _as_known(frame: pl.DataFrame, source: str) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    known = {*NUMBERS, *SIGNED, *TEXTS}
    renames = {
        name: ALIASES[name]
        for name in frame.columns
        if name in ALIASES and ALIASES[name] not in frame.columns
    }
    taken = list(renames.values())
    for target in taken:
        if taken.count(target) > 1:
            names = [name for name, meaning in renames.items() if meaning == target]
            raise InputError(f"{source}: columns {', '.join(names)} all mean {target}; keep one")
    frame = frame.rename(renames)
    if not known & set(frame.columns) and not any(map(is_per_text, frame.columns)):
        guess = did_you_mean(frame.columns[0], known)
        raise InputError(
            f"{source}: no column of a runs table (has {', '.join(frame.columns[:8])})"
            f"{guess or _TELL}"
        )
    read = (f"column {old!r} is read as {new}" for old, new in renames.items())
    return frame, tuple(noted("column names", said) for said in read)


def _exclude_unfinished(
    frame: pl.DataFrame, source: str, keep_short: bool
) -> tuple[pl.DataFrame, tuple[Excluded, ...]]:
    excluded, counted = [], not keep_short and "steps" in frame.columns
    for number, row in enumerate(frame.iter_rows(named=True), start=1):
        status, reason = str(row.get("status") or ""), str(row.get("reason") or "")
        if status.lower() not in FINISHED:
            why = f"{status}: {reason}" if reason else status
        elif counted and _count(row["steps"], source, number) < FEWEST_STEPS:
            why = f"{TOO_SHORT}: {row['steps']} steps, fewer than {FEWEST_STEPS}"
        else:
            continue
        excluded.append(Excluded(row=number, reason=why))
    return frame.filter(~pl.col("row").is_in([gone.row for gone in excluded])), tuple(excluded)


def _count(steps: object, source: str, row: int) -> float:
    """Return the steps of a row; none counts as 0."""
    try:
        return float(str(steps)) if steps else 0
    except ValueError as error:
        raise InputError(
            f"{source}: row {row}: steps is {steps!r}, not a positive number; fix the row, "
            "or give it a status with a reason"
        ) from error


def _numbers(frame: pl.DataFrame, source: str) -> pl.DataFrame:
    for name in frame.columns:
        if name not in NUMBERS and name not in SIGNED:
            continue
        values = frame[name].cast(pl.Float64, strict=False)
        wrong = values.is_null() | values.is_nan() | (values.abs() > LARGEST)
        if name in NUMBERS:
            wrong = wrong | (values < 1 / LARGEST)
        if wrong.fill_null(True).any():
            first = frame.filter(wrong.fill_null(True))
            rows, found = first["row"].to_list(), first[name][0]
            more = f" ({len(rows)} rows in all)" if len(rows) > 1 else ""
            needed = "a positive number" if name in NUMBERS else "a finite number"
            if isinstance(found, float) and LARGEST < abs(found) < math.inf:
                needed = f"one of at most {LARGEST:g}"
            if isinstance(found, float) and 0 < found < 1 / LARGEST:
                needed = f"one of at least {1 / LARGEST:g}"
            raise InputError(
                f"{source}: row {rows[0]}: {name} is {'empty' if found is None else found}, "
                f"not {needed}{more}; fix the row, or give it a status with a reason"
            )
        frame = frame.with_columns(values.alias(name))
    return frame


def _one_convention(frame: pl.DataFrame, source: str, wanted: str) -> tuple[pl.DataFrame, str]:
    if "flops_convention" not in frame.columns:
        if wanted:
            what = "has no column flops_convention; leave the choice out, or add the column"
            raise InputError(f"{source}: {what}")
        return frame, "undeclared"
    found = sorted({str(name) for name in frame["flops_convention"].to_list()})
    known = ", ".join(found)
    if wanted and wanted not in found:
        raise InputError(f"{source}: no row counts FLOPs by {wanted!r}; it has {known}")
    if not wanted and len(found) > 1:
        what = f"mixed FLOPs conventions ({known}); choose one with `flops_convention`"
        raise InputError(f"{source}: {what}")
    chosen = wanted or found[0]
    return frame.filter(pl.col("flops_convention") == chosen), chosen


def _refuse_duplicates(frame: pl.DataFrame, source: str) -> None:
    """Refuse rows that are one run: equal in all that tells runs apart, columns not known included.

    Where columns that are not known differ, and losses too, the rows may well be several runs; a
    law that needs what such a column holds says so.
    """
    key = [name for name in frame.columns if name in KEY or name.startswith("share:")]
    if not key:
        return
    unknown = [name for name in frame.columns if name not in (*COLUMNS, "row")]
    losses = [name for name in LOSSES if name in frame.columns]
    repeated = frame.filter(pl.struct(key).is_duplicated())
    for part in repeated.partition_by(key, maintain_order=True):
        differ = [name for name in unknown if part[name].n_unique() == part.height]
        if differ and not any(part[name].n_unique() == 1 for name in losses):
            continue
        rows = ", ".join(map(str, part["row"]))
        but = f" but for {named_columns(differ)}, not known" if differ else ""
        raise InputError(
            f"{source}: rows {rows} are the same run (equal {', '.join(key)}{but}); "
            "drop one, or add a seed or run_id column that tells them apart"
        )


def _choose_params(frame: pl.DataFrame, source: str, wanted: str) -> str:
    present = [name for name in PARAMS if name in frame.columns]
    if wanted and wanted not in present:
        has = ", ".join(present) or "none"
        raise InputError(f"{source}: no parameter count {wanted!r}; it has {has}")
    return wanted or (present[0] if present else "")
