"""Bytes to text: whole blocks at once, and line by line only where something is wrong."""

from collections.abc import Sequence

from corpora.errors import InputError, at
from corpora.readers.lines import LineBlock
from corpora.readers.settings import Reading

_REMEDY = "repair the file, or rerun with --on-invalid replace or --on-invalid skip"


def decoded_lines(block: LineBlock, reading: Reading) -> Sequence[str | None]:
    """Return the block's lines without their ends (LF or CRLF), None for each that was skipped.

    Raises:
        InputError: a line is not UTF-8 and that is refused.
    """
    try:
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
        place = at(reading.file.path, line, first_byte + error.start)
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
