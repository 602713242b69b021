"""Byte pair encoding of many pieces of text at once, noting from which size each merge applies.

Every piece takes its merge of lowest rank, all pieces in step: one round is a dozen calls of numpy
whatever the number of pieces. Cut to V ids, a tokenizer does the same merges in the same order
until the first whose rank is beyond V; so the largest rank applied so far is that of the least
vocabulary in which the merge is done at all. Noting it gives a piece's tokens at every size.
"""

from collections.abc import Callable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.merges.merge_list import NONE, Merges, PairRanks
from tokenize_lab.tokenizer import IntArray

NEVER = 1 << 62  # the rank of a pair that does not merge


class MergedPiece(NamedTuple):
    """What a piece became.

    Attributes:
        tokens: the ids that are left.
        ranks: of the merges done, in the order they were done.
        last: the two tokens that the last merge joined; None where none was done.
    """

    tokens: list[int]
    ranks: list[int]
    last: tuple[int, int] | None


def merge_piece(
    symbols: Sequence[int],
    rank_of: Callable[[tuple[int, int], int], int],
    made: Sequence[int],
    leaves_out: Callable[[], bool] | None = None,
) -> MergedPiece:
    """Merge a piece of any length to its end, a whole document even, or with merges left out.

    A heap holds each place where two tokens merge, so a piece of n symbols takes n log n steps.

    Args:
        symbols: the ids that merging starts from.
        rank_of: a pair's rank, or the number given with it for a pair that does not merge; the
            lowest is done first, the leftmost of equals.
        made: the token that each rank makes.
        leaves_out: drawn for each merge that is possible, at each step, in order of rank, until one
            is to be done: which comes to the same as drawing for all of them. None leaves out none.
    """
    count = len(symbols)
    tokens = list(symbols)
    ranks = [rank_of(pair, NEVER) for pair in pairwise(tokens)]
    ranks.append(NEVER)
    heap = [(rank, place) for place, rank in enumerate(ranks) if rank < NEVER]
    heapify(heap)
    following = list(range(1, count + 1))
    before = list(range(-1, count - 1))
    done: list[int] = []
    last: tuple[int, int] | None = None
    left_out: list[tuple[int, int]] = []
    while heap:
        rank, here = heappop(heap)
        if ranks[here] != rank:
            continue  # one of the two has merged with another since
        if leaves_out is not None and leaves_out():
            left_out.append((rank, here))
            continue
        done.append(rank)
        joined = following[here]
        after = following[joined]
        last = tokens[here], tokens[joined]
        tokens[here] = token = made[rank]
        ranks[joined] = NEVER
        following[here] = after
        ranks[here] = NEVER
        if after < count:
            before[after] = here
            ranks[here] = fresh = rank_of((token, tokens[after]), NEVER)
            if fresh < NEVER:
                heappush(heap, (fresh, here))
        previous = before[here]
        if previous >= 0:
            ranks[previous] = fresh = rank_of((tokens[previous], token), NEVER)
            if fresh < NEVER:
                heappush(heap, (fresh, previous))
        for candidate in left_out:  # the next step draws for them again
            heappush(heap, candidate)
        left_out.clear()
    left = []
    place = 0
    while place < count:
        left.append(tokens[place])
        place = following[place]
    return MergedPiece(left, done, last)


WIDTHS = (4, 8, 16, 32, 64, 128, 256, 512)  # pieces of like length are worked on side by side
CELLS = 1 << 19  # symbols at once, which fit a processor's cache


class Applied(NamedTuple):
    """Merges that were done.

    Attributes:
        piece: [merges] int64, in which piece.
        size: [merges] int32, the least vocabulary size at which it is done.
    """

    piece: IntArray
    size: NDArray[np.int32]


class Merger:
    """Applies one list of merges."""

    def __init__(self, merges: Merges) -> None:
        self._merges = merges
        self._ranks = PairRanks(merges.left, merges.right, merges.rank)

    def apply(self, symbols: NDArray[np.int32], lengths: IntArray) -> Applied:
        """Merge every piece to its end.

        Args:
            symbols: [symbols] int32, the ids that merging starts from, piece after piece.
            lengths: [pieces] int64, symbols of each piece.

        Returns:
            the merges done, in no particular order.
        """
        starts = np.cumsum(lengths) - lengths
        pieces: list[IntArray] = []
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
            ids = symbols[starts[piece] : starts[piece] + lengths[piece]]
            done = merge_piece(
                ids.tolist(), self._merges.rank_of_pair.get, self._merges.made_by_rank
            )
            highest = np.maximum.accumulate(np.asarray(done.ranks, np.int32))
            pieces.append(np.full(len(highest), piece))
            ranks.append(highest)
        if not pieces:
            return Applied(np.zeros(0, np.int64), np.zeros(0, np.int32))
        return Applied(np.concatenate(pieces), self._merges.sizes[np.concatenate(ranks)])

    def _rounds(self, tokens: NDArray[np.int32]) -> Iterator[tuple[IntArray, NDArray[np.int32]]]:
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
    symbols: NDArray[np.int32], starts: IntArray, lengths: IntArray, width: int
) -> NDArray[np.int32]:
    """Return pieces as [pieces, width + 2], with -1 before and behind each."""
    places = np.arange(width)
    inside = places < lengths[:, None]
    block = np.full((len(starts), width + 2), -1, np.int32)
    block[:, 1:-1][inside] = symbols[(starts[:, None] + places)[inside]]
    return block
