"""From shards of text to shards of one tokenizer's tokens, over the same documents."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from scaling.data.layout import DOCUMENTS, LANGUAGES, TOKEN_DOCUMENTS, TOKEN_LENGTHS, TOKENS
from scaling.data.parts import PART_BYTES, Part, Product, build_by_parts
from tokenize_lab.boundaries import token_boundaries
from tokenize_lab.text_bytes import TextBytes
from tokenize_lab.tokenizer import Tokenizer

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


def _encoded(part: Part, tokenizer: Tokenizer) -> dict[str, NDArray[np.generic]]:
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
