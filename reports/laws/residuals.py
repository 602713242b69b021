"""What the fits leave unexplained, run by run."""

import numpy as np
from markupsafe import Markup

from reports.figures.markers import legend
from reports.laws.chart import Chart, linear, octaves, panel, panels
from reports.laws.material import Laws
from reports.laws.profiles import law2_of
from reports.laws.series import of_budgets
from reports.laws.text import compact, power, significant
from reports.measured import Series
from reports.section import absent, behind
from reports.table import Column, sortable_table
from scaling.laws.joint import DEFAULT_FORM
from scaling.result import FitResult
from scaling.runs import Runs


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
