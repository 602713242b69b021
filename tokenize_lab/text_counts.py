"""What is counted in a text, whatever the tokenizer: bytes, characters, words, numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.fields import TEXT_FIELDS, TEXT_INDEX
from tokenize_lab.segmenters import WordSegmenter
from tokenize_lab.text_bytes import Runs, TextBytes, members
from tokenize_lab.words import grapheme_counts, unspaced_characters, word_runs

CODE_DOMAIN = "code"
LONG_NUMBER_DIGITS = 4


@dataclass(frozen=True)
class TextSettings:
    """What is looked for in a text; part of the key under which counts are cached."""

    segmenter: WordSegmenter = WordSegmenter.WHITESPACE
    graphemes: bool = False


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

    @cached_property
    def text_bytes(self) -> TextBytes:
        """The texts as one array of bytes."""
        return TextBytes.of(self.texts)

    @cached_property
    def words(self) -> Runs:
        """Every word."""
        return word_runs(self.text_bytes, self.texts, self.settings.segmenter)

    @cached_property
    def long_numbers(self) -> Runs:
        """Every run of four or more ASCII digits."""
        return self.text_bytes.digit_runs(LONG_NUMBER_DIGITS)

    @cached_property
    def indentation(self) -> Runs:
        """Spaces and tabs that open a line (code only)."""
        text = self.text_bytes
        runs = text.runs(members(text.raw, b" \t"))
        opens_line = np.ones(len(text.data) + 1, np.bool_)
        opens_line[1:] = members(text.raw, b"\n\r")
        opens_line[text.starts] = self.begin_lines
        return runs.select(opens_line[runs.first])

    @cached_property
    def operators(self) -> Runs:
        """Operators of two or more characters (code only)."""
        text = self.text_bytes
        runs = text.runs(members(text.raw, b"+-*/%=<>!&|^~?:.@"))
        return runs.select(runs.lengths >= 2)

    def counts(self) -> NDArray[np.int64]:
        """Return [texts, len(TEXT_FIELDS)] int64."""
        text = self.text_bytes
        table = np.zeros((len(self.texts), len(TEXT_FIELDS)), np.int64)
        columns = {
            "documents": np.ones(len(self.texts), np.int64),
            "bytes": text.byte_counts,
            "characters": text.characters,
            "words": text.per_text(self.words.first),
            "unspaced_characters": unspaced_characters(text, self.settings.segmenter),
            "long_numbers": text.per_text(self.long_numbers.first),
        }
        if self.settings.graphemes:
            columns["graphemes"] = grapheme_counts(self.texts)
        for name, column in columns.items():
            table[:, TEXT_INDEX[name]] = column
        return table
