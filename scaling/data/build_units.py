"""What models read, made from shards of text: patches, entropies, tokens.

Patches and entropies are a number beside every byte; tokens are one tokenizer's, over the same
documents.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from scaling.data.chunked_build import PART_BYTES, Product, TextPart, build_in_parts
from scaling.data.shards import (
    BYTES,
    DOCUMENTS,
    ENTROPIES,
    LANGUAGES,
    STARTS,
    TOKEN_DOCUMENTS,
    TOKEN_LENGTHS,
    TOKENS,
    ShardKind,
)
from tokenize_lab.counts.boundaries import token_boundaries
from tokenize_lab.counts.bytes import TextBytes
from tokenize_lab.tokenizer import Tokenizer

_COUNTS = "token_counts.i64"  # tokens of each document; gives way to their sums


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
    return build_in_parts(text_folder, folder, product, advance=advance, part_bytes=part_bytes)


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

    def count(side: Path) -> int:
        return (side / BYTES).stat().st_size

    product = _per_byte("entropies", ENTROPIES, entropies, description, count)
    return build_in_parts(text_folder, folder, product, advance=advance, part_bytes=part_bytes)


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
    )


def _count_starts(side: Path) -> int:
    flags = side / STARTS
    empty = not flags.stat().st_size  # which cannot be mapped
    return 0 if empty else int(np.count_nonzero(np.memmap(flags, np.uint8, mode="r")))


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
        text_folder, advance, part_bytes: as of `build_starts`. tokenizer: a lossless one.

    Raises:
        InputError: the tokenizer loses text, or the folders cannot be read or written.
    """
    if not tokenizer.lossless:
        raise InputError(
            f"{tokenizer.spec}: loses text ({tokenizer.lossy_reason}), so its bits per byte would"
            " not be of the text; use a lossless tokenizer"
        )
    made_by = {"name": tokenizer.name, "sha256": tokenizer.sha256, "engine": tokenizer.engine}
    product = Product(
        kind="tokens",
        made_of={"tokenizer": made_by},
        files=(TOKENS, _COUNTS),
        links=(DOCUMENTS, LANGUAGES),
        arrays_of=lambda part: _encoded(part, tokenizer),
        complete=_complete,
        top={TOKEN_LENGTHS: tokenizer.token_bytes.lengths},
        about={"vocabulary_size": tokenizer.vocabulary_size, "prefix_bytes": len(tokenizer.prefix)},
    )
    return build_in_parts(text_folder, folder, product, advance=advance, part_bytes=part_bytes)


def _encoded(part: TextPart, tokenizer: Tokenizer) -> dict[str, NDArray[np.generic]]:
    texts = [document.tobytes().decode() for document in part.documents()]
    encoding = tokenizer.encode_batch(texts)
    laid = token_boundaries(TextBytes.of(texts), encoding, tokenizer)
    if not laid.exact.all():
        # SentencePiece, for one, takes U+2581 for a space; it is lossless for all other text.
        index = int(np.argmin(laid.exact))
        raise InputError(
            f"{tokenizer.spec}: does not give back document {part.first + index} of {part.split}"
            f" ({texts[index][:40]!r}); leave that document out of the corpus, or use another"
            " tokenizer"
        )
    assert not len(encoding.ids) or int(encoding.ids.max()) < tokenizer.vocabulary_size
    # Checked in another way than by comparing bytes: as bits per byte will be counted.
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
