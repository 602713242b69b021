"""From stretches of a stream to a batch."""

import numpy as np
from numpy.typing import NDArray

from scaling.data.batch import Batch
from scaling.data.shards import Stream
from scaling.data.starts import Patches, Rows, stretches


def cut_rows(
    stream: Stream, begins: NDArray[np.int64], lengths: NDArray[np.int64], width: int
) -> Rows:
    """Return stretches of the stream as rows.

    Args:
        begins: [rows] first unit of each; lengths: [rows] units of each, 1 to `width`.
    """
    targets = stretches(stream.units, begins, lengths, width).astype(np.int64)
    # The documents that begin after a row's first unit and before its end.
    first = np.searchsorted(stream.documents, begins, side="right")
    last = np.searchsorted(stream.documents, begins + lengths, side="left")
    opens = np.zeros(targets.shape, np.bool_)
    opens[:, 0] = True
    counts = last - first
    if counts.any():
        row = np.repeat(np.arange(len(begins)), counts)
        within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        opens[row, stream.documents[first[row] + within] - begins[row]] = True
    return Rows(stream, begins, lengths, targets, opens)


def batch_of(rows: Rows, patches: Patches | None) -> Batch:
    """Return the rows as a model reads them."""
    stream, targets, opens = rows.stream, rows.targets, rows.opens
    inputs = np.empty_like(targets)
    inputs[:, 1:] = targets[:, :-1]
    inputs[opens] = stream.bos
    pieces = np.zeros(targets.shape, np.int32)
    if opens[:, 1:].any():
        np.cumsum(opens[:, 1:], axis=1, dtype=np.int32, out=pieces[:, 1:])
    starts = patches(rows) if patches is not None else None
    if (rows.lengths < targets.shape[1]).any():
        padding = ~rows.text
        inputs[padding] = 0
        pieces[padding] = -1
        if starts is not None:
            starts[padding] = False
    return Batch(inputs, targets, pieces, starts, scored_bytes(rows))


def scored_bytes(rows: Rows) -> int:
    """Return the bytes of raw text in the rows."""
    units = int(rows.lengths.sum())
    stream = rows.stream
    if stream.unit_bytes is None:
        return units
    scored = int(stream.unit_bytes[rows.targets].sum(dtype=np.int64))
    # On padding stand zeros, which were taken for tokens.
    scored -= int(stream.unit_bytes[0]) * (rows.targets.size - units)
    first = np.searchsorted(stream.documents, rows.begins, side="left")
    last = np.searchsorted(stream.documents, rows.begins + rows.lengths, side="left")
    return scored - stream.prefix_bytes * int((last - first).sum())


def documents_of(rows: Rows, pieces: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the number of each unit's document: int64 [rows, W], -1 on padding."""
    first = np.searchsorted(rows.stream.documents, rows.begins, side="right") - 1
    return np.where(pieces >= 0, first[:, None] + pieces, -1)
