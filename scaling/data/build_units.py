"""Shards made from shards of text, a part at a time: a killed job goes on where it was.

A part is about a megabyte of whole documents. Its arrays are written whole to a file of its own;
when all parts are there they are laid end to end, and removed.
"""

import itertools
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from corpora.files import write_text, written_whole
from scaling.data.folders import file_entries, finished, link_or_copy, publish, working_folder
from scaling.data.shards import (
    BYTES,
    DOCUMENTS,
    DTYPES,
    ENTROPIES,
    LANGUAGES,
    MANIFEST,
    SPLITS,
    STARTS,
    TOKEN_DOCUMENTS,
    TOKEN_LENGTHS,
    TOKENS,
    ShardKind,
    ShardManifest,
    Shards,
    Split,
    Stream,
    content_key,
    open_shards,
)
from tokenize_lab.counts.bytes import TextBytes
from tokenize_lab.counts.tokens import token_boundaries
from tokenize_lab.tokenizer import Tokenizer

PART_BYTES = 1 << 20


@dataclass(frozen=True)
class TextPart:
    """Some documents of one split, side by side.

    Attributes:
        split: which side they are on.
        first: number of the first of them in that side.
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
        """A name of its own, whatever the size of parts."""
        return f"{self.split}-{self.first}-{len(self.offsets) - 1}.npz"

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
        top: further files, by name, of the shards' folder.
        about: further fields of the manifest.
    """

    kind: ShardKind
    made_of: Mapping[str, Any]
    files: Sequence[str]
    links: Sequence[str]
    arrays_of: Callable[[TextPart], Mapping[str, NDArray[Any]]]
    complete: Callable[[Path], int]
    top: Mapping[str, NDArray[Any]]
    about: Mapping[str, Any]


