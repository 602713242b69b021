"""Where the best compression rate falls on a vocabulary curve, and the vocabulary law beside it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from reports.charts.chart import Chart, Panel, linear
from reports.charts.svg import INK, Series, SeriesStyle, legend
from reports.html import (
    TableCell,
    columns,
    language_cell,
    name,
    sortable_table,
    tokenizer_cell,
)
from reports.languages import language_name
from reports.laws.optimal import NOT_PLACED, place_of
from reports.numbers import UNMEASURED, cell, power, significant
from reports.page import Section, behind, missing, note, paragraphs
from reports.vocabulary.curves import (
    APART,
    HEADROOM,
    MOST_PANELS,
    Curves,
    DrawnCurve,
    first_panels,
    rate_lines,
    rates_in,
    size_axis,
)
from scaling.advise.allocate import vocabulary_for_rate
from scaling.advise.estimate import Estimate
from scaling.advise.forecast import forecast
from scaling.advise.laws import FamilyLaws, family_laws
from scaling.advise.placement import Placement
from scaling.laws.chinchilla import best_vocabulary
from scaling.published.tables import TAO_VOCABULARY

BUDGETS = (1e19, 1e20, 1e21)  # within what Law II was fitted to
_HEAD = 128  # width of a head; a model of L layers has width 128 L and 12 L (128 L)^2 parameters


class Wanted(NamedTuple):
    """What the laws want at a budget.

    Attributes:
        budget: FLOPs.
        latent, subword: T* by Law II of byte latent and of subword models, in the language's bytes.
        params: N* of a subword model by Law I, without its vocabulary.
        vocabulary: the vocabulary law's best size for N* and the budget, of English text.
    """

    budget: float
    latent: Estimate
    subword: Estimate
    params: float
    vocabulary: float


class ReachedSizes(NamedTuple):
    """Where a curve meets what is wanted.

    Attributes:
        latent, subword: the sizes at which it reaches T*; None where no size does.
        rate: bytes per token at the vocabulary law's size; None where that lies outside the curve.
    """

    latent: Estimate
    subword: Estimate
    rate: float | None


class PlacedCurves(NamedTuple):
    """One language: its curves and what the laws want of it.

    Attributes:
        language: its code.
        parity: bytes over English's; None where not measured.
        basis: `runs`, `measured` or `analogy`, see `scaling.advise.placement`.
        curves: by tokenizer.
        wanted: one for each of `BUDGETS`.
    """

    language: str
    parity: float | None
    basis: str
    curves: Sequence[DrawnCurve]
    wanted: Sequence[Wanted]


def placed_curves(curves: Curves) -> list[PlacedCurves]:
    """Return the languages that can be placed, those by their own runs before those by parity."""
    places = {code: place_of(code, curves.parity(code)) for code in curves.languages}
    if not any(places.values()):
        return []
    latent, subword = family_laws("latent"), family_laws("subword")
    found = [
        PlacedCurves(
            language,
            curves.parity(language),
            where.basis,
            curves.languages[language],
            [_wanted(budget, where, latent, subword) for budget in BUDGETS],
        )
        for language, where in places.items()
        if where is not None
    ]
    return sorted(found, key=lambda place: place.basis == "analogy")


def reached(curve: DrawnCurve, wanted: Wanted) -> ReachedSizes:
    """Return where a curve meets what is wanted."""
    points = curve.points
    sizes, rates = zip(*points, strict=True)
    inside = sizes[0] <= wanted.vocabulary <= sizes[-1]
    rate = float(np.interp(np.log(wanted.vocabulary), np.log(sizes), rates))
    return ReachedSizes(
        _sizes(wanted.latent, points), _sizes(wanted.subword, points), rate if inside else None
    )


def best_size(params: float, compute_flops: float) -> float:
    """Return the vocabulary law's best V for a model of the paper's shapes.

    Tao et al. 2024 (arXiv 2407.13623), approach 3, its published coefficients.

    Args:
        params: N without the vocabulary. compute_flops: C = 6 (N + V d) D.
    """
    layers = (params / (12 * _HEAD**2)) ** (1 / 3)
    found = best_vocabulary(
        TAO_VOCABULARY.estimates,
        np.asarray(params),
        np.asarray(_HEAD * layers),
        np.asarray(compute_flops),
    )
    return float(found)


def _sizes(rate: Estimate, points: Sequence[tuple[int, float]]) -> Estimate:
    found = [
        None if value is None else vocabulary_for_rate(value, points)
        for value in (rate.value, rate.low, rate.high)
    ]
    return Estimate(found[0], found[1], found[2], "ids")


def _wanted(budget: float, where: Placement, latent: FamilyLaws, subword: FamilyLaws) -> Wanted:
    forecasts = [forecast(budget, laws, where) for laws in (latent, subword)]
    rates = [Estimate.of(ahead.best_rate, "bytes per token") for ahead in forecasts]
    point = forecasts[1].first(1)
    params = float(point.allocate(point.best_rate, point.vocabulary_size).params[0])
    return Wanted(budget, rates[0], rates[1], params, best_size(params, budget))


IDENTITY, TITLE = "vocabulary-best", "Where the best rate falls"
# In ink, which no tokenizer is drawn in.
_BY_LAW = Series("the vocabulary law's size", SeriesStyle(INK, "diamond", "none"))
_BEST = SeriesStyle(INK, "circle", "4 3")
_BASIS = {"runs": "English runs", "measured": "trained", "analogy": "parity"}


def best_vocabulary_section(curves: Curves) -> Section:
    """Show T* of Law II and the vocabulary law's optimum on the curves."""
    languages = placed_curves(curves)
    if not languages:
        return missing(IDENTITY, TITLE, NOT_PLACED)
    introduction = paragraphs(
        "Two laws answer two questions. Law II says at which compression rate, T*, a budget "
        "reaches the lowest loss; where a curve crosses it is the vocabulary that gives this "
        "tokenizer that rate on this text. The vocabulary law (Tao et al. 2024) weighs what a "
        "larger vocabulary saves against the parameters and the compute it takes, for a model of "
        "the size that Law I gives the budget; it was fitted to English. Neither knows of the "
        "other: where they differ, compression alone does not settle the vocabulary."
    )
    drawn = languages[:MOST_PANELS]
    key = legend([*curves.series, _BY_LAW], lines=True)
    pictures = first_panels([_panel(i, place) for i, place in enumerate(drawn)], wide=True)
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
    table = behind("Table: best rates and the sizes that reach them", _table(languages))
    body = introduction + key + pictures + note(words) + table
    gist = "which vocabulary the laws would choose on these curves"
    return Section(IDENTITY, TITLE, body, gist=gist)


