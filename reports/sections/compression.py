"""Compression by language and tokenizer: heat map, dots with intervals, differences from the
baseline, and every main rate in one long table."""

from collections.abc import Callable, Sequence

from markupsafe import Markup

from reports import numbers
from reports.charts.chart import ratios
from reports.charts.rows import Dot, Heat, HeatScale, dot_plot, heat_map
from reports.charts.svg import Series, legend
from reports.html import (
    Column,
    TableCell,
    columns,
    language_cell,
    name,
    sortable_table,
    tokenizer_cell,
)
from reports.languages import language_name
from reports.measured import CorpusResults, Measured
from reports.measures import MEASURES, OF_LOST_TEXT, Measure
from reports.numbers import LowHigh
from reports.page import Absent, Blocks, Section, behind, corpus_section, figure, missing
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
FAINT = " Faint markers are of text that is partly lost, which is no compression."


def compression(measured: Measured) -> Section:
    """Show bytes per token by language and tokenizer."""

    highest = max(
        (row[_RATE.name] or 1.0 for corpus in measured.corpora for row in corpus.rows), default=1.0
    )
    ends = ("1 byte per token", f"{numbers.rate(highest)} bytes, the most on this page")
    scale = HeatScale(1.0, highest, ends, log=True)

    def part(corpus: CorpusResults) -> Markup | Absent:
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
            return Absent("There is no text to measure.")
        caption = "Bytes per token, from the best compressed language to the worst"
        drawn = figure(
            plot,
            "Each marker is one tokenizer in one language; the line through it is its "
            "interval, often narrower than the marker. Rows stand as in the heat map."
            + (FAINT if corpus.losing else ""),
            legend(series),
        )
        heat = heat_by_language(measured, corpus, _RATE, caption, scale)
        return heat + behind("Figure: every language with intervals", drawn)

    return corpus_section(measured, "compression", "Bytes per token by language", part)


def dots_by_language(
    identity: str,
    measure: Measure,
    languages: Sequence[str],
    series: Sequence[Series],
    read: Read,
    *,
    more_than: str = "",
    caveat: Caveat = lambda _language, _tokenizer: "",
    small: bool = False,
    one_is: str = "",
) -> Markup | None:
    """Return a row for each language and in it a marker for each tokenizer that `read` has a value
    for; None where it has none at all.

    Arguments:
        more_than: the tokenizer that values are differences from, if they are.
        caveat: what keeps a value from being compared with others; such are drawn faint.
        small: as wide as a phone.
        one_is: what a value of 1 stands for, of ratios: they are drawn on a logarithmic axis.
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
    axis = None
    if one_is:
        ends = [x for _, dots in rows for dot in dots for x in (dot.value, *(dot.interval or ()))]
        axis = ratios(f"{unit}; 1 is {one_is}", ends, 8 if small else 12)
    return dot_plot(
        identity,
        title,
        "One row for each language, one marker for each tokenizer, with its interval. A table of "
        "this page holds the values.",
        axis or unit,
        rows,
        origin=1.0 if one_is else 0.0 if more_than else None,
        languages=languages,
        small=small,
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
    scale: HeatScale,
) -> Markup:
    """Return a measure of every language under every tokenizer, in colour."""
    read, caveat = corpus.reader(measure.name), caveats(corpus, measure)
    if measure.name in OF_LOST_TEXT and corpus.losing:
        caption += " († text is partly lost, which is no compression)"

    def cell(language: str, tokenizer: str) -> Heat:
        found = read(language, tokenizer)
        if found is None or (scale.log and not found[0]):
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
    heads = [Column(tokenizer, hint=measure.meaning, tokenizer=tokenizer) for tokenizer in names]
    return heat_map(caption, "language", heads, rows, scale)


def differences(measured: Measured) -> Section:
    """Show what changes when a tokenizer takes the baseline's place."""
    identity, title = "differences", "Differences from the baseline"
    if len(measured.series) < 2:
        reason = "Only one tokenizer was measured, so there is nothing to compare it with."
        return missing(identity, title, reason)

    def part(corpus: CorpusResults) -> Blocks:
        return [
            ("", _overall_differences(measured, corpus)),
            ("Bytes per token by language", _differences(measured, corpus)),
        ]

    gist = Markup("every rate, paired, against {}").format(name(measured.baseline))
    return corpus_section(measured, identity, title, part, gist=gist)


def _others(measured: Measured) -> list[Series]:
    return [series for series in measured.series if series.name != measured.baseline]


def _overall_differences(measured: Measured, corpus: CorpusResults) -> Markup:
    rows: list[list[str | Markup | TableCell]] = []
    base = corpus.overall[measured.baseline]
    for rate in RATES:
        cells = [_difference(corpus.overall.get(s.name), rate) for s in _others(measured)]
        if any(cell.style != "none" for cell in cells):
            rows.append([MEASURES[rate].heading, MEASURES[rate].cell(base), *cells])
    heads = [
        Column(measured.baseline),
        *(Column(f"{s.name} − baseline", tokenizer=s.name) for s in _others(measured)),
    ]
    return sortable_table(
        f"Over all the text: the baseline {measured.baseline}, and what each other tokenizer has "
        "more (with a minus: less; pp: percentage points); bold where the paired 95 % interval "
        "leaves out 0",
        [*columns("measure:"), *heads],
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


def _differences(measured: Measured, corpus: CorpusResults) -> Markup | Absent:
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
        return Absent("No language was measured under the baseline and another tokenizer.")
    table = sortable_table(
        f"Bytes per token, minus those of {measured.baseline}{corpus.with_intervals}",
        [*columns("language:"), *(Column(other.name, tokenizer=other.name) for other in series)],
        [
            [
                language_cell(language),
                *(_difference(corpus.cells.get((language, s.name)), _RATE.name) for s in series),
            ]
            for language in corpus.languages
        ],
        style="tall",
    )
    drawn = figure(
        picture,
        "Right of the line at 0 a tokenizer holds more text in a token than the baseline.",
        legend(series),
    )
    return drawn + behind("Table: differences by language", table)


def rates(measured: Measured) -> Section:
    """Show every language under every tokenizer, and the domains where there are several."""

    def part(corpus: CorpusResults) -> Blocks:
        found: list[tuple[str, Markup | Absent]] = [("", _all_rates(measured, corpus))]
        if corpus.domains:
            found.append(("By domain", _domains(corpus)))
        return found

    return corpus_section(
        measured,
        "rates",
        "All rates by language and tokenizer",
        part,
        gist="one long table: bytes, tokens, fertility, premium and the rest",
    )


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
                tokenizer_cell(series.name),
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
                tokenizer_cell(row["tokenizer"]),
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
