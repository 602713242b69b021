"""A page of sections: one HTML file that asks nothing of any network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from reports.charts.svg import Series, colour_rules, heat_colours
from reports.html import csp_hash, render, text_file
from reports.languages import language_name
from reports.measured import CorpusResults, Measured

_NOTHING = Markup("")
_STYLES = ("page.css", "figures.css", "chart.css", "laws.css", "sweep.css")


class Absent(NamedTuple):
    """What stands in the place of something that is not there: why."""

    reason: str


# What stands under each of several headings.
Blocks = Sequence[tuple[str, Markup | Absent]]


@dataclass(frozen=True)
class Section:
    """One part of a page.

    Attributes:
        identity: its anchor, unique on the page.
        title: its heading.
        body: HTML, headings from h3 on; empty where it has nothing to show.
        script: JavaScript that it needs, or empty; run once, when the section comes into view.
        plotting: whether its script is a plotting library, which sets styles on what it draws.
        gist: what it shows, in a line: the section is folded behind it; empty if it stands open.
        absences: what is not there, or empty for the section itself, and why.
    """

    identity: str
    title: str
    body: Markup
    script: str = ""
    plotting: bool = False
    gist: Markup | str = ""
    absences: Sequence[tuple[str, str]] = ()


def missing(identity: str, title: str, reason: str) -> Section:
    """Return a section that has nothing to show: a line at the end of the page says why."""
    return Section(identity, title, Markup(""), absences=[("", reason)])


def blocks(parts: Blocks, level: int = 3) -> tuple[Markup, list[tuple[str, str]]]:
    """Return what is there of several parts, each under its heading, and why the rest is not."""
    body, absences = Markup(""), []
    for title, part in parts:
        if isinstance(part, Absent):
            absences.append((title, part.reason))
        elif part:
            body += (heading(title, level) if title else Markup("")) + part
    return body, absences


def corpus_section(
    measured: Measured,
    identity: str,
    title: str,
    part: Callable[[CorpusResults], Markup | Absent | Blocks],
    *,
    introduction: Markup = _NOTHING,
    gist: Markup | str = "",
) -> Section:
    """Return a section of what `part` says of each corpus; of several, all but the first that has
    something are folded behind their names."""
    body, absences = Markup(""), []
    for corpus in measured.corpora:
        found = part(corpus)
        parts = [("", found)] if isinstance(found, Markup | Absent) else found
        shown, reasons = blocks(parts, 4 if measured.several else 3)
        of = f", {corpus.name}" if measured.several else ""
        absences += [(f"{words}{of}".removeprefix(", "), reason) for words, reason in reasons]
        if shown:
            body += render(
                "corpus.html", corpus=corpus, several=measured.several, body=shown, first=not body
            )
    if body:
        body = introduction + body
    return Section(identity, title, body, gist=gist, absences=absences)


def paragraphs(*sentences: Markup | str) -> Markup:
    """Return each text that is not empty as a paragraph."""
    return Markup("").join(Markup("<p>{}</p>").format(text) for text in sentences if text)


def lead(words: Markup | str) -> Markup:
    """Return the paragraph that a section opens with, in larger letters."""
    return Markup('<p class="lead">{}</p>').format(words)


def note(words: Markup | str) -> Markup:
    """Return how a figure is to be read, in smaller letters."""
    return Markup('<p class="note">{}</p>').format(words)


def bullets(sentences: Sequence[Markup | str]) -> Markup:
    """Return findings as a list; nothing where there are none."""
    items = Markup("").join(Markup("<li>{}</li>").format(sentence) for sentence in sentences)
    return Markup('<ul class="findings">{}</ul>').format(items) if items else items


def heading(text: str, level: int = 3) -> Markup:
    """Return a heading inside a section."""
    return Markup("<h{0}>{1}</h{0}>").format(level, text)


def behind(summary: str | Markup, more: Markup) -> Markup:
    """Return what is folded behind a few words: the table of a figure, further findings.

    It is written open, and folded by the page's script: without script everything is shown.
    """
    return Markup("<details open><summary>{}</summary>{}</details>").format(summary, more)


def figure(picture: Markup, caption: str | Markup, key: Markup | str = "") -> Markup:
    """Return a picture with its key above and its caption below."""
    return render("figure.html", picture=picture, caption=caption, key=key or Markup(""))


def render_page(
    title: str,
    sections: Sequence[Section],
    corpora: Sequence[str] = (),
    tokenizers: Sequence[Series] = (),
    languages: Sequence[str] = (),
) -> str:
    """Return the page.

    Its policy forbids every connection, and runs exactly the scripts and styles written here: a
    script that came in with a name or a text would not run even if it were not escaped.

    Arguments:
        corpora, tokenizers, languages: to choose among; fewer than two give no choice.
    """
    identities = [section.identity for section in sections]
    assert len(set(identities)) == len(identities), identities
    style = "".join(map(text_file, _STYLES)) + colour_rules() + _heat_rules()
    shown = [section for section in sections if section.body]
    later = [section for section in shown if section.script]
    script = text_file("page.js")
    allowed = dict.fromkeys([script, *(section.script for section in later)])
    policy = "; ".join(
        [
            "default-src 'none'",
            *_style_sources(style, any(section.plotting for section in later)),
            f"script-src {' '.join(map(csp_hash, allowed))}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    return render(
        "page.html",
        title=title,
        sections=shown,
        absences=[
            (section.identity if not section.body else "", section.title, what, reason)
            for section in sections
            for what, reason in section.absences
        ],
        corpora=corpora,
        tokenizers=tokenizers,
        languages=[(code, language_name(code)) for code in languages],
        policy=policy,
        style=Markup(style),
        script=Markup(script),
        later=[(section.identity, Markup(section.script)) for section in later],
    )


def _style_sources(style: str, plotting: bool) -> list[str]:
    """Return what may style the page: the sheet written here and, for a plotting library, styles
    set on single elements and sheets that are empty until it fills them. Neither can load."""
    if not plotting:
        return [f"style-src {csp_hash(style)}"]
    return [f"style-src {csp_hash(style)} {csp_hash('')}", "style-src-attr 'unsafe-inline'"]


def _heat_rules() -> str:
    """Return the rules of cells of a heat map."""
    return "".join(
        f".h{i}{{background:{background};color:{text}}}\n"
        for i, (background, text) in enumerate(heat_colours())
    )
