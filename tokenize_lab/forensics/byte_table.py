"""How many bytes each id stands for, as a file that any program can read, and others' such files.

A table is an .npz of plain arrays, V ids long:

    count               [V] int32: bytes of the id in running text, the space before a word included
    bytes, offsets      the raw bytes: id i holds bytes[offsets[i]:offsets[i + 1]]
    special             [V] bool: no text leads to it, and it has no bytes
    byte_fallback       [V] bool: one raw byte of a character that the vocabulary lacks
    prefix              uint8: what the tokenizer puts before every text, part of no text
    base_bytes, has_leading_space, is_boundary_token
                        the same counts as some scoreboards take them: the space before a word
                        apart, and counted unless the token before is a boundary (a special one)

The bytes of a text are the sum of `count` over its ids, less the prefix.
"""

import zipfile
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpora.arguments import path
from corpora.errors import InputError, regular_file
from corpora.files import written_whole
from tokenize_lab.tokenizer import BoolArray, IntArray, Tokenizer, TokenKind

# What others call the bytes of each id.
_COUNTS = ("count", "base_bytes", "token_bytes", "byte_counts", "bytes_per_token", "lengths")
_SPACES, _BOUNDARIES = "has_leading_space", "is_boundary_token"
_MOST_UNPACKED = 256 << 20  # bytes; a million ids take a quarter of them
_MOST = 1 << 20  # bytes of one id, in a table that is to be believed


@dataclass(frozen=True)
class ByteCounts:
    """How bytes of ids are counted.

    Attributes:
        name: what they are called.
        count: [V] int64, bytes of each id.
        leading_space: [V] bool, ids before which a space is counted besides.
        boundary: [V] bool, ids after which it is not, nor at the beginning of a text.
    """

    name: str
    count: IntArray
    leading_space: BoolArray
    boundary: BoolArray

    @classmethod
    def plain(cls, name: str, count: IntArray) -> "ByteCounts":
        """Return counts without a rule for spaces."""
        nothing = np.zeros(len(count), np.bool_)
        return cls(name, count, nothing, nothing)


def audited(tokenizer: Tokenizer) -> ByteCounts:
    """Return the bytes of every id as they are counted here."""
    return ByteCounts.plain("audited", tokenizer.token_bytes.lengths.astype(np.int64))


def byte_arrays(tokenizer: Tokenizer) -> dict[str, NDArray[Any]]:
    """Return a tokenizer's table as arrays, by their names in the file."""
    table = tokenizer.token_bytes
    special = (table.kinds == TokenKind.SPECIAL) | (table.kinds == TokenKind.UNKNOWN)
    data = np.frombuffer(table.data, np.uint8)
    spaced = np.zeros(len(table), np.bool_)
    filled = np.flatnonzero(table.lengths)
    spaced[filled] = data[table.starts[:-1][filled]] == ord(" ")
    return {
        "count": table.lengths.astype(np.int32),
        "bytes": data,
        "offsets": table.starts,
        "special": special,
        "byte_fallback": table.byte_fallback,
        "prefix": np.frombuffer(tokenizer.prefix, np.uint8),
        "base_bytes": (table.lengths - spaced).astype(np.int32),
        _SPACES: spaced,
        _BOUNDARIES: special,
    }


def write_byte_table(tokenizer: Tokenizer, file: str | PathLike[str]) -> Path:
    """Write a tokenizer's table; the same tokenizer, the same bytes.

    Raises:
        InputError: the file cannot be written.
    """
    target = path("out", file)
    with written_whole(target) as temporary, temporary.open("wb") as out:
        np.savez_compressed(out, allow_pickle=False, **byte_arrays(tokenizer))
    return target


def read_byte_table(file: Path, size: int) -> ByteCounts:
    """Read another's table: counts under one of the usual names, or the only array there is; with
    `has_leading_space` and `is_boundary_token`, where it has them, a space besides.

    Arguments:
        size: V, which it must have.

    Raises:
        InputError: it cannot be read, or holds no such counts.
    """
    regular_file(file, "pass an .npz of counts")
    try:
        with zipfile.ZipFile(file) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > _MOST_UNPACKED:
            raise InputError(
                f"{file}: unpacks to {unpacked:,} bytes, and no table of a vocabulary has over"
                f" {_MOST_UNPACKED >> 20} MiB"
            )
        with np.load(file, allow_pickle=False) as arrays:
            found = {name: np.asarray(arrays[name]) for name in arrays.files}
    except InputError:
        raise
    except (OSError, ValueError, EOFError, AttributeError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{file}: not an .npz of plain arrays, as numpy.savez writes it without pickle"
        ) from error
    except Exception as error:  # what zlib raises on torn files
        raise InputError(f"{file}: not a whole .npz ({error})".splitlines()[0]) from error
    names = [name for name in _COUNTS if name in found]
    if _SPACES in found and "base_bytes" in found and "count" not in found:
        names = ["base_bytes"]
    if not names and len(found) == 1:
        names = list(found)
    if not names:
        raise InputError(
            f"{file}: has no counts of bytes under a name known here ({', '.join(_COUNTS)}); name "
            "the array one of these"
        )
    count = found[names[0]]
    whole = count.ndim == 1 and count.dtype.kind in "iuf"
    if not whole or not (np.mod(count, 1) == 0).all() or (count < 0).any() or (count > _MOST).any():
        raise InputError(f"{file}: {names[0]} is no list of bytes of each id, whole numbers from 0")
    nothing = np.zeros(len(count), np.bool_)
    ruled = names[0] == "base_bytes"
    flags = [found.get(name, nothing) if ruled else nothing for name in (_SPACES, _BOUNDARIES)]
    for array in (count, *flags):
        if array.shape != (size,) or array.dtype.kind not in "biuf":
            raise InputError(
                f"{file}: {names[0]} is of {array.size} ids, and the tokenizer has {size}; give the"
                " table of this tokenizer"
            )
    return ByteCounts(
        file.name, count.astype(np.int64), flags[0].astype(np.bool_), flags[1].astype(np.bool_)
    )
