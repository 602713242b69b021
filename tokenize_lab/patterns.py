"""The regular expressions that production tokenizers split text with before they merge.

Merges never cross a piece, so the pattern bounds what any vocabulary can reach. All of them keep
every character: what no branch wants becomes a piece of white space. Each is written here as
tiktoken, Hugging Face's library (Oniguruma) and Python's `regex` all read it.

Sources:
    gpt2: Radford et al. 2019, the released `encoder.py`; also r50k_base and p50k_base.
    gpt4: tiktoken's cl100k_base. Numbers in groups of up to three, contractions in any case,
        a line end ends a piece; white space at the end of a text is one piece.
    llama3: Llama 3's tokenizer.json; as gpt4, but line ends at the end of a text count too.
    qwen2: Qwen's, of all its versions; as llama3, one digit to a piece.
    gpt4o: tiktoken's o200k_base. Words also end between a small letter and a capital.
    qwen3.6: as Qwen's, marks being letters. clip: CLIP's, which drops spaces.
    tekken: mistral-common's tekken.json. As gpt4o, one digit to a piece, contractions apart.
    superwords: ours, for the second stage of SuperBPE (Liu et al. 2025, arXiv 2503.13423), which
        splits no longer at white space. Words with up to three other characters between them
        (`, "` is three) are one piece, up to 256 of them, with a mark or two that end it; numbers
        in groups of up to three, longer runs of marks and line ends split. (Without a bound,
        tiktoken's matcher overflows its stack on a million words.)
    whitespace: a run of spaces before a word joins it; nothing else is split.
    none: the text is one piece (SentencePiece's way).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from corpora.errors import InputError, did_you_mean
from tokenize_lab.cut_rules import CutRule

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
CAPITALS = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
SMALL = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
NEITHER = r"[^\r\n\p{L}\p{N}]?"
LAST_SPACES = r"\s++(?![\s\S])"  # `$`, but Oniguruma takes that for the end of any line
SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_GPT4 = rf"{CONTRACTIONS}|{NEITHER}\p{{L}}+|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*"
GPT4 = rf"{_GPT4}|{LAST_SPACES}|{SPACES}"
LLAMA3 = rf"{_GPT4}|{SPACES}"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
GPT4O = (
    rf"{NEITHER}{CAPITALS}*{SMALL}+{CONTRACTIONS}?|{NEITHER}{CAPITALS}+{SMALL}*{CONTRACTIONS}?"
    rf"|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{SPACES}"
)
TEKKEN = (
    rf"{NEITHER}{CAPITALS}*{SMALL}+|{NEITHER}{CAPITALS}+{SMALL}*"
    rf"|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{SPACES}"
)
_WORD, _BETWEEN, _MARK = r"[\p{L}\p{M}]", r"[^\r\n\p{L}\p{M}\p{N}]", r"[^\s\p{L}\p{M}\p{N}]"
SUPERWORDS = (
    rf"(?>(?:{_BETWEEN}{{0,3}}{_WORD}++){{1,256}})(?:{_MARK}{{1,2}}(?!{_MARK})[\r\n]*)?"
    rf"|\p{{N}}{{1,3}}| ?{_MARK}+[\r\n]*|{SPACES}"
)
WHITESPACE = r"\s*\S+|\s+"

QWEN36 = QWEN2.replace(r"\p{L}+", r"[\p{L}\p{M}]+").replace(r"\s\p{L}\p{N}", r"\s\p{L}\p{M}\p{N}")
ONE_PIECE = r"(?s:.+)"
CLIP = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"

PATTERNS: dict[str, str] = {
    "gpt2": GPT2,
    "gpt4": GPT4,
    "gpt4o": GPT4O,
    "llama3": LLAMA3,
    "qwen2": QWEN2,
    "tekken": TEKKEN,
    "superwords": SUPERWORDS,
    "whitespace": WHITESPACE,
    "none": "",
}


def pattern_named(name: str) -> str:
    """Return a pattern by name; empty for `none`.

    Raises:
        InputError: there is no pattern of that name.
    """
    if name not in PATTERNS:
        raise InputError(
            f"`pattern` {name}: no such pattern{did_you_mean(name, PATTERNS)} "
            f"(known: {', '.join(PATTERNS)})"
        )
    return PATTERNS[name]


# As tiktoken now writes GPT-4's and GPT-2's.
_CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
_R50K = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
RULES = {
    **dict.fromkeys((GPT4, _CL100K), CutRule.GPT),
    **dict.fromkeys((GPT2, GPT4O, LLAMA3, TEKKEN, _R50K, QWEN2), CutRule.GPT_RUNS),
    WHITESPACE: CutRule.WHITESPACE,
}

# All that go over a text once, whatever it is; of others nothing is known.
PUBLISHED = frozenset((*PATTERNS.values(), *RULES, QWEN36, CLIP, ONE_PIECE, r"\s+"))


def rule_of(pattern: str) -> CutRule | None:
    """Return the rule that is proven for a pattern, or None where none is."""
    return RULES.get(pattern)


def portable(pattern: str) -> str:
    """Return a pattern as all libraries read it: tiktoken's own spellings of GPT-4's and GPT-2's
    have `$`, which Oniguruma takes for the end of any line."""
    return {_CL100K: GPT4, _R50K: GPT2}.get(pattern, pattern)


class Splitting(NamedTuple):
    """What stands between a text and its pieces.

    Attributes:
        patterns: regular expressions that split it, one after the other; all text is kept.
        literals: added tokens that are looked for before the text is split.
        obstacle: why the pieces do not follow from the patterns, or empty.
    """

    patterns: tuple[str, ...] = ()
    literals: tuple[str, ...] = ()
    obstacle: str = ""


def split_text(patterns: Sequence[str], text: str) -> list[str]:
    """Return a text's pieces: of each pattern in turn its matches, and what lies between them."""
    pieces = [text]
    for pattern in patterns:
        pieces = [part for piece in pieces for part in _matches_and_rest(pattern, piece)]
    return pieces


def _matches_and_rest(pattern: str, text: str) -> Iterator[str]:
    import regex

    before = 0
    for match in regex.finditer(pattern, text):
        if match.start() > before:
            yield text[before : match.start()]
        if match.end() > match.start():
            yield match[0]
        before = match.end()
    if before < len(text):
        yield text[before:]
