"""New merges for an old vocabulary, learned on the old encoding of a text.

Merging goes on where the old merges stopped. Every pair of old tokens that stands side by side in
an encoded text is what the bytes of the two become alone (Berglund and van der Merwe 2023, arXiv
2309.08715), so a new merge fires exactly where its pair stands in an old encoding, and nowhere
else. Pairs that stand in text to be kept can therefore be left out beforehand: what is then learned
changes no token of that text.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np

from corpora.errors import InputError
from tokenize_lab.adapt.source import MergeSource
from tokenize_lab.counts.chunks import PretokenIndex
from tokenize_lab.merges.learner import MergeLearner, Pair
from tokenize_lab.tokenizer import TokenKind
from tokenize_lab.vocabulary_curves.following import Followed

FEWEST = 2  # times that a pair must stand in the text: one merged for a single place is of no use


class NewMerge(NamedTuple):
    """A merge that an extension appends.

    Attributes:
        left, right: ids of its parts, old or new.
        token_id: of what it makes.
        piece: that, as the vocabulary spells it.
        times: how often it was made when it was learned.
    """

    left: int
    right: int
    token_id: int
    piece: str
    times: int


class OldWords:
    """The distinct pieces of a text in their old encoding, and how often each occurs."""

    def __init__(self, followed: Followed) -> None:
        self._followed = followed
        self._distinct: PretokenIndex = followed.distinct()
        self._times = np.zeros(0, np.int64)

    def add(self, texts: Sequence[str]) -> None:
        """Count texts, each by itself."""
        numbers = self._distinct.add(texts).numbers
        times = np.bincount(numbers, minlength=len(self._times))
        times[: len(self._times)] += self._times
        self._times = times

    def runs(self) -> Iterator[tuple[list[int], int]]:
        """Yield stretches of tokens that may be merged, two or more, and how often each occurs.

        Fallback bytes, unknown and special tokens take part in no merge.
        """
        mergeable = (self._followed.tokenizer.token_bytes.kinds == TokenKind.TEXT).tolist()
        merged = self._followed.merged(self._distinct.pieces)
        for tokens, times in zip(merged, self._times.tolist(), strict=True):
            for may, run in groupby(tokens, mergeable.__getitem__):
                ids = list(run)
                if may and len(ids) > 1:
                    yield ids, times

    def under(self, followed: Followed) -> "OldWords":
        """Return the same pieces, encoded by a tokenizer that splits alike."""
        other = OldWords(followed)
        other._distinct, other._times = self._distinct, self._times
        return other

    def characters(self) -> Counter[str]:
        """Return how often each character stands in the pieces, as the vocabulary spells them."""
        found = Counter[str]()
        for piece, times in zip(self._distinct.pieces, self._times.tolist(), strict=True):
            for character in piece:
                found[character] += times
        return found

    def pairs(self) -> set[Pair]:
        """Return every two tokens that stand side by side."""
        return {pair for run, _ in self.runs() for pair in pairwise(run)}


def learn_merges(
    source: MergeSource,
    words: OldWords,
    new_ids: Sequence[int],
    refused: Iterable[Pair] = (),
) -> list[NewMerge]:
    """Return new merges, the most frequent pair first, fewer than asked for where there are none.

    A pair that spells a token there is already (made of other parts) is passed over.

    Args:
        source: the old tokenizer.
        words: of the text to learn from.
        new_ids: ids for the new tokens, in order.
        refused: pairs of old tokens that are not to be merged.

    Raises:
        InputError: a new token would be spelt like a special one.
    """
    runs = list(words.runs())
    learner = MergeLearner([run for run, _ in runs], [[(0, n)] for _, n in runs], 1, refused)
    spelt: dict[int, str] = {token_id: piece for piece, token_id in source.model["vocab"].items()}
    taken = set(spelt.values())
    marked = len(source.model.get("continuing_subword_prefix") or "")
    found: list[NewMerge] = []
    while len(found) < len(new_ids):
        best = learner.best(0)
        if best is None or best[1] < FEWEST:
            break
        pair, count = best
        piece = spelt[pair[0]] + spelt[pair[1]][marked:]
        _refuse_special(source, pair, piece, spelt)
        if piece in taken:
            learner.refuse(pair)
            continue
        token_id = new_ids[len(found)]
        found.append(NewMerge(*pair, token_id, piece, count))
        spelt[token_id] = piece
        taken.add(piece)
        learner.merge(pair, token_id)
    return found


def _refuse_special(source: MergeSource, pair: Pair, piece: str, spelt: Mapping[int, str]) -> None:
    if piece in source.specials:
        left, right = (spelt[part] for part in pair)
        raise InputError(
            f"{source.tokenizer.spec}: the text has {left!r} + {right!r} so often that {piece!r} "
            f"would be learned, which is a special token (id {source.specials[piece]}); take such "
            "text out of the corpus, special tokens are not learned"
        )


def old_pieces(
    merges: Sequence[NewMerge], characters: Mapping[int, list[int]]
) -> dict[int, list[int]]:
    """Return what each new token was before: the old ids that its merges lead back to.

    Args:
        characters: the ids that new characters were before.
    """
    found = dict(characters)
    for merge in merges:
        found[merge.token_id] = [old for part in merge[:2] for old in found.get(part, [part])]
    return found
