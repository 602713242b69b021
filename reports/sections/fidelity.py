"""Whether text survives: exact round trips, unknown tokens, byte fallback, torn characters; and
how numbers and programs are cut, where the text holds any."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from reports import numbers
from reports.charts.rows import SHARES
from reports.charts.svg import tag
from reports.html import columns, language_cell, name, sortable_table, tokenizer_cell
from reports.measured import CorpusResults, Measured
from reports.measures import MEASURES
from reports.page import Absent, Blocks, Section, behind, corpus_section, note
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
                heading = f"{measure.heading[0].upper()}{measure.heading[1:]} by language"
                heat = heat_by_language(measured, corpus, measure, heading, SHARES)
                body += behind(f"Heat map: {heading}", heat)
        return body

    return corpus_section(
        measured,
        "fidelity",
        "Fidelity and UTF-8 integrity",
        part,
        gist="whether text comes back from its tokens, and what tokens do to characters",
    )


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
                tokenizer_cell(tokenizer),
                *(MEASURES[rate].cell(row) for rate in _SHARES),
                _lossless(facts[tokenizer], row["exact_share"] == 1),
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


def _lossless(facts: Mapping[str, Any], all_exact: bool) -> str:
    """Say whether all text must come back; and if not, why this one may have all the same."""
    if facts["lossless"]:
        return "yes"
    return f"no: {facts['lossy_reason']}{'; this text has none of it' if all_exact else ''}"


_BOUNDARIES = ("", "_expected", "_hit")
_CODE = ("indentation_bytes_per_token", "operator_bytes_per_token")


def digits_code(measured: Measured) -> Section:
    """Show how numbers are grouped, and how code is compressed."""

    def part(corpus: CorpusResults) -> Blocks:
        return [("Numbers", _digits(corpus)), ("Code", _code(corpus))]

    return corpus_section(
        measured,
        "digits-code",
        "Numbers and code",
        part,
        gist="how long numbers are grouped, and what indentation and operators cost",
    )


def _digits(corpus: CorpusResults) -> Markup | Absent:
    measure = MEASURES["digit_grouping_f1"]
    first = next(iter(corpus.overall.values()))
    if not first["long_numbers"]:
        return Absent("The text holds no number of four or more digits.")
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
                tokenizer_cell(tokenizer),
                measure.cell(row),
                *(numbers.count(row[f"digit_boundaries{which}"]) for which in _BOUNDARIES),
            ]
            for tokenizer, row in corpus.overall.items()
        ],
    )


def _code(corpus: CorpusResults) -> Markup | Absent:
    rows: Sequence[MeasureRow] = [
        row for row in corpus.rows if any(row[measure] is not None for measure in _CODE)
    ]
    if not rows:
        return Absent("No text was measured as code: none is of the domain “code”.")
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
                tokenizer_cell(row["tokenizer"]),
                MEASURES["bytes_per_token"].cell(row),
                *(MEASURES[rate].cell(row) for rate in _CODE),
            ]
            for row in sorted(rows, key=lambda row: str(row["language"]))
        ],
        row_headers=2,
        style="tall",
    )
