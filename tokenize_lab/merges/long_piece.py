"""Byte pair encoding of one long piece: a whole document, where nothing splits it."""

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise

NEVER = 1 << 62  # the rank of a pair that does not merge


def merged_ranks(
    symbols: Sequence[int], pair_ranks: Mapping[tuple[int, int], int], made: Sequence[int]
) -> list[int]:
    """Return the ranks of the merges that a piece takes, in order.

    A heap holds each place where two tokens merge, so a piece of n symbols takes n log n steps.

    Args:
        symbols: the ids that merging starts from.
        pair_ranks: of the pairs that merge.
        made: the token that each rank makes.
    """
    count = len(symbols)
    tokens = list(symbols)
    ranks = [pair_ranks.get(pair, NEVER) for pair in pairwise(tokens)]
    ranks.append(NEVER)
    heap = [(rank, place) for place, rank in enumerate(ranks) if rank < NEVER]
    heapify(heap)
    following = list(range(1, count + 1))
    before = list(range(-1, count - 1))
    applied: list[int] = []
    while heap:
        rank, here = heappop(heap)
        if ranks[here] != rank:
            continue  # one of the two has merged with another since
        applied.append(rank)
        joined = following[here]
        after = following[joined]
        tokens[here] = token = made[rank]
        ranks[joined] = NEVER
        following[here] = after
        ranks[here] = NEVER
        if after < count:
            before[after] = here
            ranks[here] = fresh = pair_ranks.get((token, tokens[after]), NEVER)
            if fresh < NEVER:
                heappush(heap, (fresh, here))
        previous = before[here]
        if previous >= 0:
            ranks[previous] = fresh = pair_ranks.get((tokens[previous], token), NEVER)
            if fresh < NEVER:
                heappush(heap, (fresh, previous))
    return applied
