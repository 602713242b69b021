"""Counts on disk, found again by what they are counts of.

A key names the content: the batch's bytes and the lengths of its texts, what is looked for, and the
tokenizer's hash and engine. A second run therefore encodes nothing, whatever the files are called
now, and an interrupted one goes on after the last whole batch. Each entry is one small file that
takes its name when complete, so any number of processes may share the folder without a lock; an
entry that is damaged, of another key, or gone is counted afresh. Those that were made first go when
all take more than a limit.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from corpora.errors import InputError
from corpora.files import removed
from tokenize_lab.sealed import read_sealed, write_sealed
from tokenize_lab.tokenizer import IntArray

T = TypeVar("T")

LIMIT = "TOKENIZE_LAB_CACHE_BYTES"
MOST_BYTES = 2_000_000_000
_ROOM = 0.9  # of the limit is left after a clearing, which so has not to be done for each entry
_LOOK_BYTES = 1 << 27  # written by a process between two looks at the folder
_MOST_COUNT = 1 << 53  # sums of counts stay whole numbers of any kind below it
_FOLDER, _NAME = re.compile(r"[0-9a-f]{2}"), re.compile(r"[0-9a-f]{62}")
_left: dict[Path, int] = {}  # bytes that this process may write before it looks


class CacheEntry(NamedTuple):
    """A file of counts: when it was made, in nanoseconds, its bytes, and where it lies."""

    made_ns: int
    bytes: int
    path: str


@dataclass(frozen=True)
class CountsCache:
    """A folder of counts.

    Attributes:
        folder: where entries lie; made when first written to.
    """

    folder: Path

    def get(self, make: Callable[[list[IntArray]], T], *key: str) -> T | None:
        """Return what `make` makes of the arrays under the key, or None where there are none.

        Args:
            make: raises a ValueError or TypeError of arrays that it cannot have kept.
        """
        # Where there are some that cannot be had, `put` says what is wrong.
        arrays = read_sealed(*self._place(key))
        if arrays is None:
            return None
        try:
            if any(array.size and not 0 <= array.max() < _MOST_COUNT for array in arrays):
                raise ValueError("no counts")
            return make([array.astype(np.int64) for array in arrays])
        except (ValueError, TypeError):  # written by another hand
            return None

    def put(self, arrays: list[IntArray], *key: str) -> None:
        """Store non-negative arrays under the key, each in the smallest integer type that holds it.

        Raises:
            InputError: the folder cannot be written, or the disk is full.
        """
        small = [
            array.astype(np.min_scalar_type(int(array.max()) if array.size else 0))
            for array in arrays
        ]
        path, name = self._place(key)
        try:
            written = write_sealed(path, name, small)
        except OSError as error:
            raise InputError(
                f"{path}: the cache cannot be written ({error.strerror}); "
                "name another `cache`, or have none (`no_cache`)"
            ) from error
        left = _left.get(self.folder, 0) - written
        if left < 0:
            self.keep_within(most_bytes())
            left = _LOOK_BYTES
        _left[self.folder] = left

    def keep_within(self, most: int) -> int:
        """Remove the entries that were made first until there is room again; return how many."""
        entries = sorted(self.entries())
        excess = sum(entry.bytes for entry in entries) - most
        if excess <= 0:
            return 0
        excess += int((1 - _ROOM) * most)
        gone = 0
        for entry in entries:
            if excess <= 0:
                break
            # Another process may be at it as well: both remove the same ones.
            gone += removed(Path(entry.path))
            excess -= entry.bytes
        return gone

    def entries(self) -> Iterator[CacheEntry]:
        """Yield every entry; other files, should there be any, are none."""
        try:
            folders = [path for path in self.folder.iterdir() if _FOLDER.fullmatch(path.name)]
        except OSError:
            return
        for folder in folders:
            try:
                with os.scandir(folder) as files:
                    for file in files:
                        if _NAME.fullmatch(file.name) and not file.is_dir(follow_symlinks=False):
                            facts = file.stat(follow_symlinks=False)
                            yield CacheEntry(facts.st_mtime_ns, facts.st_size, file.path)
            except OSError:  # removed by another process just now
                continue

    def _place(self, key: tuple[str, ...]) -> tuple[Path, str]:
        """Return the file of a key, and the key's own name."""
        name = hashlib.sha256("\n".join(key).encode()).hexdigest()
        return self.folder / name[:2] / name[2:], name


def most_bytes() -> int:
    """Return how many bytes a folder of counts may take: $TOKENIZE_LAB_CACHE_BYTES, or 2 GB.

    Raises:
        InputError: the variable holds no number.
    """
    told = os.environ.get(LIMIT, "")
    try:
        return int(float(told)) if told else MOST_BYTES
    except (ValueError, OverflowError) as error:
        raise InputError(f"{LIMIT}={told}: not a number of bytes; write one, as 2e9") from error
