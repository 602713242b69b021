"""Compression by language and tokenizer: heat map, dots with intervals, differences from the
baseline, and every main rate in one long table."""

from collections.abc import Callable, Sequence

from markupsafe import Markup

from reports import numbers
from reports.charts.rows import Dot, Heat, dot_plot, heat_map
from reports.charts.svg import Series, legend
from reports.html import Column, TableCell, columns, language_cell, name, sortable_table
from reports.languages import language_name
from reports.measured import CorpusResults, Measured
from reports.measures import MEASURES, OF_LOST_TEXT, Measure
from reports.numbers import LowHigh
from reports.page import Section, absent, behind, figure, for_each_corpus, subheading
from tokenize_lab.rates import RATES
from tokenize_lab.rows import MeasureRow

_RATE = MEASURES["bytes_per_token"]
_RATES = (
    "bytes_per_token", "characters_per_token", "graphemes_per_token", "fertility",
    "single_token_word_share", "premium", "parity",
)  # fmt: skip

Read = Callable[
    [str, str], tuple[float, LowHigh] | None
]  # (language, tokenizer) -> value, interval
Caveat = Callable[[str, str], str]  # of a language under a tokenizer; empty for none
_FAINT = " Faint markers are of text that is partly lost, which is no compression."


def compression(measured: Measured) -> Section:
    """Show bytes per token by language and tokenizer."""

    def part(corpus: CorpusResults) -> Markup:
        series = measured.series
        plot = dots_by_language(
            f"dots-{corpus.index}",
            _RATE,
            corpus.languages,
            series,
            corpus.reader(_RATE.name),
            caveat=caveats(corpus, _RATE),
        )
        if plot is None:
            return absent("There is no text to measure.")
        caption = "Bytes per token, from the best compressed language to the worst"
        return (
            subheading(measured, "Heat map")
            + heat_by_language(
                measured, corpus, _RATE, caption, ("fewer bytes per token", "more"), log=True
            )
            + subheading(measured, "Beside one another")
            + figure(
                plot,
                "Each marker is one tokenizer in one language; the line through it is its "
                "interval, often narrower than the marker. Rows stand as in the heat map."
                + (_FAINT if corpus.losing else ""),
                legend(series),
            )
        )

    return Section("compression", "Bytes per token by language", for_each_corpus(measured, part))


def dots_by_language(
    identity: str,
    measure: Measure,
    languages: Sequence[str],
    series: Sequence[Series],
    read: Read,
    *,
    more_than: str = "",
    caveat: Caveat = lambda _language, _tokenizer: "",
) -> Markup | None:
    """Return a row for each language and in it a marker for each tokenizer that `read` has a value
    for; None where it has none at all.

    Arguments:
        more_than: the tokenizer that values are differences from, if they are.
        caveat: what keeps a value from being compared with others; such are drawn faint.
    """
    percent = 100 if measure.is_share else 1
    rows = []
    for language in languages:
        dots, shown = [], language_name(language)
        for lane, tokenizer in enumerate(series):
            if (found := read(language, tokenizer.name)) is None:
                continue
            value, ends = found
            hint = f"{shown}, {tokenizer.name}: {measure.full(value, ends)}"
            said = caveat(language, tokenizer.name)
            interval = ends and [percent * end for end in ends]
            hint += f", {said}" if said else ""
            dots.append(
                Dot(tokenizer.style, lane, percent * value, interval, hint, apart=bool(said))
            )
        rows.append((shown, dots))
    if not any(dots for _, dots in rows):
        return None
    unit = measure.heading + (", per cent" if measure.is_share else "")
    title = f"{measure.heading.capitalize()} by language and tokenizer"
    if more_than:
        title = f"{measure.heading.capitalize()} more than {more_than}, by language"
        unit += f", minus those of {more_than}"
    return dot_plot(
        identity,
        title,
        "One row for each language, one marker for each tokenizer, with its interval. A table of "
        "this page holds the values.",
        unit,
        rows,
        origin=0.0 if more_than else None,
    )


def caveats(corpus: CorpusResults, measure: Measure) -> Caveat:
    """Return what tells of text lost where that bears on a measure."""

    def caveat(language: str, tokenizer: str) -> str:
        row = corpus.cells.get((language, tokenizer))
        return "" if row is None or measure.name not in OF_LOST_TEXT else measure.caveat(row)

    return caveat


def heat_by_language(
    measured: Measured,
    corpus: CorpusResults,
    measure: Measure,
    caption: str,
    ends: tuple[str, str],
    *,
    log: bool = False,
) -> Markup:
    """Return a measure of every language under every tokenizer, in colour."""
    read, caveat = corpus.reader(measure.name), caveats(corpus, measure)
    if measure.name in OF_LOST_TEXT and corpus.losing:
        caption += " († text is partly lost, which is no compression)"

    def cell(language: str, tokenizer: str) -> Heat:
        found = read(language, tokenizer)
        if found is None or (log and not found[0]):
            return Heat(None, "", "not measured")
        said = caveat(language, tokenizer)
        text = measure.text(found[0]) + (" †" if said else "")
        hint = measure.full(*found) + (f", {said}" if said else "")
        return Heat(found[0], text, hint, apart=bool(said))

    names = [series.name for series in measured.series]
    rows = [
        (language_cell(language), [cell(language, tokenizer) for tokenizer in names])
        for language in corpus.languages
    ]
    return heat_map(caption, "language", names, rows, ends, log=log)


