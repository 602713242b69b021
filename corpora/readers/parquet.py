"""Parquet files: a document per row, read in slices."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from corpora.document import BATCH_BYTES, Batch, Numbers
from corpora.errors import InputError, did_you_mean, unreadable
from corpora.panics import panics_as_errors
from corpora.readers.bytes import decoded, longest, too_long
from corpora.readers.parquet_pages import pages
from corpora.readers.settings import (
    LABEL_FIELDS,
    LANGUAGE_FIELDS,
    Reading,
    RecordColumns,
    batches_of,
    language_column,
    record_id,
)

if TYPE_CHECKING:
    import polars as pl

# Large enough that finding its place in a row group costs little beside reading it.
_SLICE_BYTES = 16 << 20
_PAGE_SHARE = 4  # of a document's limit that a page may have, with the documents in it
_FIRST_ROWS, _MOST_ROWS, _GROWTH = 256, 1 << 20, 8


def read_parquet(reading: Reading) -> Iterator[Batch]:
    """Yield each row's text; columns `language` (or `lang`, `locale`, or what `language_field`
    names), `domain` and `id` are used where present.

    Memory holds one slice of about 16 MiB of text, whatever the size of the file's row groups
    (the compressed pages of one row group are mapped, not held), and however often its rows repeat
    one text that the file has once. Rows are counted from 1.

    Raises:
        InputError: the file cannot be read; the column is missing, holds something other than
            text, or a null; a page unpacks to more than a share of the limit; the text is not
            valid UTF-8 and that is refused.
    """
    import polars as pl

    path, field = reading.file.path, reading.settings.text_field
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"{path}: the name is not UTF-8, without which a parquet file cannot be opened; rename"
        ) from error
    try:
        _refuse_large_pages(reading)
        with panics_as_errors():
            table = pl.scan_parquet(path, glob=False)
            schema = table.collect_schema()
        is_bytes = _is_bytes(schema, path, field)
        others = [column for column in schema if column != field]
        said = language_column(others, str(path), reading)
        named = [c for c in (said, "domain", "id") if c in others and _is_label(schema[c])]
        table = table.select(field, *named)
        row, rows = 1, _FIRST_ROWS
        while (part := _slice(table, row - 1, rows)).height:
            ends = _text_bytes(part).cum_sum()
            for piece in _pieces(part, ends):
                yield from batches_of(_records(piece, row, is_bytes, said, reading), reading)
                row += piece.height
            wanted = part.height * _SLICE_BYTES // max(ends[-1], 1)
            rows = max(1, min(wanted, part.height * _GROWTH, _MOST_ROWS))
    except PermissionError as error:
        raise unreadable(path, error) from error
    except InputError:
        raise
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:  # a ValueError: it panicked
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{path}: not a readable parquet file ({reason}); fetch or write the file again"
        ) from error


def _slice(table: "pl.LazyFrame", first: int, rows: int) -> "pl.DataFrame":
    """Return some rows; stderr is held for no longer than that takes."""
    with panics_as_errors():
        return table.slice(first, rows).collect()


def _refuse_large_pages(reading: Reading) -> None:
    """Refuse pages that unpack to more than a share of the limit: they are held several times."""
    columns = {reading.settings.text_field, *LABEL_FIELDS, *LANGUAGE_FIELDS}
    columns.add(reading.settings.language_field or "")
    with reading.file.path.open("rb") as file:
        for page in pages(file, columns):
            if page.unpacked > longest(reading, _PAGE_SHARE):
                place = f"{reading.file.place}: row group {page.row_group + 1}, {page.column!r}"
                raise too_long(place, "page", reading, _PAGE_SHARE)


def _is_label(dtype: "pl.DataType") -> bool:
    """Whether values of a column can name or label a document; lists could hold anything."""
    import polars as pl

    return dtype in (pl.String, pl.Categorical, pl.Enum) or dtype.is_integer()


def _text_bytes(part: "pl.DataFrame") -> "pl.Series":
    """Return how many bytes of text each row has, whichever rows share them in the file."""
    import polars as pl

    sizes = pl.Series([0], dtype=pl.UInt64).new_from_index(0, part.height)
    for column in part.iter_columns():
        if column.dtype == pl.Binary:
            size = column.bin.size()
        elif column.dtype.is_integer():
            continue
        else:
            size = column.cast(pl.String).str.len_bytes()
        sizes = sizes + size.fill_null(0)
    return sizes


def _pieces(part: "pl.DataFrame", ends: "pl.Series") -> Iterator["pl.DataFrame"]:
    """Yield the rows in pieces of about a batch's bytes, by where the text of each row ends."""
    batch = ends // BATCH_BYTES
    cuts = [0, *(batch.diff().fill_null(0) > 0).arg_true().to_list(), part.height]
    for begin, end in pairwise(cuts):
        if end > begin:
            yield part.slice(begin, end - begin)


def _is_bytes(schema: "pl.Schema", path: Path, field: str) -> bool:
    import polars as pl

    if field not in schema:
        columns = ", ".join(map(repr, schema)) or "none"
        raise InputError(
            f"{path}: no column {field!r}; the table has {columns}"
            f"{did_you_mean(field, schema) or '; name the right one with `text_field`'}"
        )
    dtype = schema[field]
    if dtype not in (pl.String, pl.Binary, pl.Categorical, pl.Enum):
        raise InputError(
            f"{path}: column {field!r} holds {dtype}, not text; name the column that holds"
            " the text with `text_field`"
        )
    return dtype == pl.Binary


def _records(
    part: "pl.DataFrame", first: int, is_bytes: bool, said: str | None, reading: Reading
) -> RecordColumns:
    field = reading.settings.text_field
    values = part[field].to_list()
    if part[field].null_count():
        row = first + values.index(None)
        raise InputError(
            f"{reading.file.path}: row {row} has no text (column {field!r} is null);"
            " fill it or drop the row"
        )
    columns = {c: part[c].to_list() for c in part.columns if c != field}
    if is_bytes:
        values = [decoded(v, n, 0, reading) for n, v in enumerate(values, start=first)]
        kept = [v is not None for v in values]
        columns.setdefault("id", [*range(first, first + len(values))])
        columns = {
            c: [v for v, k in zip(column, kept, strict=True) if k] for c, column in columns.items()
        }
        values = [v for v in values if v is not None]
    ids = columns.get("id")
    return RecordColumns(
        values,
        Numbers(first, len(values))
        if ids is None
        else [record_id(value, n) for n, value in enumerate(ids, start=first)],
        None if said is None else columns.get(said),
        columns.get("domain"),
    )
