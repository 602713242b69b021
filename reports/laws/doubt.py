"""What speaks against the fits: residuals, bootstrap clouds, conventions, named findings."""

import numpy as np
from markupsafe import Markup

from reports.charts.chart import Axis, Chart, Panel, linear, octaves, panels
from reports.charts.svg import Series, legend, of_budgets, series_style
from reports.html import Column, columns, sortable_table
from reports.laws.profiles import law2_of
from reports.laws.results import GREEK, Laws, budget, shown_name
from reports.numbers import UNMEASURED, compact, power, significant, significant_rate, with_interval
from reports.page import Absent, Section, behind, blocks, note, paragraphs
from scaling.engine.newton import Array
from scaling.laws.joint import DEFAULT_FORM
from scaling.result import FitResult
from scaling.runs import Runs

_MOST_DRAWS = 400
_CLOUDS = (
    ("law2", "delta", "T0"),
    ("law2", "gamma", "E"),
    ("law1", "alpha", "beta"),
    ("isoflop-surface", "compression_rate_opt", "bytes_per_param_opt"),
)


def clouds(laws: Laws) -> Markup | Absent:
    """Show pairs of coefficients over the draws, and how they correlate."""
    charts: list[Panel] = []
    rows: list[list[str | Markup]] = []
    for law, x, y in _CLOUDS:
        fit = law2_of(laws) if law == "law2" else _typical(laws.of(law))
        if fit is None or not len(fit.draws) or x not in fit.estimates or y not in fit.estimates:
            continue
        names = list(fit.estimates)
        table = fit.draws
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
        return Absent("No fit carries bootstrap draws.")
    table_ = sortable_table(
        "How coefficients move together over the bootstrap",
        "fit: | coefficients: | correlation | the first | the second",
        rows,
        row_headers=2,
    )
    words = note(
        f"Every dot is the whole pipeline run again on resampled data (up to {_MOST_DRAWS} are "
        "drawn), the cross the estimate. A long thin cloud says that the data fix a combination of "
        "the two, not either alone: quote their joint prediction."
    )
    return panels(charts, wide=True) + words + behind("Table: correlations", table_)


def _typical(fits: list[FitResult]) -> FitResult | None:
    """Return the fit at 1e20 FLOPs, or the first."""
    return next((fit for fit in fits if budget(fit) == 1e20), next(iter(fits), None))


def _axis(name: str, values: list[float]) -> Axis:
    label = GREEK.get(name, name)
    wide = min(values) >= 1 and max(values) > 3 * min(values)
    return octaves(label, values) if wide else linear(label, values, 4)


def _cloud(place: int, fit: FitResult, fit_name: str, names: tuple[str, str], pair: Array) -> Panel:
    # The outermost draws would shrink the rest to a dot.
    low, high = np.percentile(pair, [0.5, 99.5], axis=0)
    inner = pair[((pair >= low) & (pair <= high)).all(axis=1)][:_MOST_DRAWS]
    estimate = (fit.estimates[names[0]], fit.estimates[names[1]])
    chart = Chart(
        _axis(names[0], [*inner[:, 0].tolist(), estimate[0]]),
        _axis(names[1], [*inner[:, 1].tolist(), estimate[1]]),
    )
    style = f"cloud s{series_style(0).colour}"
    marks = [*(chart.dot(x, y, style, 2) for x, y in inner.tolist()), chart.cross(*estimate)]
    first, second = (GREEK.get(name, name).split(",")[0] for name in names)
    caption = f"{fit_name}: {first} and {second}"
    said = f"{len(inner)} bootstrap draws and the estimate."
    return chart.panel(caption, f"cloud-{place}", caption, said, marks)


def residuals(laws: Laws) -> Markup | Absent:
    """Show residuals of the joint law and of Law II over rate and budget."""
    joint = laws.one("joint", DEFAULT_FORM)
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
        return Absent("No fit has its runs beside it.")
    series = of_budgets(budgets)
    charts = []
    for title, fit, runs in drawn:
        charts.append(_residual_panel(title, fit, runs, series))
        compute = runs.column("compute_flops", fit.law)
        errors = np.array(fit.residuals)
        for spent in np.unique(compute):
            there = errors[compute == spent]
            rows.append(
                [
                    title,
                    compact(float(spent)),
                    str(len(there)),
                    significant(float(there.mean()), 2),
                    significant(float(np.sqrt((there**2).mean())), 2),
                    significant(float(np.abs(there).max()), 2),
                ]
            )
    table = sortable_table(
        "Residuals by budget, in bits per byte",
        columns(
            "law: | budget, FLOPs | rows | mean | RMSE | largest", {"mean": "observed less fitted"}
        ),
        rows,
        row_headers=2,
    )
    words = note(
        "Observed less fitted, over the compression rate; within a rate, budgets lie side by side, "
        "from the smallest. What bends in the same way at every budget is the form's fault, not "
        "noise."
    )
    return (
        legend(list(series.values()))
        + panels(charts, wide=True)
        + words
        + behind("Table: residuals by budget", table)
    )


