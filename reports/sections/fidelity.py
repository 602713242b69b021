"""Whether text survives: exact round trips, unknown tokens, byte fallback, torn characters; and
how numbers and programs are cut, where the text holds any."""

import shlex
from collections.abc import Sequence

from markupsafe import Markup

from reports import numbers
from reports.charts.svg import tag
from reports.html import columns, language_cell, name, sortable_table
from reports.measured import CorpusResults, Measured
from reports.measures import MEASURES
from reports.page import Section, absent, for_each_corpus, note, subheading
from reports.sections.compression import heat_by_language
from tokenize_lab.rows import MeasureRow

_SHARES = (
    "exact_share",
    "lost_share",
    "normalization_loss",
    "unknown_share",
    "byte_fallback_share",
    "split_character_share",
)


def fidelity(measured: Measured) -> Section:
    """Show fidelity over all the text, and by language wherever it differs between languages."""

    def part(corpus: CorpusResults) -> Markup:
        body = _overall(measured, corpus)
        for measure in (MEASURES[rate] for rate in _SHARES):
            values = {row[measure.name] for row in corpus.rows}
            if len(values - {None}) > 1:
                heading = measure.heading.capitalize()
                body += subheading(measured, heading) + heat_by_language(
                    measured, corpus, measure, f"{heading} by language", ("smaller share", "larger")
                )
        return body

    return Section("fidelity", "Fidelity and UTF-8 integrity", for_each_corpus(measured, part))


def _overall(measured: Measured, corpus: CorpusResults) -> Markup:
    facts = {series.name: series.facts for series in measured.series}
    table = sortable_table(
        f"What comes back from the tokens, over all the text{corpus.with_intervals}",
        [
            *columns("tokenizer:"),
            *(MEASURES[rate].column for rate in _SHARES),
            *columns("lossless by construction:"),
        ],
        [
            [
                name(tokenizer),
                *(MEASURES[rate].cell(row) for rate in _SHARES),
                "yes"
                if facts[tokenizer]["lossless"]
                else f"no: {facts[tokenizer]['lossy_reason']}",
            ]
            for tokenizer, row in corpus.overall.items()
        ],
    )
    inexact = [t for t, row in corpus.overall.items() if (row["exact_share"] or 0) < 1]
    return table + Markup("").join(
        note(
            Markup("Whether {}'s own library says the same, line by line: {}").format(
                name(tokenizer), tag("code", _check(facts[tokenizer]["spec"], corpus.name))
            )
        )
        for tokenizer in inexact
    )


def _check(spec: str, corpus: str) -> str:
    return shlex.join(["tokenize-lab", "tokenizers", "check", spec, corpus])


_BOUNDARIES = ("", "_expected", "_hit")
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
            *columns("tokenizer:"),
            measure.column,
            *columns("boundaries in numbers | expected | in both"),
        ],
        [
            [
                name(tokenizer),
                measure.cell(row),
                *(numbers.count(row[f"digit_boundaries{which}"]) for which in _BOUNDARIES),
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
            *columns("language: | tokenizer:"),
            *columns("bytes per token"),
            *(MEASURES[rate].column for rate in _CODE),
        ],
        [
            [
                language_cell(row["language"]),
                name(row["tokenizer"]),
                MEASURES["bytes_per_token"].cell(row),
                *(MEASURES[rate].cell(row) for rate in _CODE),
            ]
            for row in sorted(rows, key=lambda row: str(row["language"]))
        ],
        row_headers=2,
        style="tall",
    )
