"""Which tokens can come out of a tokenizer at all.

A token is *reached* if some text was found whose encoding holds it: that text is the proof. Texts
are made of the token's own bytes (alone; without the prefix that the tokenizer adds; completed to
whole characters where it is a cut through some; and between contexts in which pre-tokenisers split
differently). A token is *unreachable*, proven, if its bytes are in no UTF-8 text; if its own bytes,
merged alone, come out as other tokens (`merges` says why that decides, and why it does so for two
neighbours too); if it ends or begins inside a character, so that a neighbour must complete it, and
beside every token that could, the two come out otherwise; or if it is a fallback byte of
characters that all have a token. What is left was only *not found*: mostly text that the
pre-tokeniser always cuts.

Land and Bartolo (2024, arXiv 2405.05417) call a token unreachable if decoding and encoding it again
does not give it back; that is the first of the texts tried here.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.forensics.merges import MergeRules, merge_rules
from tokenize_lab.forensics.utf8 import Cut, cut_of, points_around, points_from, texts_around
from tokenize_lab.tokenizer import TokenBytes, Tokenizer, TokenKind

_RARE = "\U000f0000"  # a character of private use, which few vocabularies hold
# What may stand beside a token: nothing, a letter, a space, a line end, a digit, punctuation, a
# letter without case, a mark.
_BEFORE = ("", "a", "A", " ", "\n", "1", ".", "'", "的", "\u0301", _RARE)
_AFTER = ("", "a", "A", " ", "\n", "1", ".", "的", "\u0301", _RARE)
_COMPLETIONS = (32, 4096)  # how many whole characters are tried for a token that is not
_TEXTS_AT_ONCE = 4096


class Reach(IntEnum):
    """What is known of an id."""

    NO_TEXT = 0  # special or unused: no text is meant to lead to it
    REACHED = 1  # a text was found
    NOT_UTF8 = 2  # proven unreachable: its bytes are in no text
    MERGED_OTHERWISE = 3  # proven unreachable: its own bytes come out as other tokens
    NO_NEIGHBOUR = 4  # proven: no token that must complete its character leaves it as it is
    SPELT_OTHERWISE = 5  # proven: a fallback byte whose characters all have tokens
    ALWAYS_CUT = 6  # not found: merges lead to it, but every text tried was split inside it
    NOT_FOUND = 7  # not found, and nothing is proven


PROVEN = (Reach.NOT_UTF8, Reach.MERGED_OTHERWISE, Reach.NO_NEIGHBOUR, Reach.SPELT_OTHERWISE)
OPEN = (Reach.ALWAYS_CUT, Reach.NOT_FOUND)


@dataclass(frozen=True)
class Reached:
    """What is known of every id.

    Attributes:
        status: [V] uint8 of `Reach`.
        instead: for ids that are merged otherwise, the ids that their own bytes become.
        texts: how many texts were tried.
    """

    status: NDArray[np.uint8]
    instead: dict[int, list[int]]
    texts: int

    def ids(self, *wanted: Reach) -> list[int]:
        """Return the ids of these states, ascending."""
        ids: list[int] = np.flatnonzero(np.isin(self.status, wanted)).tolist()
        return ids


def find_reach(
    tokenizer: Tokenizer, rules: MergeRules | None = None, met: Iterable[int] = ()
) -> Reached:
    """Find out which ids some text leads to.

    Arguments:
        rules: the tokenizer's merges, read from it where None is given.
        met: ids that are known to have come out of some text.
    """
    rules = rules or merge_rules(tokenizer)
    table = tokenizer.token_bytes
    search = _Search(tokenizer)
    search.reached[list(met)] = True
    filled = np.flatnonzero(table.lengths).tolist()
    cuts = {i: cut_of(table[i]) for i in filled}
    status = np.zeros(len(table), np.uint8)
    for i, cut in cuts.items():
        status[i] = Reach.NOT_FOUND if cut else Reach.NOT_UTF8
    possible = {i: cut for i, cut in cuts.items() if cut}
    search.run(possible, lambda cut: _alone(cut, tokenizer.prefix))
    for most in _COMPLETIONS:
        search.run(possible, partial(texts_around, most=most))
    search.run(possible, _between)

    instead: dict[int, list[int]] = {}
    with_token = _characters(tokenizer)
    for i, cut in possible.items():
        if search.reached[i]:
            status[i] = Reach.REACHED
        elif table.kinds[i] == TokenKind.BYTE_FALLBACK:
            if all(character in with_token for character in _needing(cut)):
                status[i] = Reach.SPELT_OTHERWISE
        elif rules and rules.symbols[i]:
            alone = rules.alone(i).tokens
            # Looked up whole, it could still come out of a piece that was not tried.
            whole = rules.whole_pieces and not cut.tail and not cut.head
            if alone != [i]:
                instead[i] = alone
                status[i] = Reach.NOT_FOUND if whole else Reach.MERGED_OTHERWISE
            elif _has_no_neighbour(i, cut, rules, table):
                status[i] = Reach.NO_NEIGHBOUR
            else:
                status[i] = Reach.ALWAYS_CUT
    return Reached(status, instead, search.texts)


def _has_no_neighbour(token_id: int, cut: Cut, rules: MergeRules, table: TokenBytes) -> bool:
    """Return whether no token that could complete the token's characters leaves it as it is."""
    symbols = rules.symbols[token_id]
    continues = table.starts_inside & (table.kinds == TokenKind.TEXT)
    # Continuation bytes alone may themselves be continued.
    continued = (table.ends_inside & (table.kinds == TokenKind.TEXT)) | continues
    after = ([*symbols, *rules.symbols[i]] for i in np.flatnonzero(continues).tolist())
    before = ([*rules.symbols[i], *symbols] for i in np.flatnonzero(continued).tolist())
    if cut.head and not any(rules.merged(both).tokens[0] == token_id for both in after):
        return True
    return bool(cut.tail) and not any(rules.merged(both).tokens[-1] == token_id for both in before)