def _residual_panel(title: str, fit: FitResult, runs: Runs, series: dict[float, Series]) -> Panel:
    compute = runs.column("compute_flops", fit.law).tolist()
    rates = runs.column("compression_rate", fit.law).tolist()
    places = {spent: i - (len(series) - 1) / 2 for i, spent in enumerate(series)}
    moved = [rate * 1.028 ** places[c] for rate, c in zip(rates, compute, strict=True)]
    chart = Chart(
        octaves("bytes per token", moved),
        linear("residual, bits per byte", [0.0, *fit.residuals]),
        width=440,
    )
    marks = [chart.rule(y=0.0)]
    for x, t, c, error in zip(moved, rates, compute, fit.residuals, strict=True):
        hint = f"{power(c)} FLOPs, {significant_rate(t)} bytes per token: {significant(error, 2)}"
        marks.append(chart.mark(series[c].style, x, error, hint))
    rmse = f"RMSE {significant(fit.rmse, 2)}"
    return chart.panel(
        f"{title}: {rmse}",
        f"residuals-{fit.law}",
        f"Residuals of {title}",
        f"{fit.n} residuals over the compression rate; {rmse}.",
        marks,
    )


def conventions(laws: Laws) -> Markup | Absent:
    """Show a table for each law that was fitted under several."""
    if not laws.rivals:
        return Absent("The same runs were fitted under one convention only.")
    tables = []
    for law in sorted({fit.law for fit in laws.rivals}):
        fits = [fit for fit in laws.rivals if fit.law == law]
        names = [name for name in fits[0].estimates if not name.startswith("curvature")]
        names.sort(key=lambda name: name != "T0")  # what the laws are for comes first
        tables.append(
            sortable_table(
                f"{law}: the same runs, counted otherwise",
                [
                    *columns("parameters: | FLOPs:"),
                    *(Column(GREEK.get(name, name)) for name in names),
                    Column("RMSE"),
                ],
                [
                    [
                        fit.conventions.get("params", ""),
                        fit.conventions.get("flops", ""),
                        *(
                            with_interval(fit.estimates[name], fit.intervals.get(name))
                            if name in fit.estimates
                            else UNMEASURED
                            for name in names
                        ),
                        significant(fit.rmse, 3),
                    ]
                    for fit in fits
                ],
                row_headers=2,
            )
        )
    words = paragraphs(
        "Papers disagree on what counts as a parameter and what as a FLOP. Each row is the same "
        "runs and the same law; a coefficient that moves from row to row by more than its interval "
        "means nothing without the convention beside it."
    )
    return words + Markup("").join(tables)


_SEVERITIES = ("failure", "warning", "note")


def doubt(laws: Laws) -> Section:
    """Show everything a reader should know before trusting the fits."""
    parts = [
        ("Residuals", residuals(laws)),
        ("Bootstrap clouds", clouds(laws)),
        ("By which convention", conventions(laws)),
        ("Named findings", _findings(laws)),
    ]
    body, absences = blocks(parts)
    gist = "residuals, bootstrap clouds, other conventions of counting, and what checks found"
    return Section("laws-doubt", "What speaks against the fits", body, gist=gist, absences=absences)


def _findings(laws: Laws) -> Markup:
    said: dict[tuple[str, str, str], list[str]] = {}
    for fit in laws.fits:
        for finding in fit.findings:
            said.setdefault((finding.severity, finding.name, finding.message), []).append(
                shown_name(fit, laws.fits)
            )
    if not said:
        return paragraphs("No check had anything to say.")
    ordered = sorted(said.items(), key=lambda item: (_SEVERITIES.index(item[0][0]), item[0]))
    return sortable_table(
        "What the checks of every fit had to say",
        "severity: | check: | what was found: | fit:",
        [[severity, name, message, _some(who)] for (severity, name, message), who in ordered],
        row_headers=2,
    )


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
