"""The bytes of a file, decompressed, in large blocks."""

import gzip
import lzma
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from corpora.paths import unreadable

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
