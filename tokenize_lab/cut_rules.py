r"""Where a text can be cut and no tokenizer of a family notices, found in whole arrays of bytes.

A byte-level tokenizer splits a text by a regular expression, from left to right and without looking
back, and merges inside the pieces only. A place is safe to cut if every pattern of the family ends
a piece there, whatever stands around, and would have ended it if the text had stopped there. Then
tokens of the parts, one after the other, are the tokens of the whole.

The more such places, the fewer distinct chunks there are to encode: "word," and "word." are one
word and two marks.
"""

from collections.abc import Sequence
from enum import Enum
from functools import cache
from string import ascii_letters, digits, punctuation

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.counts.bytes import ASCII_SPACES, TextBytes
from tokenize_lab.tokenizer import BoolArray, IntArray


class CutRule(Enum):
    r"""A family of patterns that share places to cut.

    `gpt`: the patterns of GPT-2, GPT-4, GPT-4o, Llama 3, Qwen and Tekken. What is a letter follows
    from the version of Unicode that a library knows, so only characters decide of which all agree:
    ASCII; of letters also those of Latin (U+00C0 to U+017F but the signs of times and division) and
    of Cyrillic (U+0400 to U+047F), letters since Unicode 3.0; of marks also U+2010 to U+2027,
    dashes, quotes and dots. Safe are:

        before a space or tab that follows anything but white space: no branch goes on from other
            characters to those (`[^\r\n\p{L}\p{N}]?` and ` ?` stand at the front of theirs);
        after a letter, before a line end, a digit or a mark other than the apostrophe: `\p{L}+` and
            its kin stop there, and only marks take line ends along. A contraction goes on from the
            apostrophe with a letter, so before one that an ASCII character other than a letter
            follows it is safe as well;
        after an ASCII digit, before a line end, a letter or a mark: `\p{N}` stops there;
        after a mark, before an ASCII digit: only a blank can stand in front of `\p{N}`;
        after a mark that follows a space or another mark, before an ASCII letter: a mark may be the
            `[^\r\n\p{L}\p{N}]?` in front of letters, but these two are of one piece already, by
            ` ?[^\s\p{L}\p{N}]+`. (Unless the first is a slash: GPT-4o's and Tekken's marks take
            slashes along with line ends, and the second may begin a piece.)

    All of them follow something that is no white space, so white space is never cut off from what
    comes after it: lookahead such as `\s+(?!\S)` sees what it would see in the whole text.

    `gpt-runs`: of these all but GPT-4's, for which one more place is safe: before the space or tab
    that ends a run of white space, other text following. `\s*[\r\n]+` ends before it, `\s+(?!\S)`
    just there, and no other branch takes white space that more of it follows; if the text stopped
    there, the rest of the run would be what it is. (GPT-4's take line ends along with blanks at the
    end of a text.) It tells the indentation of a line from its first word.

    `whitespace`: before white space of ASCII that follows anything else.
    """

    GPT = "gpt"
    GPT_RUNS = "gpt-runs"
    WHITESPACE = "whitespace"

    @property
    def outside_runs(self) -> "CutRule":
        """The rule without places inside of runs of white space."""
        return CutRule.GPT if self is CutRule.GPT_RUNS else self


_LETTERS, _DIGITS, _MARKS = (s.encode() for s in (ascii_letters, digits, punctuation))
_BLANKS, _LINE_ENDS, _APOSTROPHE = b" \t", b"\r\n", b"'"
_SOLID = bytes(byte for byte in range(256) if byte not in ASCII_SPACES)

# (after, before): a place between one of these bytes and one of those.
_GPT_PLACES = (
    (_SOLID, _BLANKS),
    (_LETTERS, _LINE_ENDS + _DIGITS + _MARKS.replace(_APOSTROPHE, b"")),
    (_DIGITS, _LINE_ENDS + _LETTERS + _MARKS),
    (_MARKS, _DIGITS),
)
_PLACES: dict[CutRule, tuple[tuple[bytes, bytes], ...]] = {
    CutRule.GPT: _GPT_PLACES,
    CutRule.GPT_RUNS: _GPT_PLACES,
    CutRule.WHITESPACE: ((_SOLID, _BLANKS + _LINE_ENDS),),
}
_AFTER_LETTER, _AFTER_DIGIT, _AFTER_MARK = 1 << 1, 1 << 2, 1 << 3
_BEFORE = 4  # what a byte may stand before lies so many bits above what it may stand after

# Three bytes in a row have a bit each of the end of a run of white space, and of a mark that goes
# with what stands before it.
_THREES = (b"\t\n\v\f\r ", _BLANKS, _SOLID, b" " + _MARKS.replace(b"/", b""), _MARKS, _LETTERS)
_RUN, _GOES_WITH = 1 << 0, 1 << 3
_LETTER_PLACE = 5  # the bit of letters, also behind marks beyond ASCII
_LEAD_PLACE = 6  # that of the first bytes of letters beyond ASCII
_LEADS = b"\xc3\xc4\xc5\xd0\xd1"
_OTHER_PLACE = 7  # that of what can stand behind an apostrophe and makes it no contraction
_OTHERS = bytes(byte for byte in range(0x80) if byte not in _LETTERS)


