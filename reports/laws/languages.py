"""Languages under one law: best rate, size and loss of each over parity, own and pooled."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from markupsafe import Markup

from reports.charts.chart import Axis, Chart, Panel, decades, panels
from reports.charts.scatter import ScatterPoint, place_labels
from reports.charts.svg import QUIET, Series, SeriesStyle, legend, series_style, tag, tick_text
from reports.html import columns, sortable_table
from reports.languages import language_name
from reports.laws.results import Laws, budget, of_family
from reports.numbers import (
    UNMEASURED,
    LowHigh,
    ends_of,
    ends_text,
    plural,
    power,
    significant,
    with_interval,
)
from reports.page import Section, lead, note
from scaling.laws.languages import (
    LOSS,
    OWN,
    PARITY,
    POOLED,
    RATE,
    RATIO,
    SLOPE,
    TAU,
    UNITS,
    WEIGHT,
    languages_of,
)
from scaling.result import FitResult

_NAMES = {RATE: "best compression rate T*", RATIO: "best bytes per parameter", LOSS: "loss"}
_LINE, _POOLED = series_style(0), series_style(1)
_OWN = SeriesStyle(QUIET, "circle", "")
_ASIDE = 1.008  # of the parity, by which own and pooled stand apart
_ALONG = 41  # places of the line


def law_languages(laws: Laws) -> Section | None:
    """Show every language over parity; None where that law was not fitted."""
    fits = laws.of("languages")
    if not fits:
        return None
    body = lead(
        "All languages were fitted at once: a line over parity, the bytes a language takes for "
        "what English says in one, and what each language has of its own, drawn towards that line "
        "by how little its own runs tell."
    )
    for place, fit in enumerate(fits):
        at = f" at {power(budget(fit))} FLOPs" if budget(fit) else ""
        body += legend(languages_key(fit), lines=True)
        body += panels(language_panels(fit, place), wide=True)
        body += note(_sentence(fit, f"{of_family(fit, laws.fits)}{at}")) + _table(fit)
    return Section("laws-languages", "Languages under one law", body)


def languages_key(fit: FitResult) -> list[Series]:
    """Return what the panels draw."""
    key = [Series("the line, and where 95 % of further languages lie", _LINE)]
    if any(name.startswith(OWN.format(RATE, "")) for name in fit.estimates):
        key.append(Series("by its own runs alone", _OWN))
    return [*key, Series("pooled with the others", _POOLED)]


def language_panels(fit: FitResult, place: int = 0) -> list[Panel]:
    """Return a panel each of T*, rho* and loss over parity, as far as the fit has them.

    Arguments:
        place: of the fit among several on a page.
    """
    return [
        _panel(fit, outcome, f"languages-{place}-{outcome}")
        for outcome in UNITS
        if TAU.format(outcome) in fit.estimates
    ]


def _panel(fit: FitResult, outcome: str, identity: str) -> Panel:
    names = languages_of(fit.estimates)
    parity = {name: fit.estimates[PARITY.format(name)] for name in names}
    along = np.geomspace(min(parity.values()), max(parity.values()), _ALONG)
    told = fit.predict(f"{outcome}_opt", parity=along)
    pooled = {name: fit.estimates[POOLED.format(outcome, name)] for name in names}
    own = {name: key for name in names if (key := OWN.format(outcome, name)) in fit.estimates}
    band = [] if told.low is None else list(zip(told.low.tolist(), told.high.tolist(), strict=True))
    seen = [*pooled.values(), *(fit.estimates[key] for key in own.values()), *told.value.tolist()]
    seen += [end for pair in band for end in pair]
    # Intervals of single languages may leave the chart: one that is open would take all of it.
    chart = Chart(_axis("parity", along.tolist()), _axis(UNITS[outcome], seen), 440, 340)
    ends: list[LowHigh] = [*band] or [None for _ in along]
    line = list(zip(along.tolist(), told.value.tolist(), ends, strict=True))
    marks = chart.banded(_LINE, line)
    points = []
    for name in names:
        shown = language_name(name)
        drawn = [(_POOLED, POOLED.format(outcome, name), _ASIDE, "pooled")]
        if name in own:
            drawn.insert(0, (_OWN, own[name], 1 / _ASIDE, "by its own runs alone"))
        for style, key, aside, how in drawn:
            value, interval = fit.estimates[key], fit.intervals.get(key)
            said = f"{shown}, {how}: {significant(value)} {ends_text(interval)}".strip()
            at = parity[name] * aside
            marks.append(chart.mark(style, at, value, said, y_ends=ends_of(interval)))
        points.append(ScatterPoint(parity[name], pooled[name], None, shown, ""))
    labels = [
        tag("text", points[i].name, class_="label", x=box.left, y=box.bottom - 4)
        for i, box in place_labels(chart, points)
    ]
    title = f"{_NAMES[outcome].capitalize()} over parity"
    picture = chart.draw(
        identity, title, f"{plural(len(names), 'language')}, own and pooled, and the line through"
        " them with its band.", marks, beside=labels,
    )  # fmt: skip
    return Panel(_caption(fit, outcome), picture)


def _axis(label: str, values: Sequence[float]) -> Axis:
    axis = decades(label, values)
    return replace(axis, ticks=[(value, tick_text(value)) for value, _ in axis.ticks])


def _caption(fit: FitResult, outcome: str) -> str:
    slope = SLOPE.format(outcome)
    if slope not in fit.estimates:
        return f"{_NAMES[outcome]}: no slope"
    power_of = f"{significant(fit.estimates[slope], 2)} {ends_text(fit.intervals.get(slope), 2)}"
    return f"{_NAMES[outcome]}: as parity to the {power_of.strip()}"


def _sentence(fit: FitResult, where: str) -> str:
    tau = fit.estimates[TAU.format(RATE)]
    names = languages_of(fit.estimates)
    if tau == 0:
        apart = "T* of languages of one parity differs by no more than the errors of their own runs"
    else:
        apart = f"T* of languages of one parity differs by some {np.expm1(tau):.0%}"
    weights = {name: fit.estimates.get(WEIGHT.format(RATE, name), 0.0) for name in names}
    least = min(names, key=lambda name: weights[name])
    borrows = ""
    if weights[least] < 1 and tau > 0:
        borrows = f"; of {language_name(least)}'s, {weights[least]:.0%} is its own runs', the least"
    return f"{plural(len(names), 'language')}{where}: {apart}{borrows}."


def _table(fit: FitResult) -> Markup:
    told = [outcome for outcome in UNITS if TAU.format(outcome) in fit.estimates]
    short = {RATE: "T*", RATIO: "ρ*", LOSS: "bits per byte"}
    heads = [f"{short[outcome]} | its own | weight of it" for outcome in told]

    def cells(name: str, outcome: str) -> list[str | Markup]:
        digits = 4 if outcome == LOSS else 3
        pooled, own = (kind.format(outcome, name) for kind in (POOLED, OWN))
        weight = fit.estimates.get(WEIGHT.format(outcome, name), 0.0)
        alone: str | Markup = UNMEASURED
        if own in fit.estimates:
            alone = with_interval(fit.estimates[own], fit.intervals.get(own), digits)
        return [
            with_interval(fit.estimates[pooled], fit.intervals.get(pooled), digits),
            alone,
            f"{weight:.0%}",
        ]

    return sortable_table(
        "Best rate, bytes per parameter and loss of each language, pooled and by its own runs",
        columns(f"language: | parity | {' | '.join(heads)}", {}),
        [
            [
                language_name(name),
                f"{fit.estimates[PARITY.format(name)]:.2f}",
                *(part for outcome in told for part in cells(name, outcome)),
            ]
            for name in languages_of(fit.estimates)
        ],
    )
