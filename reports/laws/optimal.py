"""Optimal against measured compression: T* of every language beside what tokenizers do there."""

from typing import NamedTuple

import numpy as np
import polars as pl
from markupsafe import Markup

from reports.charts.chart import legend
from reports.charts.heat_map import Heat, heat_map
from reports.charts.svg import SeriesStyle
from reports.figures.dot_plot import Dot, dot_plot
from reports.html import Cell, Column, language_cell, name, sortable_table
from reports.languages import language_name
from reports.laws.profiles import law2_of
from reports.laws.results import Laws
from reports.laws.text import estimated, power, significant, with_ends
from reports.measured import CorpusResults, Measured, Series
from reports.numbers import UNMEASURED
from reports.page import Section, absent, behind, figure, for_each_corpus
from scaling.advise.answer import Estimate, Question
from scaling.advise.forecast import Forecast, forecast
from scaling.advise.laws import FamilyLaws, anchor_spread, family_laws
from scaling.advise.placement import Placement, place
from scaling.published import tables
from scaling.result import FitResult

# How far measured tokenizers are from the best compression rate, and what that costs.


BUDGET = 1e20  # at which the languages of the shipped table were trained
_SETTING = "monolingual"


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
        basis: `runs`, `measured` or `analogy`, see `scaling.placement`.
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
    codes = {language: _place_of(measured, corpus, language) for language in corpus.languages}
    if not any(codes.values()):
        return []
    laws, spread = family_laws("latent", law2=law2), anchor_spread()
    table = tables.table(tables.LANGUAGES)
    found = []
    for language, known in codes.items():
        if known is None:
            continue
        code, parity = known
        where = place(table, code, parity, _SETTING, spread)
        found.append(_one(corpus, language, parity, where, laws))
    return sorted(found, key=lambda one: (one.best.value or 0.0, one.language))


def _place_of(
    measured: Measured, corpus: CorpusResults, language: str
) -> tuple[str, float | None] | None:
    """Return the code under which a language is placed and its parity; None if it cannot be."""
    known: pl.DataFrame = tables.table(tables.LANGUAGES).filter(setting=_SETTING)
    trained = [code for code in known["language"] if code in (language, f"{language}{code[3:]}")]
    row = corpus.cells.get((language, measured.series[0].name))
    by_english = measured.reference.startswith("eng")
    parity = row["parity"] if row is not None and by_english else None
    if trained:
        return trained[0], parity
    return (language, parity) if parity else None


