"""The last pairs of all tokens at once, beside one token at a time."""

import random

import numpy as np

from tokenize_lab.backends.huggingface_fast import left_of_last_merge
from tokenize_lab.backends.last_merges import Pairs, last_pairs


def _every_pair(ranks: dict[bytes, int]) -> Pairs:
    """All pairs of tokens that make a token, which is what tiktoken merges."""
    cuts = ((token, cut) for token in ranks for cut in range(1, len(token)))
    split = [(token[:cut], token[cut:], token) for token, cut in cuts]
    known = [[*map(ranks.__getitem__, s)] for s in split if all(map(ranks.__contains__, s))]
    left, right, made = np.array(known, np.int32).reshape(-1, 3).T
    return Pairs(left, right, made)


def _vocabulary(draw: random.Random) -> dict[bytes, int]:
    letters = draw.choice([b"a", b"ab", b"abcd", bytes(range(256))])
    longest = draw.choice([3, 8, 40])
    tokens = [bytes(draw.choices(letters, k=draw.randint(2, longest))) for _ in range(150)]
    # Parts of others, so that merges lead somewhere.
    tokens += [token[: draw.randint(2, len(token))] for token in tokens]
    draw.shuffle(tokens)
    ranks = {bytes([byte]): byte for byte in range(256)}
    for token in tokens:
        ranks.setdefault(token, len(ranks))
    return ranks


def test_last_pairs_are_those_of_one_token_at_a_time() -> None:
    draw, stuck, whole = random.Random(0), 0, 0
    for _ in range(40):
        ranks = _vocabulary(draw)
        tokens = list(ranks)[256:]
        found = last_pairs(tokens, _every_pair(ranks))
        for token, left, right in zip(
            tokens, found.left.tolist(), found.right.tolist(), strict=True
        ):
            expected = left_of_last_merge(token, ranks)
            rest = token[len(expected) :]
            assert (left, right) == ((ranks[expected], ranks[rest]) if expected else (-1, -1))
            stuck, whole = stuck + (left < 0), whole + (left >= 0)
    assert stuck > 500 and whole > 500


def test_of_equal_pairs_the_first_counts() -> None:
    column = np.array([97, 98, 97], np.int32)
    pairs = Pairs(column, column + 1, np.array([256, 257, 258], np.int32))
    asked = np.array([97, 98, 99, -1], np.int32)
    assert pairs.find(asked, asked + 1).tolist() == [0, 1, -1, -1]
    assert pairs.ranks(asked, asked + 1).tolist()[:2] == [256, 257]


def test_no_tokens_and_no_pairs() -> None:
    none = np.zeros(0, np.int32)
    assert len(last_pairs([], Pairs(none, none, none)).left) == 0
    found = last_pairs([b"ab", b"abc", b""], Pairs(none, none, none))
    assert found.left.tolist() == [97, -1, -1] and found.right.tolist() == [98, -1, -1]
