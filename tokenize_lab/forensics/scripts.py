"""The writing a token belongs to: its Unicode script (Unicode Standard Annex 24)."""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

from tokenize_lab.forensics.utf8 import cut_of
from tokenize_lab.tokenizer import TokenBytes

# Property values of Unicode 15; a character of any other script counts as `Other`.
SCRIPTS = (
    "Latin", "Greek", "Cyrillic", "Armenian", "Hebrew", "Arabic", "Syriac", "Thaana",
    "Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada",
    "Malayalam", "Sinhala", "Thai", "Lao", "Tibetan", "Myanmar", "Georgian", "Hangul", "Ethiopic",
    "Cherokee", "Canadian_Aboriginal", "Ogham", "Runic", "Khmer", "Mongolian", "Hiragana",
    "Katakana", "Bopomofo", "Han", "Yi", "Gothic", "Tagalog", "Balinese", "Javanese", "Sundanese",
    "Nko", "Tifinagh", "Vai", "Ol_Chiki", "Meetei_Mayek", "Cham", "Adlam", "Braille", "Coptic",
    "Glagolitic", "Deseret", "Cuneiform", "Egyptian_Hieroglyphs",
)  # fmt: skip
COMMON = "no script"  # digits, punctuation, symbols, spaces, marks that any script uses
MIXED = "several scripts"
OTHER = "another script"
PARTIAL = "part of a character"
INVALID = "no UTF-8"


@cache
def _pattern() -> Any:
    import regex

    named = "|".join(rf"(?P<{name}>\p{{Script={name}}})" for name in SCRIPTS)
    return regex.compile(rf"[\p{{Script=Common}}\p{{Script=Inherited}}]|{named}")


@cache
def script_of(character: str) -> str:
    """Return a character's script, `no script` for what all scripts share."""
    match = _pattern().match(character)
    if match is None:
        return OTHER
    return match.lastgroup or COMMON


def token_script(raw: bytes) -> str:
    """Return the script of a token's whole characters, or why it has none."""
    cut = cut_of(raw)
    if cut is None:
        return INVALID
    scripts = {script_of(character) for character in cut.middle} - {COMMON}
    if len(scripts) == 1:
        return scripts.pop().replace("_", " ")
    if scripts:
        return MIXED
    return PARTIAL if cut.tail or cut.head else COMMON


def script_counts(table: TokenBytes, ids: Sequence[int]) -> dict[str, int]:
    """Return how many of the ids are of each script, the most frequent first."""
    counts = Counter(token_script(table[i]) for i in ids)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
