"""Byte pair encoding of many pieces of text at once, noting from which size each merge applies.

Every piece takes its merge of lowest rank, all pieces in step: one round is a dozen calls of numpy
whatever the number of pieces. Cut to V ids, a tokenizer does the same merges in the same order
until the first whose rank is beyond V; so the largest rank applied so far is that of the least
vocabulary in which the merge is done at all. Noting it gives a piece's tokens at every size.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.merges.lookup import NONE, PairRanks
from tokenize_lab.merges.merge_list import Merges
from tokenize_lab.merges.one_piece import merge_piece

WIDTHS = (4, 8, 16, 32, 64, 128, 256, 512)  # pieces of like length are worked on side by side
CELLS = 1 << 19  # symbols at once, which fit a processor's cache


class Applied(NamedTuple):
    """Merges that were done.

    Attributes:
        piece: [merges] int64, in which piece.
        size: [merges] int32, the least vocabulary size at which it is done.
    """

    piece: NDArray[np.int64]
    size: NDArray[np.int32]


class Merger:
    """Applies one list of merges."""

    def __init__(self, merges: Merges) -> None:
        self._merges = merges
        self._ranks = PairRanks(merges.left, merges.right, merges.rank)

    def apply(self, symbols: NDArray[np.int32], lengths: NDArray[np.int64]) -> Applied:
        """Merge every piece to its end.

        Args:
            symbols: [symbols] int32, the ids that merging starts from, piece after piece.
            lengths: [pieces] int64, symbols of each piece.

        Returns:
            the merges done, in no particular order.
        """
        starts = np.cumsum(lengths) - lengths
        pieces: list[NDArray[np.int64]] = []
        ranks: list[NDArray[np.int32]] = []
        low = 1
        for width in WIDTHS:
            members = np.flatnonzero((lengths > low) & (lengths <= width))
            step = CELLS // width
            for first in range(0, len(members), step):
                some = members[first : first + step]
                block = _block(symbols, starts[some], lengths[some], width)
                for rows, highest in self._rounds(block):
                    pieces.append(some[rows])
                    ranks.append(highest)
            low = width
        for piece in np.flatnonzero(lengths > low).tolist():
            own = symbols[starts[piece] : starts[piece] + lengths[piece]]
            done = merge_piece(own.tolist(), self._merges.rank_of_pair, self._merges.made_by_rank)
            highest = np.maximum.accumulate(np.asarray(done.ranks, np.int32))
            pieces.append(np.full(len(highest), piece))
            ranks.append(highest)
        if not pieces:
            return Applied(np.zeros(0, np.int64), np.zeros(0, np.int32))
        return Applied(np.concatenate(pieces), self._merges.sizes[np.concatenate(ranks)])

    def _rounds(
        self, tokens: NDArray[np.int32]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32]]]:
        """Merge [rows, width + 2] pieces, a merge a row in each round, yielding which rows merged
        and the highest rank that each has seen.

        Tokens stay in the column where they begin and know their neighbours' columns.
        """
        rows, columns = tokens.shape
        ranks = np.full((rows, columns), NONE)
        ranks[:, 1:-2] = self._ranks.of(tokens[:, 1:-2].ravel(), tokens[:, 2:-1].ravel()).reshape(
            rows, columns - 3
        )
        following = np.broadcast_to(np.arange(1, columns + 1), tokens.shape).copy()
        before = following - 2
        highest = np.full(rows, -1, np.int32)
        alive = np.arange(rows)
        while True:
            column = ranks.argmin(1)
            line = np.arange(len(column)) * columns
            lowest = ranks.ravel()[line + column]
            going = np.flatnonzero(lowest < NONE)
            if not len(going):
                return
            if len(going) < 0.75 * len(column):  # leave the finished ones behind
                tokens, ranks = tokens[going], ranks[going]
                following, before = following[going], before[going]
                highest, alive = highest[going], alive[going]
                column, lowest = column[going], lowest[going]
                going = np.arange(len(going))
            line = going * columns
            here, lowest = line + column[going], lowest[going]
            flat, links, back = tokens.ravel(), following.ravel(), before.ravel()
            joined = line + links[here]
            after = links[joined]
            made = self._merges.made[lowest]
            flat[here] = made
            links[here] = after
            back[line + after] = column[going]
            previous = line + back[here]
            beside = self._ranks.of(
                np.concatenate([flat[previous], made]), np.concatenate([made, flat[line + after]])
            )
            all_ranks = ranks.ravel()
            all_ranks[joined] = NONE
            all_ranks[previous] = beside[: len(going)]
            all_ranks[here] = beside[len(going) :]
            highest[going] = np.maximum(highest[going], lowest)
            yield alive[going], highest[going]


def _block(
    symbols: NDArray[np.int32], starts: NDArray[np.int64], lengths: NDArray[np.int64], width: int
) -> NDArray[np.int32]:
    """Return pieces as [pieces, width + 2], with -1 before and behind each."""
    places = np.arange(width)
    inside = places < lengths[:, None]
    block = np.full((len(starts), width + 2), -1, np.int32)
    block[:, 1:-1][inside] = symbols[(starts[:, None] + places)[inside]]
    return block
