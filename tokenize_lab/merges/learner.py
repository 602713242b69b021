"""Words as sequences of ids, with the counts of their pairs kept up to date while merges are made.

Every distinct word is held once, with how often each group of text (a language, say) has it. A
merge visits only the words that hold its pair, so that learning takes as long as there are tokens
to be joined, whatever the number of merges.
"""

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise

Pair = tuple[int, int]


class MergeLearner:
    """Learns merges over words, by whatever rule chooses among pairs.

    Attributes:
        costs: tokens of each group at present.
    """

    def __init__(
        self,
        words: Sequence[list[int]],
        counts: Sequence[Sequence[tuple[int, int]]],
        groups: int,
        refused: Iterable[Pair] = (),
    ) -> None:
        """Count every pair.

        Args:
            words: ids of each distinct word; they are changed in place.
            counts: for each word, (number of the group, occurrences) pairs.
            groups: how many.
            refused: pairs that are never to be merged.
        """
        self._words, self._counts = words, counts
        self._refused = set(refused)
        self.costs = [0] * groups
        self._pairs: list[dict[Pair, int]] = [{} for _ in range(groups)]
        self._where: dict[Pair, set[int]] = {}
        for number, word in enumerate(words):
            for pair in pairwise(word):
                self._where.setdefault(pair, set()).add(number)
            for group, times in counts[number]:
                self.costs[group] += len(word) * times
                pairs = self._pairs[group]
                for pair in pairwise(word):
                    pairs[pair] = pairs.get(pair, 0) + times
        # The most frequent first, then the lowest ids; entries whose count has changed are passed
        # over, since every change puts a new one in.
        self._heaps = [[(-count, pair) for pair, count in pairs.items()] for pairs in self._pairs]
        for heap in self._heaps:
            heapify(heap)

    def best(self, group: int) -> tuple[Pair, int] | None:
        """Return a group's most frequent pair, of equals the one of lowest ids, and its count."""
        heap, pairs = self._heaps[group], self._pairs[group]
        while heap and (heap[0][1] in self._refused or pairs.get(heap[0][1], 0) != -heap[0][0]):
            heappop(heap)
        return (heap[0][1], -heap[0][0]) if heap else None

    def refuse(self, pair: Pair) -> None:
        """Never offer a pair again."""
        self._refused.add(pair)

    def merge(self, pair: Pair, token: int) -> None:
        """Put a token in place of a pair, in all words."""
        changes: list[dict[Pair, int]] = [{} for _ in self._pairs]
        for number in self._where.pop(pair):
            change, merged = self._replace(number, pair, token)
            for group, times in self._counts[number]:
                self.costs[group] -= merged * times
                total = changes[group]
                for changed, difference in change.items():
                    total[changed] = total.get(changed, 0) + difference * times
        for pairs, heap, total in zip(self._pairs, self._heaps, changes, strict=True):
            for changed, difference in total.items():
                count = pairs.get(changed, 0) + difference
                if count > 0:
                    pairs[changed] = count
                    heappush(heap, (-count, changed))
                else:
                    pairs.pop(changed, None)

    def _replace(self, number: int, pair: Pair, token: int) -> tuple[dict[Pair, int], int]:
        """Put a token in place of a word's pair, leftmost first.

        Returns:
            how many more of each pair the word has, and the number of merges.
        """
        word = self._words[number]
        left, right = pair
        change: dict[Pair, int] = {}
        merged = place = 0
        while True:
            try:
                place = word.index(left, place)
            except ValueError:
                return change, merged
            if place + 1 == len(word) or word[place + 1] != right:
                place += 1
                continue
            merged += 1
            change[pair] = change.get(pair, 0) - 1
            if place:
                before = word[place - 1]
                self._exchange(change, number, (before, left), (before, token))
            if place + 2 < len(word):
                after = word[place + 2]
                self._exchange(change, number, (right, after), (token, after))
            word[place : place + 2] = [token]
            place += 1

    def _exchange(self, change: dict[Pair, int], number: int, old: Pair, new: Pair) -> None:
        change[old] = change.get(old, 0) - 1
        change[new] = change.get(new, 0) + 1
        self._where.setdefault(new, set()).add(number)
