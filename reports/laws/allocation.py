"""How data and model size share a budget: the isoFLOP parabolas, and Law I through their minima."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from reports.charts.chart import Chart, Panel, decades, linear, octaves, panels
from reports.charts.svg import Series, SeriesStyle, legend, of_budgets, of_rates
from reports.html import sortable_table
from reports.laws.results import Laws, alike, budget, family, rate, runs_words
from reports.numbers import (
    compact,
    ends_of,
    plural,
    power,
    significant,
    significant_rate,
    with_interval,
)
from reports.page import Section, behind, missing, note
from scaling.result import FitResult
from scaling.runs import Runs

CURVES = ("isoflop", "isoflop-tokens")  # laws of one curve each
_STEPS = 48  # of a parabola
_USUAL = 1e20  # latent FLOPs of which is told, where runs came near
_RATES = (1.0, 2.0, 4.0, 8.0)  # of which Law I is drawn where no minima are there
_QUANTITIES = (
    ("train_bytes_opt", "B*, training bytes", "Training bytes B*"),
    ("params_opt", "N*, parameters", "Parameters N*"),
)

Fitted = tuple[FitResult, Runs]


class _Counts(NamedTuple):
    """What the curves of a law count: the column of data, and what its fits tell.

    Attributes:
        data, loss: columns of the runs. ratio: of data to parameters, in words.
        told: the quantity that a fit predicts.
    """

    data: str
    loss: str
    ratio: str
    told: str

    @property
    def optimum(self) -> tuple[str, str, str, str]:
        """The estimates of a minimum: data, parameters, their ratio, loss."""
        ratio = self.ratio.replace("per parameter", "per_param").replace(" ", "_")
        return (f"{self.data}_opt", "params_opt", f"{ratio}_opt", f"{self.loss}_opt")


def _counts(fit: FitResult) -> _Counts:
    if fit.law == "isoflop":
        return _Counts("train_bytes", "bits_per_byte", "bytes per parameter", "bits_per_byte")
    in_nats = "nats_per_token_opt" in fit.estimates
    loss = "nats_per_token" if in_nats else "bits_per_byte"
    return _Counts("train_tokens", loss, "tokens per parameter", "loss")


def isoflops(laws: Laws) -> Section:
    """Show one panel for each compression rate, one curve for each budget."""
    title = "IsoFLOP parabolas"
    found = [pair for law in CURVES for pair in laws.with_runs(law)]
    if not found:
        reason = "No curve was fitted: tokenize-lab scaling fit RUNS.csv --law isoflop --out DIR"
        return missing("laws-isoflop", title, reason)
    drawn, series = parabola_panels(found)
    words = (
        "Every curve is one budget spent on models of several sizes: to the left too large a model "
        "on too little text, to the right too small a model on too much. Markers are trained "
        "models, lines the parabolas in the logarithm of the text fitted to them, drawn over the "
        "text per parameter of the same models, and rings their minima."
    )
    fits = [fit for fit, _ in found]
    kinds = dict.fromkeys(map(_counts, fits))
    tables = [_minima([fit for fit in fits if _counts(fit) == kind], kind) for kind in kinds]
    table = behind("Table: the minimum of every curve", Markup().join(tables))
    body = legend(series, lines=True) + panels(drawn) + note(words) + table
    gist = "loss over model size, a curve for each budget and a panel for each rate"
    return Section("laws-isoflop", title, body, gist=gist)


def parabola_panels(found: Sequence[Fitted]) -> tuple[list[Panel], list[Series]]:
    """Return a panel for each compression rate, and what the key names."""
    series = of_budgets(budget(fit) for fit, _ in found)
    keys = sorted({(family(fit), rate(fit), _counts(fit)) for fit, _ in found})
    several = len({name for name, _, _ in keys}) > 1
    drawn = []
    for i, key in enumerate(keys):
        name, t, _ = key
        curves = [one for one in found if (family(one[0]), rate(one[0]), _counts(one[0])) == key]
        words = f"T = {significant_rate(t)} bytes per token" if t else "any rate"
        drawn.append(_parabolas(i, f"{name}, {words}" if several else words, curves, series))
    return drawn, list(series.values())


def _parabolas(
    place: int, name: str, curves: Sequence[Fitted], series: dict[float, Series]
) -> Panel:
    counts = _counts(curves[0][0])
    sizes = [_columns(runs, counts) for _, runs in curves]
    chart = Chart(
        octaves(counts.ratio, [x for _, ratio, _ in sizes for x in ratio]),
        linear(counts.loss.replace("_", " "), [y for _, _, loss in sizes for y in loss]),
    )
    marks = [
        mark
        for (fit, _), (data, ratio, loss) in zip(curves, sizes, strict=True)
        for mark in fitted_curve(chart, fit, series[budget(fit)].style, data, ratio, loss)
    ]
    said = f"{len(curves)} budgets; the table below holds the minima."
    return chart.panel(name, f"isoflop-{place}", f"IsoFLOP curves, {name}", said, marks)


def _columns(runs: Runs, counts: _Counts) -> tuple[list[float], list[float], list[float]]:
    """Return the data, its ratio to the parameters and L, by rising data."""
    data, size = runs.column(counts.data, "isoflop"), runs.column("params", "isoflop")
    order = np.argsort(data, kind="stable")
    loss = runs.column(counts.loss, "isoflop")
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
        data: bytes or tokens that the models read, rising. ratio: of them to parameters.
        loss: in the unit of the fit.
    """
    counts = _counts(fit)
    at = np.geomspace(data[0], data[-1], _STEPS)
    there = np.exp(np.interp(np.log(at), np.log(data), np.log(ratio)))
    fitted = fit.predict(counts.told, **{counts.data: at}).value
    place = f"C = {power(budget(fit))}"
    _, _, *lowest = counts.optimum
    x, y = (fit.estimates[name] for name in lowest)
    return [
        chart.line(style, list(zip(there.tolist(), fitted.tolist(), strict=True)), place, "thin"),
        *(
            chart.mark(style, r, value, f"{place}: {significant(r)} {counts.ratio}, {value:.4f}")
            for r, value in zip(ratio, loss, strict=True)
        ),
        chart.ring(x, y, f"{place}: lowest at {significant(x)} {counts.ratio}, {y:.4f}"),
    ]