def _panel(place: int, found: PlacedCurves) -> Panel:
    best = [rate * room for _, rate in _known(found.wanted) for room in (1.0, HEADROOM)]
    chart = Chart(
        size_axis(found.curves),
        linear("bytes per token", rates_in(found.curves) + best),
        width=480,
    )
    marks = []
    for budget, rate in _known(found.wanted):
        words = f"T* {significant(rate)} at {power(budget)} FLOPs"
        ends = [(chart.x.low, rate), (chart.x.high, rate)]
        marks.append(chart.line(_BEST, ends, words, "thin"))
    marks += rate_lines(chart, found.curves) + _labels(chart, found.wanted)
    for curve in found.curves:
        for want in found.wanted:
            there = reached(curve, want).rate
            if there is not None:
                hint = (
                    f"{curve.series.name}, {power(want.budget)} FLOPs: the vocabulary law's "
                    f"{want.vocabulary:,.0f} ids give {there:.3f} bytes per token"
                )
                marks.append(chart.mark(_BY_LAW.style, want.vocabulary, there, hint))
    shown = language_name(found.language)
    return chart.panel(
        _caption(found),
        f"vocabulary-best-{place}",
        f"{shown}: T* and the vocabulary law on the curve",
        "Dashed rules are T*, diamonds the vocabulary law; the table holds the values.",
        marks,
    )._replace(language=found.language)


def _caption(found: PlacedCurves) -> Markup:
    """Return the language, and how it was placed beside English."""
    if found.basis != "analogy":
        return name(language_name(found.language))
    return Markup("{}, by its parity of {}").format(
        name(language_name(found.language)), significant(found.parity)
    )


def _labels(chart: Chart, wants: Sequence[Wanted]) -> list[Markup]:
    """Return the budgets beside their rules, as far apart as letters need."""
    marks: list[Markup] = []
    lowest = float("inf")
    for budget, rate in sorted(_known(wants), key=lambda known: (-known[1], -known[0])):
        height = chart.at(chart.x.low, rate)[1]
        if not marks or height - lowest >= APART:
            words = f"T* {power(budget)}"
            marks.append(chart.text(chart.x.low * 1.06, rate, words, up=3, anchor="start"))
            lowest = height
    return marks


def _known(wants: Sequence[Wanted]) -> list[tuple[float, float]]:
    """Return budgets and T* of byte latent models, where there is one."""
    return [(want.budget, want.latent.value) for want in wants if want.latent.value is not None]


def _table(languages: Sequence[PlacedCurves]) -> Markup:
    return sortable_table(
        "T* with 95 % intervals of the law and of the language's place, the sizes at which each "
        "curve reaches it, and the vocabulary law's size",
        columns(
            "language: | tokenizer: | budget, FLOPs | T*, by: | T*, byte latent | "
            "ids for it | T*, subword | ids for it | vocabulary law, ids | "
            "bytes per token there",
            {
                "T*, by": "what places the language beside English",
                "T*, subword": "published coefficients; their scatter is borrowed",
                "vocabulary law, ids": "Tao et al. 2024, approach 3, as published",
            },
        ),
        [
            [
                language_cell(found.language),
                tokenizer_cell(curve.series.name),
                f"{want.budget:.0e}".replace("e+", "e"),
                _BASIS[found.basis],
                cell(want.latent),
                _ids(met.latent, want.latent, curve.points),
                cell(want.subword),
                _ids(met.subword, want.subword, curve.points),
                TableCell(
                    f"{want.vocabulary:,.0f}", hint=f"for {significant(want.params)} parameters"
                ),
                UNMEASURED if met.rate is None else significant(met.rate),
            ]
            for found in languages
            for curve in found.curves
            for want in found.wanted
            for met in [reached(curve, want)]
        ],
        row_headers=2,
        style="tall",
    )


def _ids(
    found: Estimate, rate: Estimate, points: Sequence[tuple[int, float]]
) -> Markup | TableCell:
    if found.value is not None:
        ends = (found.low, found.high)
        known = [f"{end:,.0f}" if end is not None else "beyond" for end in ends]
        interval = "" if found.low is found.high is None else f"[{known[0]}, {known[1]}]"
        return Markup("{} <small>{}</small>").format(f"{found.value:,.0f}", interval)
    if rate.value is not None and rate.value > points[-1][1]:
        return TableCell("more", hint=f"all {points[-1][0]:,} ids reach {points[-1][1]:.3g}")
    return TableCell("fewer", hint="the alphabet alone reaches more")
