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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.backends.huggingface_json import written_merges
from tokenize_lab.backends.simple import character_to_byte
from tokenize_lab.backends.tiktoken import TiktokenTokenizer, table_of_ranks
from tokenize_lab.patterns import PATTERNS, Splitting
from tokenize_lab.tokenizer import Encoding


@dataclass(frozen=True)
class FastPath:
    """A vocabulary in tiktoken's engine.

    Attributes:
        tiktoken: its ids are ranks. ids: [ranks] uint32, the id of each rank.
    """

    tiktoken: TiktokenTokenizer
    ids: NDArray[np.uint32]

    def encode_batch(self, texts: Sequence[str]) -> Encoding:
        """Encode each text on its own."""
        ranks, lengths = self.tiktoken.encode_batch(texts)
        return Encoding(self.ids[ranks], lengths)


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
    ranks, ids = ranked
    import tiktoken

    table = table_of_ranks(ranks, len(ranks))
    engine = f"tiktoken {tiktoken.__version__}"
    pattern, size = splitting.patterns[0], len(ranks)
    return FastPath(TiktokenTokenizer(name, name, "", size, table, engine, pattern=pattern), ids)


def ranks_of(model: Mapping[str, Any]) -> tuple[dict[bytes, int], NDArray[np.uint32]] | str:
    """Return the ranks by which tiktoken merges as the model's list does, and the id of each.

    A string says why there are none.
    """
    alphabet, vocab = character_to_byte(), model["vocab"]
    if any(character not in vocab for character in alphabet):
        return "not every byte has a token"
    ranks = {bytes([byte]): byte for byte in range(256)}
    ids = [0] * 256
    for character, byte in alphabet.items():
        ids[byte] = vocab[character]
    places: dict[bytes, dict[bytes, int]] = {}  # of each token: its left parts, and their merges
    for place, (left, right) in enumerate(written_merges(model)):
        try:
            first, second = (bytes(alphabet[c] for c in part) for part in (left, right))
        except KeyError:
            return f"the merge {left} {right} is not written in the byte-level alphabet"
        token = first + second
        if token not in ranks:
            ranks[token] = len(ranks)
            ids.append(vocab[left + right])
        places.setdefault(token, {}).setdefault(first, place)
    whole = bool(model.get("ignore_merges"))
    for piece, token_id in vocab.items() if whole else ():
        try:
            token = bytes(alphabet[c] for c in piece)
        except KeyError:
            continue  # no piece of text is written so
        if token not in ranks:
            ranks[token] = len(ranks)
            ids.append(token_id)
    last = -1
    for token, rank in ranks.items():
        if rank < 256:
            continue
        left_part = left_of_last_merge(token, ranks)
        if whole and not left_part:
            continue  # both take it as a whole piece, and neither is led to it by merges
        # A pair whose parts no merges lead to stands in no text, so it is never the last.
        place = places.get(token, {}).get(left_part, -1)
        if place <= last:
            return f"tiktoken would merge {token!r} of other parts, or at another time"
        last = place
    return ranks, np.array(ids, np.uint32)


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