def _minima(fits: Sequence[FitResult], counts: _Counts) -> Markup:
    data = "B*, bytes" if counts.data == "train_bytes" else "D*, tokens"
    return sortable_table(
        "Minimum of every isoFLOP curve, with 95 % intervals",
        f"budget, FLOPs | bytes per token | models | {data} | N*, parameters | "
        f"ρ*, {counts.ratio} | {counts.loss.replace('_', ' ')}",
        [
            [
                compact(budget(fit)),
                significant_rate(rate(fit)),
                str(fit.n),
                *(_estimate(fit, name, 3) for name in counts.optimum[:3]),
                _estimate(fit, counts.optimum[3], 4),
            ]
            for fit in fits
        ],
        row_headers=2,
        style="tall",
    )


def _estimate(fit: FitResult, name: str, digits: int = 3) -> Markup:
    return with_interval(fit.estimates[name], fit.intervals.get(name), digits)


def allocation(laws: Laws) -> Section:
    """Show B* and N* over compute, with Law I's lines, and its coefficients."""
    title = "Law I: how much text, how large a model"
    fit = laws.one("law1")
    if fit is None:
        reason = "Law I was not fitted: tokenize-lab scaling fit RUNS.csv --law law1 --out DIR"
        return missing("laws-one", title, reason)
    minima = [curve for curve in laws.of("isoflop") if rate(curve) and alike(curve, fit)]
    body = Markup(
        '<p class="formula">B* = B<sub>0</sub> C<sup>α</sup> T<sup>β</sup>, &emsp; '
        "N* = N<sub>0</sub> C<sup>1−α</sup> T<sup>1−β</sup></p>"
        "<p>C is what the latent module alone spends, 6&nbsp;N&nbsp;B&nbsp;/&nbsp;T. {}</p>"
    ).format(_sentence(fit))
    if minima:
        drawn, series = allocation_panels(fit, minima)
        body += legend(series, lines=True) + panels(drawn, wide=True)
        body += note(
            "Markers are the minima of the isoFLOP curves, with 95 % intervals; lines are Law I. "
            "The higher the compression rate, the more text and the larger a model the same "
            "compute pays for."
        )
    body += behind("Table: Law I", coefficients(fit, "Law I"))
    return Section("laws-one", title, body, gist="text and model size over compute, and Law I")


