"""A page of sections: one HTML file that asks nothing of any network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.charts.svg import colour_rules, heat_colours
from reports.html import csp_hash, render, text_file
from reports.measured import CorpusResults, Measured

_STYLES = ("page.css", "figures.css", "chart.css", "laws.css", "sweep.css")


@dataclass(frozen=True)
class Section:
    """One part of a page.

    Attributes:
        identity: its anchor, unique on the page.
        title: its heading.
        body: HTML, headings from h3 on.
        script: JavaScript that it needs, or empty; run once, after the page's own.
        plotting: whether its script is a plotting library, which sets styles on what it draws.
    """

    identity: str
    title: str
    body: Markup
    script: str = ""
    plotting: bool = False


def for_each_corpus(measured: Measured, part: Callable[[CorpusResults], Markup]) -> Markup:
    """Return what `part` says of each corpus, under its name where there are several."""
    return Markup("\n").join(
        render("corpus.html", corpus=corpus, several=measured.several, body=part(corpus))
        for corpus in measured.corpora
    )


def paragraphs(*sentences: Markup | str) -> Markup:
    """Return each text that is not empty as a paragraph."""
    return Markup("").join(Markup("<p>{}</p>").format(text) for text in sentences if text)


def lead(words: Markup | str) -> Markup:
    """Return the paragraph that a section opens with, in larger letters."""
    return Markup('<p class="lead">{}</p>').format(words)


def note(words: Markup | str) -> Markup:
    """Return how a figure is to be read, in smaller letters."""
    return Markup('<p class="note">{}</p>').format(words)


def absent(reason: str) -> Markup:
    """Return a note that says why something is not there."""
    return Markup('<p class="absent">{}</p>').format(reason)


def bullets(sentences: Sequence[Markup | str]) -> Markup:
    """Return findings as a list; nothing where there are none."""
    items = Markup("").join(Markup("<li>{}</li>").format(sentence) for sentence in sentences)
    return Markup('<ul class="findings">{}</ul>').format(items) if items else items


def heading(text: str, level: int = 3) -> Markup:
    """Return a heading inside a section."""
    return Markup("<h{0}>{1}</h{0}>").format(level, text)


def subheading(measured: Measured, text: str) -> Markup:
    """Return a heading inside a corpus's part of a section."""
    return heading(text, 4 if measured.several else 3)


def behind(summary: str, table: Markup) -> Markup:
    """Return the table behind a figure, folded."""
    return Markup("<details><summary>{}</summary>{}</details>").format(summary, table)


def figure(picture: Markup, caption: str | Markup, key: Markup | str = "") -> Markup:
    """Return a picture with its key above and its caption below."""
    return render("figure.html", picture=picture, caption=caption, key=key or Markup(""))


def render_page(title: str, sections: Sequence[Section], corpora: Sequence[str] = ()) -> str:
    """Return the page.

    Its policy forbids every connection, and runs exactly the scripts and styles written here: a
    script that came in with a name or a text would not run even if it were not escaped.

    Arguments:
        corpora: names to choose among; fewer than two give no choice.
    """
    identities = [section.identity for section in sections]
    assert len(set(identities)) == len(identities), identities
    style = "".join(map(text_file, _STYLES)) + colour_rules() + _heat_rules()
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


def _heat_rules() -> str:
    """Return the rules of cells of a heat map."""
    return "".join(
        f".h{i}{{background:{background};color:{text}}}\n"
        for i, (background, text) in enumerate(heat_colours())
    )