def _characters(tokenizer: Tokenizer) -> frozenset[bytes]:
    """Return the characters, as UTF-8, that have a token of their own."""
    table = tokenizer.token_bytes
    short = np.flatnonzero((table.lengths <= 4) & (table.kinds == TokenKind.TEXT)).tolist()
    return frozenset(table[i] for i in short)


def _needing(cut: Cut) -> Iterator[bytes]:
    """Yield every character whose UTF-8 holds a single byte."""
    if cut.middle:
        yield cut.middle.encode()
        return
    points = points_from(cut.head) if cut.head else points_around(cut.tail)
    yield from (chr(point).encode() for point in points)


class _Search:
    """Encodes texts and notes every id that comes out."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.reached = np.zeros(len(tokenizer.token_bytes), np.bool_)
        self.texts = 0

    def run(self, cuts: dict[int, Cut], texts_of: Callable[[Cut], Iterator[str]]) -> None:
        """Encode the texts of every id that was not met so far."""
        waiting = [(i, cut) for i, cut in cuts.items() if not self.reached[i]]
        texts = (text for _, cut in waiting for text in texts_of(cut))
        while chunk := list(islice(texts, _TEXTS_AT_ONCE)):
            ids = self._tokenizer.encode_batch(chunk).ids
            self.reached[ids[ids < len(self.reached)]] = True
            self.texts += len(chunk)


def _alone(cut: Cut, prefix: bytes) -> Iterator[str]:
    if cut.tail or cut.head:
        return
    yield cut.middle
    put = prefix.decode("utf-8", "replace")
    if put and cut.middle.startswith(put):
        yield cut.middle[len(put) :]
    elif put:
        yield _RARE + cut.middle + _RARE


def _between(cut: Cut) -> Iterator[str]:
    middles: Sequence[str] = list(texts_around(cut, 8)) if cut.tail or cut.head else [cut.middle]
    for middle in middles:
        for before in _BEFORE:
            for after in _AFTER:
                yield before + middle + after
