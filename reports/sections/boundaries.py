"""The same sentence in many languages, cut where each tokenizer cuts it.

A token may end inside a character (between its UTF-8 bytes) or inside a written cluster (between a
letter and its vowel sign). Neither place can be drawn: half a character is not a character. So text
is cut only where a token's end is also the end of a cluster, and a piece that holds several tokens
says so.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import regex
from markupsafe import Markup, escape

from reports import numbers
from reports.html import render, visible
from reports.languages import direction, language_name, language_tag
from reports.measured import CorpusResults, Measured
from reports.page import Absent, Section, corpus_section
from reports.sections.answer import shown_series

_CLUSTER = regex.compile(r"\X")


class Piece(NamedTuple):
    """A stretch of text between two boundaries that can be drawn.

    Attributes:
        text: as it is to be shown; empty for a token that stands for no bytes.
        tokens: how many it holds, at least 1.
        in_character: how many of them end between the bytes of one character.
        in_cluster: how many of them end between the characters of one cluster.
    """

    text: str
    tokens: int
    in_character: int = 0
    in_cluster: int = 0


def pieces(raw: bytes, sizes: Sequence[int]) -> list[Piece]:
    """Lay tokens of `sizes` bytes over `raw` and return what can be drawn, in order."""
    assert sum(sizes) == len(raw), "tokens cover the bytes"
    clusters, characters = _ends(raw)
    result: list[Piece] = []
    held: list[str] = []
    position = 0
    tokens = in_character = in_cluster = 0
    shown = iter(clusters.items())
    for size in sizes:
        if size == 0 and tokens == 0:
            result.append(Piece("", 1))
            continue
        tokens += 1
        position += size
        if position in clusters:
            for end, text in shown:
                held.append(text)
                if end == position:
                    break
            result.append(Piece("".join(held), tokens, in_character, in_cluster))
            held, tokens, in_character, in_cluster = [], 0, 0, 0
        elif position in characters:
            in_cluster += 1
        else:
            in_character += 1
    return result


def _ends(raw: bytes) -> tuple[dict[int, str], set[int]]:
    """Return the clusters as they are shown, by the byte each ends before; and such bytes of
    characters. A byte that belongs to no character is a cluster, shown as `‹E2›`."""
    clusters: dict[int, str] = {}
    characters: set[int] = set()
    at = 0
    for match in _CLUSTER.finditer(raw.decode("utf-8", "surrogateescape")):
        shown = []
        for character in match[0]:
            if "\udc80" <= character <= "\udcff":
                at += 1
                shown.append(f"‹{ord(character) - 0xDC00:02X}›")
            else:
                at += len(character.encode())
                # A line break or tab is shown, and still does its work.
                shown.append(visible(character) + (character if character in "\n\t" else ""))
            characters.add(at)
        clusters[at] = "".join(shown)
    return clusters, characters


# Shown first: a few languages that differ most in how they are written, and the reference.
_FIRST_LANGUAGES = 3
_PICK = ("arb", "hin", "tha", "zho", "amh", "rus", "vie")


class TokenizedLine(NamedTuple):
    """One text under one tokenizer.

    Attributes:
        tokenizer: its name.
        picked: whether it is among those shown first.
        summary: counts, in words.
        tokens: the text with its tokens marked.
        note: what must be known to read it, or empty.
    """

    tokenizer: str
    picked: bool
    summary: str
    tokens: Markup
    note: str


class ShownText(NamedTuple):
    """One language's text.

    Attributes:
        name: of the language.
        code: of the language.
        tag: BCP 47, or None.
        is_code: whether it is a program.
        direction: in which its lines run, whatever they begin with: `ltr` or `rtl`; `auto` where
            the language does not say.
        picked: whether it is among those shown first.
        lines: by tokenizer.
    """

    name: str
    code: str
    tag: str | None
    is_code: bool
    direction: str
    picked: bool
    lines: Sequence[TokenizedLine]


def boundaries(measured: Measured) -> Section:
    """Show token boundaries in the text itself."""

    def part(corpus: CorpusResults) -> Markup | Absent:
        samples = chosen(corpus.samples, measured.reference)
        if not samples:
            return Absent("No sample of this corpus's text was kept.")
        alignment = samples[0]["alignment"]
        first = {series.name for series in shown_series(measured, corpus)}
        picked = _picked(samples, measured.reference)
        return render(
            "boundaries.html",
            alignment=alignment,
            texts=[_text(sample, measured, picked, first) for sample in samples],
            more=_more(len(samples) > len(picked), len(measured.series) > len(first)),
        )

    return corpus_section(measured, "tokens", "Where tokens end", part)


def chosen(samples: Sequence[dict[str, Any]], first: str = "") -> list[dict[str, Any]]:
    """Return one sample a language: of the line that most languages share, or else its first.

    The language that begins with `first` leads, if there is one.
    """
    shared: dict[int, int] = {}
    for sample in samples:
        if sample["alignment"] is not None:
            shared[sample["alignment"]] = shared.get(sample["alignment"], 0) + 1
    line = max(shared, key=lambda n: (shared[n], -n)) if shared else None
    result: dict[str, dict[str, Any]] = {}
    for sample in samples:
        known = result.get(sample["language"])
        if known is None or (known["alignment"] != line and sample["alignment"] == line):
            result[sample["language"]] = sample
    return sorted(
        result.values(),
        key=lambda sample: (
            sample["alignment"] != line,
            not (first and sample["language"].startswith(first)),
            language_name(sample["language"]),
        ),
    )


def _more(languages: bool, tokenizers: bool) -> str:
    """Return what a button shows more of; empty where everything is shown."""
    kinds = ["languages"] * languages + ["tokenizers"] * tokenizers
    return f"all {numbers.listed(kinds)}" if kinds else ""


def _picked(samples: Sequence[dict[str, Any]], reference: str) -> set[str]:
    """Return the languages shown first: the reference and some that are written differently."""
    languages = [str(sample["language"]) for sample in samples]
    order = [
        next((language for language in languages if language.startswith(code)), None)
        for code in (reference, *_PICK)
    ]
    return set(list(dict.fromkeys(filter(None, [*order, *languages])))[:_FIRST_LANGUAGES])


def _text(
    sample: dict[str, Any], measured: Measured, picked: set[str], first: set[str]
) -> ShownText:
    language = sample["language"]
    is_code = sample["domain"] == "code"
    lines = [
        _line(sample, series.name, series.name in first)
        for series in measured.series
        if series.name in sample["tokens"]
    ]
    return ShownText(
        language_name(language),
        language,
        None if is_code else language_tag(language),
        is_code,
        "ltr" if is_code else direction(language, sample["text"]),
        language in picked,
        lines,
    )


def _line(sample: dict[str, Any], tokenizer: str, picked: bool) -> TokenizedLine:
    tokens = sample["tokens"][tokenizer]
    text: bytes = sample["text"].encode("utf-8", "surrogatepass")
    raw = text if tokens["bytes"] is None else bytes.fromhex(tokens["bytes"])
    drawn = pieces(raw, tokens["sizes"])
    n = len(tokens["sizes"])
    facts = [numbers.plural(n, "token")]
    if n:
        facts.append(f"{len(text) / n:.2f} bytes per token")
    for ends, where in (
        (sum(piece.in_character for piece in drawn), "inside a character"),
        (sum(piece.in_cluster for piece in drawn), "between the characters of a cluster"),
    ):
        if ends:
            facts.append(f"{numbers.count(ends)} of them {'ends' if ends == 1 else 'end'} {where}")
    note = "" if tokens["bytes"] is None else "Lossy: this is what its tokens stand for."
    return TokenizedLine(tokenizer, picked, ", ".join(facts), _marked(drawn), note)


def _marked(drawn: Sequence[Piece]) -> Markup:
    """Return pieces as elements that touch: nothing stands between them that text does not have,
    so that letters of one word still join."""
    parts = []
    for piece in drawn:
        if not piece.text:
            parts.append(Markup('<s title="a token that stands for no text"></s>'))
            continue
        name = Markup("b" if piece.in_character else "u" if piece.in_cluster else "i")
        # How many tokens; one needs no saying.
        extra = Markup(' data-n="{}"').format(piece.tokens) if piece.tokens > 1 else Markup("")
        parts.append(Markup("<{0}{1}>{2}</{0}>").format(name, extra, escape(piece.text)))
    return Markup("").join(parts)
