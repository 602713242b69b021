"""From curves to the rows that people read: rates at chosen sizes, and what more ids gain."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.bootstrap import Bootstrap
from tokenize_lab.vocab_curve.curve import TokenCurve

Row = dict[str, Any]
STEPS_AN_OCTAVE = 4

MEANINGS = {
    "vocabulary_size": "ids in all: special tokens, alphabet, and as many merges as fit",
    "bytes_per_token": "compression rate T at that size: UTF-8 bytes of the raw text / tokens",
    "marginal_bytes_per_token": "bytes per token gained by each id added since the row before",
    "bytes_per_pretoken": "pre-token ceiling: bytes per piece that merges cannot cross, the most "
    "bytes per token that any vocabulary could reach behind this splitter",
}


def log_grid(first: int, last: int) -> list[int]:
    """Return sizes a quarter of an octave apart, powers of two among them, and both ends."""
    lowest = math.ceil(STEPS_AN_OCTAVE * math.log2(first))
    highest = math.floor(STEPS_AN_OCTAVE * math.log2(last))
    steps = (round(2 ** (step / STEPS_AN_OCTAVE)) for step in range(lowest, highest + 1))
    return sorted({first, last, *(size for size in steps if first <= size <= last)})


def curve_rows(
    place: Row, curve: TokenCurve, sizes: Sequence[int], bootstrap: Bootstrap | None
) -> Iterator[Row]:
    """Yield a row for each vocabulary size, ascending.

    Intervals are of the sizes that the curve has units at, and None elsewhere; a row's marginal
    gain has one where its neighbour before has, too.

    Args:
        place: what every row begins with: tokenizer, corpus, language.
        curve: of that place.
        sizes: ascending.
        bootstrap: how intervals are made, or None for none.
    """
    replicates = _replicates(curve, bootstrap)
    rates = curve.bytes_per_token
    ceiling = curve.bytes / curve.pieces if curve.pieces else None
    before: int | None = None
    for size in sizes:
        rate = _number(rates[size - curve.first_size])
        row: Row = {
            **place,
            "vocabulary_size": size,
            "tokens": curve.at(size),
            "bytes": curve.bytes,
            "documents": curve.documents,
            "bytes_per_token": rate,
            "marginal_bytes_per_token": None,
            "bytes_per_pretoken": ceiling,
        }
        own = replicates.get(size)
        intervals: Row = {"bytes_per_token": None, "marginal_bytes_per_token": None}
        if bootstrap and rate is not None:
            intervals["bytes_per_token"] = bootstrap.interval(own)
        if before is not None and rate is not None:
            gained = rate - float(rates[before - curve.first_size])
            row["marginal_bytes_per_token"] = gained / (size - before)
            earlier = replicates.get(before)
            if bootstrap and own is not None and earlier is not None:
                intervals["marginal_bytes_per_token"] = bootstrap.interval(
                    (own - earlier) / (size - before)
                )
        yield {**row, "intervals": intervals}
        before = size


def _replicates(curve: TokenCurve, bootstrap: Bootstrap | None) -> dict[int, NDArray[np.float64]]:
    """Return replicates of bytes per token, [replicates], by size; paired over sizes."""
    if bootstrap is None:
        return {}
    sums = bootstrap.resampled(curve.units[curve.units[:, 0] > 0])
    if sums is None:
        return {}
    with np.errstate(divide="ignore", invalid="ignore"):
        # A resample of empty documents alone has no rate; `interval` then gives none.
        rates = sums[:, 1:2] / sums[:, 2:]
    return {int(size): rates[:, i] for i, size in enumerate(curve.sizes)}


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
