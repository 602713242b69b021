"""Law I: how data and model size grow with compute, at every compression rate."""

import numpy as np
from markupsafe import Markup

from reports.charts.chart import Chart, decades, legend, of_rates, panel, panels
from reports.html import Column, sortable_table
from reports.laws.results import Laws, alike, of_family, rate
from reports.laws.text import compact, power, significant, with_interval
from reports.measured import Series
from reports.page import Section, absent, behind
from scaling.result import FitResult

LAW = "law1"
_USUAL = 1e20  # latent FLOPs of which is told, where runs came near
_QUANTITIES = (
    ("train_bytes_opt", "B*, training bytes", "Training bytes B*"),
    ("params_opt", "N*, parameters", "Parameters N*"),
)


def allocation(laws: Laws) -> Section:
    """Show B* and N* over compute, with Law I's lines, and its coefficients."""
    title = "Law I: how much text, how large a model"
    fit = laws.one(LAW)
    if fit is None:
        note = absent(
            "Law I was not fitted: tokenize-lab scaling fit RUNS.csv --law law1 --out DIR/laws"
        )
        return Section("laws-one", title, note)
    minima = [one for one in laws.of("isoflop") if rate(one) and alike(one, fit)]
    body = Markup(
        '<p class="formula">B* = B<sub>0</sub> C<sup>α</sup> T<sup>β</sup>, &emsp; '
        "N* = N<sub>0</sub> C<sup>1−α</sup> T<sup>1−β</sup></p>"
        "<p>C is what the latent module alone spends, 6&nbsp;N&nbsp;B&nbsp;/&nbsp;T. {}</p>"
    ).format(_sentence(fit, laws))
    if minima:
        series = of_rates([rate(one) for one in minima])
        body += legend(list(series.values()), lines=True)
        body += panels(*(_panel(fit, minima, series, *one) for one in _QUANTITIES), wide=True)
        body += Markup('<p class="note">{}</p>').format(
            "Markers are the minima of the isoFLOP curves, with 95 % intervals; lines are Law I. "
            "The higher the compression rate, the more text and the larger a model the same "
            "compute pays for."
        )
    return Section("laws-one", title, body + behind("Table: Law I", coefficients(fit, "Law I")))


def _sentence(fit: FitResult, laws: Laws) -> str:
    low, high = fit.data_range.get("latent_flops", (_USUAL, _USUAL))
    spent = _USUAL if low <= _USUAL <= high else float(f"{high:.2g}")
    best = fit.predict("bytes_per_param_opt", latent_flops=spent, compression_rate=4.0)
    alpha, beta = (with_interval(fit.estimates[one], fit.intervals[one]).striptags()
                   for one in ("alpha", "beta"))  # fmt: skip
    return (
        f"Text grows with the power α = {alpha} of compute and with the power β = {beta} of the "
        f"compression rate{of_family(fit, laws.fits)}; at 4 bytes per token and {power(spent)} "
        f"latent FLOPs the best ratio is {significant(float(best.value))} bytes per parameter."
    )


def latent_flops(minimum: FitResult) -> float:
    """Return 6 N* B* / T of an isoFLOP minimum."""
    best = minimum.estimates
    return 6 * best["params_opt"] * best["train_bytes_opt"] / rate(minimum)


def _panel(
    fit: FitResult,
    minima: list[FitResult],
    series: dict[float, Series],
    name: str,
    label: str,
    caption: str,
) -> Markup:
    spent = [latent_flops(one) for one in minima]
    chart = Chart(
        decades("compute of the latent module, FLOPs", spent),
        decades(label, [one.estimates[name] for one in minima]),
        width=440,
        height=340,
    )
    marks = []
    at = np.geomspace(chart.x.low, chart.x.high, 2)
    for of_rate, one in series.items():
        fitted = fit.predict(name, latent_flops=at, compression_rate=of_rate).value
        line = list(zip(at.tolist(), fitted.tolist(), strict=True))
        marks.append(chart.line(one.style, line, f"Law I at {one.name}", "thin"))
    for compute, minimum in zip(spent, minima, strict=True):
        value, own = minimum.estimates[name], minimum.intervals.get(name)
        marks.append(
            chart.mark(
                series[rate(minimum)].style,
                compute,
                value,
                f"T = {rate(minimum):g}, {compact(compute)} FLOPs: {significant(value)}",
                y_ends=None if own is None else (own.low, own.high),
            )
        )
    picture = chart.draw(
        f"law1-{name}",
        f"{caption} over compute",
        f"{len(minima)} isoFLOP minima at {len(series)} compression rates, and Law I's lines. The "
        "table of isoFLOP curves holds the minima.",
        *marks,
    )
    return panel(caption, picture)


def coefficients(fit: FitResult, name: str) -> Markup:
    """Return a fit's coefficients with intervals and units."""
    return sortable_table(
        f"{name}: coefficients, with {fit.level:.0%} intervals"
        if any(fit.intervals.values())
        else f"{name}: coefficients",
        [Column("coefficient", numeric=False), Column("estimate"), Column("unit", numeric=False)],
        [
            [key, with_interval(value, fit.intervals.get(key), 4), fit.units.get(key, "")]
            for key, value in fit.estimates.items()
        ],
    )
