"""Counts of pairs at every step, against counting afresh after every merge."""

from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenize_lab.forensics.made import Pair, byte_level
from tests.tokenize_lab.forensics.test_reach import merge_lists
from tokenize_lab.forensics.merges import Merge, merge_rules
from tokenize_lab.forensics.replay import replay


def merged(word: list[int], merge: Merge) -> list[int]:
    done: list[int] = []
    at = 0
    while at < len(word):
        if word[at : at + 2] == [merge.left, merge.right]:
            done.append(merge.result)
            at += 2
        else:
            done.append(word[at])
            at += 1
    return done


@settings(max_examples=60)
@given(merge_lists(), st.lists(st.text("abc", max_size=9), min_size=1, max_size=12, unique=True))
def test_counts_are_those_of_counting_afresh(merges: list[Pair], words: list[str]) -> None:
    rules = merge_rules(byte_level(merges))
    assert rules is not None
    of_byte = {text: i for i, text in enumerate(rules.texts[:256])}
    symbols = [[of_byte[bytes([byte])] for byte in word.encode()] for word in words]
    history = replay(symbols, rules.listed)
    weights = np.arange(1, 2 * len(words) + 1).reshape(-1, 2).astype(np.float64)
    counts = history.counts(weights)
    current = [list(word) for word in symbols]
    for step, merge in enumerate(rules.listed):
        expected: Counter[tuple[int, int]] = Counter()
        for word, (weight, _) in zip(current, weights.tolist(), strict=True):
            for pair in pairwise(word):
                expected[pair] += int(weight)
        now = (history.begin <= step) & (step < history.end)
        assert sorted(c for c in counts[now, 0].tolist() if c) == sorted(expected.values())
        at = history.merged[step]
        found = 0.0 if at < 0 else counts[at, 0]
        assert found == expected[merge.left, merge.right]
        current = [merged(word, merge) for word in current]
