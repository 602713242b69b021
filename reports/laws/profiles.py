"""Law II: what a compression rate costs, and the best rate over compute."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from reports.charts.chart import Chart, Panel, decades, linear, octaves, panels
from reports.charts.svg import Series, legend, of_budgets, series_style
from reports.html import columns, sortable_table
from reports.laws.allocation import coefficients
from reports.laws.results import Laws, alike, budget, runs_words
from reports.numbers import (
    UNMEASURED,
    LowHigh,
    cell,
    compact,
    ends_of,
    power,
    said,
    significant,
    significant_rate,
    with_interval,
)
from reports.page import Section, behind, missing, note, paragraphs
from scaling.fits.law2_forms import FEWEST_BUDGETS, LeftOut, leave_budgets_out
from scaling.result import FitResult

LAW = "law2"
_STEPS = 60
_USUAL = (1e20, 1e21)  # budgets of which is told, where runs came near
_BUDGETS = (1e19, 1e20, 1e21, 1e22, 1e24)
_COLUMNS = ("compute_flops", "compression_rate", "bits_per_byte")
_RATE = "compression_rate_opt"
# Of what compute alone decides: caption, label and axis.
_QUANTITIES = {
    _RATE: ("Best compression rate over budgets", "best rate T*, bytes per token", linear),
    "bits_per_byte_opt": ("Lowest loss over budgets", "bits per byte", linear),
    "loss": ("Lowest loss over budgets", "nats per token", linear),
    "params_opt": ("Best model size over budgets", "N*, parameters", decades),
    "tokens_opt": ("Best amount of text over budgets", "D*, tokens", decades),
}

LossPoints = Sequence[tuple[float, float, float]]  # budget, rate, loss


def law2_of(laws: Laws) -> FitResult | None:
    """Return the fit whose best rate may depend on compute, or else any that has a best rate; of
    several forms of the same optima, that which predicts the largest budget best."""
    fits = [fit for fit in laws.of(LAW) if "T0" in fit.estimates]
    first = next((fit for fit in fits if "delta" in fit.estimates), next(iter(fits), None))
    if first is None or first.holdout is None:
        return first
    same = [fit for fit in _forms_of(laws, first) if "delta" in fit.estimates and fit.ok]
    return min(
        (fit for fit in same if fit.holdout is not None),
        key=lambda fit: fit.holdout.rmse if fit.holdout else np.inf,
        default=first,
    )


def _forms_of(laws: Laws, fit: FitResult) -> list[FitResult]:
    """Return Law II's forms of the same optima."""
    return [
        other
        for other in laws.of(LAW)
        if (other.n, other.data_sha256, other.context) == (fit.n, fit.data_sha256, fit.context)
    ]


_BOWLS = {
    "K": "K L<sub>0</sub> C<sup>γ</sup> (ln T − ln T*(C))²",
    "phi": "F C<sup>−φ</sup> (ln T − ln T*(C))²",
    "F": "F (ln T − ln T*(C))²",
}


def _formula(fit: FitResult) -> Markup:
    bowl = next(words for name, words in _BOWLS.items() if name in fit.estimates)
    return Markup(
        '<p class="formula">L*(C, T) = L<sub>0</sub> C<sup>γ</sup> + {} + E, '
        "&emsp; T*(C) = T<sub>0</sub> C<sup>−δ</sup></p>"
    ).format(Markup(bowl))


def optima_of(laws: Laws, fit: FitResult) -> LossPoints:
    """Return the optima that Law II was fitted to, where they are known: those of its table, if
    that holds optima; else the minima of the isoFLOP curves."""
    runs = laws.runs_of(fit)
    if runs is not None and len(runs) == fit.n:
        return list(zip(*(runs.column(name, LAW).tolist() for name in _COLUMNS), strict=True))
    return [
        (
            budget(curve),
            float(curve.context["compression_rate"]),
            curve.estimates["bits_per_byte_opt"],
        )
        for curve in laws.of("isoflop")
        if "compression_rate" in curve.context and alike(curve, fit)
    ]


