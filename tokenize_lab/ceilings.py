r"""Where a splitter keeps a language below the compression that it could have.

Merges never cross a piece, so bytes per piece are the most bytes per token of any vocabulary behind
a splitter. The letters-only class of GPT-4's pattern, `\p{L}+`, ends a piece at every vowel sign of
an abugida, a mark (`\p{M}`): bytes per piece of NTREX are 6.8 in Khmer, 5.6 in Bengali and 5.2 in
Hindi, where o200k_base's pattern, which takes marks along, has 42.3, 15.4 and 11.6. (arXiv
2608.26449 counts how many published vocabularies do so.)
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from corpora.document import utf8_length
from tokenize_lab.patterns import PATTERNS
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.training.settings import DEFAULT_PATTERN

SAMPLE_BYTES = 1 << 14  # of each language, from its first texts
MUCH = 1.25  # times as many bytes per piece; all languages without vowel signs lie below 1.2
# Splitters that may be had instead, the one that changes least first.
INSTEAD = (DEFAULT_PATTERN, "superwords")
_MOST_LANGUAGES = 1000


class LanguageHeads:
    """The first texts of every language, kept while a corpus is read for something else."""

    def __init__(self) -> None:
        """Begin with none."""
        self.texts: dict[str, list[str]] = {}
        self._held: dict[str, int] = {}
        self._rates: dict[tuple[str, str], float] = {}

    def note(self, language: str, texts: Iterable[str]) -> None:
        """Keep what is still wanted of a language's texts."""
        held = self._held.get(language, 0)
        if held >= SAMPLE_BYTES or (
            language not in self.texts and len(self.texts) > _MOST_LANGUAGES
        ):
            return
        kept = self.texts.setdefault(language, [])
        for text in texts:
            kept.append(text[: SAMPLE_BYTES - held])
            held += utf8_length(kept[-1])
            if held >= SAMPLE_BYTES:
                break
        self._held[language] = held

    def has_marks(self, language: str) -> bool:
        """Return whether there are vowel signs or other marks in a language's texts."""
        import regex

        mark = regex.compile(r"\p{M}")
        return any(mark.search(text) for text in self.texts[language])

    def bytes_per_pretoken(self, language: str, pattern: str) -> float:
        """Return bytes per piece of a language's texts under a named pattern."""
        key = language, pattern
        if key not in self._rates:
            self._rates[key] = bytes_per_piece(self.texts[language], pattern)
        return self._rates[key]


class Ceiling(NamedTuple):
    """What one splitter allows in a language, and another would.

    Attributes:
        language: its code.
        bytes_per_pretoken: under the splitter in question.
        pattern: name of a splitter that allows more.
        bytes_per_pretoken_with_it: under that one.
    """

    language: str
    bytes_per_pretoken: float
    pattern: str
    bytes_per_pretoken_with_it: float

    def __str__(self) -> str:
        own, other = self.bytes_per_pretoken, self.bytes_per_pretoken_with_it
        more = f" ({self.pattern}: {other:.3g})" if other > own else ""
        return f"{own:.3g} in {self.language or 'this text'}{more}"


def bytes_per_piece(texts: Iterable[str], pattern: str) -> float:
    """Return bytes per piece of texts under a named pattern; infinite for one that never splits."""
    if not PATTERNS[pattern]:
        return float("inf")
    import regex

    finds = regex.compile(PATTERNS[pattern]).finditer
    texts = list(texts)
    pieces = sum(1 for text in texts for _ in finds(text))
    return sum(map(utf8_length, texts)) / pieces if pieces else float("inf")


class PieceBytes(NamedTuple):
    """Bytes per piece of one text: the most that merges inside pieces reach.

    Attributes:
        own: under the splitter in question. others: by name, under those of `INSTEAD`.
    """

    own: float
    others: tuple[tuple[str, float], ...]

    def ceiling(self, language: str, wanted: float | None = None) -> Ceiling | None:
        """Return the ceiling where it lies below what is wanted; arguments as of `ceilings`."""
        others = dict(self.others)
        enough = MUCH * self.own if wanted is None else wanted
        if others[DEFAULT_PATTERN] < enough if wanted is None else self.own >= wanted:
            return None
        reach = [name for name, rate in others.items() if rate >= enough]
        best = reach[0] if reach else max(others, key=others.__getitem__)
        return Ceiling(language, self.own, best, others[best])


def piece_bytes(tokenizer: Tokenizer, heads: LanguageHeads, language: str) -> PieceBytes | None:
    """Return bytes per piece of a language's texts; None where nothing splits them."""
    texts = heads.texts[language]
    counts = [tokenizer.pretoken_count(text) for text in texts]
    pieces = sum(count or 0 for count in counts)
    if None in counts or not pieces:
        return None
    others = tuple((name, heads.bytes_per_pretoken(language, name)) for name in INSTEAD)
    return PieceBytes(sum(map(utf8_length, texts)) / pieces, others)


def pieces_of(
    language: str, texts: Sequence[str], tokenizers: Sequence[Tokenizer]
) -> tuple[tuple[str, PieceBytes], ...]:
    """Return the bytes per piece of each tokenizer that splits text, by its name."""
    heads = LanguageHeads()
    heads.note(language, texts)
    if not heads.texts.get(language):
        return ()
    found = ((each.name, piece_bytes(each, heads, language)) for each in tokenizers)
    return tuple((name, pieces) for name, pieces in found if pieces is not None)


def ceilings(
    tokenizer: Tokenizer, heads: LanguageHeads, wanted: float | None = None
) -> list[Ceiling]:
    """Return the languages that a tokenizer's splitter caps, the worst first.

    Args:
        heads: texts of the languages.
        wanted: bytes per token to be reached. None for a comparison with the default pattern:
            languages then count in which that allows `MUCH` times as much.
    """
    found = []
    for language in heads.texts:
        if wanted is None and not heads.has_marks(language):
            continue
        pieces = piece_bytes(tokenizer, heads, language)
        ceiling = None if pieces is None else pieces.ceiling(language, wanted)
        found += [] if ceiling is None else [ceiling]
    return sorted(found, key=lambda c: (c.bytes_per_pretoken / c.bytes_per_pretoken_with_it, c))


def ceiling_lines(
    tokenizers: Iterable[Tokenizer], heads: LanguageHeads, wanted: float | None = None
) -> list[str]:
    """Return a line for each tokenizer whose splitter caps languages; arguments as `ceilings`."""
    found = ((tokenizer.name, ceilings(tokenizer, heads, wanted)) for tokenizer in tokenizers)
    return [capped_line(name, capped, wanted) for name, capped in found if capped]


def capped_line(name: str, capped: Sequence[Ceiling], wanted: float | None = None) -> str:
    """Return what is to be said of a tokenizer whose splitter caps languages."""
    below = "" if wanted is None else f" below the {wanted:.3g} wanted,"
    at = ", ".join(map(str, capped))
    return f"{name}: its splitter caps bytes per token, whatever the vocabulary,{below} at {at}"
