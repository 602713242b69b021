"""The entropy threshold that gives a wanted compression rate.

The rate is bytes per patch as they come out, forced starts and caps included, so the search asks
for that and not for a quantile of the entropies: a quantile is only where it starts. Patches become
fewer as the threshold rises (merging two patches never needs more caps), so bisection finds it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from scaling.model.patching import entropy_keys, patch_count
from scaling.spec import Patching

TOLERANCE = 1e-4  # of the rate, where the text has patches enough; a tenth of what is promised

_SAMPLE = 1 << 16
_MOST_STEPS = 200  # a bracket of doubles halved 200 times has nothing left between its ends


class Threshold(NamedTuple):
    """A threshold, and what it does.

    Attributes:
        value: bits; a byte opens a patch where its entropy (or its rise) is above.
        realised_rate: bytes per patch on the text searched.
    """

    value: float
    realised_rate: float


def find_threshold(
    entropies: NDArray[np.floating],
    offsets: NDArray[np.integer],
    rate: float,
    most_bytes: int,
    monotonic: bool = False,
) -> Threshold:
    """Return the threshold at which patches hold `rate` bytes in the mean.

    The realised rate is within 0.1 % of `rate`, or, on a text of less than about a thousand
    patches, as near as a whole number of patches comes. The threshold belongs to
    `split_entropy_starts` on the same documents, or `entropy_starts` given their numbers.

    Args:
        entropies: [n] bits, documents end to end. offsets: [documents + 1].
        rate: T, bytes per patch. most_bytes: no patch is longer.
        monotonic: the threshold is of the rise over the byte before.

    Raises:
        InputError: the rate is out of reach; the message says what is within reach, and why. Or
            there is no text, or an entropy is not finite.
    """
    return _found(entropy_keys(entropies, offsets, monotonic), rate, most_bytes)


def find_thresholds(
    entropies: NDArray[np.floating],
    offsets: NDArray[np.integer],
    languages: NDArray[np.integer],
    names: Sequence[str],
    rate: float,
    most_bytes: int,
    monotonic: bool = False,
) -> dict[str, float]:
    """Return the threshold of each language at which its own patches hold `rate` bytes in the mean.

    Args:
        languages: [documents], an index into `names`. The others as of `find_threshold`.

    Raises:
        InputError: as `find_threshold`, naming the language.
    """
    keys = entropy_keys(entropies, offsets, monotonic)
    of_bytes = np.repeat(languages, np.diff(offsets))
    found = {}
    for number in np.unique(languages).tolist():
        try:
            found[names[number]] = _found(keys[of_bytes == number], rate, most_bytes).value
        except InputError as error:
            raise InputError(f"{names[number]}: {error}") from error
    return found


def document_thresholds(
    patching: Patching, languages: NDArray[np.integer], names: Sequence[str]
) -> float | NDArray[np.float64]:
    """Return the threshold of all documents, or of each: [documents].

    Args:
        patching: of an entropy kind. languages: [documents], an index into `names`.

    Raises:
        InputError: each language has its own, and one of these has none.
    """
    if not patching.thresholds:
        assert patching.threshold is not None
        return patching.threshold
    known = patching.thresholds
    of_names = [known.get(name, np.nan) for name in names]
    for number in np.unique(languages).tolist():
        if names[number] not in known:
            raise InputError(
                f"{names[number]}: the run has an entropy threshold for each of {', '.join(known)},"
                " and none for this language; score text of those, named as they are"
            )
    thresholds: NDArray[np.float64] = np.array(of_names, np.float64)[languages]
    return thresholds


def _found(keys: NDArray[np.float64], rate: float, most_bytes: int) -> Threshold:
    if not len(keys):
        raise InputError("no text to find an entropy threshold on; name a corpus that has some")
    fewest = patch_count(np.isinf(keys), most_bytes)
    _check_reach(rate, len(keys), fewest, most_bytes, int(np.isinf(keys).sum()))
    scale = _scale(keys)
    if not len(scale):  # every document is one byte: any threshold does
        return Threshold(0.0, 1.0)
    return _bisected(keys, scale, fewest, rate, most_bytes)


def _scale(keys: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rising thresholds: below all keys, a sample's quantiles, the greatest key."""
    bounded: NDArray[np.float64] = keys[np.isfinite(keys)]
    if not len(bounded):
        return bounded
    sample = np.sort(bounded[:: max(1, len(bounded) // _SAMPLE)])
    return np.concatenate([[bounded.min() - 1], sample, [bounded.max()]])


def _bisected(
    keys: NDArray[np.float64], scale: NDArray[np.float64], fewest: int, rate: float, most_bytes: int
) -> Threshold:
    # Patches are nearly linear in the quantile of the threshold, so the search runs over places
    # on the scale of quantiles. Interpolating and halving take turns: one is fast, one certain.
    wanted = len(keys) / rate
    slack = max(0.5, TOLERANCE * wanted)
    places = np.arange(len(scale), dtype=np.float64)
    left, right = 0.0, places[-1]
    low, high = float(scale[0]), float(scale[-1])
    many, few = len(keys), fewest
    for step in range(_MOST_STEPS):
        if abs(many - wanted) <= slack:
            return Threshold(low, len(keys) / many)
        if abs(few - wanted) <= slack:
            return Threshold(high, len(keys) / few)
        share = 0.5 if step % 2 else (many - wanted) / (many - few)
        place = left + share * (right - left)
        probe = float(np.interp(place, places, scale))
        if not low < probe < high:
            # Finer than places can tell; the values themselves may still be apart.
            probe = low + (high - low) / 2
            if not low < probe < high:
                break
        count = patch_count(keys > probe, most_bytes)
        if count >= wanted:
            left, low, many = place, probe, count
        else:
            right, high, few = place, probe, count
    # Bytes whose jitters are equal too; whichever side is nearer.
    if many - wanted <= wanted - few:
        return Threshold(low, len(keys) / many)
    return Threshold(high, len(keys) / few)


def _check_reach(rate: float, size: int, fewest: int, most_bytes: int, forced: int) -> None:
    most = size / fewest
    # A rate that only rounding puts past the end is as near as a whole number of patches comes.
    if rate >= 1 and size / rate >= fewest - 0.5:
        return
    why = f"{fewest:,} of {size:,} bytes must open a patch"
    if rate < 1:
        why = "a patch holds at least one byte"
    elif forced == fewest:
        why += ", being the first of their documents"
    else:
        why += f", the first of {forced:,} documents and one after every {most_bytes} bytes"
    raise InputError(
        f"a compression rate of {rate:g} is out of reach: this text allows 1 to"
        f" {_floored(most)} bytes per patch ({why}); ask for a rate within that, for longer"
        " documents or for a larger most_bytes"
    )


def _floored(value: float) -> str:
    # Rounding up would recommend what is out of reach.
    return f"{np.floor(value * 100) / 100:.2f}".rstrip("0").rstrip(".")
