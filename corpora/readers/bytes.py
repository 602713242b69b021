"""The text of a file: its bytes cut into whole lines, and decoded.

Text is decoded by whole blocks, and line by line only where something is wrong.
"""

import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from corpora.errors import InputError, location
from corpora.readers.decompressed import TornFileError, blocks
from corpora.readers.settings import LEAST_DOCUMENT_BYTES, Reading

LONG_LINE = 1 << 20  # bytes of one that is a block of its own, so that it need not be copied out
UTF8_SIGNATURE = b"\xef\xbb\xbf"


class LineBlock(NamedTuple):
    """Consecutive lines, some 256 KiB, each with its LF (the last of the file may lack it).

    Attributes:
        data: the lines' bytes.
        first_line: number of the first line, from 1.
        first_byte: offset of the first byte in the decompressed file, from 0.
    """

    data: bytes
    first_line: int
    first_byte: int


def line_blocks(reading: Reading, share: int = 1) -> Iterator[LineBlock]:
    """Yield the file as blocks that end where a line ends; a long line is a block of its own.

    A UTF-8 signature (U+FEFF as the very first character) announces the encoding and is not text:
    it is left out. Anywhere else U+FEFF is a character like any other and stays.

    Args:
        share: the part of the limit of documents that a line may have, as one over it.

    Raises:
        InputError: the file cannot be read, is compressed and torn, or has a line beyond the limit.
    """
    file, most = reading.file, longest(reading, share)
    line, byte = 1, 0
    begun = io.BytesIO()  # a line that has not ended; a list of pieces would have to be joined
    try:
        for block in blocks(file):
            cut = block.rfind(b"\n") + 1
            end = block.find(b"\n") if begun.tell() and cut else len(block)
            if begun.tell() + end > most:
                raise too_long(location(file.place, line), "line", reading, share)
            if cut == 0:
                begun.write(block)
                continue
            rest = memoryview(block)
            if begun.tell() > LONG_LINE:
                begun.write(rest[: end + 1])
                data, begun = begun.getvalue(), io.BytesIO()
                yield _without_signature(LineBlock(data, line, byte))
                line, byte, rest = line + 1, byte + len(data), rest[end + 1 :]
                del data
            begun.write(rest[: cut - len(block)] if cut < len(block) else rest)
            if begun.tell():
                data, begun = begun.getvalue(), io.BytesIO()
                yield _without_signature(LineBlock(data, line, byte))
                line, byte = line + data.count(b"\n"), byte + len(data)
            begun.write(block[cut:])
    except TornFileError as error:
        raise InputError(
            f"{location(file.place, line)}: {error}; fetch the file again or recompress it"
        ) from error
    if begun.tell():
        yield _without_signature(LineBlock(begun.getvalue(), line, byte))


def longest(reading: Reading, share: int = 1) -> int:
    """Return the most bytes that a document may have, where it may have a share of the limit."""
    return max(reading.settings.max_document_bytes // share, LEAST_DOCUMENT_BYTES)


def too_long(place: str, what: str, reading: Reading, share: int = 1) -> InputError:
    """Return the refusal of a document (a `line`, `row` or `file`) that is longer than that."""
    part = f", of which it may have 1 in {share}" if share > 1 else ""
    return InputError(
        f"{place}: a {what} of more than {longest(reading, share):,} bytes; if it is one document,"
        f" raise `max_document_bytes` ({reading.settings.max_document_bytes:,} now{part}), or else"
        " leave the file out"
    )


def count_lines(reading: Reading) -> int:
    """Return the number of lines; a last line without its LF counts.

    Raises:
        InputError: as `line_blocks`.
    """
    lines = 0
    end = b"\n"
    for block in line_blocks(reading):
        lines += block.data.count(b"\n")
        end = block.data[-1:]
    return lines + (end != b"\n")


def _without_signature(block: LineBlock) -> LineBlock:
    if block.first_byte == 0 and block.data.startswith(UTF8_SIGNATURE):
        return LineBlock(block.data[3:], block.first_line, 3)
    return block


_REMEDY = "repair the file, or rerun with `on_invalid=replace` or `on_invalid=skip`"


def decoded_lines(block: LineBlock, reading: Reading) -> Sequence[str | None]:
    """Return the block's lines without their ends (LF or CRLF), None for each that was skipped.

    Raises:
        InputError: a line is not UTF-8 and that is refused.
    """
    try:
        if len(block.data) > LONG_LINE:
            return [str(_without_end(block.data), "utf-8")]
        text = block.data.decode("utf-8")
    except UnicodeDecodeError:
        return _decoded_one_by_one(block, reading)
    lines = text.split("\n")
    last = lines.pop()  # what follows the last LF: nothing, or a line without its end
    if "\r" in text:
        lines = [line.removesuffix("\r") for line in lines]
    if last:
        lines.append(last)
    return lines


def _without_end(line: bytes) -> memoryview:
    ends = 0 if not line.endswith(b"\n") else 2 if line.endswith(b"\r\n") else 1
    return memoryview(line)[: len(line) - ends]


def decoded(data: bytes, line: int | None, first_byte: int, reading: Reading) -> str | None:
    """Return `data`, which begins at `first_byte` of the file, as text; None where skipped.

    Args:
        line: number of the line that holds it; None to count lines within `data`.

    Raises:
        InputError: it is not UTF-8 and that is refused.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if line is None:
            line = 1 + data.count(b"\n", 0, error.start)
        place = location(reading.file.place, line, first_byte + error.start)
        if reading.settings.on_invalid == "refuse":
            bad = data[error.start : error.end].hex(" ")
            raise InputError(
                f"{place}: invalid UTF-8 ({bad}: {error.reason}){_other_encoding(data)}; {_REMEDY}"
            ) from error
    reading.invalid.count(place)
    return None if reading.settings.on_invalid == "skip" else data.decode("utf-8", "replace")


def without_surrogates(text: str, place: str, reading: Reading) -> str | None:
    r"""Return `text` with unpaired surrogates (JSON's `\ud800`) treated as invalid UTF-8 is.

    Raises:
        InputError: it has one and that is refused.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        if reading.settings.on_invalid == "refuse":
            code = f"\\u{ord(text[error.start]):04x}"
            raise InputError(
                f"{place}: invalid text (unpaired surrogate {code} has no UTF-8 form); {_REMEDY}"
            ) from error
        reading.invalid.count(place)
        if reading.settings.on_invalid == "skip":
            return None
        return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    return text


def _decoded_one_by_one(block: LineBlock, reading: Reading) -> list[str | None]:
    raws = block.data.split(b"\n")
    last = raws.pop()  # what follows the last LF: nothing, or a line without its end
    lines: list[str | None] = []
    byte = block.first_byte
    for number, raw in enumerate(raws, start=block.first_line):
        lines.append(decoded(raw.removesuffix(b"\r"), number, byte, reading))
        byte += len(raw) + 1
    if last:
        number = block.first_line + len(raws)
        lines.append(decoded(last, number, byte, reading))
    return lines


def _other_encoding(data: bytes) -> str:
    utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    return "; it looks like UTF-16: convert it with iconv -f UTF-16 -t UTF-8" if utf16 else ""
