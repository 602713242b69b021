"""Which documents are trained on, which are held out, and which are neither."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError


class ReadText(NamedTuple):
    """What is known of each document of some corpora, in the order read; none is empty.

    Attributes:
        names: of the corpora.
        lengths: [D] int64, bytes. languages: [D] uint16, an index into `language_names`.
        digests: [D, 2] uint64, 128 bits of a cryptographic hash of each text.
        language_names: in order of first appearance.
        empty: documents without any text, left out.
        sha256: of all texts, their lengths and languages.
    """

    names: tuple[str, ...]
    lengths: NDArray[np.int64]
    languages: NDArray[np.uint16]
    digests: NDArray[np.uint64]
    language_names: tuple[str, ...]
    empty: int
    sha256: str


class Sides(NamedTuple):
    """Which documents are on which side.

    Attributes:
        train, held_out: [D] bool. A document in neither repeats one that is held out.
    """

    train: NDArray[np.bool_]
    held_out: NDArray[np.bool_]


def split_documents(text: ReadText, held_out_bytes: int) -> Sides:
    """Hold out whole documents from the end of each language.

    Each language gives its share of `held_out_bytes`, in proportion to its bytes, rounded up to
    whole documents. A document before them with the same text as one of them is left out, so that
    nothing held out is ever trained on. With 0 bytes all is held out: text to evaluate on.

    Raises:
        InputError: there is no text, or a language is left with none to train on.
    """
    corpus = ", ".join(text.names)
    total = int(text.lengths.sum())
    if not total:
        raise InputError(f"{corpus}: holds no text; name a corpus that does")
    if held_out_bytes < 0:
        raise InputError(f"{held_out_bytes} bytes to hold out; give 0 or more")
    if held_out_bytes == 0:
        return Sides(np.zeros(len(text.lengths), np.bool_), np.ones(len(text.lengths), np.bool_))
    held_out = np.zeros(len(text.lengths), np.bool_)
    for language in range(len(text.language_names)):
        own = np.flatnonzero(text.languages == language)
        from_end = np.cumsum(text.lengths[own[::-1]])
        share = -(-held_out_bytes * int(from_end[-1]) // total)
        taken = int(np.searchsorted(from_end, share)) + 1
        held_out[own[max(0, len(own) - taken) :]] = True
    train = ~held_out & ~_among(text.digests, text.digests[held_out])
    for language, name in enumerate(text.language_names):
        own = text.languages == language
        if not train[own].any():
            count = int(own.sum())
            raise InputError(
                f"{corpus}: {name} has {count:,} document{'s' if count > 1 else ''} of"
                f" {int(text.lengths[own].sum()):,} bytes, and holding out {held_out_bytes:,} of"
                f" {total:,} bytes leaves none of them to train on; give more text, hold out less,"
                " or leave that language out"
            )
    return Sides(train, held_out)


def _among(digests: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return which digests [D, 2] are among `wanted` [n, 2]: [D] bool."""
    # The first halves sift; the few that pass are compared whole.
    found: NDArray[np.bool_] = np.isin(digests[:, 0], wanted[:, 0])
    exact = set(map(tuple, wanted.tolist()))
    maybe = np.flatnonzero(found)
    found[maybe] = [tuple(digest) in exact for digest in digests[maybe].tolist()]
    return found
