"""Whether text survives: exact round trips, unknown tokens, byte fallback, torn characters."""

from collections.abc import Sequence

from markupsafe import Markup

from reports import numbers
from reports.charts.heat_map import Heat, heat_map
from reports.html import Column, language_cell, name, sortable_table
from reports.measured import CorpusResults, Measured
from reports.measures import MEASURES, Measure
from reports.page import Section, absent, for_each_corpus, subheading
from tokenize_lab.rows import MeasureRow

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


# Numbers and programs, where the text holds any.


_CODE = ("indentation_bytes_per_token", "operator_bytes_per_token")


def digits_code(measured: Measured) -> Section:
    """Show how numbers are grouped, and how code is compressed."""

    def part(corpus: CorpusResults) -> Markup:
        return (
            subheading(measured, "Numbers")
            + _digits(corpus)
            + subheading(measured, "Code")
            + _code(corpus)
        )

    return Section("digits-code", "Numbers and code", for_each_corpus(measured, part))


def _digits(corpus: CorpusResults) -> Markup:
    measure = MEASURES["digit_grouping_f1"]
    first = next(iter(corpus.overall.values()))
    if not first["long_numbers"]:
        return absent("The text holds no number of four or more digits.")
    return sortable_table(
        f"{numbers.plural(first['long_numbers'], 'number')} of four or more digits: do tokens end "
        "where groups of three from the right do? (1 if always and nowhere else)"
        f"{corpus.with_intervals}",
        [
            Column("tokenizer", numeric=False),
            Column(measure.heading, hint=measure.meaning),
            Column("boundaries in numbers"),
            Column("expected"),
            Column("in both"),
        ],
        [
            [
                name(tokenizer),
                measure.cell(row),
                *(
                    numbers.count(row[one])
                    for one in (
                        "digit_boundaries",
                        "digit_boundaries_expected",
                        "digit_boundaries_hit",
                    )
                ),
            ]
            for tokenizer, row in corpus.overall.items()
        ],
    )


def _code(corpus: CorpusResults) -> Markup:
    rows: Sequence[MeasureRow] = [
        row for row in corpus.rows if any(row[measure] is not None for measure in _CODE)
    ]
    if not rows:
        return absent("No text was measured as code: none is of the domain “code”.")
    return sortable_table(
        f"Code by language and tokenizer{corpus.with_intervals}",
        [
            Column("language", numeric=False),
            Column("tokenizer", numeric=False),
            Column(MEASURES["bytes_per_token"].heading),
            *(Column(MEASURES[one].heading, hint=MEASURES[one].meaning) for one in _CODE),
        ],
        [
            [
                language_cell(row["language"]),
                name(row["tokenizer"]),
                MEASURES["bytes_per_token"].cell(row),
                *(MEASURES[one].cell(row) for one in _CODE),
            ]
            for row in sorted(rows, key=lambda row: str(row["language"]))
        ],
        row_headers=2,
        style="tall",
    )
