"""A report is a list of sections."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.html import render
from reports.measured import CorpusResults, Measured


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
