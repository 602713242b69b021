"""Which bytes are masked in the blocks that a model learns to fill (BLT-D, arXiv 2605.08044).

Every patch has a block: its first B bytes, or more than it has, up to the end of its segment. A
time t is drawn for each row, and each of the blocks' bytes is masked with probability t; what is
masked then counts 1 / t, so that every t says in the mean as much. Draws follow from seed, step and
row alone, whatever rows are computed together; they are PCG64's raw numbers, the same in every
NumPy version.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaling.data.windows import TokenBatch

MASK = 256
# Where hardly any byte is masked, 1 / t is a rare weight of a million, and the step is clipped.
LEAST_TIME = 0.05
_PAD_BLOCKS_TO = 8  # so that shapes rarely change from step to step
_BLOCKS_DRAWN = 1  # keeps these draws apart from those of windows


class MaskedBlocks(NamedTuple):
    """The blocks of a batch.

    Attributes:
        cells: int64 [rows, N, B] bytes, or MASK.
        targets: int64 [rows, N, B] the bytes that are masked; -1 where none is to be predicted.
        opens: int64 [rows, N] the place in its row at which each block's patch opens.
        is_text: bool [rows, N, B] False beyond the segment's end, and in blocks that only fill up.
        weights: float32 [rows] 1 / t.
    """

    cells: NDArray[np.int64]
    targets: NDArray[np.int64]
    opens: NDArray[np.int64]
    is_text: NDArray[np.bool_]
    weights: NDArray[np.float32]


def masked_blocks(
    batch: TokenBatch, size: int, seed: int, step: int, first_row: int = 0
) -> MaskedBlocks:
    """Return the blocks of a batch's rows, masked by draws of this seed and step.

    Args:
        size: B, bytes of a block. first_row: number of the first row in the whole step.
    """
    opens, cells, is_text = blocks_of(batch, size)
    raw = np.stack(
        [
            np.random.PCG64([seed, _BLOCKS_DRAWN, step, first_row + row]).random_raw(
                1 + opens.shape[1] * size
            )
            for row in range(len(opens))
        ]
    )
    # By a block's place among its row's, so that filling a row up changes no draw.
    uniform = (raw >> np.uint64(11)) * 2.0**-53
    times = LEAST_TIME + (1 - LEAST_TIME) * uniform[:, 0]
    masked = (uniform[:, 1:] < times[:, None]).reshape(cells.shape)
    return MaskedBlocks(
        cells=np.where(masked, MASK, cells),
        targets=np.where(masked & is_text, cells, -1),
        opens=opens,
        is_text=is_text,
        weights=(1 / times).astype(np.float32),
    )


def blocks_of(
    batch: TokenBatch, size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return where blocks open [rows, N], their bytes [rows, N, B], and which of these are text."""
    assert batch.starts is not None, "blocks begin where patches do"
    rows, width = batch.targets.shape
    counts = batch.starts.sum(axis=1)
    most = int(counts.max())
    if (counts != most).any():
        most = -(-most // _PAD_BLOCKS_TO) * _PAD_BLOCKS_TO
    row, place = np.nonzero(batch.starts)
    number = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    opens = np.zeros((rows, most), np.int64)
    opens[row, number] = place
    at = opens[:, :, None] + np.arange(size)
    inside = np.minimum(at, width - 1)
    along = np.arange(rows)[:, None, None]
    segment = batch.segments[np.arange(rows)[:, None], opens]
    is_text = (at < width) & (batch.segments[along, inside] == segment[:, :, None])
    is_text &= (np.arange(most) < counts[:, None])[:, :, None]
    return opens, batch.targets[along, inside], is_text