def profiles(laws: Laws) -> Section:
    """Show loss over rate at every budget, and the best rate over budgets."""
    title = "Law II: the price of a compression rate"
    fit = law2_of(laws)
    if fit is None:
        reason = "Law II was not fitted: tokenize-lab scaling fit OPTIMA.csv --law law2 --out DIR"
        return missing("laws-two", title, reason)
    body = _formula(fit) + paragraphs(best_rates_sentence(fit))
    optima, drawn = optima_of(laws, fit), []
    if optima:
        losses, series = losses_panel(fit, "Law II", optima)
        body += legend(series, lines=True)
        drawn.append(losses)
    bowls = [bowl for bowl in laws.of("isoflop-surface") if alike(bowl, fit)]
    drawn.append(best_rate_panel(fit, "Law II", bowls))
    body += panels(drawn, wide=True)
    body += note(
        "Left: the optimum of each budget and rate, where it was found from runs the lowest place "
        "of a parabola, which may lie beyond the sizes trained, and the fitted law. Right: the "
        "best rate by the law, with its 95 % interval, and the lowest places of the bowls, "
        "fitted to each budget alone. Beyond the budgets fitted the line is an extrapolation."
    )
    body += behind("Table: best rate and loss over budgets", _predictions(fit))
    body += behind("Table: coefficients of Law II", coefficients(fit, "Law II"))
    forms = _forms_of(laws, fit)
    if len(forms) > 1:
        body += paragraphs(
            "Whether compression matters, whether its best rate moves with compute, and whether a "
            "wrong rate costs less the larger the budget, is what the nested forms tell: each is "
            "fitted to all optima, and again without the largest budgets, which it must then "
            f"predict. What is drawn above is the form {fit.form}."
        ) + _forms(forms, optima)
    gist = "loss over rate at every budget, coefficients, and the nested forms"
    return Section("laws-two", title, body, gist=gist)


def _near(fit: FitResult) -> bool:
    """Whether the usual budgets lie among those fitted: a small machine's runs are ten million
    times below them, and tell nothing there."""
    low, high = fit.data_range.get("compute_flops", _USUAL)
    return low <= _USUAL[0] and _USUAL[1] <= high


def told_budgets(fit: FitResult) -> tuple[float, float]:
    """Return two budgets within those fitted, of which the best rate is told."""
    low, high = _USUAL if _near(fit) else fit.data_range.get("compute_flops", _USUAL)
    return low, high


def best_rates_sentence(fit: FitResult) -> str:
    """Return what Law II says of the best rate, in plain text, within the budgets fitted."""
    ends = told_budgets(fit)
    best = [
        f"{said(fit.predict(_RATE, compute_flops=compute))}{words} {power(compute)}"
        for compute, words in zip(ends, (" bytes per token for", " for"), strict=True)
    ]
    return (
        f"Law II, fitted to {fit.n} optima of {runs_words(fit)}, puts the best compression "
        f"rate at {best[0]} FLOPs and {best[1]}."
    )


def losses_panel(fit: FitResult, law: str, optima: LossPoints) -> tuple[Panel, list[Series]]:
    """Return loss over compression rate at the best size: a law's curves, a budget each, and the
    optima that it was fitted to; and what the key names."""
    series = of_budgets(compute for compute, _, _ in optima)
    budgets = np.array(list(series))
    loss = "bits_per_byte" if fit.law == LAW else "bits_per_byte_opt"
    rates = np.broadcast_to(fit.predict(_RATE, compute_flops=budgets).value, budgets.shape)
    lowest = fit.predict(loss, compute_flops=budgets, compression_rate=rates).value.tolist()
    chart = Chart(
        octaves("bytes per token", [rate for _, rate, _ in optima]),
        linear("bits per byte at the best size", [*(loss for _, _, loss in optima), *lowest]),
        width=440,
        height=400,
    )
    at = np.geomspace(chart.x.low, chart.x.high, _STEPS)
    marks = []
    for (compute, entry), best, low in zip(series.items(), rates.tolist(), lowest, strict=True):
        fitted = fit.predict(loss, compute_flops=compute, compression_rate=at).value
        line = list(zip(at.tolist(), fitted.tolist(), strict=True))
        marks.append(chart.line(entry.style, line, f"{law} at {entry.name}", "thin"))
        hint = f"{entry.name}: best at {significant(best)} bytes per token, {low:.4f}"
        marks.append(chart.ring(best, low, hint))
    for compute, rate, value in optima:
        hint = f"{power(compute)}: {significant_rate(rate)} bytes per token, {value:g}"
        marks.append(chart.mark(series[compute].style, rate, value, hint))
    caption = "Loss over compression rate"
    description = (
        f"{len(optima)} optima of {len(series)} budgets, {law}'s curves through them, and a ring "
        "at the best rate of each budget."
    )
    drawn = chart.panel(caption, f"{fit.law}-losses", caption, description, marks)
    return drawn, list(series.values())


def best_rate_panel(fit: FitResult, law: str, bowls: Sequence[FitResult] = ()) -> Panel:
    """Return the best rate over budgets by a law, with its interval, and the lowest places of
    bowls, fitted to each budget alone."""
    places = [(budget(bowl), bowl.estimates[_RATE], ends_of(bowl.intervals.get(_RATE)),
               f"bowl at {power(budget(bowl))}: {significant(bowl.estimates[_RATE])}")
              for bowl in bowls]  # fmt: skip
    return compute_panel(fit, _RATE, law, places)


