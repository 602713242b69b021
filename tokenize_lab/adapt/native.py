"""A changed vocabulary in the form it came in: ranks of tiktoken, or a tekken file.

A list of merges is written as ranks where both encode every text alike: where tiktoken's way
merges each token of the pair that the list has for it (`tokenize_lab.backends.huggingface_fast`),
and later merges have higher ids. New tokens whose ids lie among old ones have no such form.
"""

import base64
import json

import numpy as np

from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
from tokenize_lab.backends.huggingface_fast import FastPath, ranks_of
from tokenize_lab.backends.tiktoken import TiktokenTokenizer
from tokenize_lab.merges.read import merges_of
from tokenize_lab.tokenizer import Tokenizer, TokenKind

RANKS, TEKKEN_FILE = "ranks.tiktoken", "tekken.json"


def native_files(given: Tokenizer, made: HuggingFaceTokenizer) -> dict[str, bytes]:
    """Return a tokenizer's files beside its tokenizer.json, by name; none where it has no ranks.

    Args:
        given: what it was made from. made: the tokenizer.
    """
    if not isinstance(given, TiktokenTokenizer) or not _ranked(made):
        return {}
    first, table = given.first_id, made.token_bytes
    ids = np.flatnonzero(table.kinds == TokenKind.TEXT).tolist()
    tokens = [(table[i], i - first) for i in ids]
    if not given.tekken_version:
        lines = (base64.b64encode(raw) + b" %d\n" % rank for raw, rank in tokens)
        return {RANKS: b"".join(lines)}
    if [rank for _, rank in tokens] != list(range(len(tokens))):
        return {}
    content = {
        "config": {
            "pattern": given.pattern,
            "num_vocab_tokens": len(tokens),
            "default_vocab_size": first + len(tokens),
            "default_num_special_tokens": first,
            "version": given.tekken_version,
        },
        "vocab": [
            {
                "rank": rank,
                "token_bytes": base64.b64encode(raw).decode("ascii"),
                "token_str": _whole(raw),
            }
            for raw, rank in tokens
        ],
        "special_tokens": [
            {"rank": token_id, "token_str": name, "is_control": True}
            for name, token_id in given.specials
        ],
    }
    return {TEKKEN_FILE: json.dumps(content, ensure_ascii=False).encode("utf-8")}


def _ranked(made: HuggingFaceTokenizer) -> bool:
    """Whether ids in their order are ranks that tiktoken would merge by as the list does."""
    ascending = bool((np.diff(merges_of(made).made) > 0).all())
    if ascending and not isinstance(made.fast, FastPath):
        return not isinstance(ranks_of(json.loads(made.serialized)["model"]), str)
    return ascending


def _whole(raw: bytes) -> str | None:
    """Return a token as text; None where it is no whole characters."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
