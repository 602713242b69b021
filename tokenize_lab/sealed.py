"""Arrays kept in a small file that is believed only whole, unchanged, and under its own name.

A file is a SHA-256 over the name it was kept by and all that follows; then a line of JSON, type and
shape of each array; then the arrays' bytes, one after the other. What is torn, damaged or another
entry's file is none. It guards against accidents: whoever may write there can seal what he likes,
so what is read is of a few plain types, and takes no more memory than the file.
"""

import hashlib
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError, is_file
from corpora.files import new_beside, read_bounded, removed

Whole = NDArray[np.integer]  # of numbers without fractions

_SEAL_BYTES = 32
_MOST_BYTES = 1 << 28  # of a file; counts of a batch, or a vocabulary, are a few megabytes
_MOST_LINE = 1 << 20
_TYPES = {np.dtype(kind).str for kind in "?bBhHiIqQ"}


def read_sealed(path: Path, name: str) -> list[Whole] | None:
    """Return the arrays that were kept under the name; None where there are none, or not whole."""
    try:
        if not is_file(path):  # most often there is none, and that needs no message
            return None
        content = read_bounded(path, _MOST_BYTES)
    except InputError:
        return None
    sealed = memoryview(content)[_SEAL_BYTES:]
    if _seal(name, sealed) != content[:_SEAL_BYTES]:
        return None
    begin = content.find(b"\n", _SEAL_BYTES, _MOST_LINE) + 1
    try:
        return _arrays(json.loads(content[_SEAL_BYTES:begin]), content, begin)
    except (ValueError, TypeError, OverflowError, RecursionError):  # sealed by another hand
        return None


def _arrays(kinds: Any, content: bytes, begin: int) -> list[Whole]:
    arrays = []
    for kind, shape in kinds:
        if kind not in _TYPES:
            raise ValueError(f"arrays of {kind}")
        count = math.prod(shape)
        array = np.frombuffer(content, kind, count, begin).reshape(shape)
        arrays.append(array.copy())  # aligned, and open to change
        begin += array.nbytes
    return arrays


def write_sealed(path: Path, name: str, arrays: Sequence[Whole]) -> int:
    """Keep arrays under the name; return the bytes written.

    No sync: a file torn in a crash is none, and made again.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    kinds = [[array.dtype.str, array.shape] for array in arrays]
    assert all(kind in _TYPES for kind, _ in kinds)
    content = b"".join([json.dumps(kinds).encode(), b"\n", *(array.tobytes() for array in arrays)])
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = new_beside(path)
        with os.fdopen(handle, "wb") as out:
            out.write(_seal(name, content) + content)
        temporary.replace(path)
    except OSError:
        if temporary is not None:
            removed(temporary)
        raise
    return len(content)


def _seal(name: str, content: bytes | memoryview) -> bytes:
    digest = hashlib.sha256(name.encode() + b"\n")
    digest.update(content)
    return digest.digest()
