"""Counts read back from the two tables of a measured folder, some rows at a time.

A row is a unit, and a table of forty tokenizers on forty languages has millions of them: as a frame
it would fill gigabytes. Each group is made narrow as soon as its rows are there.
"""

import io
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from corpora.panics import panics_as_errors
from corpora.readers.parquet_pages import pages
from tokenize_lab.counts.documents import CountsByDocument, DocumentPlace
from tokenize_lab.counts.fields import FIELDS
from tokenize_lab.counts.narrow import NarrowUnits, narrow
from tokenize_lab.counts.schema import Group, GroupCounts, Histogram

if TYPE_CHECKING:
    import polars as pl

PARTS = list(Group._fields)
_ROWS_AT_ONCE = 1 << 16
_MOST_ROWS_A_BYTE = 64  # counts of texts that are all the same take a byte for some rows
_LAST_UNIT = 1 << 24  # units are few; a table is made of their numbers
_MOST_UNITS, _MOST_IDS = 1 << 17, 1 << 22  # rows of a group, in either file
_MOST_NAMES = 256 << 20  # bytes of the names in rows read at once
_MOST_COUNTED = 1 << 53  # below it sums are exact, as numbers of whatever kind
_MOST_PAGE = 128 << 20  # bytes that a page unpacks to


def read_counts(counts: bytes, histograms: bytes) -> Mapping[Group, GroupCounts]:
    """Return the counts of two Parquet files by group, in the order of the first.

    Raises:
        polars.exceptions.PolarsError, ValueError: a file is damaged.
    """
    import polars as pl

    with panics_as_errors():
        for content in (counts, histograms):
            _refuse_large(content)
        first = pl.scan_parquet(io.BytesIO(counts)).select("document").head(1).collect()
        if len(first) and not first.to_series().null_count():
            return _by_document(counts)
        result: dict[Group, GroupCounts] = {}
        for frame, groups in _batches(counts, ["unit", "aligned", *FIELDS], _MOST_UNITS):
            units = frame["unit"].to_numpy().astype(np.int64)
            columns = [narrow(frame[name].to_numpy()) for name in FIELDS]
            for group, rows in groups:
                if group in result or (np.diff(units[rows]) <= 0).any():
                    raise ValueError("units are twice in it, or not in order")
                table = NarrowUnits.of([column[rows] for column in columns])
                # Units without documents are not in the file.
                aligned = bool(frame["aligned"][rows.start])
                result[group] = GroupCounts(table.at(units[rows]), aligned=aligned)
        known = set[Group]()
        for frame, groups in _batches(histograms, ["token_id", "occurrences"], _MOST_IDS):
            ids = frame["token_id"].to_numpy().astype(np.int64)
            occurrences = narrow(frame["occurrences"].to_numpy())
            for group, rows in groups:
                if group not in result:
                    raise ValueError("token ids of a group that has no counts")
                if group in known or (np.diff(ids[rows]) <= 0).any() or ids[rows][-1] >= 1 << 32:
                    raise ValueError("token ids are twice in it, not in order, or too large")
                known.add(group)
                numbers = ids[rows].astype(np.uint32)
                result[group].histogram = Histogram(numbers, occurrences[rows].copy())
    return result


def _refuse_large(content: bytes) -> None:
    """Refuse a file that claims more than so many bytes can hold."""
    import polars as pl

    for page in pages(io.BytesIO(content), None):
        if page.unpacked > _MOST_PAGE:
            raise ValueError(f"a page of the column {page.column} has {page.unpacked:,} bytes")
    rows = pl.scan_parquet(io.BytesIO(content)).select(pl.len()).collect().item()
    if rows > _MOST_ROWS_A_BYTE * len(content):
        raise ValueError(f"{rows:,} rows in {len(content):,} bytes")


def _by_document(content: bytes) -> CountsByDocument:
    result = CountsByDocument()
    wheres = ["tokenizer", *DocumentPlace._fields]
    for frame, _ in _frames(content, ["unit", "aligned", *FIELDS]):
        if frame["document"].null_count():
            raise ValueError("counts of documents have no name")
        if (frame["unit"] > 0).any():
            raise ValueError("a document has more than one unit")
        table = frame.select(*FIELDS).to_numpy().astype(np.int64)
        for (tokenizer, *where), rows in _runs(frame, wheres):
            names = frame["document"][rows].to_list()
            result.add(tokenizer, DocumentPlace(*where), names, table[rows])
    result.check()
    return result