def _sentence(fit: FitResult) -> str:
    low, high = fit.data_range.get("latent_flops", (_USUAL, _USUAL))
    spent = _USUAL if low <= _USUAL <= high else float(f"{high:.2g}")
    best = fit.predict("bytes_per_param_opt", latent_flops=spent, compression_rate=4.0)
    alpha, beta = (_estimate(fit, name).striptags() for name in ("alpha", "beta"))
    return (
        f"Text grows with the power α = {alpha} of compute and with the power β = {beta} of the "
        f"compression rate, by {plural(fit.n, 'minimum', 'minima')} of {runs_words(fit)}; at 4 "
        f"bytes per token and {power(spent)} latent FLOPs the best ratio is "
        f"{significant(float(best.value))} bytes per parameter."
    )


def latent_flops(minimum: FitResult) -> float:
    """Return 6 N* B* / T of an isoFLOP minimum."""
    best = minimum.estimates
    return 6 * best["params_opt"] * best["train_bytes_opt"] / rate(minimum)


def allocation_panels(
    fit: FitResult, minima: Sequence[FitResult]
) -> tuple[list[Panel], list[Series]]:
    """Return B* and N* over compute, and what the key names."""
    series = of_rates([rate(minimum) for minimum in minima] or _RATES)
    spent = [latent_flops(minimum) for minimum in minima]
    range_ = spent or list(fit.data_range.get("latent_flops", (1e19, 1e21)))
    drawn = []
    for name, label, caption in _QUANTITIES:
        values = [minimum.estimates[name] for minimum in minima] or [
            float(fit.predict(name, latent_flops=compute, compression_rate=t).value)
            for compute in range_
            for t in series
        ]
        chart = Chart(
            decades("compute of the latent module, FLOPs", range_), decades(label, values),
            width=440, height=340,
        )  # fmt: skip
        at = np.geomspace(chart.x.low, chart.x.high, 2)
        marks = []
        for t, entry in series.items():
            fitted = fit.predict(name, latent_flops=at, compression_rate=t).value
            line = list(zip(at.tolist(), fitted.tolist(), strict=True))
            marks.append(chart.line(entry.style, line, f"Law I at {entry.name}", "thin"))
        for compute, minimum in zip(spent, minima, strict=True):
            value, t = minimum.estimates[name], rate(minimum)
            hint = f"T = {significant_rate(t)}, {compact(compute)} FLOPs: {significant(value)}"
            ends = ends_of(minimum.intervals.get(name))
            marks.append(chart.mark(series[t].style, compute, value, hint, y_ends=ends))
        said = (
            f"{len(minima)} isoFLOP minima at {len(series)} compression rates, and Law I's lines. "
            "The table of isoFLOP curves holds the minima."
        )
        drawn.append(chart.panel(caption, f"law1-{name}", f"{caption} over compute", said, marks))
    return drawn, list(series.values())


def coefficients(fit: FitResult, name: str) -> Markup:
    """Return a fit's coefficients with intervals and units."""
    more = f", with {fit.level:.0%} intervals" if any(fit.intervals.values()) else ""
    return sortable_table(
        f"{name}: coefficients{more}",
        "coefficient: | estimate | unit:",
        [[key, _estimate(fit, key, 4), fit.units.get(key, "")] for key in fit.estimates],
    )
