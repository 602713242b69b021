"""Opening shards: memory-mapped, checked, read-only."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from scaling.data.layout import (
    BYTES,
    DOCUMENTS,
    DTYPES,
    ENTROPIES,
    LANGUAGES,
    MANIFEST,
    SHARDS_VERSION,
    STARTS,
    TOKEN_DOCUMENTS,
    TOKEN_LENGTHS,
    TOKENS,
    Manifest,
    Split,
)
from scaling.json_file import read_object, refuse_newer

_REMEDY = "delete the folder and it is built again"
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Stream:
    """One side of a split: its documents, one after the other, in units.

    Attributes:
        name: what messages call it.
        units: [U] uint8 bytes, or uint32 token ids.
        documents: [D + 1] int64, first unit of each document, and U at the end.
        byte_documents: [D + 1] int64, first byte of each, and the number of bytes at the end.
        languages: [D] uint16, index into the manifest's languages.
        bos: id that stands before a piece: the vocabulary's size.
        unit_bytes: [V] int32, raw bytes of each token id; None where a unit is one byte.
        prefix_bytes: bytes that a document's first token holds beyond the text.
        starts: [U] bool, where patches open, if the shards say; else None.
        entropies: [U] float32, bits, if the shards hold them; else None.
    """

    name: str
    units: NDArray[np.uint8] | NDArray[np.uint32]
    documents: NDArray[np.int64]
    byte_documents: NDArray[np.int64]
    languages: NDArray[np.uint16]
    bos: int = 256
    unit_bytes: NDArray[np.int32] | None = None
    prefix_bytes: int = 0
    starts: NDArray[np.bool_] | None = None
    entropies: NDArray[np.float32] | None = None

    @property
    def unit_count(self) -> int:
        """U, units in all."""
        return len(self.units)

    @property
    def document_count(self) -> int:
        """D, documents."""
        return len(self.languages)

    @property
    def byte_count(self) -> int:
        """Bytes of raw text."""
        return int(self.byte_documents[-1])

    @property
    def document_bytes(self) -> NDArray[np.int64]:
        """[D] bytes of each document."""
        return np.diff(self.byte_documents)

    def document(self, index: int) -> NDArray[np.uint8] | NDArray[np.uint32]:
        """Return the units of one document, a view."""
        return self.units[self.documents[index] : self.documents[index + 1]]


@dataclass(frozen=True)
class Shards:
    """Training and held-out text.

    Attributes:
        folder: where it lies.
        manifest: what it is.
        train: the training side, empty in a corpus for evaluation only.
        held_out: the other side; the two share no document.
    """

    folder: Path
    manifest: Manifest
    train: Stream
    held_out: Stream


def open_shards(folder: Path, *, verify: bool = False) -> Shards:
    """Map the shards in `folder`.

    Args:
        verify: whether to read every file and compare its SHA-256. Sizes are always compared.

    Raises:
        InputError: they are not there, of another version, or not the files that were written.
    """
    manifest = read_manifest(folder)
    check_files(folder, manifest, verify=verify)
    return Shards(
        folder, manifest, _stream(folder, manifest, "train"), _stream(folder, manifest, "held_out")
    )


def read_manifest(folder: Path) -> Manifest:
    """Read `shards.json`.

    Raises:
        InputError: it is missing or cannot be read by this version.
    """
    path = folder / MANIFEST
    value = read_object(path, _REMEDY)
    if value is None:
        raise InputError(f"{path}: there is no such file; name a folder of shards")
    refuse_newer(path, value.get("version"), SHARDS_VERSION)
    try:
        return Manifest.from_json(value)
    except ValueError as error:
        raise InputError(f"{path}: {error}; {_REMEDY}") from error


def check_files(folder: Path, manifest: Manifest, *, verify: bool) -> None:
    """Compare every file with the manifest: its size, and its SHA-256 if `verify`.

    Raises:
        InputError: naming the first file that is missing or altered.
    """
    for name, entry in manifest.files.items():
        path = folder / name
        try:
            size = path.stat().st_size
            if size != entry.bytes:
                raise InputError(f"{path}: {size} bytes, should be {entry.bytes}; {_REMEDY}")
            if verify and file_sha256(path) != entry.sha256:
                raise InputError(f"{path}: its content has changed (SHA-256 differs); {_REMEDY}")
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); {_REMEDY}") from error


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _stream(folder: Path, manifest: Manifest, split: Split) -> Stream:
    def column(name: str) -> NDArray[Any]:
        return _mapped(folder, manifest, f"{split}/{name}")

    def holds(name: str) -> bool:
        return f"{split}/{name}" in manifest.files

    has_tokens = manifest.kind == "tokens"
    offsets = column(DOCUMENTS)
    return Stream(
        name=f"{folder.name} ({split})",
        units=column(TOKENS if has_tokens else BYTES),
        documents=column(TOKEN_DOCUMENTS) if has_tokens else offsets,
        byte_documents=offsets,
        languages=column(LANGUAGES),
        bos=manifest.vocabulary_size,
        unit_bytes=_mapped(folder, manifest, TOKEN_LENGTHS) if has_tokens else None,
        prefix_bytes=manifest.prefix_bytes,
        starts=column(STARTS).view(np.bool_) if holds(STARTS) else None,
        entropies=column(ENTROPIES) if holds(ENTROPIES) else None,
    )


def _mapped(folder: Path, manifest: Manifest, name: str) -> NDArray[Any]:
    entry, dtype = manifest.files.get(name), np.dtype(DTYPES[name.rpartition(".")[2]])
    if entry is None or entry.bytes % dtype.itemsize:
        what = "is not listed" if entry is None else f"has {entry.bytes} bytes, no whole numbers"
        raise InputError(f"{folder / MANIFEST}: {name} {what}; {_REMEDY}")
    if entry.bytes == 0:
        return np.zeros(0, dtype)  # nothing can be mapped of an empty file
    # Not a np.memmap: slices of that class cost far more than those of an array.
    return np.asarray(np.memmap(folder / name, dtype, mode="r"))
