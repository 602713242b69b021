"""Where a byte latent transformer cuts text into patches.

`starts[i]` says whether byte i opens a patch. It may depend on bytes before i alone: a model that
predicts byte i is told whether it opens a patch, and would otherwise be told something about it.
The first byte of a document always opens one. Source: "Byte Latent Transformer" (Pagnoni et al.
2024, arXiv 2412.09871, section 2).

Flags become starts through `capped`, so that no patch outgrows `most_bytes`. Entropies are numbers
of documents laid end to end; `offsets` [documents + 1] says where each begins and the last ends.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError

Starts = NDArray[np.bool_]

JITTER = 1e-6  # bits; far below any difference that means something, far above rounding

_WHITE_SPACE = np.zeros(256, dtype=np.bool_)
_WHITE_SPACE[list(b" \t\n\v\f\r")] = True

_AT_ONCE = 1 << 22  # numbers; bounds the memory of what is only passed through


def static_starts(lengths: Sequence[int] | NDArray[np.integer], rate: float) -> Starts:
    """Return starts [sum of lengths] of patches of `rate` bytes, counted in each segment.

    Byte i of a segment opens a patch where floor(i / T) differs from floor((i - 1) / T), so that a
    fractional rate T mixes patches of the two nearest whole lengths, evenly.
    """
    assert rate >= 1, "a patch holds at least one byte"
    sizes = np.asarray(lengths, dtype=np.int64)
    if not sizes.sum():
        return np.zeros(0, dtype=np.bool_)
    patches = np.floor(np.arange(sizes.max()) / rate)
    opens: Starts = np.diff(patches, prepend=-1.0) != 0
    if len(sizes) == 1:
        return opens
    return np.concatenate([opens[:size] for size in sizes.tolist()])


def space_starts(data: NDArray[np.uint8], most_bytes: int) -> Starts:
    """Return starts [n] of the patches of one document: a word and the white space before it.

    Byte i opens a patch where byte i - 1 is ASCII white space and byte i - 2 is not: the first
    white space ends its word's patch. Whether byte i itself is white space is not asked, since
    that would tell the model about the byte that it is to predict.
    """
    white = _WHITE_SPACE[data]
    before = np.concatenate([[False], white])  # nothing, which is not white space, precedes
    flagged = np.zeros(len(data), dtype=np.bool_)
    flagged[1:] = before[1:-1] & ~before[:-2]
    return capped(flagged, most_bytes)


def entropy_starts(
    entropies: NDArray[np.floating],
    threshold: float,
    most_bytes: int,
    monotonic: bool = False,
    document: int = 0,
) -> Starts:
    """Return starts [n] of one document's patches: a hard byte opens one.

    Args:
        entropies: [n] bits; entropies[i] is of the distribution of byte i given those before it.
        threshold: bits. most_bytes: no patch is longer.
        monotonic: compare the rise over the byte before, instead of the entropy itself.
        document: its number in its split; breaks ties (`entropy_keys`), nothing else.
    """
    offsets = np.array([0, len(entropies)])
    return capped(entropy_keys(entropies, offsets, monotonic, document) > threshold, most_bytes)


def split_entropy_starts(
    entropies: NDArray[np.floating],
    offsets: NDArray[np.integer],
    threshold: float | NDArray[np.float64],
    most_bytes: int,
    monotonic: bool = False,
    first_document: int = 0,
) -> Starts:
    """Return starts [n] of a split's documents, those `entropy_starts` gives one by one.

    Each document may have a threshold of its own: [documents]. Where `entropies` are of some of
    them only, `first_document` is the first one's number.
    """
    keys = entropy_keys(entropies, offsets, monotonic, first_document)
    if isinstance(threshold, np.ndarray):
        threshold = np.repeat(threshold, np.diff(offsets))
    return capped(keys > threshold, most_bytes)


def entropy_keys(
    entropies: NDArray[np.floating],
    offsets: NDArray[np.integer],
    monotonic: bool = False,
    first_document: int = 0,
) -> NDArray[np.float64]:
    """Return [n] float64: what is compared with the threshold; infinite at documents' first bytes.

    To each is added `JITTER` times a hash, in [0, 1), of the document's number and the byte's
    place in it. The second byte of a document, say, has one of some hundred entropies: without
    that, a threshold would take all of a kind or none, and could miss a rate by per cents.

    Raises:
        InputError: an entropy is not a finite number.
    """
    assert offsets[0] == 0 and offsets[-1] == len(entropies)
    keys = np.array(entropies, dtype=np.float64)
    if not np.isfinite(keys).all():
        raise InputError(
            f"entropy {int(np.argmin(np.isfinite(keys)))} is not a finite number: the entropy"
            " model has diverged; train it again with a lower learning rate"
        )
    if monotonic:
        keys[1:] -= keys[:-1].copy()
    starts = np.asarray(offsets, dtype=np.int64)
    # A document of 2^40 bytes would meet the next one's numbers, and still lose nothing but ties.
    numbers = np.arange(first_document, first_document + len(starts) - 1, dtype=np.uint64)
    shifts = (numbers << np.uint64(40)) - starts[:-1].astype(np.uint64)
    for low in range(0, len(keys), _AT_ONCE):
        high = min(low + _AT_ONCE, len(keys))
        shift = np.repeat(shifts, np.diff(np.clip(starts, low, high)))
        places = np.arange(low, high, dtype=np.uint64) + shift
        keys[low:high] += JITTER * _hashed(places)
    keys[starts[:-1][np.diff(starts) > 0]] = np.inf
    return keys


def capped(flagged: Starts, most_bytes: int) -> Starts:
    """Return starts [n]: the flagged bytes, the first, and more so that no patch is too long.

    Walking left to right, a byte opens a patch when it is flagged, or when the patch so far has
    `most_bytes` bytes already; after either, counting starts again.
    """
    assert most_bytes >= 1
    starts = np.array(flagged, dtype=np.bool_)
    if not len(starts):
        return starts
    starts[0] = True
    opened = np.flatnonzero(starts)
    lengths = np.diff(opened, append=len(starts))
    more = (lengths - 1) // most_bytes
    long = more > 0
    if long.any():
        counts = more[long]
        # 1, 2, .., counts[0], 1, 2, .., counts[1], ..: how many caps into its long patch.
        before = np.repeat(np.cumsum(counts) - counts, counts)
        turns = np.arange(1, counts.sum() + 1) - before
        starts[np.repeat(opened[long], counts) + turns * most_bytes] = True
    return starts


def patch_count(flagged: Starts, most_bytes: int) -> int:
    """Return how many starts `capped` would give, without making them."""
    if not len(flagged):
        return 0
    opened = np.flatnonzero(flagged)
    if not len(opened) or opened[0]:
        opened = np.concatenate([[0], opened])
    # ceil(length / most), summed: one patch each, and one more per full `most_bytes` passed.
    lengths = np.diff(opened, append=len(flagged))
    long = lengths[lengths > most_bytes]
    return len(opened) + int(((long - 1) // most_bytes).sum())


def _hashed(places: NDArray[np.uint64]) -> NDArray[np.float64]:
    # The finaliser of splitmix64 (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195).
    mixed = places + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53
