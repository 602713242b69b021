r"""Where a text can be cut so that no tokenizer notices.

A byte-level tokenizer splits a text by a regular expression, from left to right and without
looking back, and merges inside the pieces only. A place is safe to cut if every pattern of its
family ends a piece there, whatever stands around, and would have ended it if the text had stopped
there. Then tokens of the parts, one after the other, are the tokens of the whole. Three kinds of
place are safe for the patterns of GPT-2, GPT-4, GPT-4o, Llama 3, Qwen and Tekken:

    before a space or tab that follows anything but white space: no branch goes on from other
        characters to those (`[^\r\n\p{L}\p{N}]?` and ` ?` stand at the front of theirs);
    after an ASCII letter, before a line end, a digit or punctuation other than the apostrophe of a
        contraction: `\p{L}+` and its kin stop there, and only punctuation takes line ends along;
    after an ASCII digit, before a line end, a letter or punctuation: `\p{N}` stops there.

All of them follow something that is no white space, so white space is never cut off from what
comes after it: lookahead such as `\s+(?!\S)` sees what it would see in the whole text. Only ASCII
characters decide, beside the white space of Unicode, which no library disagrees about: what is a
letter in other scripts depends on the library's version of Unicode, and is left to the library.
"""

from enum import Enum
from functools import cache
from string import ascii_letters, digits, punctuation

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.patterns import GPT2, GPT4, GPT4O, LLAMA3, TEKKEN, WHITESPACE
from tokenize_lab.text_bytes import ASCII_SPACES, TextBytes, members

_LETTERS, _DIGITS, _PUNCTUATION = (s.encode() for s in (ascii_letters, digits, punctuation))
_BLANKS, _LINE_ENDS = b" \t", b"\r\n"
_SOLID = bytes(byte for byte in range(256) if byte not in ASCII_SPACES)


class CutRule(Enum):
    """A family of patterns that share places to cut."""

    GPT = "gpt"
    WHITESPACE = "whitespace"


# (after, before): a place between one of these bytes and one of those.
_PLACES: dict[CutRule, tuple[tuple[bytes, bytes], ...]] = {
    CutRule.GPT: (
        (_SOLID, _BLANKS),
        (_LETTERS, _LINE_ENDS + _DIGITS + _PUNCTUATION.replace(b"'", b"")),
        (_DIGITS, _LINE_ENDS + _LETTERS + _PUNCTUATION),
    ),
    CutRule.WHITESPACE: ((_SOLID, _BLANKS + _LINE_ENDS),),
}

# The first two as tiktoken now writes GPT-4's and GPT-2's; the third as in Qwen 2's tokenizer.json.
_CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
_R50K = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
_QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
_RULES = {
    **dict.fromkeys((GPT2, GPT4, GPT4O, LLAMA3, TEKKEN, _CL100K, _R50K, _QWEN2), CutRule.GPT),
    WHITESPACE: CutRule.WHITESPACE,
}


def rule_of(pattern: str) -> CutRule | None:
    """Return the rule that is proven for a pattern, or None where none is."""
    return _RULES.get(pattern)


def chunk_starts(text: TextBytes, rule: CutRule) -> NDArray[np.int64]:
    """Return where the chunks of all texts begin: [chunks] int64, ascending byte positions.

    Every text that is not empty begins one.
    """
    after, before = _tables(rule)
    cut = np.zeros(len(text.raw) + 1, np.bool_)
    left = np.frombuffer(text.raw.translate(after), np.uint8)
    right = np.frombuffer(text.raw.translate(before), np.uint8)
    np.not_equal(left[:-1] & right[1:], 0, out=cut[1:-1])
    if not text.is_ascii:
        cut[1:] &= ~text.whitespace
    cut[text.starts] = True
    cut[-1] = False
    return np.flatnonzero(cut)


@cache
def _tables(rule: CutRule) -> tuple[bytes, bytes]:
    """A bit for each kind of place: set for the bytes it may follow, and for those it precedes."""
    after, before = np.zeros(256, np.uint8), np.zeros(256, np.uint8)
    everything = bytes(range(256))
    for bit, (these, those) in enumerate(_PLACES[rule]):
        after |= members(everything, these).astype(np.uint8) << bit
        before |= members(everything, those).astype(np.uint8) << bit
    return after.tobytes(), before.tobytes()