def build_by_parts(
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
        advance: called with the bytes of each part that is done.
        part_bytes: text of a part, about.

    Raises:
        InputError: the text is not there or altered, or the folder cannot be written.
    """
    text = open_shards(text_folder)
    if text.manifest.kind != "text":
        raise InputError(
            f"{text_folder}: shards of {text.manifest.kind}; name the shards of text"
            f" ({text.manifest.text}) that they were made from"
        )
    key = content_key(
        {"kind": product.kind, "text": text.manifest.key, "made_of": dict(product.made_of)}
    )
    target = folder / key
    if finished(target):
        return target
    with working_folder(folder / f".{key}.parts") as work:
        if not finished(target):
            text = open_shards(text_folder, verify=True)
            for part in _parts(text, part_bytes):
                _keep(work / part.name, part, product)
                if advance is not None:
                    advance(len(part.data))
            publish(_join(work, text, key, product, part_bytes), target)
        shutil.rmtree(work)
    return target


def _parts(text: Shards, part_bytes: int) -> Iterator[TextPart]:
    for split in SPLITS:
        yield from parts_of(text.held_out if split == "held_out" else text.train, split, part_bytes)


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
    kept = {name: array.astype(_dtype(name)) for name, array in arrays.items()}
    with written_whole(path) as temporary, temporary.open("wb") as out:
        np.savez(out, **kept)  # type: ignore[arg-type]  # no file is called allow_pickle


def _join(work: Path, text: Shards, key: str, product: Product, part_bytes: int) -> Path:
    """Return a folder of finished shards in `work`, made of the parts there."""
    made = work / "made"
    shutil.rmtree(made, ignore_errors=True)  # of a job killed while it joined
    splits = {}
    for split, stream in zip(SPLITS, (text.train, text.held_out), strict=True):
        side = made / split
        side.mkdir(parents=True)
        for name in product.files:
            with (side / name).open("wb") as out:
                for part in parts_of(stream, split, part_bytes):
                    out.write(_kept(work / part.name, name).tobytes())
        for name in product.links:
            link_or_copy(text.folder / split / name, side / name)
        splits[split] = replace(text.manifest.splits[split], units=product.complete(side))
    for name, array in product.top.items():
        (made / name).write_bytes(array.astype(_dtype(name)).tobytes())
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


def _dtype(name: str) -> np.dtype[Any]:
    return np.dtype(DTYPES[name.rpartition(".")[2]])


# From shards of text to shards that hold a number beside every byte: patches, entropies.


def build_starts(
    text_folder: Path,
    folder: Path,
    starts_of: Callable[[TextPart], NDArray[np.bool_]],
    description: Mapping[str, Any],
    *,
    advance: Callable[[int], object] | None = None,
    part_bytes: int = PART_BYTES,
) -> Path:
    """Return, in `folder`, the text with a flag at every byte that opens a patch.

    The compression rates of the manifest are bytes over patches of whole documents, on either side
    of the split.

    Args:
        text_folder: shards of text.
        starts_of: gives a part's flags, bool [bytes]; a document's first byte always opens one.
        description: all that the flags follow from besides the text, such as threshold and hash of
            the entropy model; equal descriptions must mean equal flags.
        advance: called with the bytes of text that have been done.
        part_bytes: text done at a time; an interrupted job loses no more.

    Raises:
        InputError: the folders cannot be read or written.
    """

    def flags(part: TextPart) -> NDArray[np.uint8]:
        starts = np.array(starts_of(part), np.bool_)
        assert starts.shape == part.data.shape
        starts[part.offsets[:-1]] = True
        return starts.view(np.uint8)

    product = _per_byte("starts", STARTS, flags, description, _count_starts)
    return build_by_parts(text_folder, folder, product, advance=advance, part_bytes=part_bytes)


def build_entropies(
    text_folder: Path,
    folder: Path,
    entropies_of: Callable[[TextPart], NDArray[np.floating]],
    description: Mapping[str, Any],
    *,
    advance: Callable[[int], object] | None = None,
    part_bytes: int = PART_BYTES,
) -> Path:
    """Return, in `folder`, the text with the entropy of every byte's distribution.

    Args:
        entropies_of: gives a part's entropies, bits, [bytes]; kept as float32.
        text_folder, description, advance, part_bytes: as of `build_starts`.

    Raises:
        InputError: an entropy is not finite, or the folders cannot be read or written.
    """

    def entropies(part: TextPart) -> NDArray[np.float32]:
        values = np.asarray(entropies_of(part), np.float32)
        assert values.shape == part.data.shape
        finite = np.isfinite(values)
        if not finite.all():
            raise InputError(
                f"{text_folder}: the entropy of byte {part.begin + int(finite.argmin())}"
                f" of {part.split} is not finite; train the entropy model again, at a lower rate"
            )
        return values

    product = _per_byte("entropies", ENTROPIES, entropies, description, _count_bytes)
    return build_by_parts(text_folder, folder, product, advance=advance, part_bytes=part_bytes)


def _per_byte(
    kind: ShardKind,
    file: str,
    values_of: Callable[[TextPart], NDArray[Any]],
    description: Mapping[str, Any],
    complete: Callable[[Path], int],
) -> Product:
    return Product(
        kind=kind,
        made_of={kind: dict(description)},
        files=(file,),
        links=(BYTES, DOCUMENTS, LANGUAGES),
        arrays_of=lambda part: {file: values_of(part)},
        complete=complete,
        top={},
        about={},
    )


def _count_starts(side: Path) -> int:
    flags = side / STARTS
    if not flags.stat().st_size:
        return 0
    return int(np.count_nonzero(np.memmap(flags, np.uint8, mode="r")))


def _count_bytes(side: Path) -> int:
    return (side / BYTES).stat().st_size


# From shards of text to shards of one tokenizer's tokens, over the same documents.


_SHOWN = 40  # characters of such a document
_COUNTS = "token_counts.i64"  # tokens of each document; gives way to their sums


def build_tokens(
    text_folder: Path,
    tokenizer: Tokenizer,
    folder: Path,
    *,
    advance: Callable[[int], object] | None = None,
    part_bytes: int = PART_BYTES,
) -> Path:
    """Encode every document by itself and return the tokens' shards in `folder`.

    Bits per byte are of the raw text, so the tokens must give back every byte of it, which is
    compared document by document.

    Args:
        text_folder: shards of text.
        tokenizer: a lossless one.
        advance: called with the bytes of text that have been done.
        part_bytes: text encoded at a time; an interrupted job loses no more.

    Raises:
        InputError: the tokenizer loses text, or the folders cannot be read or written.
    """
    if not tokenizer.lossless:
        raise InputError(
            f"{tokenizer.spec}: loses text ({tokenizer.lossy_reason}), so its bits per byte would"
            " not be of the text; use a lossless tokenizer"
        )
    product = Product(
        kind="tokens",
        made_of={
            "tokenizer": {
                "name": tokenizer.name,
                "sha256": tokenizer.sha256,
                "engine": tokenizer.engine,
            }
        },
        files=(TOKENS, _COUNTS),
        links=(DOCUMENTS, LANGUAGES),
        arrays_of=lambda part: _encoded(part, tokenizer),
        complete=_complete,
        top={TOKEN_LENGTHS: tokenizer.token_bytes.lengths},
        about={
            "vocabulary_size": tokenizer.vocabulary_size,
            "prefix_bytes": len(tokenizer.prefix),
        },
    )
    return build_by_parts(text_folder, folder, product, advance=advance, part_bytes=part_bytes)


def _encoded(part: TextPart, tokenizer: Tokenizer) -> dict[str, NDArray[np.generic]]:
    texts = [document.tobytes().decode() for document in part.documents()]
    encoding = tokenizer.encode_batch(texts)
    laid = token_boundaries(TextBytes.of(texts), encoding, tokenizer)
    if not laid.exact.all():
        # SentencePiece, for one, takes U+2581 for a space, and lossless it is for all other text.
        index = int(np.argmin(laid.exact))
        raise InputError(
            f"{tokenizer.spec}: does not give back document {part.first + index} of {part.split}"
            f" ({texts[index][:_SHOWN]!r}); leave that document out of the corpus, or use another"
            " tokenizer"
        )
    assert not len(encoding.ids) or int(encoding.ids.max()) < tokenizer.vocabulary_size
    # By another way than the comparison of bytes: as bits per byte will be reckoned.
    sizes = np.add.reduceat(
        tokenizer.token_bytes.lengths[encoding.ids].astype(np.int64),
        np.cumsum(encoding.lengths) - encoding.lengths,
    )
    assert np.array_equal(sizes - len(tokenizer.prefix), np.diff(part.offsets))
    return {TOKENS: encoding.ids, _COUNTS: encoding.lengths}


def _complete(side: Path) -> int:
    counts = np.fromfile(side / _COUNTS, "<i8")
    offsets = np.concatenate([[0], np.cumsum(counts)])
    (side / TOKEN_DOCUMENTS).write_bytes(offsets.astype("<i8").tobytes())
    (side / _COUNTS).unlink()
    return int(offsets[-1])
