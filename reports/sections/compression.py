"""Bytes per token by language and tokenizer: as a heat map, and as dots with intervals."""

from markupsafe import Markup

from reports.charts.chart import legend
from reports.charts.heat_map import Heat, heat_map
from reports.figures.dot_plot import Dot, dot_plot
from reports.html import language_cell
from reports.languages import language_name
from reports.measured import CorpusResults, Measured
from reports.measures import MEASURES
from reports.page import Section, absent, figure, for_each_corpus, subheading

_RATE = MEASURES["bytes_per_token"]


def compression(measured: Measured) -> Section:
    """Show bytes per token by language and tokenizer."""
    return Section(
        "compression",
        "Bytes per token by language",
        for_each_corpus(measured, lambda corpus: _figures(measured, corpus)),
    )


def _figures(measured: Measured, corpus: CorpusResults) -> Markup:
    rows = [
        (
            language_name(language),
            [
                Dot(
                    series.style,
                    lane,
                    row[_RATE.name],
                    row["intervals"][_RATE.name],
                    f"{language_name(language)}, {series.name}: "
                    f"{_RATE.full(row[_RATE.name], row['intervals'][_RATE.name])}",
                )
                for lane, series in enumerate(measured.series)
                if (row := corpus.cells.get((language, series.name)))
                and row[_RATE.name] is not None
            ],
        )
        for language in corpus.languages
    ]
    if not any(dots for _, dots in rows):
        return absent("There is no text to measure.")
    plot = dot_plot(
        f"dots-{corpus.index}",
        "Bytes per token by language and tokenizer",
        "One row for each language, one marker for each tokenizer. The table "
        "above holds the same values.",
        "bytes per token",
        rows,
    )
    return (
        subheading(measured, "Heat map")
        + _heat(measured, corpus)
        + subheading(measured, "Beside one another")
        + figure(
            plot,
            "Each marker is one tokenizer in one language; the line through it is its interval, "
            "often narrower than the marker. Rows stand as in the heat map.",
            legend(list(measured.series)),
        )
    )


def _heat(measured: Measured, corpus: CorpusResults) -> Markup:
    return heat_map(
        "Bytes per token, from the best compressed language to the worst",
        "language",
        [series.name for series in measured.series],
        [
            (
                language_cell(language),
                [_cell(corpus, language, series.name) for series in measured.series],
            )
            for language in corpus.languages
        ],
        ("fewer bytes per token", "more"),
        log=True,
    )


def _cell(corpus: CorpusResults, language: str, tokenizer: str) -> Heat:
    row = corpus.cells.get((language, tokenizer))
    if row is None or not row[_RATE.name]:
        return Heat(None, "", "not measured")
    value = row[_RATE.name]
    return Heat(value, _RATE.text(value), _RATE.full(value, row["intervals"][_RATE.name]))
