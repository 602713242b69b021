"""What is kept from one command to the next, by kind: how much it is, and how to be rid of it.

Counts lie in a folder of the user's choice, everything else in a `packages.kept_folder`. All of
it is made or fetched again when it is wanted. What was fetched goes only when it is asked for by
name: the next command would need a network, and trust what it is given then as it was trusted
first.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, get_args

from corpora.errors import InputError, did_you_mean, is_folder
from corpora.files import removed
from tokenize_lab.counts.cache import CountsCache
from tokenize_lab.packages import KeptFolder, kept_folder

COUNTS = "counts"
PACKAGES: KeptFolder = "packages"
_ATTEMPTS = 20


class KeptKind(NamedTuple):
    """Files of one kind: where they lie, how many there are, and their bytes."""

    kind: str
    folder: str
    files: int
    bytes: int


def kept_kinds(counts: Path) -> list[KeptKind]:
    """Return what is kept, kind by kind.

    Args:
        counts: folder of counts, as `--cache`.
    """
    entries = list(CountsCache(counts).entries())
    size = sum(entry.bytes for entry in entries)
    kinds = [KeptKind(COUNTS, str(counts), len(entries), size)]
    for folder in _folders():
        sizes = list(_sizes(folder))
        kinds.append(KeptKind(folder.name, str(folder), len(sizes), sum(sizes)))
    return kinds


def clear_kept(counts: Path, kinds: Sequence[str]) -> list[KeptKind]:
    """Remove what is kept, and return what that was.

    Args:
        counts: folder of counts; only entries are removed from it.
        kinds: those to remove; none for all but the packages that were fetched.

    Raises:
        InputError: there is no such kind, or it cannot be removed.
    """
    there = kept_kinds(counts)
    names = [kind.kind for kind in there]
    for name in kinds:
        if name not in names:
            near = did_you_mean(name, names) or f" ({', '.join(names)})"
            raise InputError(f"`kinds`: nothing is kept of {name!r}{near}")
    wanted = kinds or [name for name in names if name != PACKAGES]
    gone = [kind for kind in there if kind.kind in wanted]
    for kind in gone:
        if kind.kind == COUNTS:
            for entry in CountsCache(counts).entries():
                if not removed(Path(entry.path)):
                    raise InputError(f"{entry.path}: cannot be removed; see who may write there")
            continue
        _remove(Path(kind.folder))
    return gone


def _sizes(folder: Path) -> Iterator[int]:
    """Yield the bytes of every file below a folder, where others may come and go meanwhile."""
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # removed by another process just now
                yield os.lstat(os.path.join(place, name)).st_size


def _remove(folder: Path) -> None:
    """Remove a folder that another command may be removing, or filling again, meanwhile."""
    for _ in range(_ATTEMPTS):
        if not folder.exists():
            return
        try:
            shutil.rmtree(folder)
        except (OSError, RecursionError) as error:
            known = isinstance(error, OSError) and error.errno
            if known not in (errno.ENOENT, errno.ENOTEMPTY):
                why = os.strerror(known) if known else error  # a link, or folders without end
                raise InputError(f"{folder}: cannot be removed ({why})") from error
    raise InputError(f"{folder}: is filled again as it is removed; wait for who writes there")


def _folders() -> list[Path]:
    return [folder for kind in get_args(KeptFolder) if is_folder(folder := kept_folder(kind))]