def differences(measured: Measured) -> Section:
    """Show what changes when a tokenizer takes the baseline's place."""
    if len(measured.series) < 2:
        body = absent("Only one tokenizer was measured, so there is nothing to compare it with.")
    else:
        body = for_each_corpus(
            measured,
            lambda corpus: _overall_differences(measured, corpus) + _differences(measured, corpus),
        )
    return Section("differences", "Differences from the baseline", body)


def _others(measured: Measured) -> list[Series]:
    return [series for series in measured.series if series.name != measured.baseline]


def _overall_differences(measured: Measured, corpus: CorpusResults) -> Markup:
    rows: list[list[str | Markup | TableCell]] = []
    base = corpus.overall[measured.baseline]
    for rate in RATES:
        cells = [_difference(corpus.overall.get(s.name), rate) for s in _others(measured)]
        if any(cell.style != "none" for cell in cells):
            rows.append([MEASURES[rate].heading, MEASURES[rate].cell(base), *cells])
    heads = [measured.baseline, *(f"{series.name} − baseline" for series in _others(measured))]
    return sortable_table(
        f"Over all the text: the baseline {measured.baseline}, and what each other tokenizer has "
        "more (with a minus: less; pp: percentage points); bold where the paired 95 % interval "
        "leaves out 0",
        [*columns("measure:"), *map(Column, heads)],
        rows,
    )


def _difference_of(row: MeasureRow | None, rate: str) -> tuple[float, LowHigh] | None:
    found = (row or {}).get("difference", {}).get(rate)
    return None if found is None or found["value"] is None else (found["value"], found["interval"])


def _difference(row: MeasureRow | None, rate: str) -> TableCell:
    found = _difference_of(row, rate)
    if found is None:
        return TableCell(numbers.UNMEASURED, "none")
    value, ends = found
    sure = ends is not None and (ends[0] > 0 or ends[1] < 0)
    return TableCell(MEASURES[rate].difference_cell(value, ends), "sure" if sure else "")


def _either(caveat: Caveat, baseline: str) -> Caveat:
    """Return what tells of text lost under a tokenizer or else under the baseline."""
    return lambda language, tokenizer: caveat(language, tokenizer) or caveat(language, baseline)


def _differences(measured: Measured, corpus: CorpusResults) -> Markup:
    series = _others(measured)
    picture = dots_by_language(
        f"differences-{corpus.index}",
        _RATE,
        corpus.languages,
        series,
        lambda *key: _difference_of(corpus.cells.get(key), _RATE.name),
        more_than=measured.baseline,
        caveat=_either(caveats(corpus, _RATE), measured.baseline),
    )
    if picture is None:
        return absent("No language was measured under the baseline and another tokenizer.")
    table = sortable_table(
        f"Bytes per token, minus those of {measured.baseline}{corpus.with_intervals}",
        [*columns("language:"), *(Column(other.name) for other in series)],
        [
            [
                language_cell(language),
                *(_difference(corpus.cells.get((language, s.name)), _RATE.name) for s in series),
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
            legend(series),
        )
        + behind("Table: differences by language", table)
    )


def rates(measured: Measured) -> Section:
    """Show every language under every tokenizer, and the domains where there are several."""

    def part(corpus: CorpusResults) -> Markup:
        body = _all_rates(measured, corpus)
        if corpus.domains:
            body += subheading(measured, "By domain") + _domains(corpus)
        return body

    return Section("rates", "All rates by language and tokenizer", for_each_corpus(measured, part))


def _all_rates(measured: Measured, corpus: CorpusResults) -> Markup:
    segmenter = measured.provenance["settings"]["word_segmenter"]
    shown = _measured(corpus.rows)
    note = "" if corpus.compared else f" {corpus.incomparable(measured.reference)}"
    return sortable_table(
        f"Rates by language and tokenizer{corpus.with_intervals}; words by {segmenter}.{note}",
        [
            *columns("language: | tokenizer: | bytes | tokens"),
            *(measure.column for measure in shown),
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
    shown = [measure for measure in _measured(corpus.domains) if measure.name != "parity"]
    return sortable_table(
        f"Rates by domain and tokenizer, over all languages{corpus.with_intervals}",
        [*columns("domain: | tokenizer: | bytes"), *(measure.column for measure in shown)],
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


def _measured(rows: Sequence[MeasureRow]) -> list[Measure]:
    """Return the measures that were measured anywhere."""
    return [MEASURES[rate] for rate in _RATES if any(row[rate] is not None for row in rows)]
