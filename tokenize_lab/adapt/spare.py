"""Ids that a vocabulary can do without: no text leads to them, or none of some text does.

An id can go only where no merge that fires takes it as a part. Of all pairs that a list has for a
token, the one that fires is the last that the token's own bytes undergo alone; the others fire in
no text (`tokenize_lab.forensics.merges`), and hold nothing up.
"""

from collections import Counter
from collections.abc import Sequence
from heapq import heapify, heappop, heappush

import numpy as np

from tokenize_lab.adapt.source import MergeSource
from tokenize_lab.forensics.merges import Merge, dead_merges, merge_rules
from tokenize_lab.forensics.reach import PROVEN, find_reach
from tokenize_lab.tokenizer import BoolArray


class MergeTree:
    """Which token is made of which.

    Attributes:
        fires: merges that fire in some text, in order.
    """

    def __init__(self, source: MergeSource) -> None:
        rules = merge_rules(source.tokenizer)
        assert rules is not None
        self._rules, self._source = rules, source
        dead = set() if source.of_ranks else set(dead_merges(rules))
        self.fires: Sequence[Merge] = [merge for merge in rules.listed if merge not in dead]
        self._fixed = set(source.specials.values())

    def unreachable(self) -> list[int]:
        """Return ids that are proven to come out of no text and are a part of no other: ascending.

        The encoding of every text is the same without them. The alphabet stays.
        """
        parts = {part for merge in self.fires for part in merge[:2]} | self._fixed
        reach = find_reach(self._source.tokenizer, self._rules)
        ids = reach.ids(*PROVEN)
        return [i for i in ids if i not in parts and len(self._rules.symbols[i]) > 1]

    def unused_leaves(self, used: BoolArray, most: int | None = None) -> list[int]:
        """Return ids that can go without changing the encoding of a text, in the order to go: of
        all leaves not used there the last merge first, and again of those that are leaves then.

        A token that comes out of a text is the tree of its own merges; so whatever was made on the
        way to a used one is a part of it, and stays.

        Args:
            used: [V] which ids come out of the text.
            most: how many are wanted; None for all.
        """
        rank = {merge.result: place for place, merge in enumerate(self.fires)}
        made_by: dict[int, list[Merge]] = {}
        holds = Counter[int]()
        for merge in self.fires:
            made_by.setdefault(merge.result, []).append(merge)
            holds.update({merge.left, merge.right})

        def may_go(token: int) -> bool:
            free = token not in self._fixed and not used[token]
            return free and not holds[token] and token in rank

        leaves = [(-place, token) for token, place in rank.items() if may_go(token)]
        heapify(leaves)
        gone: list[int] = []
        while leaves and (most is None or len(gone) < most):
            _, token = heappop(leaves)
            gone.append(token)
            for merge in made_by[token]:
                for part in {merge.left, merge.right}:
                    holds[part] -= 1
                    if may_go(part):
                        heappush(leaves, (-rank[part], part))
        return gone


def removed_from(source: MergeSource, ids: Sequence[int]) -> None:
    """Take ids, and every merge that makes or takes one, out of a source's content."""
    gone = np.zeros(source.merges.vocabulary_size, np.bool_)
    gone[list(ids)] = True
    merges = source.merges
    stays = ~(gone[merges.left] | gone[merges.right] | gone[merges.made])
    model = source.model
    model["merges"] = [model["merges"][i] for i in np.flatnonzero(stays).tolist()]
    model["vocab"] = {piece: i for piece, i in model["vocab"].items() if not gone[i]}
