"""Byte pair encoding of one piece of any length, by a heap: a whole document, or one whose merges
are left out at random."""

from collections.abc import Callable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import NamedTuple

NEVER = 1 << 62  # the rank of a pair that does not merge


class MergedPiece(NamedTuple):
    """What a piece became.

    Attributes:
        tokens: the ids that are left.
        ranks: of the merges done, in the order they were done.
    """

    tokens: list[int]
    ranks: list[int]


def merge_piece(
    symbols: Sequence[int],
    rank_of_pair: Mapping[tuple[int, int], int],
    made: Sequence[int],
    leaves_out: Callable[[], bool] | None = None,
) -> MergedPiece:
    """Merge a piece to its end.

    A heap holds each place where two tokens merge, so a piece of n symbols takes n log n steps.

    Args:
        symbols: the ids that merging starts from.
        rank_of_pair: of the pairs that merge; the lowest is done first, the leftmost of equals.
        made: the token that each rank makes.
        leaves_out: drawn for each merge that is possible, at each step, in order of rank, until one
            is to be done: which comes to the same as drawing for all of them. None leaves out none.
    """
    count = len(symbols)
    tokens = list(symbols)
    ranks = [rank_of_pair.get(pair, NEVER) for pair in pairwise(tokens)]
    ranks.append(NEVER)
    heap = [(rank, place) for place, rank in enumerate(ranks) if rank < NEVER]
    heapify(heap)
    following = list(range(1, count + 1))
    before = list(range(-1, count - 1))
    done: list[int] = []
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
        tokens[here] = token = made[rank]
        ranks[joined] = NEVER
        following[here] = after
        ranks[here] = NEVER
        if after < count:
            before[after] = here
            ranks[here] = fresh = rank_of_pair.get((token, tokens[after]), NEVER)
            if fresh < NEVER:
                heappush(heap, (fresh, here))
        previous = before[here]
        if previous >= 0:
            ranks[previous] = fresh = rank_of_pair.get((tokens[previous], token), NEVER)
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
    return MergedPiece(left, done)
