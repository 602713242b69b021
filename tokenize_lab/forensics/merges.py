"""The merges of a BPE vocabulary, in the order in which they were learned.

Three makes of BPE are read. A `tokenizer.json` lists its merges. A `.tiktoken` or tekken file holds
only ranks: any two neighbours whose joined bytes are a token may be merged, the lowest rank first;
SentencePiece does the same with characters and scores. Their merges are recovered by letting the
lower ranks encode each token's own bytes: the two parts that are left are its merge.

Why a token's own bytes decide. Let a token stand in the encoding of some piece of text. No merge
crossed its ends, so the merges inside it were those, in that order, that its bytes undergo alone
(Berglund and van der Merwe 2023, "Formalizing BPE tokenization", arXiv 2309.08715). Hence a token
that its own bytes do not lead to comes out of no piece, and a merge fires in some piece only if it
is the last one that fires on the bytes of its result alone.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
from tokenize_lab.backends.huggingface_json import written_merges
from tokenize_lab.backends.sentencepiece import SentencePieceTokenizer, model_settings
from tokenize_lab.backends.tiktoken import TiktokenTokenizer
from tokenize_lab.merges.apply import MergedPiece, merge_piece
from tokenize_lab.tokenizer import Tokenizer, TokenKind


class Merge(NamedTuple):
    """Two neighbouring tokens become one: ids."""

    left: int
    right: int
    result: int


@dataclass(frozen=True)
class MergeRules:
    """What may be merged, and what comes first.

    Unlike `tokenize_lab.merges.merge_list.Merges`, these may be SentencePiece's, and a list that is
    not closed: they are read to be judged, not to be cut.

    Attributes:
        symbols: for each id, the ids its own text begins as; empty for ids without text of their
            own (special, fallback bytes) or with a symbol that has no id.
        texts: the bytes of each id.
        ranks: of pairs of ids that may be merged; None where any two neighbours may whose joined
            text is a token.
        by_text: the rank of each token's bytes, where any two neighbours may be merged.
        made: the id that each rank makes.
        listed: the merges that the file lists, in order; empty where it lists none.
        whole_pieces: a piece of text that is a token as it stands is taken before merging.
    """

    symbols: Sequence[Sequence[int]]
    texts: Sequence[bytes]
    ranks: Mapping[tuple[int, int], int] | None
    by_text: Mapping[bytes, int]
    made: Sequence[int]
    listed: Sequence[Merge]
    whole_pieces: bool

    def alone(self, token_id: int) -> MergedPiece:
        """Merge a token's own symbols until no rule applies."""
        return self.merged(self.symbols[token_id])

    def merged(self, symbols: Sequence[int]) -> MergedPiece:
        """Merge symbols, lowest rank first, of equals the leftmost."""
        return merge_piece(symbols, self._rank if self.ranks is None else self.ranks.get, self.made)

    def _rank(self, pair: tuple[int, int], never: int) -> int:
        return self.by_text.get(self.texts[pair[0]] + self.texts[pair[1]], never)

    @cached_property
    def in_order(self) -> Sequence[Merge]:
        """The merges in the order they were learned: listed, or recovered from ranks.

        A token that its own bytes do not lead to has no merge and is passed over.
        """
        return self.listed if self.ranks is not None else self.first(len(self.made))

    def first(self, most: int) -> list[Merge]:
        """Return the first `most` merges, in order.

        A list made from ranks has every pair that makes a token; the one that is learned is the
        one that the token's own bytes lead to.
        """
        if self.ranks is not None and not self._lists_ranks:
            return list(self.listed[:most])
        found: list[Merge] = []
        for token_id in dict.fromkeys(self.made):
            if len(found) == most:
                break
            alone = self.alone(token_id)
            if alone.tokens == [token_id] and alone.last is not None:
                found.append(Merge(*alone.last, token_id))
        return found

    @cached_property
    def _lists_ranks(self) -> bool:
        """Whether pairs that make one token stand side by side in the list, as no trainer puts
        them."""
        changes = sum(a.result != b.result for a, b in pairwise(self.listed))
        tokens = len({merge.result for merge in self.listed})
        return tokens < len(self.listed) and changes == tokens - 1

    @cached_property
    def parts(self) -> frozenset[int]:
        """Ids that some merge takes as a part."""
        return frozenset(part for merge in self.in_order for part in merge[:2])


