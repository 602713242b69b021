"""Texts travel to each node of a cluster once, as the bytes of their files."""

import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from corpora.errors import InputError
from scaling.data.layout import MANIFEST
from scaling.data.shards import open_shards, read_manifest
from scaling.sweep.folder import SweepFolder
from scaling.sweep.locks import lock

_PIECE = 1 << 26  # bytes of an object


@dataclass(frozen=True)
class PackedText:
    """A text in the cluster's store of objects.

    Attributes:
        key: of its shards. files: references to the pieces of each file, by path in the folder.
    """

    key: str
    files: dict[str, tuple[Any, ...]]


class Texts:
    """The texts of a sweep, put into the store when first asked for."""

    def __init__(self, ray: Any, folder: SweepFolder) -> None:
        self._ray, self._folder = ray, folder
        self._packed: dict[str, PackedText] = {}

    def packed(self, key: str) -> PackedText:
        """Return a text; what is wrong with its files shows where they are unpacked.

        Raises:
            InputError: the text cannot be read.
        """
        if key not in self._packed:
            folder = self._folder.shards / key
            names = [*read_manifest(folder).files, MANIFEST]
            files = {name: self._put(folder / name) for name in names}
            self._packed[key] = PackedText(key, files)
        return self._packed[key]

    def _put(self, path: Path) -> tuple[Any, ...]:
        pieces = []
        try:
            with path.open("rb") as file:
                while piece := file.read(_PIECE):
                    pieces.append(self._ray.put(piece))
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
        return tuple(pieces)


def unpack(ray: Any, text: PackedText, shards: Path) -> bool:
    """Have a text in the folder `shards` of this node; return whether it had to come.

    Of the processes of a node one unpacks it and the others wait. Every byte is compared before
    the folder takes its name.

    Raises:
        InputError: the files are not what their manifest says, or cannot be written.
    """
    whole, torn = shards / text.key, shards / "unpacking" / text.key
    with lock(shards / f"{text.key}.lock", lambda: False):
        if whole.is_dir():
            return False
        try:
            shutil.rmtree(torn, ignore_errors=True)
            for name, pieces in text.files.items():
                _write(torn / _inside(name), ray, pieces)
            _verify(torn)
            torn.rename(whole)
        except OSError as error:
            raise InputError(f"{torn}: cannot be written ({error.strerror})") from error
    return True


def _verify(folder: Path) -> None:
    try:
        open_shards(folder, verify=True)
    except InputError as error:
        # Where the driver has it, and where a person can put it right.
        raise InputError(str(error).replace(str(folder), f"shards/{folder.name}")) from error


def _write(path: Path, ray: Any, pieces: tuple[Any, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for piece in pieces:
            file.write(ray.get(piece))


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise InputError(f"{name!r}: leads out of the folder of its text; plan the sweep again")
    return path
