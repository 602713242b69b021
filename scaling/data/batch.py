"""What a model is given at each step."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Batch:
    """Rows of text, each one window of the stream.

    A row holds one or more pieces, each the part of one document that fell into the window. Every
    piece begins with BOS as its input, so each of its units is predicted once, and nothing attends
    from one piece to another.

    Attributes:
        inputs: int64 [rows, W], what the model reads; BOS at the first position of a piece, 0 on
            padding.
        targets: int64 [rows, W], what it is to predict there; 0 on padding.
        pieces: int32 [rows, W], 0, 1, 2 .. within a row; -1 on padding.
        starts: bool [rows, W], whether the target opens a patch: so each piece's first does; False
            on padding. None for a model without patches.
        scored_bytes: bytes of raw text that the targets stand for.
    """

    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]
    pieces: NDArray[np.int32]
    starts: NDArray[np.bool_] | None
    scored_bytes: int

    @property
    def has_boundaries(self) -> bool:
        """Whether any row holds more than one piece, or padding."""
        return bool(self.pieces.any())


@dataclass(frozen=True)
class EvaluationBatch:
    """Rows of text to be scored, and whose they are.

    Attributes:
        batch: the rows.
        document: int64 [rows, W], number of the target's document in its stream; -1 on padding.
    """

    batch: Batch
    document: NDArray[np.int64]
