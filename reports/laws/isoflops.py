"""IsoFLOP parabolas, rate by rate: loss over bytes per parameter, with the parabolas' minima."""

import numpy as np
from markupsafe import Markup

from reports.charts.chart import Chart, legend, linear, octaves, of_budgets, panel, panels
from reports.charts.svg import SeriesStyle
from reports.html import Column, sortable_table
from reports.laws.results import Laws, budget, family, rate
from reports.laws.text import compact, power, significant, with_interval
from reports.measured import Series
from reports.page import Section, absent, behind
from scaling.result import FitResult
from scaling.runs import Runs

LAW = "isoflop"
_STEPS = 48


def isoflops(laws: Laws) -> Section:
    """Show one panel for each compression rate, one curve for each budget."""
    title = "IsoFLOP parabolas"
    found = [(fit, runs) for fit in laws.of(LAW) if (runs := laws.runs_of(fit)) is not None]
    if not found:
        note = absent(
            "No curve was fitted: tokenize-lab scaling fit RUNS.csv --law isoflop --out DIR/laws "
            "makes them, and RUNS.csv belongs beside them."
        )
        return Section("laws-isoflop", title, note)
    series = of_budgets([budget(fit) for fit, _ in found])
    keys = sorted({(family(fit), rate(fit)) for fit, _ in found})
    several = len({one for one, _ in keys}) > 1
    drawn = panels(
        *(
            _panel(
                i,
                f"{name}, {_of(one)}" if several else _of(one),
                [(fit, runs) for fit, runs in found if (family(fit), rate(fit)) == (name, one)],
                series,
            )
            for i, (name, one) in enumerate(keys)
        )
    )
    words = (
        "Every curve is one budget spent on models of several sizes: to the left too large a model "
        "on too little text, to the right too small a model on too much. Markers are trained "
        "models, lines the parabolas in ln B fitted to them, drawn over the bytes per parameter "
        "of the same models, and rings their minima."
    )
    table = behind("Table: the minimum of every curve", _table([fit for fit, _ in found]))
    body = legend(list(series.values()), lines=True) + drawn
    return Section(
        "laws-isoflop", title, body + Markup('<p class="note">{}</p>').format(words) + table
    )


def _of(one: float) -> str:
    return f"T = {one:g} bytes per token" if one else "any rate"


def _panel(
    place: int, name: str, curves: list[tuple[FitResult, Runs]], series: dict[float, Series]
) -> Markup:
    columns = [_columns(runs) for _, runs in curves]
    chart = Chart(
        octaves("bytes per parameter", [x for _, ratio, _ in columns for x in ratio]),
        linear("bits per byte", [y for _, _, loss in columns for y in loss]),
    )
    marks = []
    for (fit, _), (data, ratio, loss) in zip(curves, columns, strict=True):
        style = series[budget(fit)].style
        marks += fitted_curve(chart, fit, style, data, ratio, loss)
    picture = chart.draw(
        f"isoflop-{place}",
        f"IsoFLOP curves, {name}",
        f"{len(curves)} budgets; the table below holds the minima.",
        *marks,
    )
    return panel(name, picture)


def _columns(runs: Runs) -> tuple[list[float], list[float], list[float]]:
    """Return B, rho and L, by rising B."""
    data, size = runs.column("train_bytes", LAW), runs.column("params", LAW)
    order = np.argsort(data, kind="stable")
    loss = runs.column("bits_per_byte", LAW)
    return data[order].tolist(), (data / size)[order].tolist(), loss[order].tolist()


def fitted_curve(
    chart: Chart,
    fit: FitResult,
    style: SeriesStyle,
    data: list[float],
    ratio: list[float],
    loss: list[float],
) -> list[Markup]:
    """Return the marks of one curve: parabola, models and minimum.

    Arguments:
        data: bytes that the models read, rising. ratio: bytes per parameter. loss: bits per byte.
    """
    at = np.geomspace(data[0], data[-1], _STEPS)
    there = np.exp(np.interp(np.log(at), np.log(data), np.log(ratio)))
    fitted = fit.predict("bits_per_byte", train_bytes=at).value
    place = f"C = {power(budget(fit))}"
    marks = [
        chart.line(style, list(zip(there.tolist(), fitted.tolist(), strict=True)), place, "thin")
    ]
    marks += [
        chart.mark(style, x, y, f"{place}: {significant(x)} bytes per parameter, {y:.4f}")
        for x, y in zip(ratio, loss, strict=True)
    ]
    best = fit.estimates
    x, y = best["bytes_per_param_opt"], best["bits_per_byte_opt"]
    marks.append(
        chart.ring(x, y, f"{place}: lowest at {significant(x)} bytes per parameter, {y:.4f}")
    )
    return marks


def _table(fits: list[FitResult]) -> Markup:
    names = ("train_bytes_opt", "params_opt", "bytes_per_param_opt", "bits_per_byte_opt")
    return sortable_table(
        "Minimum of every isoFLOP curve, with 95 % intervals",
        [
            Column("budget, FLOPs"),
            Column("bytes per token"),
            Column("models"),
            Column("B*, bytes"),
            Column("N*, parameters"),
            Column("ρ*, bytes per parameter"),
            Column("bits per byte"),
        ],
        [
            [
                compact(budget(fit)),
                f"{rate(fit):g}",
                str(fit.n),
                *(
                    with_interval(
                        fit.estimates[name],
                        fit.intervals.get(name),
                        4 if name == "bits_per_byte_opt" else 3,
                    )
                    for name in names
                ),
            ]
            for fit in fits
        ],
        row_headers=2,
        style="tall",
    )
