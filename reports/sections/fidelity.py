"""Whether text survives: exact round trips, unknown tokens, byte fallback, torn characters."""

from markupsafe import Markup

from reports.figures.heat_map import Heat, heat_map
from reports.measured import CorpusResults, Measured
from reports.measures import MEASURES, Measure
from reports.section import Section, for_each_corpus, subheading
from reports.table import Column, sortable_table
from reports.words import language_cell, name

_SHARES = (
    "exact_share",
    "normalization_loss",
    "unknown_share",
    "byte_fallback_share",
    "split_character_share",
)


def fidelity(measured: Measured) -> Section:
    """Show fidelity over all the text, and by language wherever it differs between languages."""

    def part(corpus: CorpusResults) -> Markup:
        body = _overall(measured, corpus)
        for one in _SHARES:
            values = {row[one] for row in corpus.rows if row[one] is not None}
            if len(values) > 1:
                body += subheading(measured, MEASURES[one].heading.capitalize())
                body += _by_language(measured, corpus, MEASURES[one])
        return body

    return Section("fidelity", "Fidelity and UTF-8 integrity", for_each_corpus(measured, part))


def _overall(measured: Measured, corpus: CorpusResults) -> Markup:
    facts = {series.name: series.facts for series in measured.series}
    return sortable_table(
        f"What comes back from the tokens, over all the text{corpus.with_intervals}",
        [
            Column("tokenizer", numeric=False),
            *(Column(MEASURES[one].heading, hint=MEASURES[one].meaning) for one in _SHARES),
            Column("lossless by construction", numeric=False),
        ],
        [
            [
                name(tokenizer),
                *(MEASURES[one].cell(row) for one in _SHARES),
                "yes"
                if facts[tokenizer]["lossless"]
                else f"no: {facts[tokenizer]['lossy_reason']}",
            ]
            for tokenizer, row in corpus.overall.items()
        ],
    )


def _by_language(measured: Measured, corpus: CorpusResults, measure: Measure) -> Markup:
    def cell(language: str, tokenizer: str) -> Heat:
        row = corpus.cells.get((language, tokenizer))
        if row is None or row[measure.name] is None:
            return Heat(None, "", "not measured")
        value = row[measure.name]
        return Heat(value, measure.text(value), measure.full(value, row["intervals"][measure.name]))

    return heat_map(
        f"{measure.heading.capitalize()} by language",
        "language",
        [series.name for series in measured.series],
        [
            (
                language_cell(language),
                [cell(language, series.name) for series in measured.series],
            )
            for language in corpus.languages
        ],
        ("smaller share", "larger"),
    )
