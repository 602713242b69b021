"""JSON lines: a record per line, its text in one field."""

import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

from corpora.document import Batch, Numbers
from corpora.errors import InputError, did_you_mean, location
from corpora.readers.bytes import LineBlock, decoded, line_blocks, without_surrogates
from corpora.readers.settings import LABEL_FIELDS, Reading, RecordColumns, batches_of, record_id

_DECODER = json.JSONDecoder()
_SURROGATE = re.compile(rb"\\u[dD]")  # perhaps an unpaired one, perhaps half of an emoji
_MISSING = object()
_KINDS = {
    dict: "object", list: "array", str: "string", int: "number", float: "number", bool: "boolean",
    type(None): "null",
}  # fmt: skip


def read_jsonl(reading: Reading) -> Iterator[Batch]:
    """Yield each record's text; its `language`, `domain` and `id` fields are used where present.

    Blank lines are passed over. A record without `id` is named by its line number.

    Raises:
        InputError: the file cannot be read; a line is not a JSON object; the text field is
            missing or not a string; the text is not valid UTF-8 and that is refused.
    """
    for block in line_blocks(reading.file.path):
        field = reading.settings.text_field
        yield from batches_of(_read_fast(block, field) or _read_carefully(block, reading), reading)


def _read_fast(block: LineBlock, field: str) -> RecordColumns | None:
    """Return the block's records, or None where any line needs a second look."""
    try:
        records = _parsed(block.data)
        texts = [record[field] for record in records]
        if b"\\" in block.data and _SURROGATE.search(block.data):
            "".join(texts).encode("utf-8")  # fails on an unpaired surrogate
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None
    if set(map(type, texts)) != {str} or set(map(type, records)) != {dict}:
        return None
    languages, domains, ids = ([r.get(name) for r in records] for name in LABEL_FIELDS)
    first = block.first_line
    return RecordColumns(
        texts,
        Numbers(first, len(texts))
        if ids.count(None) == len(ids)
        else [record_id(value, n) for n, value in enumerate(ids, start=first)],
        _unless_empty(languages),
        _unless_empty(domains),
    )


def _parsed(data: bytes) -> list[Any]:
    """Return the value on each line; raise ValueError where one needs a second look."""
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
    languages: list[Any] = []
    domains: list[Any] = []
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
                languages.append(record.get("language"))
                domains.append(record.get("domain"))
        byte += len(line) + 1
    return RecordColumns(texts, ids, languages, domains)


def _record(
    line: bytes, number: int, byte: int, is_torn: bool, reading: Reading
) -> dict[str, Any] | None:
    path = reading.file.path
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
    path, field = reading.file.path, reading.settings.text_field
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