def _batches(
    content: bytes, columns: list[str], most: int
) -> Iterator[tuple["pl.DataFrame", list[tuple[Group, slice]]]]:
    """Yield frames of whole groups, whose rows follow one another in the file, and their rows.

    `most`: rows of a group.
    """
    import polars as pl

    rest: list[pl.DataFrame] = []
    for part, last in _frames(content, columns):
        frame = pl.concat([*rest, part])
        runs = _runs(frame, PARTS)
        if not last:
            _, rows = runs.pop()
            rest = [frame[rows].clone()]
            if rows.stop - rows.start > most:
                raise ValueError(f"a group of more than {most:,} rows")
        yield frame, [(Group(*key), rows) for key, rows in runs]


def _frames(content: bytes, columns: list[str]) -> Iterator[tuple["pl.DataFrame", bool]]:
    """Yield some rows after others, and whether they are the last."""
    import polars as pl

    table = _with_later_counts(pl.scan_parquet(io.BytesIO(content)))
    known = table.collect_schema().names()
    for name in (*PARTS, *columns):
        if name not in known:
            raise ValueError(f"no column {name!r}")
    table = table.select(*PARTS, *columns)
    counted = dict.fromkeys(columns, 0.0)
    length = pl.scan_parquet(io.BytesIO(content)).select(pl.len()).collect().item()
    for begin in range(0, length, _ROWS_AT_ONCE):
        frame = table.slice(begin, _ROWS_AT_ONCE).collect()
        _check(frame, columns, counted)
        yield frame, begin + _ROWS_AT_ONCE >= length


def _runs(frame: "pl.DataFrame", columns: list[str]) -> list[tuple[tuple[Any, ...], slice]]:
    """Return the stretches of rows that are alike in some columns, and what they have there."""
    import polars as pl

    numbers = frame.select(pl.struct(columns).rle_id()).to_series().to_numpy()
    starts = np.flatnonzero(np.diff(numbers, prepend=np.uint32(1 << 31))).tolist()
    keys = frame.select(pl.col(columns).gather(starts)).rows()
    rows = [slice(*ends) for ends in pairwise([*starts, len(frame)])]
    return list(zip(keys, rows, strict=True))


def parquet(frames: Iterable["pl.DataFrame"]) -> bytes:
    """Return frames of as many columns, one below the other, as a Parquet file.

    In memory: polars's own writer turns a full disk into an error of another kind.
    """
    from polars.io.plugins import register_io_source

    buffer, rest = io.BytesIO(), iter(frames)
    first = next(rest)
    second = next(rest, None)
    if second is None:
        first.write_parquet(buffer, compression="zstd")
        return buffer.getvalue()
    stream = register_io_source(lambda *_: chain([first, second], rest), schema=first.schema)
    stream.sink_parquet(buffer, compression="zstd", row_group_size=_ROWS_AT_ONCE)
    return buffer.getvalue()


def _check(frame: "pl.DataFrame", columns: list[str], counted: dict[str, float]) -> None:
    """Raise a ValueError of a table that holds other than counts, or more than can be added up.

    Args:
        counted: the sums of the columns, to which those of this part of the table are added.
    """
    import polars as pl

    numbers = frame.select(pl.col(columns).exclude("aligned"))
    if not all(kind.is_integer() for kind in numbers.dtypes):
        raise ValueError("a column of counts holds no whole numbers")
    if not all(kind in (pl.String, pl.Null) for kind in frame.select(PARTS).dtypes):
        raise ValueError(f"a column of {', '.join(PARTS)} holds no text")
    if "aligned" in columns and frame["aligned"].dtype != pl.Boolean:
        raise ValueError("the column aligned holds other than true and false")
    if len(frame) and (sum(numbers.null_count().row(0)) or min(numbers.min().row(0)) < 0):
        raise ValueError("a count is missing or negative")
    if sum(int(n or 0) for n in frame.select(pl.col(pl.String).str.len_bytes().sum()).row(0)) > (
        _MOST_NAMES
    ):
        raise ValueError("names of many megabytes")
    for name, amount in numbers.select(pl.all().cast(pl.Float64).sum()).row(0, named=True).items():
        counted[name] += amount
        if name not in ("unit", "token_id") and counted[name] > _MOST_COUNTED:
            raise ValueError(f"{name} add up to more than 2 to the 53rd")
    if "unit" in columns and (frame["unit"] > _LAST_UNIT).any():
        raise ValueError("a unit has a number that none can have")


def _with_later_counts(table: "pl.LazyFrame") -> "pl.LazyFrame":
    """Return counts with those that older folders do not have, as near as theirs allow."""
    import polars as pl

    names = table.collect_schema().names()
    size, documents = pl.col("bytes"), pl.col("documents")
    later = {
        "lost_bytes": (size - pl.col("token_bytes")).clip(0),
        "comparable_bytes": size * pl.col("exact_documents") // documents,
    }
    if "bytes" not in names:
        return table
    return table.with_columns(**{n: e for n, e in later.items() if n not in names})
