"""Shards of text as they lie on disk: memory-mapped, checked, read-only.

    FOLDER/<key>/shards.json      what they are, counts, and the SHA-256 of every other file
    FOLDER/<key>/train/           and the same in held_out/:
        documents.i64             [D + 1] byte offset of each document, and the number of bytes
        languages.u16             [D] each document's language, an index into the manifest's list
        bytes.u8                  the documents' UTF-8 bytes (text, starts, entropies)
        tokens.u32                token ids (tokens)
        token_documents.i64       [D + 1] token offset of each document (tokens)
        starts.u8                 [bytes] 1 where a patch opens (starts)
        entropies.f32             [bytes] bits, of each byte's distribution (entropies)
    FOLDER/<key>/token_lengths.i32  [V] raw bytes of each id (tokens)

Numbers are little-endian. No document is empty. A key is the start of the SHA-256 of all that the
content follows from, so equal keys hold equal bytes.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError, regular_file
from corpora.files import file_sha256
from corpora.json_file import from_fields, read_file
from scaling.flops import BYTE_VOCABULARY

SHARDS_VERSION = 1
MANIFEST = "shards.json"
KEY_DIGITS = 16
_REMEDY = "delete the folder and it is built again"

Split = Literal["train", "held_out"]
SPLITS: tuple[Split, ...] = get_args(Split)
ShardKind = Literal["text", "tokens", "starts", "entropies"]

DOCUMENTS = "documents.i64"
LANGUAGES = "languages.u16"
BYTES = "bytes.u8"
TOKENS = "tokens.u32"
TOKEN_DOCUMENTS = "token_documents.i64"
STARTS = "starts.u8"
ENTROPIES = "entropies.f32"
TOKEN_LENGTHS = "token_lengths.i32"
_KEY, _FILE = re.compile(r"[0-9a-f]{16}"), re.compile(r"(train/|held_out/)?\w{1,80}\.\w{1,8}")
_DTYPES = {"u8": "<u1", "u16": "<u2", "u32": "<u4", "i32": "<i4", "i64": "<i8", "f32": "<f4"}


@dataclass(frozen=True)
class SplitCounts:
    """What one side of the split holds.

    Attributes:
        documents, bytes: of text.
        units: tokens (tokens), patches of whole documents (starts), else bytes.
        bytes_by_language: bytes of each language.
    """

    documents: int
    bytes: int
    units: int
    bytes_by_language: dict[str, int]

    @property
    def compression_rate(self) -> float:
        """T, bytes per unit; nan where there is no text."""
        return self.bytes / self.units if self.units else math.nan

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "SplitCounts":
        """Return the counts of a manifest's object; the compression rate follows from them."""
        known = {name: part for name, part in value.items() if name != "compression_rate"}
        return from_fields(cls, known)


