"""A page of sections: one HTML file that asks nothing of any network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.charts.svg import OKABE_ITO, heat_colours
from reports.html import csp_hash, render, text_file
from reports.measured import CorpusResults, Measured

# A report is a list of sections.


@dataclass(frozen=True)
class Section:
    """One part of a page.

    Attributes:
        identity: its anchor, unique on the page.
        title: its heading.
        body: HTML, headings from h3 on.
        script: JavaScript that it needs, or empty; run once, after the page's own.
        style: style sheet that it needs, or empty; written once.
        plotting: whether its script is a plotting library, which sets styles on what it draws.
    """

    identity: str
    title: str
    body: Markup
    script: str = ""
    style: str = ""
    plotting: bool = False


def for_each_corpus(measured: Measured, part: Callable[[CorpusResults], Markup]) -> Markup:
    """Return what `part` says of each corpus, under its name where there are several."""
    return Markup("\n").join(
        render("corpus.html", corpus=corpus, several=measured.several, body=part(corpus))
        for corpus in measured.corpora
    )


def paragraphs(sentences: Sequence[Markup | str]) -> Markup:
    """Return each sentence as a paragraph."""
    return Markup("").join(Markup("<p>{}</p>").format(sentence) for sentence in sentences)


def absent(reason: str) -> Markup:
    """Return a note that says why something is not there."""
    return Markup('<p class="absent">{}</p>').format(reason)


def behind(summary: str, table: Markup) -> Markup:
    """Return the table behind a figure, folded."""
    return Markup("<details><summary>{}</summary>{}</details>").format(summary, table)


def figure(picture: Markup, caption: str | Markup, key: Markup | str = "") -> Markup:
    """Return a picture with its key above and its caption below."""
    return render("figure.html", picture=picture, caption=caption, key=key or Markup(""))


def subheading(measured: Measured, text: str) -> Markup:
    """Return a heading inside a corpus's part of a section."""
    return Markup("<{0}>{1}</{0}>").format("h4" if measured.several else "h3", text)


def render_page(title: str, sections: Sequence[Section], corpora: Sequence[str] = ()) -> str:
    """Return the page.

    Its policy forbids every connection, and runs exactly the scripts and styles written here: a
    script that came in with a name or a text would not run even if it were not escaped.

    Arguments:
        corpora: names to choose among; fewer than two give no choice.
    """
    identities = [section.identity for section in sections]
    assert len(set(identities)) == len(identities), identities
    style = text_file("page.css") + text_file("figures.css") + _colours()
    style += "".join(dict.fromkeys(section.style for section in sections))
    scripts = [text_file("page.js"), *(section.script for section in sections if section.script)]
    policy = "; ".join(
        [
            "default-src 'none'",
            *_style_sources(style, any(section.plotting for section in sections)),
            f"script-src {' '.join(csp_hash(script) for script in dict.fromkeys(scripts))}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    return render(
        "page.html",
        title=title,
        sections=sections,
        corpora=corpora,
        policy=policy,
        style=Markup(style),
        scripts=[Markup(script) for script in dict.fromkeys(scripts)],
    )


def _style_sources(style: str, plotting: bool) -> list[str]:
    """Return what may style the page: the sheet written here and, for a plotting library, styles
    set on single elements and sheets that are empty until it fills them. Neither can load."""
    if not plotting:
        return [f"style-src {csp_hash(style)}"]
    return [f"style-src {csp_hash(style)} {csp_hash('')}", "style-src-attr 'unsafe-inline'"]


def _colours() -> str:
    """Return the rules of series and of heat map steps."""
    series = [f".s{i}{{--series:{colour}}}" for i, colour in enumerate(OKABE_ITO)]
    heat = [
        f".h{i}{{background:{background};color:{text}}}"
        for i, (background, text) in enumerate(heat_colours())
    ]
    return "\n".join(series + heat) + "\n"
