"""Each tokenizer against the baseline, on the same text: paired differences."""

from markupsafe import Markup

from reports.charts.chart import legend
from reports.figures.dot_plot import Dot, dot_plot
from reports.html import Cell, Column, language_cell, sortable_table
from reports.languages import language_name
from reports.measured import CorpusResults, Measured
from reports.measures import MEASURES
from reports.page import Section, absent, behind, figure, for_each_corpus, subheading
from tokenize_lab.rates import RATES
from tokenize_lab.rows import MeasureRow

_RATE = MEASURES["bytes_per_token"]


def differences(measured: Measured) -> Section:
    """Show what changes when a tokenizer takes the baseline's place."""
    if len(measured.series) < 2:
        body = absent("Only one tokenizer was measured, so there is nothing to compare it with.")
    else:
        body = for_each_corpus(
            measured, lambda corpus: _overall(measured, corpus) + _languages(measured, corpus)
        )
    return Section("differences", "Differences from the baseline", body)


def _overall(measured: Measured, corpus: CorpusResults) -> Markup:
    others = [series for series in measured.series if series.name != measured.baseline]
    rows: list[list[str | Markup | Cell]] = []
    for rate in RATES:
        cells = [_difference(corpus.overall.get(series.name), rate) for series in others]
        base = corpus.overall[measured.baseline]
        if any(cell.style != "none" for cell in cells):
            rows.append([MEASURES[rate].heading, MEASURES[rate].cell(base), *cells])
    return sortable_table(
        f"Over all the text: the baseline {measured.baseline}, and what each other tokenizer has "
        "more (with a minus: less; pp: percentage points); bold where the paired 95 % interval "
        "leaves out 0",
        [
            Column("measure", numeric=False),
            Column(measured.baseline),
            *(Column(f"{series.name} − baseline") for series in others),
        ],
        rows,
    )


def _difference(row: MeasureRow | None, rate: str) -> Cell:
    own = (row or {}).get("difference", {}).get(rate)
    if own is None or own["value"] is None:
        return Cell("–", "none")
    ends = own["interval"]
    sure = ends is not None and (ends[0] > 0 or ends[1] < 0)
    return Cell(MEASURES[rate].difference_cell(own["value"], ends), "sure" if sure else "")


def _languages(measured: Measured, corpus: CorpusResults) -> Markup:
    others = [
        (lane, series)
        for lane, series in enumerate(
            one for one in measured.series if one.name != measured.baseline
        )
    ]
    rows = []
    for language in corpus.languages:
        dots = []
        for lane, series in others:
            row = corpus.cells.get((language, series.name))
            own = row["difference"][_RATE.name] if row and "difference" in row else None
            if own is None or own["value"] is None:
                continue
            hint = f"{language_name(language)}, {series.name}: "
            hint += _RATE.full(own["value"], own["interval"])
            dots.append(Dot(series.style, lane, own["value"], own["interval"], hint))
        rows.append((language_name(language), dots))
    if not any(dots for _, dots in rows):
        return absent("No language was measured under the baseline and another tokenizer.")
    picture = dot_plot(
        f"differences-{corpus.index}",
        f"Bytes per token more than {measured.baseline}, by language",
        "One row for each language, one marker for each tokenizer, with the interval of the paired "
        "difference. The table below holds the values.",
        f"bytes per token, minus those of {measured.baseline}",
        rows,
        origin=0.0,
    )
    table = sortable_table(
        f"Bytes per token, minus those of {measured.baseline}{corpus.with_intervals}",
        [
            Column("language", numeric=False),
            *(Column(series.name) for _, series in others),
        ],
        [
            [
                language_cell(language),
                *(
                    _difference(corpus.cells.get((language, series.name)), _RATE.name)
                    for _, series in others
                ),
            ]
            for language in corpus.languages
        ],
        style="tall",
    )
    return (
        subheading(measured, "Bytes per token by language")
        + figure(
            picture,
            "Right of the line at 0 a tokenizer holds more text in a token than the baseline.",
            legend([series for _, series in others]),
        )
        + behind("Table: differences by language", table)
    )
