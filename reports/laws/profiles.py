"""Law II: what a compression rate costs, and the best rate over compute."""

import numpy as np
from markupsafe import Markup

from reports.charts.chart import Chart, decades, legend, linear, octaves, of_budgets, panel, panels
from reports.charts.svg import series_style
from reports.html import Column, sortable_table
from reports.laws.allocation import coefficients
from reports.laws.results import Laws, alike, budget, of_family
from reports.laws.text import compact, power, predicted, said, significant, with_interval
from reports.measured import Series
from reports.page import Section, absent, behind
from scaling.result import FitResult
from scaling.runs import Runs

LAW = "law2"
_STEPS = 60
_USUAL = (1e20, 1e21)  # budgets of which is told, where runs came near
_BUDGETS = (1e19, 1e20, 1e21, 1e22, 1e24)


def law2_of(laws: Laws) -> FitResult | None:
    """Return the fit whose best rate may depend on compute, or else any that has a best rate."""
    fits = [fit for fit in laws.of(LAW) if "T0" in fit.estimates]
    return next((fit for fit in fits if "delta" in fit.estimates), next(iter(fits), None))


def optima_of(laws: Laws, fit: FitResult) -> list[tuple[float, float, float]]:
    """Return budget, rate and loss of the optima that Law II was fitted to, where they are known.

    Those of its table, if that holds optima; else the minima of the isoFLOP curves.
    """
    runs = laws.runs_of(fit)
    if runs is not None and len(runs) == fit.n:
        return list(zip(*(_column(runs, name) for name in _COLUMNS), strict=True))
    return [
        (budget(one), float(one.context["compression_rate"]), one.estimates["bits_per_byte_opt"])
        for one in laws.of("isoflop")
        if "compression_rate" in one.context and alike(one, fit)
    ]


_COLUMNS = ("compute_flops", "compression_rate", "bits_per_byte")


def _column(runs: Runs, name: str) -> list[float]:
    return [float(one) for one in runs.column(name, LAW)]


def profiles(laws: Laws) -> Section:
    """Show loss over rate at every budget, and the best rate over budgets."""
    title = "Law II: the price of a compression rate"
    fit = law2_of(laws)
    if fit is None:
        note = absent(
            "Law II was not fitted: tokenize-lab scaling fit OPTIMA.csv --law law2 --out DIR/laws"
        )
        return Section("laws-two", title, note)
    body = Markup(
        '<p class="formula">L*(C, T) = L<sub>0</sub> C<sup>γ</sup> + F (ln T − ln T*(C))² + E, '
        "&emsp; T*(C) = T<sub>0</sub> C<sup>−δ</sup></p><p>{}</p>"
    ).format(best_rates_sentence(fit, laws))
    optima = optima_of(laws, fit)
    drawn = []
    if optima:
        series = of_budgets([compute for compute, _, _ in optima])
        body += legend(list(series.values()), lines=True)
        drawn.append(_losses(fit, optima, series))
    drawn.append(_best(fit, [one for one in laws.of("isoflop-surface") if alike(one, fit)]))
    body += panels(*drawn, wide=True)
    body += Markup('<p class="note">{}</p>').format(
        "Left: the optimum of each budget and rate, where it was found from runs the lowest place "
        "of a parabola, which may lie beyond the sizes trained, and the fitted law. Right: the "
        "best rate by the law, with its 95 % interval, and the lowest places of the bowls, "
        "fitted to each budget alone. Beyond the budgets fitted the line is an extrapolation."
    )
    body += behind("Table: best rate and loss over budgets", _predictions(fit))
    body += behind("Table: coefficients of Law II", coefficients(fit, "Law II"))
    forms = [one for one in laws.of(LAW) if one.n == fit.n and one.data_sha256 == fit.data_sha256]
    if len(forms) > 1:
        body += Markup("<p>{}</p>").format(
            "Whether compression matters, and whether its best rate moves with compute, is what "
            "the nested forms tell: each is fitted to all optima, and once more without the "
            "largest budget, which it must then predict."
        ) + _forms(forms)
    return Section("laws-two", title, body)


def _near(fit: FitResult) -> bool:
    """Whether the usual budgets lie among those fitted: a small machine's runs are ten million
    times below them, and tell nothing there."""
    low, high = fit.data_range.get("compute_flops", _USUAL)
    return low <= _USUAL[0] and _USUAL[1] <= high


def best_rates_sentence(fit: FitResult, laws: Laws) -> str:
    """Return what Law II says of the best rate, in plain text, within the budgets fitted."""
    low, high = fit.data_range.get("compute_flops", _USUAL)
    one, other = _USUAL if _near(fit) else (low, high)
    best = [said(fit.predict("compression_rate_opt", compute_flops=c)) for c in (one, other)]
    return (
        f"Law II, fitted to {fit.n} optima{of_family(fit, laws.fits)}, puts the best compression "
        f"rate at {best[0]} bytes per token for {power(one)} FLOPs and {best[1]} for "
        f"{power(other)}."
    )


