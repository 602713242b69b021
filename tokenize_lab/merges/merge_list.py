"""A BPE tokenizer's merges in order, as arrays, and the vocabulary size from which each applies.

Byte pair encoding (Sennrich et al. 2016) starts from symbols and always applies the merge of lowest
rank, leftmost first. A vocabulary of V ids holds what no merge makes (alphabet, special tokens, ids
that stand for nothing) and then the tokens of the first merges, one id each.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from tokenize_lab.tokenizer import IntArray


@dataclass(frozen=True)
class Merges:
    """The merges of one vocabulary; P pairs of tokens, R ranks.

    Each rank makes one token. Lists written out have a rank for each pair; where ranks belong to
    tokens (tiktoken), every pair that spells a token has that token's rank.

    Attributes:
        left: [P] int32, id of a pair's first token.
        right: [P] int32, id of its second one.
        rank: [P] int32, rank of the pair; the lowest is applied first.
        made: [R] int32, the token that each rank makes.
        sizes: [R] int32, ascending: the least vocabulary size at which the rank applies.
        token_sizes: [V] int32, the least vocabulary size that holds each id.
        base_size: ids that no merge makes; the least size there is.
        whole_pieces: a piece of text that is a token as it stands is taken without merging.
    """

    left: NDArray[np.int32]
    right: NDArray[np.int32]
    rank: NDArray[np.int32]
    made: NDArray[np.int32]
    sizes: NDArray[np.int32]
    token_sizes: NDArray[np.int32]
    base_size: int
    whole_pieces: bool

    @property
    def vocabulary_size(self) -> int:
        """V, all ids: the size at which every merge applies."""
        return len(self.token_sizes)

    @cached_property
    def rank_of_pair(self) -> dict[tuple[int, int], int]:
        """The rank of every pair that merges, for looking up one at a time."""
        pairs = zip(self.left.tolist(), self.right.tolist(), strict=True)
        return dict(zip(pairs, self.rank.tolist(), strict=True))

    @cached_property
    def made_by_rank(self) -> list[int]:
        """The token that each rank makes, for looking up one at a time."""
        made: list[int] = self.made.tolist()
        return made

    def kept(self, size: int, asked: str) -> IntArray:
        """Return the ids of the vocabulary cut to `size`, ascending: [size] int64.

        Args:
            size: ids wanted.
            asked: what asked for them, for errors.

        Raises:
            InputError: the size lies below the alphabet, or above the vocabulary.
        """
        if size < self.base_size:
            raise InputError(
                f"{asked}: {size} ids lie below the alphabet: {self.base_size} of the "
                f"{self.vocabulary_size} are made by no merge; ask for {self.base_size} or more"
            )
        if size > self.vocabulary_size:
            raise InputError(
                f"{asked}: there are only {self.vocabulary_size} ids; ask for that or fewer"
            )
        return np.flatnonzero(self.token_sizes <= size)


def listed_merges(
    pairs: Sequence[tuple[int, int]],
    made: Sequence[int],
    vocabulary_size: int,
    *,
    fixed: Collection[int] = (),
    whole_pieces: bool = False,
) -> Merges:
    """Return the merges of a list written out in order.

    Args:
        pairs: ids of the two tokens that each merge joins.
        made: id of the token that each merge makes.
        vocabulary_size: of all ids.
        fixed: ids that every cut keeps, although a merge makes them.
    """
    made_ids = np.asarray(made, np.int32).reshape(-1)
    joined = np.asarray(pairs, np.int32).reshape(-1, 2)
    cuttable = np.ones(len(made_ids), np.bool_)
    cuttable[np.isin(made_ids, np.asarray(list(fixed), np.int32))] = False
    first = np.zeros(len(made_ids), np.bool_)
    first[np.unique(made_ids, return_index=True)[1]] = True
    opens = cuttable & first
    base_size = vocabulary_size - int(opens.sum())
    sizes = (base_size + np.cumsum(opens)).astype(np.int32)
    token_sizes = np.full(vocabulary_size, base_size, np.int32)
    token_sizes[made_ids[opens]] = sizes[opens]
    return Merges(
        left=joined[:, 0],
        right=joined[:, 1],
        rank=np.arange(len(made_ids), dtype=np.int32),
        made=made_ids,
        sizes=sizes,
        token_sizes=token_sizes,
        base_size=base_size,
        whole_pieces=whole_pieces,
    )


def ranked_merges(tokens: Sequence[tuple[bytes, int]], vocabulary_size: int) -> Merges:
    """Return the merges of a vocabulary whose tokens have ranks, as tiktoken's.

    Any two tokens merge whose bytes together are a token, and its rank is theirs. A piece of text
    that is a token is taken whole.

    Args:
        tokens: bytes and id of every token, in order of rank; all single bytes among them.
        vocabulary_size: of all ids, special ones included.
    """
    longer = [(raw, token_id) for raw, token_id in tokens if len(raw) > 1]
    ids = dict(tokens)
    # Every place where a token can be cut in two; both halves must be tokens.
    pieces = [raw for raw, _ in longer]
    heads = (raw[:cut] for raw in pieces for cut in range(1, len(raw)))
    left = np.fromiter(map(ids.get, heads, repeat(-1)), np.int32)
    tails = (raw[cut:] for raw in pieces for cut in range(1, len(raw)))
    right = np.fromiter(map(ids.get, tails, repeat(-1)), np.int32)
    both = (left >= 0) & (right >= 0)
    rank = np.repeat(np.arange(len(pieces), dtype=np.int32), [len(raw) - 1 for raw in pieces])
    made = np.asarray([token_id for _, token_id in longer], np.int32)
    base_size = vocabulary_size - len(made)
    sizes = base_size + 1 + np.arange(len(made), dtype=np.int32)
    token_sizes = np.full(vocabulary_size, base_size, np.int32)
    token_sizes[made] = sizes
    return Merges(
        left=left[both],
        right=right[both],
        rank=rank[both],
        made=made,
        sizes=sizes,
        token_sizes=token_sizes,
        base_size=base_size,
        whole_pieces=True,
    )


NONE = np.int32(np.iinfo(np.int32).max)  # the rank of a pair that never merges
_EMPTY = np.uint64(np.iinfo(np.uint64).max)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: Knuth's hash
_HALF = np.uint64(32)
_SLOTS_PER_PAIR = 4


class PairRanks:
    """The rank of every pair of tokens that merges, for many pairs at once: a hash table in two
    arrays, by open addressing with linear probing."""

    def __init__(
        self, left: NDArray[np.int32], right: NDArray[np.int32], rank: NDArray[np.int32]
    ) -> None:
        bits = max(4, (max(1, len(rank)) * _SLOTS_PER_PAIR - 1).bit_length())
        self._shift, self._mask = np.uint64(64 - bits), (1 << bits) - 1
        self._keys = np.full(1 << bits, _EMPTY)
        self._ranks = np.full(1 << bits, NONE)
        keys = _keys(left, right)
        slots = self._slots(keys)
        waiting = np.arange(len(keys))
        while len(waiting):
            free = self._keys[slots[waiting]] == _EMPTY
            # Of those that want one free slot, the last to be written has it.
            self._keys[slots[waiting[free]]] = keys[waiting[free]]
            placed = self._keys[slots[waiting]] == keys[waiting]
            self._ranks[slots[waiting[placed]]] = rank[waiting[placed]]
            waiting = waiting[~placed]
            slots[waiting] = (slots[waiting] + 1) & self._mask

    def of(self, left: NDArray[np.int32], right: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the ranks of pairs, [N] int32; `NONE` where there is none.

        Ids below zero stand for no token, and merge with nothing.
        """
        keys = _keys(left, right)
        slots = self._slots(keys)
        found = self._keys[slots]
        ranks = self._ranks[slots]
        other = np.flatnonzero(found != keys)
        ranks[other] = NONE
        probed = other[found[other] != _EMPTY]
        while len(probed):
            slots[probed] = (slots[probed] + 1) & self._mask
            found = self._keys[slots[probed]]
            hit = found == keys[probed]
            ranks[probed[hit]] = self._ranks[slots[probed[hit]]]
            probed = probed[~hit & (found != _EMPTY)]
        return ranks

    def _slots(self, keys: NDArray[np.uint64]) -> IntArray:
        return ((keys * _GOLDEN) >> self._shift).astype(np.int64)


def _keys(left: NDArray[np.int32], right: NDArray[np.int32]) -> NDArray[np.uint64]:
    return (left.astype(np.uint32).astype(np.uint64) << _HALF) | right.astype(np.uint32)
