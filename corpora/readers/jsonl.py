"""JSON lines: a record per line, its text in one field."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from pydantic_core import from_json

from corpora.document import Batch, Numbers
from corpora.errors import InputError, did_you_mean, location
from corpora.readers.bytes import (
    LONG_LINE,
    LineBlock,
    decoded,
    line_blocks,
    without_surrogates,
)
from corpora.readers.settings import (
    LANGUAGE_FIELDS,
    Reading,
    RecordColumns,
    batches_of,
    record_id,
)

_DECODER = json.JSONDecoder()
_SURROGATE = re.compile(rb"\\u[dD]")  # perhaps an unpaired one, perhaps half of an emoji
_MISSING = object()

# A line of brackets takes thirty times its length once it is parsed, so those of a long one are
# counted first: strings, and what begins another value.
_MOST_VALUES = 2_000_000
_VALUES = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{,]', re.DOTALL)
_KINDS = {
    dict: "object", list: "array", str: "string", int: "number", float: "number", bool: "boolean",
    type(None): "null",
}  # fmt: skip


def read_jsonl(reading: Reading) -> Iterator[Batch]:
    """Yield each record's text; its `language` (or `lang`, `locale`, or what `language_field`
    names), `domain` and `id` fields are used where present.

    Blank lines are passed over. A record without `id` is named by its line number.

    Raises:
        InputError: the file cannot be read; a line is not a JSON object, or one of millions of
            values; the text field is missing or not a string; the text is not valid UTF-8 and that
            is refused.
    """
    for block in line_blocks(reading):
        _refuse_many_values(block, reading)
        records = _read_fast(block, reading) or _read_carefully(block, reading)
        yield from batches_of(records, reading)


def _refuse_many_values(block: LineBlock, reading: Reading) -> None:
    """Refuse a record of more values than can be held; a text is one value however long."""
    if len(block.data) <= LONG_LINE:
        return
    if next(islice(_VALUES.finditer(block.data), _MOST_VALUES, None), None) is not None:
        raise InputError(
            f"{location(reading.file.place, block.first_line)}: a record of more than"
            f" {_MOST_VALUES:,} values; keep its text and what names it, and drop the rest"
        )


def _read_fast(block: LineBlock, reading: Reading) -> RecordColumns | None:
    """Return the block's records, or None where any line needs a second look."""
    field = reading.settings.text_field
    try:
        records = _parsed(block.data)
        texts = [record[field] for record in records]
        if b"\\" in block.data and _SURROGATE.search(block.data):
            "".join(texts).encode("utf-8")  # fails on an unpaired surrogate
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None
    if set(map(type, texts)) != {str} or set(map(type, records)) != {dict}:
        return None
    domains, ids = ([r.get(name) for r in records] for name in ("domain", "id"))
    first = block.first_line
    return RecordColumns(
        texts,
        Numbers(first, len(texts))
        if ids.count(None) == len(ids)
        else [record_id(value, n) for n, value in enumerate(ids, start=first)],
        _languages(records, first, reading),
        _unless_empty(domains),
    )


def _languages(
    records: list[dict[str, Any]], first_line: int, reading: Reading
) -> list[Any] | None:
    """Return what each record says of its language; None where none says anything.

    Raises:
        InputError: the field asked for is in no record of the file's beginning.
    """
    settings = reading.settings
    if settings.language or not records:
        return None
    asked = settings.language_field
    for name in LANGUAGE_FIELDS if asked is None else (asked,):
        said = [record.get(name) for record in records]
        if said.count(None) == len(said) or name == settings.text_field:
            continue
        if asked is None and name != LANGUAGE_FIELDS[0]:
            if not any(isinstance(value, str) and value for value in said):
                continue
            reading.seen.guessed.setdefault(name)
        return said
    if asked is not None and first_line == 1 and not any(asked in record for record in records):
        fields = ", ".join(map(repr, records[0])) or "none"
        near = did_you_mean(asked, records[0]) or "; name the right one with `language_field`"
        place = location(reading.file.place, first_line)
        raise InputError(f"{place}: no field {asked!r}; the record has {fields}{near}")
    return None


def _parsed(data: bytes) -> list[Any]:
    """Return the value on each line; raise ValueError where one needs a second look."""
    if len(data) > LONG_LINE:
        return [from_json(data)]  # one line; any other way holds it once more
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    # pydantic's parser is twice as fast on plain ASCII, and json's on everything else.
    return [
        from_json(line, cache_strings="keys") if line.isascii() else _DECODER.decode(line.decode())
        for line in lines
    ]


def _unless_empty(values: list[Any]) -> list[Any] | None:
    return None if values.count(None) == len(values) else values


def _read_carefully(block: LineBlock, reading: Reading) -> RecordColumns:
    """Return the block's records line by line, saying of the first bad one what is wrong."""
    texts: list[str] = []
    ids: list[str] = []
    records: list[dict[str, Any]] = []
    lines = block.data.split(b"\n")
    byte = block.first_byte
    for number, line in enumerate(lines, start=block.first_line):
        is_torn = number == block.first_line + len(lines) - 1  # it has no LF of its own
        if line.strip():
            record = _record(line, number, byte, is_torn, reading)
            text = None if record is None else _text(record, number, byte, reading)
            if record is not None and text is not None:
                texts.append(text)
                ids.append(record_id(record.get("id"), number))
                records.append(record)
        byte += len(line) + 1
    languages = _languages(records, block.first_line, reading)
    return RecordColumns(texts, ids, languages, [record.get("domain") for record in records])


def _record(
    line: bytes, number: int, byte: int, is_torn: bool, reading: Reading
) -> dict[str, Any] | None:
    path = reading.file.place
    written = decoded(line, number, byte, reading)
    if written is None:
        return None
    try:
        record = json.loads(written)
    except json.JSONDecodeError as error:
        if is_torn:
            raise InputError(
                f"{location(path, number, byte)}: the last record is torn (the file ends inside"
                " it); fetch the file again, or delete this line"
            ) from error
        raise InputError(
            f"{location(path, number)}: not JSON ({error.msg} at column {error.colno});"
            f" each line must hold one JSON object{_whole_document(written)}"
        ) from error
    except (RecursionError, ValueError) as error:
        raise InputError(
            f"{location(path, number)}: JSON that cannot be read ({error}); delete this line"
        ) from error
    if not isinstance(record, dict):
        raise InputError(
            f"{location(path, number)}: a JSON {_KINDS[type(record)]}, not an object; each line"
            f' must hold one object such as {{"{reading.settings.text_field}": "..."}}'
        )
    return record


def _text(record: dict[str, Any], number: int, byte: int, reading: Reading) -> str | None:
    path, field = reading.file.place, reading.settings.text_field
    text = record.get(field, _MISSING)
    if text is _MISSING:
        fields = ", ".join(map(repr, record)) or "none"
        raise InputError(
            f"{location(path, number)}: no field {field!r}; the record has {fields}"
            f"{did_you_mean(field, record) or '; name the right one with `text_field`'}"
        )
    if not isinstance(text, str):
        raise InputError(
            f"{location(path, number)}: field {field!r} is a JSON {_KINDS[type(text)]}, not a"
            " string; name the field that holds the text with `text_field`"
        )
    return without_surrogates(text, location(path, number, byte), reading)


def _whole_document(line: str) -> str:
    pretty = line.strip() in ("[", "{")
    return " (this looks like one JSON document over many lines)" if pretty else ""
