"""Every language under every tokenizer, the main rates with intervals; and by domain."""

from collections.abc import Sequence

from markupsafe import Markup

from reports import numbers
from reports.html import Column, language_cell, name, sortable_table
from reports.measured import CorpusResults, Measured
from reports.measures import MEASURES, Measure
from reports.page import Section, for_each_corpus, subheading
from tokenize_lab.rows import MeasureRow

_RATES = (
    "bytes_per_token",
    "characters_per_token",
    "graphemes_per_token",
    "fertility",
    "single_token_word_share",
    "premium",
    "parity",
)


def rates(measured: Measured) -> Section:
    """Show the long table, and the domains where there are several."""

    def part(corpus: CorpusResults) -> Markup:
        body = _languages(measured, corpus)
        if corpus.domains:
            body += subheading(measured, "By domain") + _domains(corpus)
        return body

    return Section("rates", "All rates by language and tokenizer", for_each_corpus(measured, part))


def _languages(measured: Measured, corpus: CorpusResults) -> Markup:
    segmenter = measured.provenance["settings"]["word_segmenter"]
    shown = _shown(corpus.rows)
    note = "" if corpus.compared else f" {corpus.incomparable(measured.reference)}"
    return sortable_table(
        f"Rates by language and tokenizer{corpus.with_intervals}; words by {segmenter}.{note}",
        [
            Column("language", numeric=False),
            Column("tokenizer", numeric=False),
            Column("bytes"),
            Column("tokens"),
            *(Column(measure.heading, hint=measure.meaning) for measure in shown),
        ],
        [
            [
                language_cell(language),
                name(series.name),
                numbers.count(row["bytes"]),
                numbers.count(row["tokens"]),
                *(measure.cell(row) for measure in shown),
            ]
            for language in corpus.languages
            for series in measured.series
            if (row := corpus.cells.get((language, series.name)))
        ],
        row_headers=2,
        style="tall",
    )


def _domains(corpus: CorpusResults) -> Markup:
    shown = [measure for measure in _shown(corpus.domains) if measure.name != "parity"]
    return sortable_table(
        f"Rates by domain and tokenizer, over all languages{corpus.with_intervals}",
        [
            Column("domain", numeric=False),
            Column("tokenizer", numeric=False),
            Column("bytes"),
            *(Column(measure.heading, hint=measure.meaning) for measure in shown),
        ],
        [
            [
                name(row["domain"] or "none named"),
                name(row["tokenizer"]),
                numbers.count(row["bytes"]),
                *(measure.cell(row) for measure in shown),
            ]
            for row in sorted(corpus.domains, key=lambda row: str(row["domain"]))
        ],
        row_headers=2,
    )


def _shown(rows: Sequence[MeasureRow]) -> list[Measure]:
    """Return the measures that were measured anywhere."""
    return [MEASURES[one] for one in _RATES if any(row[one] is not None for row in rows)]