def merge_rules(tokenizer: Tokenizer) -> MergeRules | None:
    """Return a tokenizer's merges; None where it is no BPE."""
    if isinstance(tokenizer, TiktokenTokenizer):
        return _of_ranks(tokenizer)
    if isinstance(tokenizer, HuggingFaceTokenizer):
        return _of_json(tokenizer)
    if isinstance(tokenizer, SentencePieceTokenizer):
        return _of_scores(tokenizer)
    return None


def _of_ranks(tokenizer: TiktokenTokenizer) -> MergeRules:
    table = tokenizer.token_bytes
    texts = [table[i] for i in range(len(table))]
    ids = np.flatnonzero(table.kinds == TokenKind.TEXT).tolist()
    by_text = {texts[i]: rank for rank, i in enumerate(ids)}
    of_byte = [ids[by_text[bytes([byte])]] for byte in range(256)]
    symbols = [[of_byte[byte] for byte in text] for text in texts]
    return MergeRules(symbols, texts, None, by_text, ids, (), whole_pieces=True)


def _of_scores(tokenizer: SentencePieceTokenizer) -> MergeRules | None:
    if model_settings(tokenizer.serialized).model_type != "bpe":
        return None
    table, processor = tokenizer.token_bytes, tokenizer._processor
    texts = [table[i] for i in range(len(table))]
    ids = np.flatnonzero(table.kinds == TokenKind.TEXT).tolist()
    ids.sort(key=lambda i: (-processor.GetScore(i), i))
    by_text = {texts[i]: rank for rank, i in enumerate(ids)}
    symbols: list[list[int]] = [[] for _ in texts]
    for i in ids:
        characters = [by_text.get(c.encode()) for c in texts[i].decode()]
        if None not in characters:
            symbols[i] = [ids[rank] for rank in characters if rank is not None]
    return MergeRules(symbols, texts, None, by_text, ids, (), whole_pieces=False)


def _of_json(tokenizer: HuggingFaceTokenizer) -> MergeRules | None:
    model: dict[str, Any] = json.loads(tokenizer.serialized)["model"]
    if "merges" not in model:
        return None
    vocabulary: dict[str, int] = model["vocab"]
    before = model.get("continuing_subword_prefix") or ""
    after = model.get("end_of_word_suffix") or ""
    table = tokenizer.token_bytes
    listed = [
        Merge(vocabulary[left], vocabulary[right], vocabulary[left + right[len(before) :]])
        for left, right in written_merges(model)
    ]
    ranks = {(merge.left, merge.right): rank for rank, merge in enumerate(listed)}
    symbols: list[list[int]] = [[] for _ in range(len(table))]
    for piece, token_id in vocabulary.items():
        if table.kinds[token_id] == TokenKind.TEXT and not before and not after:
            found = [vocabulary.get(character) for character in piece]
            if None not in found:
                symbols[token_id] = [symbol for symbol in found if symbol is not None]
    texts = [table[i] for i in range(len(table))]
    whole, made = bool(model.get("ignore_merges")), [merge.result for merge in listed]
    return MergeRules(symbols, texts, ranks, {}, made, listed, whole_pieces=whole)


def dead_merges(rules: MergeRules) -> list[Merge]:
    """Return listed merges that never fire, in whatever text: proven, see the module's text."""
    fires: dict[int, tuple[int, int] | None] = {}
    for token_id in {merge.result for merge in rules.listed if rules.symbols[merge.result]}:
        alone = rules.alone(token_id)
        fires[token_id] = alone.last if alone.tokens == [token_id] else None
    return [
        merge
        for merge in rules.listed
        if merge.result in fires and fires[merge.result] != merge[:2]
    ]
