"""Vocabularies that are the first ranks of a larger one: its tokens, taken apart, are theirs.

tiktoken merges the pair of the lowest rank there is, again and again. Let every token t that two
others make have a last pair C(t), of lower ranks than its own. Whenever two tokens that make t
stand side by side, they are C(t) (`tokenize_lab.backends.huggingface_fast`). So a pair that a merge
brings about has a higher rank than the merge, ranks never fall while a piece is merged, and all
merges below rank V come before the others. A vocabulary of the first V ranks stops there: where the
larger one has a token of rank V or above, the smaller one has what is left when C is undone until
all ranks are below V. (A piece that is a token is taken as it stands: with a C it is what merging
leads to, and without one it may not be of rank V or above.)

So eight sizes of one training are encoded once.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
from tokenize_lab.backends.huggingface_fast import FastPath
from tokenize_lab.counts.chunks import NumberLists
from tokenize_lab.tokenizer import Encoding, Tokenizer


class Nested(NamedTuple):
    """How the tokens of one vocabulary follow from those of another, or are the others' source.

    Attributes:
        larger: the tokenizer that encodes.
        lists: by the larger one's id, the ids that it is taken apart into; None for itself.
    """

    larger: Tokenizer
    lists: NumberLists | None

    @property
    def within(self) -> str | None:
        """The larger one's name; None for itself."""
        return None if self.lists is None else self.larger.name

    def of(self, encoding: Encoding) -> Encoding:
        """Return what the smaller one makes of the texts of which the larger one made this."""
        if self.lists is None:
            return encoding
        ids, sizes = self.lists.read(encoding.ids)
        ends = np.append(0, np.cumsum(sizes))
        return Encoding(ids, np.diff(ends[np.append(0, np.cumsum(encoding.lengths))]))


def nested(tokenizers: Sequence[Tokenizer], alike: Sequence[Hashable]) -> list[Nested | None]:
    """Return for each tokenizer how its tokens follow from another's; None where they do not.

    Only of a tokenizer.json it is known of what parts tokens are merged.

    Arguments:
        alike: those of equal ones split text alike; None splits as no other does.
    """
    found: list[Nested | None] = [None] * len(tokenizers)
    paths = {
        place: one.fast
        for place, one in enumerate(tokenizers)
        if isinstance(one, HuggingFaceTokenizer)
        and isinstance(one.fast, FastPath)
        and alike[place] is not None
    }
    leading: list[int] = []
    for place in sorted(paths, key=lambda place: -len(paths[place].ids)):
        for other in (other for other in leading if alike[other] == alike[place]):
            lists = _taken_apart(paths[other], paths[place])
            if lists is not None:
                found[other] = Nested(tokenizers[other], None)
                found[place] = Nested(tokenizers[other], lists)
                break
        else:
            leading.append(place)
    return found


def _taken_apart(larger: FastPath, smaller: FastPath) -> NumberLists | None:
    """Return the ids of the smaller vocabulary by each id of the larger one; None where that does
    not go on from it."""
    whole, head = larger.tiktoken.token_bytes, smaller.tiktoken.token_bytes
    count, left, right = len(head), larger.last.left, larger.last.right
    if whole.data[: whole.starts[count]] != head.data or not np.array_equal(
        whole.starts[: count + 1], head.starts
    ):
        return None
    own = np.arange(len(whole))
    if np.any((left >= own) | (right >= own)) or np.any(left[count:] < 0):
        return None
    ranks = owners = own
    while len(above := np.flatnonzero(ranks >= count)):
        parts = np.ones(len(ranks), np.int64)
        parts[above] = 2
        second = np.cumsum(parts)[above] - 1
        of = ranks[above]
        ranks, owners = np.repeat(ranks, parts), np.repeat(owners, parts)
        ranks[second - 1], ranks[second] = left[of], right[of]
    lengths = np.bincount(owners, minlength=len(whole))
    by_rank, by_id = NumberLists(), NumberLists()
    by_rank.extend(smaller.ids[ranks], lengths)
    of_ids = np.zeros(int(larger.ids.max()) + 1, np.int64)
    of_ids[larger.ids] = lengths
    by_id.extend(by_rank.read(np.argsort(larger.ids))[0], of_ids)
    return by_id
