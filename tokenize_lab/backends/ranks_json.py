"""A vocabulary of ranks written as a tokenizer.json that encodes every text alike.

tiktoken merges any two neighbours whose bytes make a token, in the order of its rank; a
tokenizer.json lists pairs. Of all pairs that spell a token only one ever stands side by side in a
text, the last that the token's own bytes undergo alone (the proof is in `huggingface_fast`), so
that pair for each token, in order of rank, is the whole list. A token that its own bytes do not
lead to has none: it is found as a whole piece of text, in both (`ignore_merges`).
"""

import json
from typing import Any

import numpy as np

from corpora.errors import InputError
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer, huggingface_from_text
from tokenize_lab.backends.huggingface_fast import left_of_last_merge
from tokenize_lab.backends.huggingface_json import bpe_json
from tokenize_lab.backends.simple import byte_to_character
from tokenize_lab.backends.tiktoken import TiktokenTokenizer
from tokenize_lab.patterns import portable
from tokenize_lab.tokenizer import TokenKind


def as_tokenizer_json(tokenizer: TiktokenTokenizer) -> HuggingFaceTokenizer:
    """Return the same tokenizer as a tokenizer.json has it: ids, special tokens, pattern.

    Special tokens whose names are not known (a `.tiktoken` file does not say them) are named after
    their ids, `<|unnamed_100257|>`, so that nothing else takes these.

    Raises:
        InputError: a special token is spelt as text that the pattern makes one piece of, so that
            the library could not tell them apart.
    """
    text = json.dumps(_content(tokenizer), ensure_ascii=False)
    made = huggingface_from_text(text, tokenizer.spec, tokenizer.name, tokenizer.spec)
    for name, token_id in _specials(tokenizer):
        if made.token_bytes.kinds[token_id] != TokenKind.SPECIAL:
            raise InputError(
                f"{tokenizer.spec}: the special token {name!r} is also what a text of that spelling"
                " is encoded as once it stands in a tokenizer.json; there is no such file of it"
            )
    return made


def _specials(tokenizer: TiktokenTokenizer) -> list[tuple[str, int]]:
    names = {token_id: name for name, token_id in tokenizer.specials}
    ids = np.flatnonzero(tokenizer.token_bytes.kinds == TokenKind.SPECIAL).tolist()
    return [(names.get(i, f"<|unnamed_{i}|>"), i) for i in ids]


def _content(tokenizer: TiktokenTokenizer) -> dict[str, Any]:
    table, first = tokenizer.token_bytes, tokenizer.first_id
    ids = np.flatnonzero(table.kinds == TokenKind.TEXT).tolist()
    ranks = {table[i]: i - first for i in ids}
    spelling = byte_to_character().__getitem__
    spelt = {raw: "".join(map(spelling, raw)) for raw in ranks}
    specials = _specials(tokenizer)
    vocab = dict(specials)
    merges: list[list[str]] = []
    for raw, written in spelt.items():
        vocab[written] = ranks[raw] + first
        left = left_of_last_merge(raw, ranks) if len(raw) > 1 else b""
        if left:
            merges.append([spelt[left], spelt[raw[len(left) :]]])
    added = [
        {
            "id": token_id,
            "content": name,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for name, token_id in specials
    ]
    split = {"type": "Sequence", "pretokenizers": [_split(tokenizer), _byte_level()]}
    return bpe_json(
        vocab,
        merges,
        decoder=_byte_level(),
        pre_tokenizer=split,
        added_tokens=added,
        ignore_merges=True,
    )


def _split(tokenizer: TiktokenTokenizer) -> dict[str, Any]:
    """Return the pattern as a part; what a pattern of one's own does not match is left out of the
    text, as tiktoken leaves it out."""
    keeps = tokenizer.lossless
    return {
        "type": "Split",
        "pattern": {"Regex": portable(tokenizer.pattern)},
        "behavior": "Isolated" if keeps else "Removed",
        "invert": not keeps,
    }


def _byte_level() -> dict[str, Any]:
    return {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": False,
    }
