"""The bytes of a file, decompressed where its name says so, in blocks of a bounded size.

A file of a few kilobytes can stand for gigabytes, and its header can ask for any window to unpack
it in. What is held here does not depend on either: blocks are cut to one size, and a window beyond
the one that the packers' own settings reach is refused.
"""

import gzip
import logging
import lzma
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from corpora.errors import unreadable
from corpora.readers.settings import TextFile

BLOCK_BYTES = 1 << 18  # larger ones leave the processor's cache and are read slower
COMPRESSIONS = (".gz", ".zst", ".xz")
_EXPECT_BLOCKS = 4

# What `zstd --ultra -22` and `--long` take; `xz -9` takes half of it.
WINDOW_BYTES = 128 << 20
_XZ_BESIDE = 1 << 20  # what its decoder needs beside the window

_XZ_STEP = 1 << 13
# A zstd block of 4 bytes can stand for 128 KiB: what 256 bytes stand for is at most 8 MiB.
_ZSTD_STEP = 1 << 8

_SUSPICIOUS_RATIO = 1000
_SUSPICIOUS_BYTES = 16 << 20  # below it any ratio is harmless
_LOGGER = logging.getLogger("corpora")
_remarked: set[Path] = set()  # files that were already said to be packed so


class TornFileError(Exception):
    """A compressed file that ends early or is damaged; readers add the place and the remedy."""


def blocks(file: TextFile) -> Iterator[bytes]:
    """Yield the file's bytes in order, decompressed where the name ends in .gz, .zst or .xz.

    No block is longer than `BLOCK_BYTES`. That a file holds a thousand times its size is noted.

    Raises:
        InputError: the file cannot be opened.
        TornFileError: the compressed data ends early, is damaged, or needs too large a window.
    """
    path, unpacked = file.path, 0
    try:
        with path.open("rb") as packed:
            for block in _decompressed(packed, path.suffix):
                yield block
                unpacked += len(block)
                if unpacked > _SUSPICIOUS_BYTES and path.suffix in COMPRESSIONS:
                    _remark_ratio(file, packed, unpacked)
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


def _remark_ratio(file: TextFile, packed: BinaryIO, unpacked: int) -> None:
    if file.path not in _remarked and unpacked > _SUSPICIOUS_RATIO * packed.tell():
        _remarked.add(file.path)
        _LOGGER.info(
            "%s: unpacks to more than %s times its size, which text does not; if it is a"
            " stranger's, look into it",
            file.place,
            f"{_SUSPICIOUS_RATIO:,}",
        )


def _decompressed(file: BinaryIO, suffix: str) -> Iterator[bytes]:
    if suffix == ".zst":
        yield from _zstd_blocks(file)
    elif suffix == ".gz":
        with gzip.GzipFile(fileobj=file, mode="rb") as stream:
            yield from _until_end(stream)
    elif suffix == ".xz":
        yield from _xz_blocks(file)
    else:
        yield from _until_end(file)


def _until_end(stream: "BinaryIO | gzip.GzipFile") -> Iterator[bytes]:
    while block := stream.read(BLOCK_BYTES):
        yield block


def _xz_blocks(file: BinaryIO) -> Iterator[bytes]:
    # `lzma.LZMAFile` takes no limit of memory, and passes in silence over what follows a stream
    # and is none.
    stream = None
    pending = b""
    while True:
        if not pending and (stream is None or stream.needs_input):
            pending = file.read(_XZ_STEP)
            if not pending:
                break
        if stream is None:
            pending = pending.lstrip(b"\0")  # padding between two streams
            if not pending:
                continue
            stream = lzma.LZMADecompressor(memlimit=WINDOW_BYTES + _XZ_BESIDE)
        try:
            block = stream.decompress(pending, BLOCK_BYTES)
        except lzma.LZMAError as error:
            raise _too_wide() if "emory" in str(error) else error from error
        pending = b""
        if stream.eof:
            pending, stream = stream.unused_data, None
        if block:
            yield block
    if stream is not None:
        raise EOFError


def _zstd_blocks(file: BinaryIO) -> Iterator[bytes]:
    # The library's own stream reader cannot tell a torn file from one that ends, so frames are
    # followed one by one here.
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES)
    frame = None
    ready = bytearray()
    try:
        while pending := file.read(_ZSTD_STEP):
            while pending:
                frame = frame or decompressor.decompressobj()
                ready += frame.decompress(pending)
                pending = b""
                if frame.eof:
                    pending, frame = frame.unused_data, None
            if len(ready) >= BLOCK_BYTES:
                yield from _cut(ready)
                ready = bytearray()
    except zstandard.ZstdError as error:
        if "too much memory" in str(error):
            raise _too_wide() from error
        raise TornFileError(f"the compressed data is damaged ({error})") from error
    yield from _cut(ready)
    if frame is not None:
        raise EOFError


def _cut(data: bytearray) -> Iterator[bytes]:
    return (bytes(data[at : at + BLOCK_BYTES]) for at in range(0, len(data), BLOCK_BYTES))


def _too_wide() -> TornFileError:
    return TornFileError(
        f"the compressed data needs a window of more than {WINDOW_BYTES >> 20} MiB to unpack"
    )
