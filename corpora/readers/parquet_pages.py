"""What a parquet file claims of its pages, read before anything is unpacked on its word.

A page is unpacked as a whole, into as much memory as its header says. Headers and the table at the
file's end are written in Thrift's compact protocol (apache/thrift doc/specs
thrift-compact-protocol.md); which field is which is in apache/parquet-format parquet.thrift.
"""

import os
import struct
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO, NamedTuple

_MAGIC = b"PAR1"
_MOST_FOOTER = 64 << 20
_MOST_HEADER = 1 << 20
_MOST_DEPTH, _MOST_VALUES = 32, 1 << 22
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_INTEGERS = (4, 5, 6)

# Fields: of the file, a row group, a column chunk and its metadata, a page's header.
_SCHEMA, _ROW_GROUPS, _CHILDREN, _COLUMNS, _METADATA = 2, 4, 5, 1, 3
_PATH, _PACKED_SIZE, _DATA_PAGE, _DICTIONARY_PAGE = 3, 7, 9, 11
_PAGE_UNPACKED, _PAGE_PACKED = 2, 3
_CHUNK_VALUES, _PAGE_VALUES = 5, 1
_DATA, _DICTIONARY, _DATA_2 = 5, 7, 8  # kinds of page, in a page's header


class Page(NamedTuple):
    """A page: its row group and column, and the bytes it says that it unpacks to."""

    row_group: int
    column: str
    unpacked: int


def pages(file: BinaryIO, columns: Collection[str] | None) -> Iterator[Page]:
    """Yield the pages of some of a file's columns, as their headers claim them.

    Args:
        file: open for reading. columns: their names; None for all.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no whole parquet file, or its schema is nested beyond reason.
    """
    try:
        footer = _footer(file)
        _refuse_deep(footer.get(_SCHEMA, ()))
        for number, group in enumerate(footer.get(_ROW_GROUPS, ())):
            for chunk in group.get(_COLUMNS, ()):
                about = chunk.get(_METADATA, {})
                name = about.get(_PATH, [b""])[0].decode("utf-8", "replace")
                if columns is None or name in columns:
                    for unpacked in _unpacked_sizes(file, about):
                        yield Page(number, name, unpacked)
    except (TypeError, AttributeError, IndexError) as error:  # a field of another type
        raise ValueError(f"its table is damaged ({error})") from error


def _refuse_deep(schema: list[dict[int, Any]]) -> None:
    """Refuse a schema nested so deeply that what reads it next could overflow its stack."""
    open_groups: list[int] = []  # children that each of the groups around still has
    for element in schema:
        while open_groups and not open_groups[-1]:
            open_groups.pop()
        if open_groups:
            open_groups[-1] -= 1
        open_groups.append(element.get(_CHILDREN, 0))
        if len(open_groups) > _MOST_DEPTH:
            raise ValueError("its columns are nested too deeply")


def _footer(file: BinaryIO) -> dict[int, Any]:
    size = file.seek(0, os.SEEK_END)
    if size < 12:
        raise ValueError("it is too short")
    file.seek(size - 8)
    length, magic = struct.unpack("<I4s", file.read(8))
    if magic != _MAGIC:
        raise ValueError("it does not end as one")
    if not 0 < length <= min(size - 12, _MOST_FOOTER):
        raise ValueError(f"its table has {length} bytes")
    file.seek(size - 8 - length)
    return _Compact(file.read(length)).struct()


def _unpacked_sizes(file: BinaryIO, about: dict[int, Any]) -> Iterator[int]:
    starts = [about[field] for field in (_DATA_PAGE, _DICTIONARY_PAGE) if about.get(field)]
    if not starts:
        return
    at = min(starts)
    end = at + about.get(_PACKED_SIZE, 0)
    while at < end:
        header, length = _header(file, at)
        unpacked, packed = header.get(_PAGE_UNPACKED, -1), header.get(_PAGE_PACKED, -1)
        if unpacked < 0 or packed < 0:
            raise ValueError(f"no page at byte {at}")
        _refuse_values(header, about.get(_CHUNK_VALUES, 0))
        yield unpacked
        at += length + packed


def _refuse_values(header: dict[int, Any], most: int) -> None:
    """Refuse a page of fewer values than none, for which room would be asked of the system without
    end, and one of more than its column chunk has."""
    for kind in (_DATA, _DICTIONARY, _DATA_2):
        values = header.get(kind, {}).get(_PAGE_VALUES, 0)
        # A dictionary may have words that no row of its row group uses.
        if values < 0 or (kind != _DICTIONARY and values > most):
            raise ValueError(f"a page of {values:,} values, in a column chunk of {most:,}")


def _header(file: BinaryIO, at: int) -> tuple[dict[int, Any], int]:
    """Return the header at a place, and its length."""
    room = 1 << 10
    while True:
        file.seek(at)
        compact = _Compact(file.read(room))
        try:
            return compact.struct(), compact.at
        except ValueError:
            if room >= _MOST_HEADER or room > len(compact.data):
                raise
            room = _MOST_HEADER  # it has statistics with long texts


class _Compact:
    """Values in Thrift's compact protocol, read from the front."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0
        self._depth = self._values = 0

    def struct(self) -> dict[int, Any]:
        """Return the fields of a struct by their numbers."""
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise ValueError("it is nested too deeply")
        fields: dict[int, Any] = {}
        number = 0
        while kind := self._byte():
            number = number + (kind >> 4) if kind >> 4 else self._signed()
            kind &= 15
            fields[number] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind)
        self._depth -= 1
        return fields

    def _value(self, kind: int) -> Any:
        self._values += 1
        if self._values > _MOST_VALUES:
            raise ValueError("it has too many entries")
        if kind in _INTEGERS:
            return self._signed()
        if kind in (_TRUE, _FALSE, _BYTE):
            return self._byte()
        if kind == _BINARY:
            return self._take(self._unsigned())
        if kind == _DOUBLE:
            return self._take(8)
        if kind in (_LIST, _SET):
            head = self._byte()
            count = self._unsigned() if head >> 4 == 15 else head >> 4
            return [self._value(head & 15) for _ in range(count)]
        if kind == _MAP:
            count = self._unsigned()
            kinds = self._byte() if count else 0
            return [(self._value(kinds >> 4), self._value(kinds & 15)) for _ in range(count)]
        if kind == _STRUCT:
            return self.struct()
        raise ValueError(f"an entry of kind {kind}")

    def _take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise ValueError("it ends early")
        self.at += size
        return self.data[self.at - size : self.at]

    def _byte(self) -> int:
        return self._take(1)[0]

    def _unsigned(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number of more than 64 bits")

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)
