"""What speaks against the fits: residuals, bootstrap clouds, conventions, named findings."""

import numpy as np
from markupsafe import Markup

from reports.charts.chart import Axis, Chart, legend, linear, octaves, of_budgets, panel, panels
from reports.charts.svg import series_style, tag
from reports.html import Column, sortable_table
from reports.laws.profiles import law2_of
from reports.laws.results import GREEK, Laws, budget, shown_name
from reports.laws.text import compact, power, significant, with_interval
from reports.measured import Series
from reports.numbers import UNMEASURED
from reports.page import Section, absent, behind
from scaling.engine.newton import Array
from scaling.laws.joint import DEFAULT_FORM
from scaling.result import FitResult
from scaling.runs import Runs

# Bootstrap clouds: which coefficients the data fix only together.


_MOST_DRAWS = 400
_CLOUDS = (
    ("law2", "delta", "T0"),
    ("law2", "gamma", "E"),
    ("law1", "alpha", "beta"),
    ("isoflop-surface", "compression_rate_opt", "bytes_per_param_opt"),
)


def clouds(laws: Laws) -> Markup:
    """Show pairs of coefficients over the draws, and how they correlate."""
    charts: list[Markup] = []
    rows: list[list[str | Markup]] = []
    for law, x, y in _CLOUDS:
        fit = law2_of(laws) if law == "law2" else _typical(laws.of(law))
        if fit is None or not fit.draws or x not in fit.estimates or y not in fit.estimates:
            continue
        names = list(fit.estimates)
        table = np.asarray(fit.draws)
        pair = table[:, [names.index(x), names.index(y)]]
        charts.append(_cloud(len(charts), fit, shown_name(fit, laws.fits), (x, y), pair))
        spread = np.log(pair) if (pair > 0).all() else pair
        rows.append(
            [
                shown_name(fit, laws.fits),
                f"{GREEK.get(x, x)} and {GREEK.get(y, y)}",
                significant(float(np.corrcoef(spread.T)[0, 1]), 2),
                with_interval(fit.estimates[x], fit.intervals.get(x)),
                with_interval(fit.estimates[y], fit.intervals.get(y)),
            ]
        )
    if not charts:
        return absent("No fit carries bootstrap draws.")
    table_ = sortable_table(
        "How coefficients move together over the bootstrap",
        [
            Column("fit", numeric=False),
            Column("coefficients", numeric=False),
            Column("correlation"),
            Column("the first"),
            Column("the second"),
        ],
        rows,
        row_headers=2,
    )
    note = Markup('<p class="note">{}</p>').format(
        f"Every dot is the whole pipeline run again on resampled data (up to {_MOST_DRAWS} are "
        "drawn), the cross the estimate. A long thin cloud says that the data fix a combination of "
        "the two, not either alone: quote their joint prediction."
    )
    return panels(*charts, wide=True) + note + behind("Table: correlations", table_)


def _typical(fits: list[FitResult]) -> FitResult | None:
    """Return the fit at 1e20 FLOPs, or the first."""
    return next((one for one in fits if budget(one) == 1e20), next(iter(fits), None))


def _axis(name: str, values: list[float]) -> Axis:
    label = GREEK.get(name, name)
    wide = min(values) >= 1 and max(values) > 3 * min(values)
    return octaves(label, values) if wide else linear(label, values, 4)


def _cloud(
    place: int, fit: FitResult, fit_name: str, names: tuple[str, str], pair: Array
) -> Markup:
    # The outermost draws would shrink the rest to a dot.
    low, high = np.percentile(pair, [0.5, 99.5], axis=0)
    inner = pair[((pair >= low) & (pair <= high)).all(axis=1)][:_MOST_DRAWS]
    estimate = (fit.estimates[names[0]], fit.estimates[names[1]])
    chart = Chart(
        _axis(names[0], [*inner[:, 0].tolist(), estimate[0]]),
        _axis(names[1], [*inner[:, 1].tolist(), estimate[1]]),
    )
    style = series_style(0)
    marks = []
    for a, b in inner.tolist():
        x, y = chart.at(a, b)
        marks.append(tag("circle", class_=f"cloud s{style.colour}", cx=x, cy=y, r=2))
    x, y = chart.at(*estimate)
    marks += [
        tag("line", class_="best", x1=x - 7, x2=x + 7, y1=y, y2=y),
        tag("line", class_="best", x1=x, x2=x, y1=y - 7, y2=y + 7),
    ]
    first, second = (GREEK.get(one, one).split(",")[0] for one in names)
    caption = f"{fit_name}: {first} and {second}"
    picture = chart.draw(
        f"cloud-{place}", caption, f"{len(inner)} bootstrap draws and the estimate.", *marks
    )
    return panel(caption, picture)


# What the fits leave unexplained, run by run.