def chunk_starts(text: TextBytes, rule: CutRule) -> IntArray:
    """Return where the chunks of all texts begin: [chunks] int64, ascending byte positions.

    Every text that is not empty begins one.
    """
    raw = text.raw
    sides = np.frombuffer(bytearray(raw).translate(_sides(rule)), np.uint8)
    cut = np.zeros(len(raw) + 1, np.uint8)
    if rule is not CutRule.WHITESPACE and len(raw) > 2:
        classes = np.frombuffer(raw.translate(_classes()), np.uint8)
        if not text.is_ascii:
            _add_letters(text, classes, sides)
            _add_marks(text, classes, sides, cut)
        _cut_threes(text, rule, classes, sides, cut)
    cut[1:-1] |= sides[:-1] & (sides[1:] >> _BEFORE)
    cut[text.wide_spaces.last + 1] = 0
    cut[text.starts] = 1
    cut[-1] = 0
    return np.flatnonzero(cut != 0)


def wide_marks(text: TextBytes) -> BoolArray:
    """Return whether one of U+2010 to U+2027 begins: [bytes - 2] bool, of all bytes but two."""
    data = text.data
    found: BoolArray = data[:-2] == 0xE2
    found &= data[1:-1] == 0x80
    found &= data[2:] - np.uint8(0x90) < 0xA8 - 0x90
    return found


def _bits(kinds: Sequence[bytes]) -> NDArray[np.uint8]:
    """Return by byte the bits of the kinds that it is of: [256] uint8."""
    table = np.zeros(256, np.uint8)
    for bit, kind in enumerate(kinds):
        table[list(kind)] |= 1 << bit
    return table


@cache
def _sides(rule: CutRule) -> bytes:
    after, before = zip(*_PLACES[rule], strict=True)
    return (_bits(after) | _bits(before) << _BEFORE).tobytes()


@cache
def _classes() -> bytes:
    return _bits([*_THREES, _LEADS, _OTHERS]).tobytes()


def _clear(found: NDArray[np.uint8], places: IntArray, bits: int) -> None:
    """Take bits away at those of some places that there are."""
    found[places[(places >= 0) & (places < len(found))]] &= 0xFF ^ bits


def _add_letters(text: TextBytes, classes: NDArray[np.uint8], sides: NDArray[np.uint8]) -> None:
    """Mark the last byte of letters beyond ASCII as what a letter is cut after."""
    sides[1:] |= ((classes[:-1] >> _LEAD_PLACE) & 1) * np.uint8(_AFTER_LETTER)
    if b"\xc3" in text.raw:
        second = text.data[1:]
        signs = (second == 0x97) | (second == 0xB7)  # of times and of division
        signs &= text.data[:-1] == 0xC3
        if signs.any():
            sides[1:][signs] &= 0xFF ^ _AFTER_LETTER


def _add_marks(
    text: TextBytes, classes: NDArray[np.uint8], sides: NDArray[np.uint8], cut: NDArray[np.uint8]
) -> None:
    """Mark what may be cut before and after marks beyond ASCII, and cut after those that go with
    what stands before them."""
    if b"\xe2" not in text.raw:
        return
    marks = wide_marks(text).view(np.uint8)
    sides[:-2] |= marks * np.uint8((_AFTER_LETTER | _AFTER_DIGIT) << _BEFORE)
    sides[2:] |= marks * np.uint8(_AFTER_MARK)
    joined = marks[1:-1] * (classes[:-4] & np.uint8(_GOES_WITH))
    joined &= classes[4:] >> _LETTER_PLACE << 3
    _clear(joined, text.starts - 1, 0xFF)
    cut[4:-1] |= joined


def _cut_threes(
    text: TextBytes,
    rule: CutRule,
    classes: NDArray[np.uint8],
    sides: NDArray[np.uint8],
    cut: NDArray[np.uint8],
) -> None:
    """Cut where it takes three bytes to see: after a mark that goes with what stands before it,
    before a blank that ends a run of white space, and before an apostrophe after a letter that
    begins no contraction."""
    found = classes[1:-1] >> np.uint8(1)
    found &= classes[:-2]
    found &= classes[2:] >> 2
    # Of a mark, the first of the three may be of the text before; of a run, the last may be of the
    # text behind, or begin a white space beyond ASCII.
    _clear(found, text.starts - 1, _GOES_WITH)
    _clear(found, text.starts - 2, _RUN)
    _clear(found, text.wide_spaces.first - 2, _RUN)
    cut[2:-1] |= found & _GOES_WITH
    if rule is CutRule.GPT_RUNS:
        cut[1:-2] |= found & _RUN
    if _APOSTROPHE in text.raw:
        alone = (text.data[1:-1] == ord(_APOSTROPHE)).view(np.uint8)
        alone *= sides[:-2] & np.uint8(_AFTER_LETTER)
        alone &= classes[2:] >> _OTHER_PLACE << 1
        _clear(alone, text.starts - 2, 0xFF)
        cut[1:-2] |= alone
