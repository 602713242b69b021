"""The names of the word segmenters: nothing heavy, the command's help reads them."""

from enum import StrEnum


class WordSegmenter(StrEnum):
    """How words are told apart; `tokenize_lab.words` says how each does it."""

    WHITESPACE = "whitespace"
    UAX29 = "uax29"
