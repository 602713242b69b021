"""New characters for a vocabulary that falls back to bytes.

Vocabularies of characters (SentencePiece's, as Llama 2's) write a character that they lack as the
tokens of its bytes, which no merge joins. Before merges can be learned there, such characters need
ids of their own: those that save most tokens come first. A character in the vocabulary is a symbol
that merging starts from, so nothing but texts that hold it is encoded otherwise.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from tokenize_lab.adapt.source import MergeSource
from tokenize_lab.backends.huggingface import huggingface_from_text
from tokenize_lab.merges.read import merges_of


class NewCharacter(NamedTuple):
    """A character that an extension adds.

    Attributes:
        character: as the vocabulary spells it.
        token_id: its id.
        pieces: ids of the fallback bytes that it was.
        times: how often it stands in the text learned from.
    """

    character: str
    token_id: int
    pieces: list[int]
    times: int

    @property
    def saves(self) -> int:
        """Tokens saved each time."""
        return len(self.pieces) - 1


def lacking_characters(
    source: MergeSource,
    counts: Mapping[str, int],
    kept: Collection[str],
    new_ids: Sequence[int],
    fewest: int,
) -> list[NewCharacter]:
    """Return the characters of a text that fall back to bytes, most tokens saved first.

    Args:
        source: the old tokenizer.
        counts: how often each character stands in the text.
        kept: characters that are to stay as they are.
        new_ids: ids for them, in order; no more than these are returned.
        fewest: times that one must stand there.
    """
    model, vocab = source.model, source.model["vocab"]
    marked = model.get("continuing_subword_prefix") or model.get("end_of_word_suffix")
    if not model.get("byte_fallback") or marked:
        return []
    lacking: list[tuple[int, str, list[int]]] = []
    for character, times in counts.items():
        if character in vocab or character in kept or times < fewest:
            continue
        fallen = [vocab.get(f"<0x{byte:02X}>") for byte in character.encode()]
        pieces = [token_id for token_id in fallen if token_id is not None]
        if 1 < len(fallen) == len(pieces):
            lacking.append((-times * (len(pieces) - 1), character, pieces))
    lacking.sort()
    return [
        NewCharacter(character, token_id, pieces, counts[character])
        for (_, character, pieces), token_id in zip(lacking, new_ids, strict=False)
    ]


def with_characters(source: MergeSource, characters: Sequence[NewCharacter]) -> MergeSource:
    """Return the source with its content as it is now, and these characters in its vocabulary."""
    for new in characters:
        source.model["vocab"][new.character] = new.token_id
    given = source.tokenizer
    text = json.dumps(source.content, ensure_ascii=False)
    made = huggingface_from_text(text, given.spec, given.name, given.spec)
    return MergeSource(made, source.content, merges_of(made), source.of_ranks)


def counts_before(
    tokens: Sequence[int], characters: Sequence[NewCharacter], there: Counter[str]
) -> list[int]:
    """Return a text's tokens at every number of new ids, those of characters before the others.

    Args:
        tokens: with all new characters, and so many merges each.
        there: how often each character stands in that text.
    """
    found = list(tokens)
    for new in reversed(characters):
        found.insert(0, found[0] + new.saves * there[new.character])
    return found
