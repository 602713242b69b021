"""Optimal against measured compression: T* of every language beside what tokenizers do there, how
far they are from it, and what that costs."""

from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from corpora.languages import begins_with
from reports.charts.rows import Dot, Heat, HeatScale, dot_plot, heat_map
from reports.charts.svg import INK, QUIET, Series, SeriesStyle, legend
from reports.html import (
    Column,
    TableCell,
    columns,
    language_cell,
    sortable_table,
    tokenizer_cell,
)
from reports.languages import language_name
from reports.laws.profiles import law2_of
from reports.laws.results import Laws
from reports.measured import CorpusResults, Measured
from reports.numbers import UNMEASURED, cell, ends_of, power, said, significant
from reports.page import (
    Absent,
    Section,
    behind,
    corpus_section,
    figure,
    missing,
    paragraphs,
)
from scaling.advise.estimate import Estimate
from scaling.advise.forecast import Forecast, forecast
from scaling.advise.laws import FamilyLaws, family_laws
from scaling.advise.placement import Placement, place_language, trained_code
from scaling.result import FitResult

BUDGET = 1e20  # at which the languages of the shipped table were trained
NOT_PLACED = (
    "No language of this corpus has runs, and none can be placed by its parity, for that takes "
    "lines parallel to English."
)


class Distance(NamedTuple):
    """One tokenizer on one language.

    Attributes:
        tokenizer: its name.
        rate: bytes per token, measured.
        over_best: that over T*.
        price: bits per byte lost against T* at the budget.
        multiplier: of the budget that would buy them back; no value where none within a
            millionfold does.
        outside: by what factor the rate leaves those that the law was fitted to; 1 if it does not.
    """

    tokenizer: str
    rate: float
    over_best: Estimate
    price: Estimate
    multiplier: Estimate
    outside: float


class Placed(NamedTuple):
    """One language: its best rate, and the tokenizers beside it.

    Attributes:
        language: its code, as measured.
        parity: bytes over English's on the same lines; None where not measured.
        basis: `runs`, `measured` or `analogy`, see `scaling.advise.placement`.
        best, best_later: T* at `BUDGET`, and at ten times that.
        distances: one for each tokenizer.
    """

    language: str
    parity: float | None
    basis: str
    best: Estimate
    best_later: Estimate
    distances: tuple[Distance, ...]


def placed(measured: Measured, corpus: CorpusResults, law2: FitResult) -> list[Placed]:
    """Return every language of a corpus that can be placed, by rising best rate.

    A language that was trained has a measured T*. Another is placed by its parity to English where
    the corpus tells it; where it does not, nothing is said of it.
    """
    by_english = begins_with(measured.reference, "eng")
    laws = family_laws("latent", law2=law2)
    found = []
    for language in corpus.languages:
        row = corpus.cells.get((language, measured.series[0].name))
        parity = row["parity"] if row is not None and by_english else None
        where = place_of(language, parity)
        if where is not None:
            found.append(_placed(corpus, language, parity, where, laws))
    return sorted(found, key=lambda place: (place.best.value or 0.0, place.language))


def place_of(language: str, parity: float | None) -> Placement | None:
    """Return where a language stands beside English: by its own runs, else by its parity; None
    where neither is known."""
    code = trained_code(language)
    return place_language(code or language, parity) if code or parity else None


def _placed(
    corpus: CorpusResults, language: str, parity: float | None, where: Placement, laws: FamilyLaws
) -> Placed:
    ahead, later = (forecast(budget, laws, where) for budget in (BUDGET, 10 * BUDGET))
    read = corpus.reader("bytes_per_token")
    rates = {tokenizer: read(language, tokenizer) for tokenizer in corpus.tokenizers}
    return Placed(
        language,
        parity,
        where.basis,
        Estimate.of(ahead.best_rate, "bytes per token"),
        Estimate.of(later.best_rate, "bytes per token"),
        tuple(_distance(ahead, name, rate[0]) for name, rate in rates.items() if rate and rate[0]),
    )


def _distance(ahead: Forecast, tokenizer: str, rate: float) -> Distance:
    rates = np.full_like(ahead.best_rate, rate)
    cost = ahead.price(rates)
    return Distance(
        tokenizer,
        rate,
        Estimate.of(rates / ahead.best_rate, "of T*"),
        Estimate.of(cost.bits_per_byte, "bits per byte"),
        Estimate.of(cost.multiplier, "times the budget"),
        ahead.outside(rates).get("compression_rate", 1.0),
    )


IDENTITY, TITLE = "laws-optimal", "Optimal against measured compression"
# In ink, which no tokenizer is drawn in.
_TRAINED = Series("T*, language was trained", SeriesStyle(INK, "diamond", "none"))
_BY_PARITY = Series("T*, by its parity", SeriesStyle(QUIET, "diamond", "none"))
_BASIS = {"runs": "English runs", "measured": f"trained at {power(BUDGET)}", "analogy": "parity"}


