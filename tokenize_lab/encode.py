"""One text, token by token: ids, raw bytes, and the pieces that merges stay inside."""

from bisect import bisect_right
from itertools import accumulate
from typing import Any

from tokenize_lab.patterns import Splitting, split_text
from tokenize_lab.results import tokenized_samples
from tokenize_lab.tokenizer import Tokenizer, TokenKind, quoted

TokenRow = dict[str, Any]


def encoded_tokens(tokenizer: Tokenizer, text: str) -> list[TokenRow]:
    """Return a row for each token of a text, in order.

    `start` and `size` are in bytes of the text (of what the tokens stand for, where a tokenizer
    does not give the text back), `hex` are its bytes, `text` is them as characters where they are
    whole ones, in quotes, `kind` is what the id stands for, and `piece` is the number of the piece
    of text it lies in, from 1; None where the tokenizer does not split text, or not by patterns.
    """
    (sample,) = tokenized_samples([{"text": text}], [tokenizer])
    found = sample["tokens"][tokenizer.name]
    raw = text.encode() if found["bytes"] is None else bytes.fromhex(found["bytes"])
    pieces = _pieces(tokenizer, text) if found["bytes"] is None else None
    ends = list(accumulate(len(piece.encode()) for piece in pieces or ()))
    rows: list[TokenRow] = []
    start = 0
    for token_id, size in zip(found["ids"], found["sizes"], strict=True):
        data = raw[start : start + size]
        rows.append(
            {
                "id": token_id,
                "piece": None if pieces is None else 1 + bisect_right(ends, start),
                "start": start,
                "size": size,
                "hex": data.hex(" "),
                "text": _shown(data),
                "kind": _kind(tokenizer, token_id, data),
            }
        )
        start += size
    return rows


def _pieces(tokenizer: Tokenizer, text: str) -> list[str] | None:
    """Return the pieces that a text is split into before it is encoded; None if that is unknown."""
    pattern = getattr(tokenizer, "pattern", None)
    splitting = getattr(tokenizer, "splitting", None)
    if isinstance(pattern, str):
        splitting = Splitting((pattern,))
    if splitting is None or splitting.obstacle or not splitting.patterns:
        return None
    return split_text(splitting.patterns, text)


def _kind(tokenizer: Tokenizer, token_id: int, data: bytes) -> str:
    """Return what an id stands for; of the ids of an encoding's own, text."""
    table = tokenizer.token_bytes
    own = token_id >= len(table) or (bool(data) and not table.lengths[token_id])
    return TokenKind(TokenKind.TEXT if own else table.kinds[token_id]).name.lower()


def _shown(data: bytes) -> str:
    try:
        return quoted(data.decode("utf-8"))
    except UnicodeDecodeError:
        return "part of a character"
