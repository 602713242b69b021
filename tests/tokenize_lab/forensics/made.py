"""Small byte-level BPE tokenizers with merges that a test chooses."""

import json
from collections.abc import Sequence
from typing import Any

from tokenize_lab.backends.huggingface import HuggingFaceTokenizer, huggingface_from_text
from tokenize_lab.backends.simple import byte_to_character

Pair = tuple[bytes, bytes]


def byte_level(
    merges: Sequence[Pair], *, pattern: str = "", whole: bool = False, extra: Sequence[bytes] = ()
) -> HuggingFaceTokenizer:
    """Return a tokenizer: 256 bytes, the merges' results in order, then `extra` tokens."""
    letters = byte_to_character()

    def spelt(raw: bytes) -> str:
        return "".join(letters[byte] for byte in raw)

    pieces = [bytes([byte]) for byte in range(256)]
    pieces += [left + right for left, right in merges] + list(extra)
    vocabulary = {spelt(piece): i for i, piece in enumerate(dict.fromkeys(pieces))}
    split: dict[str, Any] = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": False,
    }
    if pattern:
        cut = {
            "type": "Split",
            "pattern": {"Regex": pattern},
            "behavior": "Isolated",
            "invert": False,
        }
        split = {"type": "Sequence", "pretokenizers": [cut, split]}
    content: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": split,
        "post_processor": None,
        "decoder": {
            "type": "ByteLevel",
            "add_prefix_space": True,
            "trim_offsets": True,
            "use_regex": True,
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": whole,
            "vocab": vocabulary,
            "merges": [[spelt(left), spelt(right)] for left, right in merges],
        },
    }
    return huggingface_from_text(json.dumps(content), "hf:made", "made", "made")


def id_of(tokenizer: HuggingFaceTokenizer, raw: bytes) -> int:
    """Return the id of a token by its bytes."""
    table = tokenizer.token_bytes
    return next(i for i in range(len(table)) if table[i] == raw)
