"""tiktoken's engine for a Hugging Face vocabulary, where it provably gives the same ids.

Both libraries merge, again and again, the pair of adjacent tokens that comes first in their order;
of equal pairs the leftmost. They differ in what a pair is. Hugging Face's merges are a list of
pairs; tiktoken merges any two tokens that make a third, in the order of the third.

Let C(t) be the last pair that tiktoken's way merges when it encodes the token t alone. Whenever two
tokens that make t stand side by side in a text, what has been merged between their outer edges is
what would have been merged had t stood there alone, so the two are C(t). Therefore, if every token
of a merge list has C(t) in that list, and these pairs stand in the order of their tokens, the two
ways merge the same pairs at every step of every text. A list may have further pairs for a token
(lists made from ranks have every pair of tokens that spells it, some before one of their parts is
made): they stand side by side in no text.

Pieces are split off by the same expression, which the libraries read in their own versions of
Unicode: text with characters of which those differ is left to the Hugging Face library
(`tokenize_lab.backends.characters`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import add, itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.backends.huggingface_json import written_merges
from tokenize_lab.backends.last_merges import LastPairs, Pairs, last_pairs
from tokenize_lab.backends.simple import bytes_spelt, character_to_byte
from tokenize_lab.backends.tiktoken import TiktokenTokenizer, table_of_ranks
from tokenize_lab.patterns import PATTERNS, Splitting
from tokenize_lab.tokenizer import Encoding


@dataclass(frozen=True)
class FastPath:
    """A vocabulary in tiktoken's engine.

    Attributes:
        tiktoken: its ids are ranks. ids: [ranks] uint32, the id of each rank.
        last: the two ranks that each is merged of last, C(t).
    """

    tiktoken: TiktokenTokenizer
    ids: NDArray[np.uint32]
    last: LastPairs

    def encode_batch(self, texts: Sequence[str]) -> Encoding:
        """Encode each text on its own."""
        ranks, lengths = self.tiktoken.encode_batch(texts)
        return Encoding(self.ids[ranks], lengths)


FAST_PARTS = (FastPath, TiktokenTokenizer, LastPairs)  # what `kept` is told that one is made of


def fast_path(model: Mapping[str, Any], splitting: Splitting, name: str) -> FastPath | str:
    """Return tiktoken's engine for the model of a tokenizer.json, or why there is none.

    Arguments:
        model: as the file has it.
        splitting: of the same file.
        name: of the tokenizer.
    """
    if splitting.obstacle:
        return splitting.obstacle
    if len(splitting.patterns) != 1 or splitting.patterns[0] not in PATTERNS.values():
        return "its pattern is not one that both libraries are known to read alike"
    if model.get("type") != "BPE":
        return f"its model is {model.get('type')}, not BPE"
    marks = ("continuing_subword_prefix", "end_of_word_suffix", "byte_fallback", "fuse_unk")
    for mark in marks:
        if model.get(mark):
            return f"its model has {mark}"
    ranked = ranks_of(model)
    if isinstance(ranked, str):
        return ranked
    ranks, ids, last = ranked
    import tiktoken

    table = table_of_ranks(ranks, len(ranks))
    engine = f"tiktoken {tiktoken.__version__}"
    pattern, size = splitting.patterns[0], len(ranks)
    engine_of_ranks = TiktokenTokenizer(name, name, "", size, table, engine, pattern=pattern)
    return FastPath(engine_of_ranks, ids, last)


def ranks_of(
    model: Mapping[str, Any],
) -> tuple[dict[bytes, int], NDArray[np.uint32], LastPairs] | str:
    """Return the ranks by which tiktoken merges as the model's list does, the id of each, and the
    two that each is merged of last.

    A string says why there are none.
    """
    alphabet, vocab = character_to_byte(), model["vocab"]
    if any(character not in vocab for character in alphabet):
        return "not every byte has a token"
    ranks = {bytes([byte]): byte for byte in range(256)}
    ids = [0] * 256
    for character, byte in alphabet.items():
        ids[byte] = vocab[character]
    spelt = {character: bytes([byte]) for character, byte in alphabet.items()}
    pairs: list[tuple[bytes, bytes]] = []
    for left, right in written_merges(model):
        first, second = spelt.get(left) or bytes_spelt(left), spelt.get(right) or bytes_spelt(right)
        if first is None or second is None:
            return f"the merge {left} {right} is not written in the byte-level alphabet"
        token = first + second
        pairs.append((first, second))
        if token not in ranks:
            ranks[token] = len(ranks)
            ids.append(vocab[left + right])
            spelt[left + right] = token
    whole = bool(model.get("ignore_merges"))
    for piece, token_id in vocab.items() if whole else ():
        written = bytes_spelt(piece)
        # No piece of text is written in other characters.
        if written is not None and written not in ranks:
            ranks[written] = len(ranks)
            ids.append(token_id)
    last = _listed_last_pairs(ranks, pairs, whole)
    if isinstance(last, bytes):
        return f"tiktoken would merge {last!r} of other parts, or at another time"
    return ranks, np.array(ids, np.uint32), last


def _listed_last_pairs(
    ranks: Mapping[bytes, int], pairs: Sequence[tuple[bytes, bytes]], whole: bool
) -> LastPairs | bytes:
    """Return the ranks of the last pair of each token, [ranks]; or a token whose last pair is not
    listed, or not in the place of its rank.

    Arguments:
        ranks: of all tokens, ascending; bytes first.
        pairs: that are merged, in the list's order.
        whole: whether pieces that are tokens are not merged at all.
    """
    tokens = list(ranks)[256:]
    made = map(add, *zip(*pairs, strict=True)) if pairs else ()
    columns = [*(map(itemgetter(part), pairs) for part in (0, 1)), made]
    left, right, rank = (
        np.fromiter(map(ranks.get, column, repeat(-1)), np.int32, len(pairs)) for column in columns
    )
    # A pair whose parts no merges lead to stands in no text.
    listed = np.flatnonzero((left >= 0) & (right >= 0))
    merges = Pairs(left[listed], right[listed], rank[listed])
    last = last_pairs(tokens, merges)
    found = merges.find(last.left, last.right)
    # Both take a whole piece that no merges lead to, and neither is led to it inside of another.
    asked = np.flatnonzero(last.left >= 0) if whole else np.arange(len(tokens))
    found = found[asked]
    missing = asked[found < 0]
    if len(missing):
        shortest: bytes = min((tokens[place] for place in missing.tolist()), key=len)
        return shortest
    places = listed[found]
    late = np.flatnonzero(np.diff(places) <= 0)
    if len(late):
        return tokens[int(asked[late[0] + 1])]
    of_bytes = np.full(256, -1, np.int32)
    return LastPairs(*(np.concatenate([of_bytes, column]) for column in last))


def left_of_last_merge(token: bytes, ranks: Mapping[bytes, int]) -> bytes:
    """Return the left one of the two tokens that tiktoken's way merges last; empty if it is stuck
    before."""
    parts = [token[i : i + 1] for i in range(len(token))]
    none = len(ranks)
    pairs = [ranks.get(token[i : i + 2], none) for i in range(len(token) - 1)]
    while len(parts) > 2:
        best = min(pairs)
        if best == none:
            return b""
        i = pairs.index(best)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
        del pairs[i]
        if i < len(pairs):
            pairs[i] = ranks.get(parts[i] + parts[i + 1], none)
        if i:
            pairs[i - 1] = ranks.get(parts[i - 1] + parts[i], none)
    return parts[0]