def _one(
    corpus: CorpusResults,
    language: str,
    parity: float | None,
    where: Placement,
    laws: FamilyLaws,
) -> Placed:
    ahead = forecast(Question(BUDGET, where.language), laws, where)
    later = forecast(Question(10 * BUDGET, where.language), laws, where)
    distances = []
    for tokenizer in corpus.tokenizers:
        row = corpus.cells.get((language, tokenizer))
        if row is not None and row["bytes_per_token"]:
            distances.append(_distance(ahead, tokenizer, row["bytes_per_token"]))
    return Placed(
        language,
        parity,
        where.basis,
        Estimate.of(ahead.best_rate, "bytes per token"),
        Estimate.of(later.best_rate, "bytes per token"),
        tuple(distances),
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
_TRAINED = Series("T*, language was trained", {}, SeriesStyle(90, "diamond", "none"))
_BY_PARITY = Series("T*, by its parity", {}, SeriesStyle(91, "diamond", "none"))
_BASIS = {"runs": "English runs", "measured": f"trained at {power(BUDGET)}", "analogy": "parity"}


def optimal(laws: Laws, measured: Measured) -> Section:
    """Show, for every language, the best rate, the measured rates, and what lies between."""
    fit = law2_of(laws)
    if fit is None:
        return Section(IDENTITY, TITLE, absent("Without Law II there is no best rate."))
    law2 = fit

    def part(corpus: CorpusResults) -> Markup:
        languages = placed(measured, corpus, law2)
        if not languages:
            return absent(
                "No language of this corpus has runs, and none can be placed by its parity, for "
                "that takes lines parallel to English."
            )
        return _body(measured, corpus, languages)

    introduction = Markup("<p>{}</p>").format(
        f"T* is the compression rate at which {power(BUDGET)} FLOPs reach the lowest loss. It was "
        "found with byte latent models, whose patches stand for tokens; that a tokenizer with as "
        "many bytes per token does as well or as badly is assumed here, not measured. English and "
        "five other languages of the published runs have a T* of their own. Every other language "
        "is placed by its parity, an analogy from those few, whose interval is therefore wide. The "
        "distance is measured bytes per token over T*; its price is Law II's, in bits per byte of "
        "the language, against training at T*."
    )
    return Section(IDENTITY, TITLE, introduction + for_each_corpus(measured, part))


def _body(measured: Measured, corpus: CorpusResults, languages: list[Placed]) -> Markup:
    series = [_TRAINED, _BY_PARITY, *measured.series]
    drawn = figure(
        dot_plot(
            f"optimal-{corpus.index}",
            "Best and measured compression rate by language",
            "Diamonds: the best rate with its interval; other markers: tokenizers. The table below "
            "holds the values.",
            f"bytes per token; T* at {power(BUDGET)} FLOPs",
            [(_row_name(one), _dots(measured, one)) for one in languages],
        ),
        "Diamonds are T* with its 95 % interval: dark where the language was trained, grey where "
        "it is placed by its parity (the number: bytes over English's on the same lines).",
        legend(series),
    )
    rows = [(language_cell(one.language), _heats(measured, one)) for one in languages]
    heat = heat_map(
        "Distance to optimal: measured bytes per token over T*; the hint holds interval and price",
        "language",
        [one.name for one in measured.series],
        rows,
        ("below T*", "above T*"),
        log=True,
    )
    return drawn + heat + behind("Table: best rate, distance and price", _table(languages))


def _row_name(one: Placed) -> str:
    shown = language_name(one.language)
    # "Chinese, simplified" would leave no room for the number.
    return shown if one.parity is None else f"{shown.split(',')[0]} {one.parity:.2f}"


def _dots(measured: Measured, one: Placed) -> list[Dot]:
    lane = {series.name: (i + 1, series.style) for i, series in enumerate(measured.series)}
    style = (_BY_PARITY if one.basis == "analogy" else _TRAINED).style
    shown = language_name(one.language)
    assert one.best.value is not None
    hint = f"{shown}: T* {estimated(one.best)}, by {_BASIS[one.basis]}"
    dots = [Dot(style, 0, one.best.value, _ends(one.best), hint)]
    for distance in one.distances:
        place, own = lane[distance.tokenizer]
        words = f"{shown}, {distance.tokenizer}: {significant(distance.rate)}; {_words(distance)}"
        dots.append(Dot(own, place, distance.rate, None, words))
    return dots


def _heats(measured: Measured, one: Placed) -> list[Heat]:
    own = {distance.tokenizer: distance for distance in one.distances}
    cells = []
    for series in measured.series:
        distance = own.get(series.name)
        if distance is None or distance.over_best.value is None:
            cells.append(Heat(None, "", "not measured"))
        else:
            text = significant(distance.over_best.value)
            cells.append(Heat(distance.over_best.value, text, _words(distance)))
    return cells


def _words(distance: Distance) -> str:
    said = (
        f"{estimated(distance.over_best)} of T*, price {estimated(distance.price, 2)} bits per byte"
    )
    if distance.outside > 1:
        said += f"; {significant(distance.outside, 2)} times beyond the rates fitted"
    return said


def _ends(one: Estimate) -> tuple[float, float] | None:
    return None if one.low is None or one.high is None else (one.low, one.high)


def _cell(one: Estimate, digits: int = 3) -> Markup:
    return with_ends(one.value, one.low, one.high, digits)


def _table(languages: list[Placed]) -> Markup:
    return sortable_table(
        f"Measured compression beside T* at {power(BUDGET)} FLOPs, with 95 % intervals of the law "
        "and of the language's place",
        [
            Column("language", numeric=False),
            Column("tokenizer", numeric=False),
            Column("parity"),
            Column("T*, by", numeric=False),
            Column(f"T*, {power(BUDGET)}"),
            Column(f"T*, {power(10 * BUDGET)}"),
            Column("bytes per token"),
            Column("over T*"),
            Column("price, bits per byte"),
            Column("compute multiplier", hint="of the budget, to buy the price back at this rate"),
        ],
        [
            [
                language_cell(one.language),
                name(distance.tokenizer),
                UNMEASURED if one.parity is None else f"{one.parity:.2f}",
                _BASIS[one.basis],
                _cell(one.best),
                _cell(one.best_later),
                Cell(significant(distance.rate), hint=_beyond(distance)),
                _cell(distance.over_best),
                _cell(distance.price, 2),
                _cell(distance.multiplier)
                if distance.multiplier.value is not None
                else Cell(UNMEASURED, hint="no budget a million times as large buys it back"),
            ]
            for one in languages
            for distance in one.distances
        ],
        row_headers=2,
        style="tall",
    )


def _beyond(distance: Distance) -> str:
    if distance.outside <= 1:
        return ""
    return f"{significant(distance.outside, 2)} times beyond the rates fitted"
