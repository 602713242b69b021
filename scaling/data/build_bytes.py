"""From shards of text to shards that hold a number beside every byte: patches, entropies."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from scaling.data.layout import BYTES, DOCUMENTS, ENTROPIES, LANGUAGES, STARTS, Kind
from scaling.data.parts import PART_BYTES, Part, Product, build_by_parts


def build_starts(
    text_folder: Path,
    folder: Path,
    starts_of: Callable[[Part], NDArray[np.bool_]],
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

    def flags(part: Part) -> NDArray[np.uint8]:
        starts = np.array(starts_of(part), np.bool_)
        assert starts.shape == part.data.shape
        starts[part.offsets[:-1]] = True
        return starts.view(np.uint8)

    product = _per_byte("starts", STARTS, flags, description, _count_starts)
    return build_by_parts(text_folder, folder, product, advance=advance, part_bytes=part_bytes)


def build_entropies(
    text_folder: Path,
    folder: Path,
    entropies_of: Callable[[Part], NDArray[np.floating]],
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

    def entropies(part: Part) -> NDArray[np.float32]:
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
    kind: Kind,
    file: str,
    values_of: Callable[[Part], NDArray[Any]],
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
