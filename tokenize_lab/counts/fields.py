"""The additive counts: what is counted in every document, declared once.

Counts are stored and rates derived, so any regrouping of rows stays exact. Order here is the order
of columns in every array and table. Nothing heavy is loaded: the command's help reads this.
"""

from dataclasses import dataclass
from enum import StrEnum

TEXT_FIELDS = {
    "documents": "texts encoded on their own (lines, records)",
    "bytes": "UTF-8 bytes of the raw text, line ends between documents left out",
    "characters": "Unicode code points",
    "graphemes": "extended grapheme clusters (UAX 29); 0 unless asked for",
    "words": "words, by the row's word segmenter",
    "unspaced_characters": "characters of scripts in which that segmenter finds no words",
    "long_numbers": "runs of four or more ASCII digits",
}

TOKEN_FIELDS = {
    "tokens": "tokens, special tokens left out",
    "token_bytes": "raw bytes that the tokens stand for",
    "lost_bytes": "bytes of the text that the tokens do not carry, whatever else they put in",
    "exact_documents": "documents whose tokens give back exactly their bytes",
    "comparable_bytes": "bytes of exact documents, where token boundaries are known in the text",
    "unknown_tokens": "tokens that stand for lost text (UNK)",
    "byte_fallback_tokens": "tokens that are one raw byte of a character outside the vocabulary",
    "split_character_tokens": "tokens that start or end inside a character",
    "comparable_words": "words of exact documents",
    "single_token_words": "comparable words that are one token, white space around them aside",
    "digit_boundaries": "token boundaries inside long numbers",
    "digit_boundaries_expected": "boundaries that grouping by three from the right would put there",
    "digit_boundaries_hit": "boundaries in both",
    "pretokens": "pieces merges cannot cross, in documents sampled evenly from each batch",
    "pretoken_bytes": "bytes of that sampled text",
    "indentation_bytes": "code only: bytes of white space that opens a line",
    "indentation_tokens": "code only: tokens that touch such white space",
    "operator_bytes": "code only: bytes of operators of two or more characters",
    "operator_tokens": "code only: tokens that touch such operators",
}

CODE_DOMAIN = "code"  # of the documents whose code measures are counted

FIELDS = {**TEXT_FIELDS, **TOKEN_FIELDS}
TEXT_INDEX = {name: i for i, name in enumerate(TEXT_FIELDS)}
TOKEN_INDEX = {name: i for i, name in enumerate(TOKEN_FIELDS)}
FIELD_INDEX = {name: i for i, name in enumerate(FIELDS)}


class WordSegmenter(StrEnum):
    """How words are told apart; `tokenize_lab.counts.text` says how each does it."""

    WHITESPACE = "whitespace"
    UAX29 = "uax29"


@dataclass(frozen=True)
class TextSettings:
    """What is looked for in a text; part of the key under which counts are cached."""

    segmenter: WordSegmenter = WordSegmenter.WHITESPACE
    graphemes: bool = False