def compute_panel(
    fit: FitResult,
    quantity: str,
    law: str,
    places: Sequence[tuple[float, float, tuple[float, float] | None, str]] = (),
) -> Panel:
    """Return a quantity that compute alone decides over budgets, with its interval, to ten times
    the largest budget fitted.

    Arguments:
        places: found otherwise, to be marked: budget, value, interval, hint.
    """
    caption, label, axis = _QUANTITIES.get(quantity, (quantity, quantity, linear))
    low, high = compute_range(fit)
    at = np.geomspace(low, high * 10, _STEPS)
    predicted = fit.predict(quantity, compute_flops=at)
    edges: list[LowHigh] = [None] * _STEPS
    if predicted.low is not None and predicted.high is not None:
        both = np.stack([predicted.low, predicted.high], axis=-1)
        edges = np.broadcast_to(both, (_STEPS, 2)).tolist()
    found = np.broadcast_to(predicted.value, at.shape).tolist()
    line = list(zip(at.tolist(), found, edges, strict=True))
    values = [y for _, best, ends in line for y in ends or (best,)]
    values += [y for _, place, ends, _ in places for y in (place, *(ends or ()))]
    chart = Chart(
        decades("budget, FLOPs", [float(at[0]), float(at[-1])]), axis(label, values),
        width=440, height=400,
    )  # fmt: skip
    marks = [
        *chart.banded(series_style(0), line, law),
        chart.rule(x=high),
        chart.text(high, chart.y.low, "largest budget fitted", up=8, anchor="end"),
    ]
    for compute, value, ends, hint in places:
        marks.append(chart.mark(series_style(1), compute, value, hint, y_ends=ends))
    description = f"{law}, with its interval" + (
        ", and the optima of the bowls. The table below holds the values." if places else "."
    )
    return chart.panel(caption, f"{fit.law}-{quantity}", caption, description, marks)


def compute_range(fit: FitResult) -> tuple[float, float]:
    """Return the least and the largest budget that a law was fitted to."""
    known = fit.data_range
    if "compute_flops" not in known and {"params", "tokens"} <= set(known):
        ends = zip(known["params"], known["tokens"], strict=True)
        low, high = (6 * params * tokens for params, tokens in ends)
        return low, high
    return known.get("compute_flops", (1e19, 1e21))


def _predictions(fit: FitResult) -> Markup:
    rows = []
    _, high = fit.data_range.get("compute_flops", _USUAL)
    for compute in _BUDGETS if _near(fit) else (high / 10, high, 10 * high, 100 * high):
        rate = fit.predict(_RATE, compute_flops=compute)
        loss = fit.predict("bits_per_byte_opt", compute_flops=compute)
        beyond = rate.outside.get("compute_flops")
        where = "within" if beyond is None else f"{significant(beyond, 2)} times beyond"
        rows.append([compact(compute), cell(rate), cell(loss, 4), where])
    return sortable_table(
        "Best rate and the loss there, by Law II",
        "budget, FLOPs | T*, bytes per token | bits per byte | the budgets fitted:",
        rows,
    )


def _forms(forms: Sequence[FitResult], optima: LossPoints) -> Markup:
    left_out: dict[str, LeftOut] = {}
    if len({compute for compute, _, _ in optima}) >= FEWEST_BUDGETS:
        table = np.array(optima).T
        left_out = {fit.form: leave_budgets_out(fit.form, *table) for fit in forms}

    def left(fit: FitResult, name: str) -> str:
        return significant(getattr(left_out[fit.form], name), 3) if left_out else UNMEASURED

    def exponent(fit: FitResult, name: str) -> str | Markup:
        if name not in fit.estimates:
            return UNMEASURED
        return with_interval(fit.estimates[name], fit.intervals.get(name))

    return sortable_table(
        "The nested forms of Law II on the same optima",
        columns(
            "form: | coefficients | δ | φ | R² | RMSE | AICc | hold-out RMSE | of two budgets | "
            "each left out",
            {
                "φ": "by which the bowl shrinks with compute",
                "hold-out RMSE": "of the largest budget, predicted from the others",
                "of two budgets": "the two largest budgets, predicted from the others",
                "each left out": "root mean square over budgets, each predicted from the others",
            },
        ),
        [
            [
                fit.form,
                str(len(fit.estimates)),
                exponent(fit, "delta"),
                exponent(fit, "phi"),
                significant(fit.r2, 4),
                significant(fit.rmse, 3),
                significant(fit.aicc, 5),
                UNMEASURED if fit.holdout is None else significant(fit.holdout.rmse, 3),
                left(fit, "two_largest"),
                left(fit, "each"),
            ]
            for fit in forms
        ],
    )
