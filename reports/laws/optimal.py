"""Optimal against measured compression: T* of every language beside what tokenizers do there."""

from markupsafe import Markup

from reports.figures.dot_plot import Dot, dot_plot
from reports.figures.heat_map import Heat, heat_map
from reports.figures.markers import legend
from reports.languages import language_name
from reports.laws.distance import BUDGET, Distance, Placed, placed
from reports.laws.material import Laws
from reports.laws.profiles import law2_of
from reports.laws.text import estimated, power, significant, with_ends
from reports.measured import CorpusResults, Measured, Series
from reports.numbers import UNMEASURED
from reports.palette import SeriesStyle
from reports.section import Section, absent, behind, figure, for_each_corpus
from reports.table import Cell, Column, sortable_table
from reports.words import language_cell, name
from scaling.advice import Estimate

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
