"""What a tokenizer is, without any text: its vocabulary's kinds, pieces and longest tokens."""

from typing import Any

import numpy as np

from tokenize_lab.token_bytes import TokenKind
from tokenize_lab.tokenizer import Tokenizer

LONGEST = 20


def describe(tokenizer: Tokenizer, longest: int = LONGEST) -> dict[str, Any]:
    """Return a tokenizer's facts, ready for JSON.

    Shares are of the ids that have bytes. A token that is not whole characters begins or ends
    inside one, or is a single byte of one; its text is written with `\\xNN` for such bytes.
    """
    table = tokenizer.token_bytes
    filled = np.flatnonzero(table.lengths)
    broken = np.count_nonzero(table.splits_character[filled])
    order = filled[np.argsort(-table.lengths[filled], kind="stable")][:longest]
    return {
        "spec": tokenizer.spec,
        "name": tokenizer.name,
        "engine": tokenizer.engine,
        "sha256": tokenizer.sha256,
        "vocabulary_size": tokenizer.vocabulary_size,
        "lossless": tokenizer.lossless,
        "lossy_reason": tokenizer.lossy_reason,
        "prefix": readable(tokenizer.prefix),
        "ids_by_kind": {
            kind.name.lower(): int(np.count_nonzero(table.kinds == kind)) for kind in TokenKind
        },
        "mean_bytes_per_id": float(table.lengths[filled].mean()) if len(filled) else None,
        "share_not_whole_characters": float(broken / len(filled)) if len(filled) else None,
        "longest_tokens": [
            {"id": i, "bytes": int(table.lengths[i]), "text": readable(table[i])}
            for i in order.tolist()
        ],
    }


def readable(raw: bytes) -> str:
    """Return bytes as text, with `\\xNN` for what is not UTF-8."""
    return raw.decode("utf-8", "backslashreplace")


def quoted(text: str) -> str:
    """Return a text in quotes, with escapes for what a terminal would not show, or would obey."""
    return "'" + "".join(c if c.isprintable() else repr(c)[1:-1] for c in text) + "'"
