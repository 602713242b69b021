"""Where patches lie in a batch: which latent a byte reads, and which bytes a latent pools.

The shift rule of byte latent transformers, stated over targets. Position p reads the bytes before
target p (BOS at a piece's first position) and predicts target p. Latent j of a row stands before
patch j of the targets: it may hold every byte before that patch's first target, and nothing else.
So position p reads the latent of its own target's patch, and with b(j) the position at which patch
j opens, latent j pools the inputs b(j-1) + 1 .. b(j); at a piece's first patch, its BOS alone. The
bytes of a piece's last patch are never pooled: nothing is left to predict from them.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PAD_LATENTS_TO = 8  # so that shapes seldom change from step to step


class PatchLayout(NamedTuple):
    """The patches of a batch of rows, padded to the same number of latents.

    Attributes:
        latent_of_byte: [rows, W] int64, the latent in its row that each position reads.
        members: [rows, P, M] int64, the positions each latent pools, padded with its last one.
        is_member: [rows, P, M] bool, False on that padding.
        latent_pieces: [rows, P] int32, the piece of each latent, -1 on padded ones.
    """

    latent_of_byte: NDArray[np.int64]
    members: NDArray[np.int64]
    is_member: NDArray[np.bool_]
    latent_pieces: NDArray[np.int32]

    @property
    def whole(self) -> bool:
        """Whether every row is one piece without padded latents."""
        return bool((self.latent_pieces == 0).all())


def patch_layout(starts: NDArray[np.bool_], pieces: NDArray[np.int32]) -> PatchLayout:
    """Lay out the patches that open where `starts` says.

    Args:
        starts: [rows, W] whether a target opens a patch; True at the first of each piece.
        pieces: [rows, W] the piece of each position, -1 on padding.
    """
    rows = starts.shape[0]
    counts = starts.sum(axis=1)
    most = int(counts.max())
    if (counts != most).any():  # rows that differ: a few shapes only, whatever the patches
        most = -(-most // PAD_LATENTS_TO) * PAD_LATENTS_TO
    latent_of_byte = np.maximum(np.cumsum(starts, axis=1) - 1, 0)
    row, opened_at = np.nonzero(starts)
    latent = latent_of_byte[row, opened_at]
    ends = np.zeros((rows, most), dtype=np.int64)
    ends[row, latent] = opened_at
    latent_pieces = np.full((rows, most), -1, dtype=np.int32)
    latent_pieces[row, latent] = pieces[row, opened_at]
    lengths = np.ones((rows, most), dtype=np.int64)  # of a padded latent, too: an empty pool is NaN
    follows = (latent_pieces[:, 1:] == latent_pieces[:, :-1]) & (latent_pieces[:, 1:] >= 0)
    lengths[:, 1:] = np.where(follows, ends[:, 1:] - ends[:, :-1], 1)
    back = np.arange(int(lengths.max()) - 1, -1, -1)
    members = np.maximum(ends[:, :, None] - back, 0)
    is_member = back < lengths[:, :, None]
    members = np.where(is_member, members, ends[:, :, None])
    return PatchLayout(latent_of_byte, members, is_member, latent_pieces)
