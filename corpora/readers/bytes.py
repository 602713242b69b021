"""The bytes of a file: decompressed, in large blocks, cut into whole lines, decoded.

Text is decoded by whole blocks, and line by line only where something is wrong.
"""

import gzip
import lzma
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from corpora.errors import InputError, location, unreadable
from corpora.readers.settings import Reading

BLOCK_BYTES = 1 << 18  # larger ones leave the processor's cache and are read slower
_EXPECT_BLOCKS = 4
COMPRESSIONS = (".gz", ".zst", ".xz")

# A zstd block of 4 bytes can stand for 128 KiB: feeding 4 KiB at a time keeps what comes out of one
# step below 128 MiB even from a file made to exhaust memory.
_ZSTD_STEP = 1 << 12


class TornFileError(Exception):
    """A compressed file that ends early or is damaged; readers add the place and the remedy."""


def blocks(path: Path) -> Iterator[bytes]:
    """Yield the file's bytes in order, decompressed where the name ends in .gz, .zst or .xz.

    Raises:
        InputError: the file cannot be opened.
        TornFileError: the compressed data ends early or is damaged.
    """
    try:
        with path.open("rb") as file:
            yield from _decompressed(file, path.suffix)
    except EOFError as error:
        raise TornFileError("the compressed data ends early") from error
    except (gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        raise TornFileError(f"the compressed data is damaged ({error})") from error
    except OSError as error:
        raise unreadable(path, error) from error


def expected_bytes(path: Path) -> int | None:
    """Return about how many bytes `blocks` will yield, for progress; None where unknown.

    The first few megabytes tell how well the rest is compressed.

    Raises:
        OSError: the file cannot be opened.
    """
    size = path.stat().st_size
    if path.suffix == ".parquet":
        return None  # columns that are not read are part of the file
    if path.suffix not in COMPRESSIONS:
        return size
    with path.open("rb") as file:
        try:
            head = sum(map(len, islice(_decompressed(file, path.suffix), _EXPECT_BLOCKS)))
        except (EOFError, TornFileError, gzip.BadGzipFile, zlib.error, lzma.LZMAError):
            return None  # reading it will say what is wrong
        return size * head // max(file.tell(), 1)


def _decompressed(file: BinaryIO, suffix: str) -> Iterator[bytes]:
    if suffix == ".zst":
        yield from _zstd_blocks(file)
    elif suffix == ".gz":
        with gzip.GzipFile(fileobj=file, mode="rb") as stream:
            yield from _until_end(stream)
    elif suffix == ".xz":
        with lzma.LZMAFile(file) as stream:
            yield from _until_end(stream)
    else:
        yield from _until_end(file)


def _until_end(stream: "BinaryIO | gzip.GzipFile | lzma.LZMAFile") -> Iterator[bytes]:
    while block := stream.read(BLOCK_BYTES):
        yield block


def _zstd_blocks(file: BinaryIO) -> Iterator[bytes]:
    # The library's own stream reader cannot tell a torn file from one that ends, so frames are
    # followed one by one here.
    import zstandard

    decompressor = zstandard.ZstdDecompressor()
    frame = None
    ready: list[bytes] = []
    size = 0
    try:
        while pending := file.read(_ZSTD_STEP):
            while pending:
                frame = frame or decompressor.decompressobj()
                block = frame.decompress(pending)
                pending = b""
                ready.append(block)
                size += len(block)
                if frame.eof:
                    pending, frame = frame.unused_data, None
            if size >= BLOCK_BYTES:
                yield b"".join(ready)
                ready, size = [], 0
    except zstandard.ZstdError as error:
        raise TornFileError(f"the compressed data is damaged ({error})") from error
    if ready:
        yield b"".join(ready)
    if frame is not None:
        raise EOFError


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


def line_blocks(path: Path) -> Iterator[LineBlock]:
    """Yield the file as blocks that end where a line ends; a longer line is a block of its own.

    A UTF-8 signature (U+FEFF as the very first character) announces the encoding and is not text:
    it is left out. Anywhere else U+FEFF is a character like any other and stays.

    Raises:
        InputError: the file cannot be read, or is compressed and torn.
    """
    line, byte = 1, 0
    pieces: list[bytes] = []
    try:
        for block in blocks(path):
            cut = block.rfind(b"\n") + 1
            if cut == 0:
                pieces.append(block)
                continue
            data = b"".join((*pieces, block[:cut])) if pieces else block[:cut]
            pieces = [block[cut:]] if cut < len(block) else []
            yield _without_signature(LineBlock(data, line, byte))
            line += data.count(b"\n")
            byte += len(data)
    except TornFileError as error:
        raise InputError(
            f"{location(path, line)}: {error}; fetch the file again or recompress it"
        ) from error
    if pieces:
        yield _without_signature(LineBlock(b"".join(pieces), line, byte))


def count_lines(path: Path) -> int:
    """Return the number of lines; a last line without its LF counts."""
    lines = 0
    end = b"\n"
    for block in line_blocks(path):
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