def optimal(laws: Laws) -> Section | None:
    """Show, for every language, the best rate, the measured rates, and what lies between; None
    where no tokenizer was measured."""
    if (measured := laws.measured) is None:
        return None
    if (law2 := law2_of(laws)) is None:
        return missing(IDENTITY, TITLE, "Without Law II there is no best rate.")

    def part(corpus: CorpusResults) -> Markup | Absent:
        languages = placed(measured, corpus, law2)
        if not languages:
            return Absent(NOT_PLACED)
        return _body(measured, corpus, languages)

    introduction = paragraphs(
        f"T* is the compression rate at which {power(BUDGET)} FLOPs reach the lowest loss. It was "
        "found with byte latent models, whose patches stand for tokens; that a tokenizer with as "
        "many bytes per token does as well or as badly is assumed here, not measured. English and "
        "five other languages of the published runs have a T* of their own. Every other language "
        "is placed by its parity, an analogy from those few, whose interval is therefore wide. The "
        "distance is measured bytes per token over T*; its price is Law II's, in bits per byte of "
        "the language, against training at T*."
    )
    return corpus_section(
        measured,
        IDENTITY,
        TITLE,
        part,
        introduction=introduction,
        gist="how far each tokenizer is from the best rate of each language, and what that costs",
    )


def _body(measured: Measured, corpus: CorpusResults, languages: list[Placed]) -> Markup:
    series = [_TRAINED, _BY_PARITY, *measured.series]
    drawn = figure(
        dot_plot(
            f"optimal-{corpus.index}",
            "Best and measured compression rate by language",
            "Diamonds: the best rate with its interval; other markers: tokenizers. The table below "
            "holds the values.",
            f"bytes per token; T* at {power(BUDGET)} FLOPs",
            [(_row_name(place), _dots(measured, place)) for place in languages],
            languages=[place.language for place in languages],
        ),
        "Diamonds are T* with its 95 % interval: dark where the language was trained, grey where "
        "it is placed by its parity (the number: bytes over English's on the same lines).",
        legend(series),
    )
    rows = [(language_cell(place.language), _heats(measured, place)) for place in languages]
    heat = heat_map(
        "Distance to optimal: measured bytes per token over T*; the hint holds interval and price",
        "language",
        [Column(tokenizer.name, tokenizer=tokenizer.name) for tokenizer in measured.series],
        rows,
        _scale(languages),
    )
    return drawn + heat + behind("Table: best rate, distance and price", _table(languages))


def _scale(languages: list[Placed]) -> HeatScale:
    """Return the scale whose middle is T*, and whose ends are as far as any distance is."""
    overs = [d.over_best.value for place in languages for d in place.distances]
    worst = max((max(over, 1 / over) for over in overs if over), default=2.0)
    ends = (f"1/{significant(worst, 2)} of T*", f"{significant(worst, 2)} times T*")
    return HeatScale(1 / worst, worst, ends, log=True)


def _row_name(place: Placed) -> str:
    shown = language_name(place.language)
    # "Chinese, simplified" would leave no room for the number.
    return shown if place.parity is None else f"{shown.split(',')[0]} {place.parity:.2f}"


def _dots(measured: Measured, place: Placed) -> list[Dot]:
    lanes = {series.name: (i + 1, series.style) for i, series in enumerate(measured.series)}
    style = (_BY_PARITY if place.basis == "analogy" else _TRAINED).style
    shown = language_name(place.language)
    assert place.best.value is not None
    hint = f"{shown}: T* {said(place.best)}, by {_BASIS[place.basis]}"
    dots = [Dot(style, 0, place.best.value, ends_of(place.best), hint)]
    for distance in place.distances:
        lane, style = lanes[distance.tokenizer]
        words = f"{shown}, {distance.tokenizer}: {significant(distance.rate)}; {_words(distance)}"
        dots.append(Dot(style, lane, distance.rate, None, words))
    return dots


def _heats(measured: Measured, place: Placed) -> list[Heat]:
    known = {distance.tokenizer: distance for distance in place.distances}
    cells = []
    for series in measured.series:
        distance = known.get(series.name)
        if distance is None or distance.over_best.value is None:
            cells.append(Heat(None, "", "not measured"))
        else:
            text = significant(distance.over_best.value)
            cells.append(Heat(distance.over_best.value, text, _words(distance)))
    return cells


def _words(distance: Distance) -> str:
    words = f"{said(distance.over_best)} of T*, price {said(distance.price, 2)} bits per byte"
    return "; ".join(part for part in (words, _beyond(distance)) if part)


def _table(languages: list[Placed]) -> Markup:
    return sortable_table(
        f"Measured compression beside T* at {power(BUDGET)} FLOPs, with 95 % intervals of the law "
        "and of the language's place",
        [
            *columns("language: | tokenizer: | parity | T*, by:"),
            Column(f"T*, {power(BUDGET)}"),
            Column(f"T*, {power(10 * BUDGET)}"),
            *columns("bytes per token | over T* | price, bits per byte"),
            Column("compute multiplier", hint="of the budget, to buy the price back at this rate"),
        ],
        [
            [
                language_cell(place.language),
                tokenizer_cell(distance.tokenizer),
                UNMEASURED if place.parity is None else f"{place.parity:.2f}",
                _BASIS[place.basis],
                cell(place.best),
                cell(place.best_later),
                TableCell(significant(distance.rate), hint=_beyond(distance)),
                cell(distance.over_best),
                cell(distance.price, 2),
                cell(distance.multiplier)
                if distance.multiplier.value is not None
                else TableCell(UNMEASURED, hint="no budget a million times as large buys it back"),
            ]
            for place in languages
            for distance in place.distances
        ],
        row_headers=2,
        style="tall",
    )


def _beyond(distance: Distance) -> str:
    if distance.outside <= 1:
        return ""
    return f"{significant(distance.outside, 2)} times beyond the rates fitted"