def residuals(laws: Laws) -> Markup:
    """Show residuals of the joint law and of Law II over rate and budget."""
    joint = next((one for one in laws.of("joint") if one.form == DEFAULT_FORM), laws.one("joint"))
    drawn: list[tuple[str, FitResult, Runs]] = []
    budgets: list[float] = []
    rows: list[list[str]] = []
    for title, fit in (("Joint law", joint), ("Law II", law2_of(laws))):
        runs = None if fit is None else laws.runs_of(fit)
        if fit is None or runs is None or len(runs) != len(fit.residuals):
            continue
        budgets += runs.column("compute_flops", fit.law).tolist()
        drawn.append((title, fit, runs))
    if not drawn:
        return absent("No fit has its runs beside it.")
    series = of_budgets(budgets)
    charts = []
    for title, fit, runs in drawn:
        charts.append(_residual_panel(title, fit, runs, series))
        compute = runs.column("compute_flops", fit.law)
        errors = np.array(fit.residuals)
        for one in np.unique(compute):
            own = errors[compute == one]
            rows.append(
                [
                    title,
                    compact(float(one)),
                    str(len(own)),
                    significant(float(own.mean()), 2),
                    significant(float(np.sqrt((own**2).mean())), 2),
                    significant(float(np.abs(own).max()), 2),
                ]
            )
    table = sortable_table(
        "Residuals by budget, in bits per byte",
        [
            Column("law", numeric=False),
            Column("budget, FLOPs"),
            Column("rows"),
            Column("mean", hint="observed less fitted"),
            Column("RMSE"),
            Column("largest"),
        ],
        rows,
        row_headers=2,
    )
    note = Markup('<p class="note">{}</p>').format(
        "Observed less fitted, over the compression rate; within a rate, budgets lie side by side, "
        "from the smallest. What bends in the same way at every budget is the form's fault, not "
        "noise."
    )
    return (
        legend(list(series.values()))
        + panels(*charts, wide=True)
        + note
        + behind("Table: residuals by budget", table)
    )


def _residual_panel(title: str, fit: FitResult, runs: Runs, series: dict[float, Series]) -> Markup:
    compute = runs.column("compute_flops", fit.law).tolist()
    rates = runs.column("compression_rate", fit.law).tolist()
    places = {one: i - (len(series) - 1) / 2 for i, one in enumerate(series)}
    moved = [one * 1.028 ** places[c] for one, c in zip(rates, compute, strict=True)]
    chart = Chart(
        octaves("bytes per token", moved),
        linear("residual, bits per byte", [0.0, *fit.residuals]),
        width=440,
        height=300,
    )
    marks = [chart.rule(y=0.0)]
    for x, t, c, error in zip(moved, rates, compute, fit.residuals, strict=True):
        hint = f"{power(c)} FLOPs, {t:g} bytes per token: {significant(error, 2)}"
        marks.append(chart.mark(series[c].style, x, error, hint))
    picture = chart.draw(
        f"residuals-{fit.law}",
        f"Residuals of {title}",
        f"{fit.n} residuals over the compression rate; RMSE {significant(fit.rmse, 2)}.",
        *marks,
    )
    return panel(f"{title}: RMSE {significant(fit.rmse, 2)}", picture)


# The same runs under every convention of counting parameters and FLOPs.


def conventions(laws: Laws) -> Markup:
    """Show a table for each law that was fitted under several."""
    if not laws.rivals:
        return absent("The same runs were fitted under one convention only.")
    tables = []
    for law in sorted({one.law for one in laws.rivals}):
        fits = [one for one in laws.rivals if one.law == law]
        names = [one for one in fits[0].estimates if not one.startswith("curvature")]
        names.sort(key=lambda one: one != "T0")  # what the laws are for comes first
        tables.append(
            sortable_table(
                f"{law}: the same runs, counted otherwise",
                [
                    Column("parameters", numeric=False),
                    Column("FLOPs", numeric=False),
                    *(Column(GREEK.get(one, one)) for one in names),
                    Column("RMSE"),
                ],
                [
                    [
                        one.conventions.get("params", ""),
                        one.conventions.get("flops", ""),
                        *(
                            with_interval(one.estimates[name], one.intervals.get(name))
                            if name in one.estimates
                            else UNMEASURED
                            for name in names
                        ),
                        significant(one.rmse, 3),
                    ]
                    for one in fits
                ],
                row_headers=2,
            )
        )
    note = Markup("<p>{}</p>").format(
        "Papers disagree on what counts as a parameter and what as a FLOP. Each row is the same "
        "runs and the same law; a coefficient that moves from row to row by more than its interval "
        "means nothing without the convention beside it."
    )
    return note + Markup("").join(tables)


_SEVERITIES = ("failure", "warning", "note")


def doubt(laws: Laws) -> Section:
    """Show everything a reader should know before trusting the fits."""
    parts = [
        ("Residuals", residuals(laws)),
        ("Bootstrap clouds", clouds(laws)),
        ("By which convention", conventions(laws)),
        ("Named findings", _findings(laws)),
    ]
    body = Markup("").join(Markup("<h3>{}</h3>{}").format(*part) for part in parts)
    return Section("laws-doubt", "What speaks against the fits", body)


def _findings(laws: Laws) -> Markup:
    said: dict[tuple[str, str, str], list[str]] = {}
    for fit in laws.fits:
        for one in fit.findings:
            said.setdefault((one.severity, one.name, one.message), []).append(
                shown_name(fit, laws.fits)
            )
    if not said:
        return Markup("<p>{}</p>").format("No check had anything to say.")
    ordered = sorted(said.items(), key=lambda item: (_SEVERITIES.index(item[0][0]), item[0]))
    return sortable_table(
        "What the checks of every fit had to say",
        [
            Column("severity", numeric=False),
            Column("check", numeric=False),
            Column("what was found", numeric=False),
            Column("fit", numeric=False),
        ],
        [[severity, name, message, _some(who)] for (severity, name, message), who in ordered],
        row_headers=2,
    )


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
