"""Blocks of whole lines, with their place in the file."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from corpora.errors import InputError, at
from corpora.readers.blocks import TornFileError, blocks

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
            f"{at(path, line)}: {error}; fetch the file again or recompress it"
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
