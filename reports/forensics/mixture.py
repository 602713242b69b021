"""Shares of languages that the order of merges gives away."""

from typing import Any

from markupsafe import Markup

from reports import numbers
from reports.figures.dot_plot import Dot, dot_plot
from reports.languages import language_name
from reports.palette import series_style
from reports.section import Section, figure
from reports.table import Column, sortable_table
from reports.words import language_cell, strong


def mixture_section(finding: dict[str, Any], place: int) -> Section:
    """Show one inferred mixture; `place` tells it from others on the page."""
    name = finding["tokenizer"]["name"]
    return Section(f"mixture-{place}", f"What {name} learned from", _body(finding, place))


def _body(finding: dict[str, Any], place: int) -> Markup:
    rows = finding["languages"]
    lead = Markup(
        '<p class="lead">Of the text that {} was trained on, as far as it was in these {}, the '
        "order of its first {} says that {} was {}.</p>"
    ).format(
        strong(finding["tokenizer"]["name"]),
        numbers.plural(len(rows), "language"),
        numbers.plural(finding["merges"], "merge"),
        numbers.share(rows[0]["share"], rows[0]["interval"]),
        strong(language_name(rows[0]["language"])),
    )
    style = series_style(0)
    dots = []
    for row in rows:
        ends = row["interval"]
        percent = 100 * row["share"]
        between = [100 * one for one in ends] if ends else None
        hint = f"{language_name(row['language'])}: {numbers.share(row['share'], ends)}"
        dots.append((language_name(row["language"]), [Dot(style, 0, percent, between, hint)]))
    picture = dot_plot(
        f"mixture-shares-{place}",
        "Inferred shares of the training text",
        "For each language its share of the bytes of the training text, with its interval if any.",
        "per cent of bytes",
        dots,
        origin=0.0,
    )
    table = sortable_table(
        "Inferred shares",
        [
            Column("language", numeric=False),
            Column("share"),
            Column("95 %", hint="from resampling the documents of our text"),
            Column("published programme", hint="slack counted in occurrences, not in per cent"),
            Column("our text, bytes"),
            Column("our text, documents"),
        ],
        [
            [
                language_cell(row["language"]),
                numbers.share(row["share"], row["interval"]),
                numbers.share_interval(row["share"], row["interval"]) or numbers.UNMEASURED,
                numbers.share(row["share_published"]),
                numbers.count(row["bytes"]),
                numbers.count(row["documents"]),
            ]
            for row in rows
        ],
    )
    caption = (
        "Each merge joined the most frequent pair of the trainer's text; these shares explain the "
        "order best (a linear programme, after Hayase et al. 2024). A language that is not among "
        "these is laid to the likest of them. Intervals, where there are any, say what another "
        "sample of our text would have given, not how far the trainer's was of another kind."
    )
    fit = Markup(
        "<p>{} of the merges occur in our text. What the order leaves unexplained is {} of the "
        "frequency of the pairs merged: the more, the less our text is like the trainer's.</p>"
    ).format(numbers.count(finding["merges_met"]), numbers.share(finding["slack_share"]))
    return lead + figure(picture, caption) + table + fit
