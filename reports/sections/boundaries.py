"""The same sentence in many languages, cut where each tokenizer cuts it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from markupsafe import Markup, escape

from reports import numbers
from reports.html import render
from reports.languages import language_name, language_tag
from reports.measured import CorpusResults, Measured
from reports.section import Section, absent, for_each_corpus
from reports.token_pieces import Piece, pieces

# Shown first: languages that differ most in how they are written.
_PICK_OTHERWISE = 3
_PICK = ("eng", "arb", "hin", "zho", "tha", "rus", "vie", "amh")


class Line(NamedTuple):
    """One text under one tokenizer.

    Attributes:
        tokenizer: its name.
        place: of it among the tokenizers.
        summary: counts, in words.
        tokens: the text with its tokens marked.
        note: what must be known to read it, or empty.
    """

    tokenizer: str
    place: int
    summary: str
    tokens: Markup
    note: str


class Text(NamedTuple):
    """One language's text.

    Attributes:
        name: of the language.
        code: of the language.
        tag: BCP 47, or None.
        is_code: whether it is a program.
        picked: whether it is among those shown first.
        lines: by tokenizer.
    """

    name: str
    code: str
    tag: str | None
    is_code: bool
    picked: bool
    lines: Sequence[Line]


def boundaries(measured: Measured) -> Section:
    """Show token boundaries in the text itself."""

    def part(corpus: CorpusResults) -> Markup:
        samples = chosen(corpus.samples, measured.reference)
        if not samples:
            return absent("No sample of this corpus's text was kept.")
        alignment = samples[0]["alignment"]
        return render(
            "boundaries.html",
            corpus=corpus,
            alignment=alignment,
            texts=[_text(sample, measured, _picked(samples)) for sample in samples],
            tokenizers=[series.name for series in measured.series],
        )

    return Section("tokens", "Where tokens end", for_each_corpus(measured, part))


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


def _picked(samples: Sequence[dict[str, Any]]) -> set[str]:
    """Return the languages shown first: some that are written differently, or the first few."""
    languages = [str(sample["language"]) for sample in samples]
    picked = []
    for code in _PICK:
        picked += [one for one in languages if one[:3] == code][:1]
    return set(picked if len(picked) > 1 else languages[:_PICK_OTHERWISE])


def _text(sample: dict[str, Any], measured: Measured, picked: set[str]) -> Text:
    language = sample["language"]
    is_code = sample["domain"] == "code"
    lines = [
        _line(sample, series.name, index)
        for index, series in enumerate(measured.series)
        if series.name in sample["tokens"]
    ]
    tag = None if is_code else language_tag(language)
    return Text(language_name(language), language, tag, is_code, language in picked, lines)


def _line(sample: dict[str, Any], tokenizer: str, place: int) -> Line:
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
    return Line(tokenizer, place, ", ".join(facts), _marked(drawn), note)


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
