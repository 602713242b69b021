"""Shards made from shards of text, a part at a time: a killed job continues where it was.

A part is about a megabyte of whole documents. Its arrays are written whole to a file of their own;
when all parts are there they are laid end to end, and removed.
"""

import itertools
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from corpora.files import write_text, written_whole
from scaling.data.folders import file_entries, finished, link_or_copy, publish, working_folder
from scaling.data.shards import (
    MANIFEST,
    SPLITS,
    ShardKind,
    ShardManifest,
    Shards,
    Split,
    Stream,
    content_key,
    dtype_of,
    open_shards,
)

PART_BYTES = 1 << 20


@dataclass(frozen=True)
class TextPart:
    """Some documents of one split, side by side.

    Attributes:
        split: which side they are on. first: number of the first of them in that side.
        begin: its first byte in that side's text.
        data: uint8 [bytes], all of them, one after the other.
        offsets: int64 [documents + 1], where each begins in `data`, and its length at the end.
    """

    split: Split
    first: int
    begin: int
    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    @property
    def name(self) -> str:
        """The name of its file, which no part of another size has."""
        return f"{self.split}-{self.first}-{len(self.offsets) - 1}.npz"

    def languages_of(self, side: Stream) -> NDArray[np.uint16]:
        """Return the numbers of the documents' languages, given the side they are on."""
        return side.languages[self.first : self.first + len(self.offsets) - 1]

    def documents(self) -> Iterator[NDArray[np.uint8]]:
        """Yield each document's bytes, a view."""
        for begin, end in zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True):
            yield self.data[begin:end]


@dataclass(frozen=True)
class Product:
    """What is to be made of shards of text.

    Attributes:
        kind: of the new shards.
        made_of: all that they follow from besides the text, plain JSON values; part of their key.
        files: names of the files in each split's folder.
        links: files of the text shards' splits that belong to these shards too.
        arrays_of: gives a part's arrays, by file; they are laid end to end.
        complete: given a split's folder with its `files`, may put others in their place; returns
            the split's number of units.
        top: further files, by name, of the shards' folder. about: further fields of the manifest.
    """

    kind: ShardKind
    made_of: Mapping[str, Any]
    files: Sequence[str]
    links: Sequence[str]
    arrays_of: Callable[[TextPart], Mapping[str, NDArray[Any]]]
    complete: Callable[[Path], int]
    top: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)


def build_in_parts(
    text_folder: Path,
    folder: Path,
    product: Product,
    *,
    advance: Callable[[int], object] | None = None,
    part_bytes: int = PART_BYTES,
) -> Path:
    """Return the shards in `folder` that `product` makes of those in `text_folder`.

    Those there already are returned as they are. Two processes that make the same take turns.

    Args:
        advance: called with the bytes of each part that is done. part_bytes: text of a part, about.

    Raises:
        InputError: the text is not there or altered, or the folder cannot be written.
    """
    text = open_shards(text_folder)
    if text.manifest.kind != "text":
        raise InputError(
            f"{text_folder}: shards of {text.manifest.kind}; name the shards of text"
            f" ({text.manifest.text}) that they were made from"
        )
    made_of = dict(product.made_of)
    key = content_key({"kind": product.kind, "text": text.manifest.key, "made_of": made_of})
    target = folder / key
    working = folder / f".{key}.parts"
    # A job killed after its last step left the folder of its parts.
    if finished(target) and not working.exists():
        return target
    with working_folder(working) as work:
        if not finished(target):
            text = open_shards(text_folder, verify=True)
            for split in SPLITS:
                for part in parts_of(text.side(split), split, part_bytes):
                    _keep(work / part.name, part, product)
                    if advance is not None:
                        advance(len(part.data))
            publish(_join(work, text, key, product, part_bytes), target)
    return target


def parts_of(stream: Stream, split: Split, part_bytes: int = PART_BYTES) -> Iterator[TextPart]:
    """Yield a text stream as parts: a new one begins with the first document past each step."""
    offsets = stream.byte_documents
    steps = np.arange(0, int(offsets[-1]), part_bytes)
    edges = np.unique(np.append(np.searchsorted(offsets, steps), stream.document_count)).tolist()
    for first, last in itertools.pairwise(edges):
        begin, end = int(offsets[first]), int(offsets[last])
        data = np.asarray(stream.units[begin:end], np.uint8)
        yield TextPart(split, first, begin, data, offsets[first : last + 1] - begin)


def _keep(path: Path, part: TextPart, product: Product) -> None:
    if path.exists():
        return
    arrays = product.arrays_of(part)
    assert set(arrays) == set(product.files)
    kept = {name: array.astype(dtype_of(name)) for name, array in arrays.items()}
    with written_whole(path) as temporary, temporary.open("wb") as out:
        np.savez(out, **kept)  # type: ignore[arg-type]  # no file is called allow_pickle


def _join(work: Path, text: Shards, key: str, product: Product, part_bytes: int) -> Path:
    """Return a folder of finished shards in `work`, made of the parts there."""
    made = work / "made"
    shutil.rmtree(made, ignore_errors=True)  # of a job killed while it joined
    splits = {}
    for split in SPLITS:
        side = made / split
        side.mkdir(parents=True)
        for name in product.files:
            with (side / name).open("wb") as out:
                for part in parts_of(text.side(split), split, part_bytes):
                    out.write(_kept(work / part.name, name).tobytes())
        for name in product.links:
            link_or_copy(text.folder / split / name, side / name)
        splits[split] = replace(text.manifest.splits[split], units=product.complete(side))
    for name, array in product.top.items():
        (made / name).write_bytes(array.astype(dtype_of(name)).tobytes())
    manifest: ShardManifest = replace(
        text.manifest,
        kind=product.kind,
        key=key,
        splits=splits,
        files=file_entries(made),
        made_of={**text.manifest.made_of, **product.made_of},
        **product.about,
    )
    write_text(made / MANIFEST, manifest.to_json())
    return made


def _kept(path: Path, name: str) -> NDArray[Any]:
    try:
        # Opened here, since NumPy leaves open what turns out to be torn.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            array: NDArray[Any] = arrays[name]
            return array
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: not the part that was written ({error}); delete it, it is made again"
        ) from error
