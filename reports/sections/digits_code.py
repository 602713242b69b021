"""Numbers and programs, where the text holds any."""

from collections.abc import Sequence

from markupsafe import Markup

from reports import numbers
from reports.measured import CorpusResults, Measured
from reports.measures import MEASURES
from reports.section import Section, absent, for_each_corpus, subheading
from reports.table import Column, sortable_table
from reports.words import language_cell, name
from tokenize_lab.rows import Row

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
    rows: Sequence[Row] = [
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
