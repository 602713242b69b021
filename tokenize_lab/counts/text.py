"""What is counted in a text, whatever the tokenizer: bytes, characters, words, numbers.

Words are told apart by a named segmenter. `whitespace` splits as `str.split()` does. `uax29` takes
the word boundaries of Unicode Standard Annex 29 (default rules, no dictionary) and keeps the
segments that hold a letter or a digit. Neither finds words where a script writes none apart:
characters of such scripts are counted, and a rate over words is null where they are the majority,
never a wrong number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise

import numpy as np

from tokenize_lab.counts.bytes import ByteRuns, TextBytes, members
from tokenize_lab.counts.fields import TEXT_FIELDS, TEXT_INDEX, TextSettings, WordSegmenter
from tokenize_lab.tokenizer import BoolArray, IntArray

# Blocks of scripts written without spaces between words, first and last code point.
_NEED_A_DICTIONARY = [
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
]
_NO_SPACES = [
    *_NEED_A_DICTIONARY,
    (0x0F00, 0x0FFF),  # Tibetan
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x4DBF),  # Han, extension A
    (0x4E00, 0x9FFF),  # Han
    (0x20000, 0x3FFFF),  # Han, later extensions
]


def word_runs(text: TextBytes, texts: Sequence[str], segmenter: WordSegmenter) -> ByteRuns:
    """Return every word as a run of bytes."""
    if segmenter is WordSegmenter.WHITESPACE:
        return text.runs(~text.whitespace)
    return _uax29_runs(text, texts)


def unspaced_characters(text: TextBytes, segmenter: WordSegmenter) -> IntArray:
    """Return how many characters of each text the segmenter cannot group into words.

    [texts] int64. For `whitespace`: Han, kana, Thai, Lao, Khmer, Myanmar, Tibetan. For `uax29`,
    whose rules treat each Han character as a word: Thai, Lao, Khmer, Myanmar.
    """
    if text.is_ascii:
        return np.zeros(len(text.characters), np.int64)
    leads, pairs = _unspaced_leads(segmenter)
    candidates = np.flatnonzero(members(text.raw, leads))
    codes = text.data[candidates].astype(np.uint16) << 8 | text.data[candidates + 1]
    return text.per_text(candidates[pairs[codes]])


@cache
def _unspaced_leads(segmenter: WordSegmenter) -> tuple[bytes, BoolArray]:
    """Lead bytes of characters of unspaced blocks; and [65536] bool over the first two bytes.

    Blocks end on multiples of 64 characters, so two bytes decide.
    """
    table = np.zeros(1 << 16, np.bool_)
    blocks = _NO_SPACES if segmenter is WordSegmenter.WHITESPACE else _NEED_A_DICTIONARY
    leads = set()
    for first, last in blocks:
        for point in range(first, last + 1, 64):
            raw = chr(point).encode()
            leads.add(raw[0])
            table[raw[0] << 8 | raw[1]] = True
    return bytes(sorted(leads)), table


def _uax29_runs(text: TextBytes, texts: Sequence[str]) -> ByteRuns:
    import regex

    boundary = regex.compile(r"\b", flags=regex.WORD | regex.VERSION1)
    wordlike = regex.compile(r"[\p{Alphabetic}\p{N}]")
    first: list[int] = []
    last: list[int] = []
    offset = 0
    for string in texts:
        edges = [match.start() for match in boundary.finditer(string)]
        if edges and edges[0] != 0:
            edges.insert(0, 0)
        if edges and edges[-1] != len(string):
            edges.append(len(string))
        for left, right in pairwise(edges):
            if wordlike.search(string, left, right):
                first.append(offset + left)
                last.append(offset + right)
        offset += len(string)
    # From characters to bytes: the byte at which each character of the batch begins.
    leads = np.flatnonzero((text.data & 0xC0) != 0x80)
    char_starts = np.append(leads, len(text.data))
    return ByteRuns(
        char_starts[np.asarray(first, np.int64)], char_starts[np.asarray(last, np.int64)] - 1
    )


def grapheme_counts(texts: Sequence[str]) -> IntArray:
    """Return the number of extended grapheme clusters (UAX 29) of each text: [texts] int64."""
    import regex

    cluster = regex.compile(r"\X")
    return np.fromiter((len(cluster.findall(text)) for text in texts), np.int64, len(texts))


LONG_NUMBER_DIGITS = 4


@dataclass(frozen=True)
class AnnotatedText:
    """Texts with everything in them that token boundaries are later compared with.

    Attributes:
        texts: the documents.
        settings: how words are found.
        is_code: whether indentation and operators are looked for.
        begin_lines: whether each text begins a line, or goes on in one.
    """

    texts: Sequence[str]
    settings: TextSettings
    is_code: bool
    begin_lines: bool = True

    @classmethod
    def of_bytes(
        cls, text: TextBytes, settings: TextSettings, is_code: bool, begin_lines: bool
    ) -> "AnnotatedText":
        """Return it of texts that are not needed as strings: words lie between white space."""
        assert settings.segmenter is WordSegmenter.WHITESPACE
        made = cls((), settings, is_code, begin_lines)
        made.__dict__["text_bytes"] = text
        return made

    @cached_property
    def text_bytes(self) -> TextBytes:
        """The texts as one array of bytes."""
        return TextBytes.of(self.texts)

    @cached_property
    def word_counts(self) -> IntArray:
        """[texts] words of each text."""
        if self.settings.segmenter is WordSegmenter.WHITESPACE:
            return self.text_bytes.runs_begun(~self.text_bytes.whitespace)
        return self.text_bytes.per_text(self.words.first)

    @cached_property
    def words(self) -> ByteRuns:
        """Every word."""
        return word_runs(self.text_bytes, self.texts, self.settings.segmenter)

    @cached_property
    def long_numbers(self) -> ByteRuns:
        """Every run of four or more ASCII digits."""
        return self.text_bytes.digit_runs(LONG_NUMBER_DIGITS)

    @cached_property
    def indentation(self) -> ByteRuns:
        """Spaces and tabs that open a line (code only)."""
        text = self.text_bytes
        runs = text.runs(members(text.raw, b" \t"))
        opens_line = np.ones(len(text.data) + 1, np.bool_)
        opens_line[1:] = members(text.raw, b"\n\r")
        opens_line[text.starts] = self.begin_lines
        return runs.select(opens_line[runs.first])

    @cached_property
    def operators(self) -> ByteRuns:
        """Operators of two or more characters (code only)."""
        text = self.text_bytes
        runs = text.runs(members(text.raw, b"+-*/%=<>!&|^~?:.@"))
        return runs.select(runs.lengths >= 2)

    def counts(self) -> IntArray:
        """Return [texts, len(TEXT_FIELDS)] int64."""
        text = self.text_bytes
        table = np.zeros((len(self.texts), len(TEXT_FIELDS)), np.int64)
        columns = {
            "documents": np.ones(len(self.texts), np.int64),
            "bytes": text.byte_counts,
            "characters": text.characters,
            "words": self.word_counts,
            "unspaced_characters": unspaced_characters(text, self.settings.segmenter),
            "long_numbers": text.per_text(self.long_numbers.first),
        }
        if self.settings.graphemes:
            columns["graphemes"] = grapheme_counts(self.texts)
        for name, column in columns.items():
            table[:, TEXT_INDEX[name]] = column
        return table