def _losses(
    fit: FitResult, optima: list[tuple[float, float, float]], series: dict[float, Series]
) -> Markup:
    at_best = fit.predict("bits_per_byte_opt", compute_flops=np.array(list(series)))
    lowest = at_best.value.tolist()
    chart = Chart(
        octaves("bytes per token", [rate for _, rate, _ in optima]),
        linear("bits per byte at the best size", [*(loss for _, _, loss in optima), *lowest]),
        width=440,
        height=400,
    )
    at = np.geomspace(chart.x.low, chart.x.high, _STEPS)
    marks = []
    for compute, one in series.items():
        fitted = fit.predict("bits_per_byte", compute_flops=compute, compression_rate=at).value
        line = list(zip(at.tolist(), fitted.tolist(), strict=True))
        marks.append(chart.line(one.style, line, f"Law II at {one.name}", "thin"))
        best = float(fit.predict("compression_rate_opt", compute_flops=compute).value)
        low = float(fit.predict("bits_per_byte_opt", compute_flops=compute).value)
        hint = f"{one.name}: best at {significant(best)} bytes per token, {low:.4f}"
        marks.append(chart.ring(best, low, hint))
    marks += [
        chart.mark(
            series[compute].style,
            rate,
            loss,
            f"{power(compute)}: {rate:g} bytes per token, {loss:g}",
        )
        for compute, rate, loss in optima
    ]
    picture = chart.draw(
        "law2-losses",
        "Loss over compression rate",
        f"{len(optima)} optima of {len(series)} budgets, Law II's curves through them, and a ring "
        "at the best rate of each budget.",
        *marks,
    )
    return panel("Loss over compression rate", picture)


def _best(fit: FitResult, bowls: list[FitResult]) -> Markup:
    low, high = fit.data_range.get("compute_flops", (1e19, 1e21))
    at = np.geomspace(low, high * 10, _STEPS)
    line = fit.predict("compression_rate_opt", compute_flops=at)
    name = "compression_rate_opt"
    seen = [
        value
        for one in bowls
        for own in [one.intervals.get(name)]
        for value in (one.estimates[name], *((own.low, own.high) if own else ()))
    ]
    edges = [line.value] if line.low is None or line.high is None else [line.low, line.high]
    values = [float(x) for edge in edges for x in (edge.min(), edge.max())]
    chart = Chart(
        decades("budget, FLOPs", [float(at[0]), float(at[-1])]),
        linear("best rate T*, bytes per token", [*values, *seen]),
        width=440,
        height=400,
    )
    x, style = at.tolist(), series_style(0)
    marks = []
    if line.low is not None and line.high is not None:
        marks.append(
            chart.band(
                style,
                list(zip(x, line.low.tolist(), strict=True)),
                list(zip(x, line.high.tolist(), strict=True)),
            )
        )
    marks += [
        chart.line(style, list(zip(x, line.value.tolist(), strict=True)), "Law II"),
        chart.rule(x=high),
        chart.text(high, chart.y.low, "largest budget fitted", up=8, anchor="end"),
    ]
    for one in bowls:
        own = one.intervals.get(name)
        marks.append(
            chart.mark(
                series_style(1),
                budget(one),
                one.estimates[name],
                f"bowl at {power(budget(one))}: {significant(one.estimates[name])}",
                y_ends=None if own is None else (own.low, own.high),
            )
        )
    picture = chart.draw(
        "law2-best",
        "Best compression rate over budgets",
        "Law II's best rate with its interval, and the optima of the bowls. The table below holds "
        "the values.",
        *marks,
    )
    return panel("Best compression rate over budgets", picture)


def _predictions(fit: FitResult) -> Markup:
    rows = []
    _, high = fit.data_range.get("compute_flops", _USUAL)
    for compute in _BUDGETS if _near(fit) else (high / 10, high, 10 * high, 100 * high):
        rate = fit.predict("compression_rate_opt", compute_flops=compute)
        loss = fit.predict("bits_per_byte_opt", compute_flops=compute)
        beyond = rate.outside.get("compute_flops")
        rows.append(
            [
                compact(compute),
                predicted(rate),
                predicted(loss, 4),
                "within" if beyond is None else f"{significant(beyond, 2)} times beyond",
            ]
        )
    return sortable_table(
        "Best rate and the loss there, by Law II",
        [
            Column("budget, FLOPs"),
            Column("T*, bytes per token"),
            Column("bits per byte"),
            Column("the budgets fitted", numeric=False),
        ],
        rows,
    )


def _forms(forms: list[FitResult]) -> Markup:
    return sortable_table(
        "The nested forms of Law II on the same optima",
        [
            Column("form", numeric=False),
            Column("coefficients"),
            Column("δ"),
            Column("R²"),
            Column("RMSE"),
            Column("AICc"),
            Column("hold-out RMSE", hint="of the largest budget, predicted from the others"),
        ],
        [
            [
                one.form,
                str(len(one.estimates)),
                with_interval(one.estimates["delta"], one.intervals.get("delta"))
                if "delta" in one.estimates
                else "–",
                significant(one.r2, 4),
                significant(one.rmse, 3),
                significant(one.aicc, 5),
                "–" if one.holdout is None else significant(one.holdout.rmse, 3),
            ]
            for one in forms
        ],
    )
