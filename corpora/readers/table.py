"""CSV and TSV: a document per row, its text in one column; the first row names the columns."""

import csv
import io
import sys
from collections.abc import Iterator
from itertools import chain
from typing import Any

from corpora.document import BATCH_BYTES, Batch
from corpora.errors import InputError, did_you_mean, location
from corpora.readers.bytes import decoded, line_blocks, longest, too_long
from corpora.readers.settings import (
    Reading,
    RecordColumns,
    batches_of,
    language_column,
    record_id,
)

# Python's reader holds a field as four bytes a character and beside them the row: of a document's
# limit, this share is left for a row. One that is longer is mostly a quote that nothing closes.
_ROW_SHARE = 8
_MOST_FIELDS = 4_000_000  # empty ones take eight bytes each, too
_DELIMITERS = (",", ";", "\t")


def read_table(reading: Reading) -> Iterator[Batch]:
    """Yield each row's text; columns `language` (or `lang`, `locale`, or what `language_field`
    names), `domain` and `id` are used where present. A row without an id is named by its line.

    Fields are quoted as RFC 4180 has it; one may hold line ends. Columns are divided by tabs in a
    .tsv, else by what the first line has most of: commas, semicolons or tabs.

    Raises:
        InputError: the file cannot be read; the text column is missing; quoting is broken, or a
            row has more or fewer fields than there are columns (the line is named), or is longer
            than an eighth of the limit; the text is not valid UTF-8 and that is refused.
    """
    path, settings = reading.file.path, reading.settings
    lines = _lines(reading)
    head = next(lines, "")
    if not head.strip():
        return
    tabs = ".tsv" in path.suffixes
    delimiter = "\t" if tabs else max(_DELIMITERS, key=head.count)
    rows = _rows(chain((head,), lines), delimiter, reading)
    _, columns = next(rows)
    columns = [name.strip() for name in columns]
    field = settings.text_field
    if len(columns) == 1 and "|" in columns[0]:
        raise InputError(
            f"{path}: columns are divided by `|`; write it with commas, semicolons or tabs"
        )
    if field not in columns:
        shown = ", ".join(map(repr, columns))
        raise InputError(
            f"{path}: no column {field!r}; the table has {shown}"
            f"{did_you_mean(field, columns) or '; name the right one with `text_field`'}"
        )
    if columns.count(field) > 1:
        raise InputError(
            f"{path}: {columns.count(field)} columns are called {field!r}; give them different"
            " names, or name another one with `text_field`"
        )
    others = [name for name in columns if name != field]
    said = language_column(others, str(path), reading)
    text_at = columns.index(field)
    places = {name: columns.index(name) for name in (said, "domain", "id") if name in others}
    texts: list[str] = []
    ids: list[str] = []
    labels: dict[str | None, list[Any]] = {name: [] for name in places}
    size = 0
    for line, row in rows:
        if len(row) != len(columns):
            raise InputError(
                f"{location(path, line)}: a row of {len(row)} fields, but there are"
                f" {len(columns)} columns; put a text that holds {_named(delimiter)} in quotes, or"
                " mend the row"
            )
        text = _text(row[text_at], line, reading)
        if text is None:
            continue
        texts.append(text)
        for name, place in places.items():
            labels[name].append(row[place])
        ids.append(record_id(row[places["id"]] if "id" in places else None, line))
        size += len(text)
        if size >= BATCH_BYTES:
            yield from batches_of(_columns(texts, ids, labels, said), reading)
            texts, ids, labels, size = [], [], {name: [] for name in places}, 0
    yield from batches_of(_columns(texts, ids, labels, said), reading)


def _columns(
    texts: list[str], ids: list[str], labels: dict[str | None, list[Any]], said: str | None
) -> RecordColumns:
    languages = None if said is None else labels.get(said)
    return RecordColumns(texts, ids, languages, labels.get("domain"))


def _lines(reading: Reading) -> Iterator[str]:
    """Yield the lines with their ends; bytes that are not UTF-8 are surrogates."""
    for block in line_blocks(reading, _ROW_SHARE):
        if block.first_line == 1:
            # Of UTF-16, and of a first line that is no text, nothing can be made at all.
            decoded(block.data.partition(b"\n")[0], 1, block.first_byte, reading)
        # Split at LF alone, as lines are counted; `splitlines` knows of more ends.
        yield from io.StringIO(block.data.decode("utf-8", "surrogateescape"), newline="\n")


def _rows(
    lines: Iterator[str], delimiter: str, reading: Reading
) -> Iterator[tuple[int, list[str]]]:
    """Yield rows that are not blank, each with the number of the line it begins at."""
    path, most = reading.file.path, longest(reading, _ROW_SHARE)
    line, size, fields = 1, 0, 1  # of the row being read: where it begins, and what it has so far

    def bounded() -> Iterator[str]:
        nonlocal size, fields
        for text in lines:
            size += len(text)
            fields += text.count(delimiter)
            if size > most:
                raise too_long(location(path, line), "row", reading, _ROW_SHARE)
            if fields > _MOST_FIELDS:
                raise InputError(
                    f"{location(path, line)}: a row of more than {_MOST_FIELDS:,} fields; is it"
                    " divided by something else?"
                )
            yield text

    csv.field_size_limit(min(most, sys.maxsize))
    reader = csv.reader(bounded(), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if row:
                yield line, row
            line, size, fields = reader.line_num + 1, 0, 1
    except csv.Error as error:
        raise InputError(
            f"{location(path, line)}: the row that begins here is quoted wrongly ({error}); double"
            ' each quote inside a quoted field ("") and close the field with one'
        ) from error


def _text(field: str, line: int, reading: Reading) -> str | None:
    """Return the field as text; None where it is skipped."""
    if field.isascii():
        return field
    try:
        field.encode("utf-8")
    except UnicodeEncodeError:
        return decoded(field.encode("utf-8", "surrogateescape"), line, 0, reading)
    return field


def _named(delimiter: str) -> str:
    return {",": "commas", ";": "semicolons", "\t": "tabs"}[delimiter]
