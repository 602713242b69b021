"""Where the best compression rate falls on a vocabulary curve, and the vocabulary law beside it."""

from collections.abc import Sequence

from markupsafe import Markup

from reports.figures.markers import legend
from reports.languages import language_name
from reports.laws.chart import Chart, linear, panel, panels
from reports.laws.style import laws_style
from reports.laws.text import power, significant, with_ends
from reports.measured import Series
from reports.numbers import UNMEASURED
from reports.palette import SeriesStyle
from reports.section import Section, absent, behind
from reports.table import Cell, Column, sortable_table
from reports.vocabulary.best import PlacedCurves, Wanted, placed_curves, reached
from reports.vocabulary.material import MOST_PANELS, Curves
from reports.vocabulary.sizes import HEADROOM, rate_lines, rates_in, size_axis
from reports.words import language_cell, name
from scaling.advice import Estimate

IDENTITY, TITLE = "vocabulary-best", "Where the best rate falls"
# In ink, which no tokenizer is drawn in.
_BY_LAW = Series("the vocabulary law's size", {}, SeriesStyle(90, "diamond", "none"))
_BEST = SeriesStyle(90, "circle", "4 3")
_BASIS = {"runs": "English runs", "measured": "trained", "analogy": "parity"}


def wanted(curves: Curves) -> Section:
    """Show T* of Law II and the vocabulary law's optimum on the curves."""
    languages = placed_curves(curves)
    if not languages:
        return Section(
            IDENTITY,
            TITLE,
            absent(
                "No language of this corpus has runs, and none can be placed by its parity, for "
                "that takes lines parallel to English."
            ),
        )
    introduction = Markup("<p>{}</p>").format(
        "Two laws answer two questions. Law II says at which compression rate, T*, a budget "
        "reaches the lowest loss; where a curve crosses it is the vocabulary that gives this "
        "tokenizer that rate on this text. The vocabulary law (Tao et al. 2024) weighs what a "
        "larger vocabulary saves against the parameters and the compute it takes, for a model of "
        "the size that Law I gives the budget; it was fitted to English. Neither knows of the "
        "other: where they differ, compression alone does not settle the vocabulary."
    )
    drawn = languages[:MOST_PANELS]
    key = legend([*curves.series, _BY_LAW], lines=True)
    pictures = panels(*(_panel(i, one) for i, one in enumerate(drawn)), wide=True)
    words = (
        "Dashed: T* of Law II for byte latent models, whose patches stand for tokens; lowest for "
        "the largest budget. Diamonds: the vocabulary law's best size for the same budgets, "
        "rising with them. A rule above the curves is a rate that no size of this tokenizer "
        "reaches. English and the languages that were trained come first; the others are placed by "
        "their parity, bytes over English's on the same lines, an analogy whose wide intervals are "
        "in the table."
    )
    if len(drawn) < len(languages):
        words += f" {len(languages) - len(drawn)} more languages are in the table."
    return Section(
        IDENTITY,
        TITLE,
        introduction
        + key
        + pictures
        + Markup('<p class="note">{}</p>').format(words)
        + behind("Table: best rates and the sizes that reach them", _table(languages)),
        style=laws_style(),
    )


def _panel(place: int, one: PlacedCurves) -> Markup:
    best = [want.latent.value for want in one.wanted if want.latent.value is not None]
    highest = [HEADROOM * rate for rate in best]
    chart = Chart(
        size_axis(one.curves),
        linear("bytes per token", [*rates_in(one.curves), *best, *highest]),
        width=480,
    )
    marks = []
    for want in one.wanted:
        value = want.latent.value
        if value is None:
            continue
        words = f"T* {significant(value)} at {power(want.budget)} FLOPs"
        ends = [(chart.x.low, value), (chart.x.high, value)]
        marks.append(chart.line(_BEST, ends, words, "thin"))
    marks += rate_lines(chart, one.curves)
    marks += _labels(chart, one.wanted)
    for curve in one.curves:
        for want in one.wanted:
            rate = reached(curve, want).rate
            if rate is not None:
                hint = (
                    f"{curve.series.name}, {power(want.budget)} FLOPs: the vocabulary law's "
                    f"{want.vocabulary:,.0f} ids give {rate:.3f} bytes per token"
                )
                marks.append(chart.mark(_BY_LAW.style, want.vocabulary, rate, hint))
    shown = language_name(one.language)
    picture = chart.draw(
        f"vocabulary-best-{place}",
        f"{shown}: T* and the vocabulary law on the curve",
        "Dashed rules are T*, diamonds the vocabulary law; the table holds the values.",
        *marks,
    )
    return panel(_caption(one), picture)


def _caption(one: PlacedCurves) -> Markup:
    """Return the language, and how it was placed beside English."""
    if one.basis != "analogy":
        return name(language_name(one.language))
    return Markup("{}, by its parity of {}").format(
        name(language_name(one.language)), significant(one.parity)
    )


def _labels(chart: Chart, wants: Sequence[Wanted]) -> list[Markup]:
    """Return the budgets beside their rules, as far apart as letters need."""
    marks: list[Markup] = []
    lowest = float("inf")
    known = [(want.latent.value, want.budget) for want in wants if want.latent.value is not None]
    for value, budget in sorted(known, reverse=True):
        height = chart.at(chart.x.low, value)[1]
        if marks and height - lowest < 11:
            continue
        marks.append(
            chart.text(chart.x.low * 1.06, value, f"T* {power(budget)}", up=3, anchor="start")
        )
        lowest = height
    return marks


def _table(languages: Sequence[PlacedCurves]) -> Markup:
    return sortable_table(
        "T* with 95 % intervals of the law and of the language's place, the sizes at which each "
        "curve reaches it, and the vocabulary law's size",
        [
            Column("language", numeric=False),
            Column("tokenizer", numeric=False),
            Column("budget, FLOPs"),
            Column("T*, by", numeric=False, hint="what places the language beside English"),
            Column("T*, byte latent"),
            Column("ids for it"),
            Column("T*, subword", hint="published coefficients; their scatter is borrowed"),
            Column("ids for it"),
            Column("vocabulary law, ids", hint="Tao et al. 2024, approach 3, as published"),
            Column("bytes per token there"),
        ],
        [
            [
                language_cell(one.language),
                name(curve.series.name),
                f"{want.budget:.0e}".replace("e+", "e"),
                _BASIS[one.basis],
                _rate(want.latent),
                _ids(met.latent, want.latent, curve.points),
                _rate(want.subword),
                _ids(met.subword, want.subword, curve.points),
                Cell(f"{want.vocabulary:,.0f}", hint=f"for {significant(want.params)} parameters"),
                UNMEASURED if met.rate is None else significant(met.rate),
            ]
            for one in languages
            for curve in one.curves
            for want in one.wanted
            for met in [reached(curve, want)]
        ],
        row_headers=2,
        style="tall",
    )


def _rate(one: Estimate) -> Markup:
    return with_ends(one.value, one.low, one.high)


def _ids(found: Estimate, rate: Estimate, points: Sequence[tuple[int, float]]) -> Markup | Cell:
    if found.value is not None:
        ends = (found.low, found.high)
        known = [f"{end:,.0f}" if end is not None else "beyond" for end in ends]
        interval = "" if found.low is found.high is None else f"[{known[0]}, {known[1]}]"
        return Markup("{} <small>{}</small>").format(f"{found.value:,.0f}", interval)
    if rate.value is not None and rate.value > points[-1][1]:
        return Cell("more", hint=f"all {points[-1][0]:,} ids reach {points[-1][1]:.3g}")
    return Cell("fewer", hint="the alphabet alone reaches more")