@dataclass(frozen=True)
class FileEntry:
    """A file's size in bytes and its SHA-256."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class ShardManifest:
    """The content of `shards.json`.

    Attributes:
        kind: what the shards hold. key: the folder's name.
        text: key of the text shards these were made from; the shards' own if they are text.
        languages: what the numbers of `languages.u16` stand for. splits: counts of each side.
        files: every other file, by its path in the folder, with slashes.
        made_of: what the shards were made from, for people: corpora, tokenizer, settings.
        left_out: documents that are in neither split, by reason.
        vocabulary_size: V of tokens; 256 of bytes.
        prefix_bytes: bytes of a document's first token that are no text (tokens).
    """

    kind: ShardKind
    key: str
    text: str
    languages: tuple[str, ...]
    splits: dict[Split, SplitCounts]
    files: dict[str, FileEntry]
    made_of: dict[str, Any]
    left_out: dict[str, int] = field(default_factory=dict)
    vocabulary_size: int = 256
    prefix_bytes: int = 0

    def __post_init__(self) -> None:
        # Names of folders: nothing in a file may lead out of theirs.
        if not (_KEY.fullmatch(self.key) and _KEY.fullmatch(self.text)):
            raise ValueError(f"{self.key!r}, {self.text!r} are no keys of shards and their text")

    def to_json(self) -> str:
        """Return the manifest as the text of `shards.json`; equal manifests, equal text."""
        value = {"version": SHARDS_VERSION, **asdict(self)}
        for split, counts in self.splits.items():  # for people; it follows from the counts
            rate = counts.compression_rate
            value["splits"][split]["compression_rate"] = None if math.isnan(rate) else rate
        return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


@dataclass(frozen=True)
class Stream:
    """One side of a split: its documents, one after the other, in units.

    Attributes:
        name: what messages call it.
        units: [U] uint8 bytes, or uint32 token ids.
        documents: [D + 1] int64, first unit of each document, and U at the end.
        byte_documents: [D + 1] int64, first byte of each, and the number of bytes at the end.
        languages: [D] uint16, index into the manifest's languages.
        bos: id that stands before a segment: the vocabulary's size.
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
        folder: where it lies. manifest: what it is.
        train: the training side, empty in a corpus for evaluation only.
        held_out: the other side; the two share no document.
    """

    folder: Path
    manifest: ShardManifest
    train: Stream
    held_out: Stream

    def side(self, split: Split) -> Stream:
        """Return one of the two sides."""
        return self.train if split == "train" else self.held_out


def open_shards(folder: Path, *, verify: bool = False) -> Shards:
    """Map the shards in `folder`.

    Args:
        verify: whether to read every file, compare its SHA-256, and see that its numbers can be:
            the manifest may be of whoever made the files. For whoever reads the units. What costs
            nothing is always compared: sizes, where documents begin, their languages.

    Raises:
        InputError: they are not there, of another version, or not the files that were written.
    """
    manifest = read_manifest(folder)
    check_files(folder, manifest, verify=verify)
    train, held_out = (_stream(folder, manifest, split) for split in SPLITS)
    shards = Shards(folder, manifest, train, held_out)
    for split in SPLITS:
        side = shards.side(split)
        if fault := _layout_fault(side, manifest, split) or (_unit_fault(side) if verify else ""):
            raise InputError(f"{folder}: {split}: {fault}; {_REMEDY}")
    return shards


def _layout_fault(stream: Stream, manifest: ShardManifest, split: Split) -> str:
    """Return what cannot be of the documents of one side; empty where nothing is."""
    counts, units = manifest.splits[split], stream.unit_count
    for offsets, end in ((stream.documents, units), (stream.byte_documents, counts.bytes)):
        if len(offsets) != stream.document_count + 1 or offsets[0] or offsets[-1] != end:
            return "documents do not cover the text"
        if (offsets[1:] < offsets[:-1]).any():
            return "documents are not in order"
    if stream.document_count and stream.languages.max() >= len(manifest.languages):
        return "a document is of a language that has no name"
    ids = BYTE_VOCABULARY if stream.unit_bytes is None else len(stream.unit_bytes)
    if ids != stream.bos:
        return f"lengths of {ids:,} ids, of {stream.bos:,}"
    for values in (stream.starts, stream.entropies):
        if values is not None and len(values) != units:
            return "not a value for each byte"
    if stream.starts is None and counts.units != units:
        return f"{MANIFEST} counts {counts.units:,} units, of {units:,}"
    if sum(counts.bytes_by_language.values()) != counts.bytes:
        return f"{MANIFEST} counts other bytes of all languages than of each"
    return ""


def _unit_fault(stream: Stream) -> str:
    """Return what cannot be of the units of one side; empty where nothing is."""
    if not stream.unit_count:
        return ""
    if stream.units.max() >= stream.bos:
        return f"an id is beyond the vocabulary of {stream.bos:,}"
    if stream.unit_bytes is not None and stream.unit_bytes.min() < 0:
        return "an id has less than no bytes"
    if stream.starts is not None and stream.starts.view(np.uint8).max() > 1:
        return "a start of a patch is neither 0 nor 1"
    bits = stream.entropies
    if bits is not None and not (np.isfinite(bits.min()) and np.isfinite(bits.max())):
        return "entropies are not finite"
    return ""


def read_manifest(folder: Path) -> ShardManifest:
    """Read `shards.json`.

    Raises:
        InputError: it is missing or cannot be read by this version.
    """
    path = folder / MANIFEST
    what = "a manifest of shards"
    manifest = read_file(path, ShardManifest, version=SHARDS_VERSION, what=what, remedy=_REMEDY)
    if manifest is None:
        raise InputError(f"{path}: there is no such file; name a folder of shards")
    return manifest


def check_files(folder: Path, manifest: ShardManifest, *, verify: bool) -> None:
    """Compare every file with the manifest: its size, and its SHA-256 if `verify`.

    Raises:
        InputError: naming the first file that is missing or altered.
    """
    for name, entry in manifest.files.items():
        path = folder / name
        if not _FILE.fullmatch(name):
            raise InputError(f"{folder / MANIFEST}: {name!r} is no file of shards; {_REMEDY}")
        try:
            size = path.stat().st_size
            regular_file(path, _REMEDY)
            if size != entry.bytes:
                raise InputError(f"{path}: {size} bytes, should be {entry.bytes}; {_REMEDY}")
            if verify and file_sha256(path) != entry.sha256:
                raise InputError(f"{path}: its content has changed (SHA-256 differs); {_REMEDY}")
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); {_REMEDY}") from error


def _stream(folder: Path, manifest: ShardManifest, split: Split) -> Stream:
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


def _mapped(folder: Path, manifest: ShardManifest, name: str) -> NDArray[Any]:
    entry, dtype = manifest.files.get(name), dtype_of(name)
    if entry is None or entry.bytes % dtype.itemsize:
        what = "is not listed" if entry is None else f"has {entry.bytes} bytes, no whole numbers"
        raise InputError(f"{folder / MANIFEST}: {name} {what}; {_REMEDY}")
    if entry.bytes == 0:
        return np.zeros(0, dtype)  # nothing can be mapped of an empty file
    # Not a np.memmap: slices of that class cost far more than those of an array.
    return np.asarray(np.memmap(folder / name, dtype, mode="r"))


def dtype_of(name: str) -> np.dtype[Any]:
    """Return the type of the numbers in a file, by the end of its name."""
    return np.dtype(_DTYPES[name.rpartition(".")[2]])


def content_key(content: Mapping[str, object]) -> str:
    """Return the key of what follows from `content`, plain JSON values."""
    content = {**content, "version": SHARDS_VERSION}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:KEY_DIGITS]
