"""IsoFLOP curves of a sweep: bits per byte over bytes per parameter, a panel for each rate."""

from collections.abc import Sequence

from markupsafe import Markup

from reports.charts.chart import Axis, Chart, Panel, linear, octaves, panels
from reports.charts.svg import QUIET, Series, SeriesStyle, legend, of_budgets
from reports.html import name, sortable_table
from reports.laws.allocation import fitted_curve
from reports.numbers import UNMEASURED, compact, power, significant, with_interval
from reports.page import Section, behind, missing, note
from reports.sweep.minima import IsoflopCurve, beside_published, isoflops_of
from reports.sweep.results import SweepResults, SweepRun, budgets, grouped, lowest, view
from scaling.flops import latent_share

IDENTITY, TITLE = "sweep-isoflop", "IsoFLOP curves"
_SHORT = SeriesStyle(QUIET, "cross", "none")


def sweep_isoflops(sweep: SweepResults) -> Section:
    """Show one panel for each text, tokenization and rate, one curve for each budget."""
    found = isoflops_of(sweep.runs)
    if not found:
        return missing(IDENTITY, TITLE, "No run has finished yet.")
    everything = [run for curve in found for run in (*curve.runs, *curve.short)]
    series = of_budgets(budgets(everything))
    axes = {text: _axes(part) for text, part in grouped(found, lambda c: c.first.job.text).items()}
    groups = grouped(found, lambda curve: view(curve.first)).values()
    drawn = panels(
        _panel(i, sweep, part, axes[part[0].first.job.text], series)
        for i, part in enumerate(groups)
    )
    words = (
        "Every curve is one budget spent on models of several sizes: large models on little text "
        "to the left, small models on much text to the right. Markers are trained models. Where "
        "the parabola in ln B that is fitted to them turns between the smallest and the largest, "
        "it is drawn with a ring at its minimum; where it does not, the models are joined by "
        "straight lines, and no optimum is given. Of runs that differ by learning "
        "rate or the like, the best is fitted. Parameters are those of the global module, which "
        f"took {_shares(everything)} of the FLOPs here, and more in large models, so that a "
        "minimum here need not lie where theirs do."
    )
    if any(curve.short for curve in found):
        words += " Grey crosses are runs too short to be fitted; those beyond the axes are cut off."
    body = (
        legend(list(series.values()), lines=True)
        + drawn
        + note(words)
        + behind("Table: every curve and its minimum", _table(sweep, found))
        + beside_published(sweep, found)
    )
    return Section(IDENTITY, TITLE, body)


def _axes(found: Sequence[IsoflopCurve]) -> tuple[Axis, Axis]:
    """Return the axes of one text's panels: texts differ more than rates do."""
    # Runs too short to be fitted lie so high that what is fitted would be drawn flat.
    ranged = [run for curve in found for run in curve.runs]
    ranged = ranged or [run for curve in found for run in curve.short]
    return (
        octaves("bytes per parameter", [run.spec.bytes_per_param for run in ranged]),
        linear("bits per byte", [*(run.loss for run in ranged), *_lowest_fitted(found)]),
    )


def _lowest_fitted(found: Sequence[IsoflopCurve]) -> list[float]:
    return [
        curve.fit.estimates["bits_per_byte_opt"] for curve in found if curve.fit and curve.interior
    ]


def _panel(
    place: int,
    sweep: SweepResults,
    part: Sequence[IsoflopCurve],
    axes: tuple[Axis, Axis],
    series: dict[float, Series],
) -> Panel:
    run = part[0].first
    caption = sweep.named(run.job.text, f"{run.tokenization}, T = {run.rate_text}")
    chart = Chart(*axes)
    marks = [
        mark for curve in part for mark in _marks(chart, curve, series[curve.first.budget].style)
    ]
    said = "; ".join(f"{power(curve.first.budget)}: {curve.verdict}" for curve in part)
    return chart.panel(
        Markup('{} <span class="verdict">{}</span>').format(name(caption), said),
        f"sweep-isoflop-{place}",
        f"IsoFLOP curves, {caption}",
        f"{said}. The table below holds the minima.",
        marks,
    )


def _marks(chart: Chart, curve: IsoflopCurve, style: SeriesStyle) -> list[Markup]:
    place = f"C = {power(curve.first.budget)}"
    marks = [
        chart.mark(_SHORT, run.spec.bytes_per_param, run.loss, f"{_hint(place, run)}, too short")
        for run in curve.short
    ]
    if not curve.runs:
        return marks
    if curve.interior:
        assert curve.fit is not None
        runs = sorted(curve.runs, key=lambda run: run.spec.train_bytes)
        data = [float(run.spec.train_bytes) for run in runs]
        ratio, loss = [run.spec.bytes_per_param for run in runs], [run.loss for run in runs]
        return marks + fitted_curve(chart, curve.fit, style, data, ratio, loss)
    best = map(lowest, grouped(curve.runs, lambda run: run.params).values())
    joined = [(run.spec.bytes_per_param, run.loss) for run in best]
    marks.append(chart.line(style, joined, f"{place}: {curve.verdict}", "thin"))
    return marks + [
        chart.mark(style, run.spec.bytes_per_param, run.loss, _hint(place, run))
        for run in curve.runs
    ]


def _shares(runs: Sequence[SweepRun]) -> str:
    found = [latent_share(run.spec.model.shape, run.spec.cost_context) for run in runs]
    least, most = (significant(100 * share, 2) for share in (min(found), max(found)))
    return f"{least} to {most} %" if least != most else f"{least} %"


def _hint(place: str, run: SweepRun) -> str:
    ratio = significant(run.spec.bytes_per_param)
    seed = run.spec.seed
    return f"{place}, {run.size}, seed {seed}: {ratio} bytes per parameter, {run.loss:.4f}"


def _table(sweep: SweepResults, found: Sequence[IsoflopCurve]) -> Markup:
    return sortable_table(
        "Every isoFLOP curve; minima, with 95 % intervals of the fit, where they lie inside",
        "tokenization: | T | budget, FLOPs | sizes | lowest trained | minimum: | "
        "ρ*, bytes per parameter | N*, parameters | bits per byte | to be known:",
        [_line(sweep, curve) for curve in found],
        style="tall",
    )


def _line(sweep: SweepResults, curve: IsoflopCurve) -> list[Markup | str]:
    run = curve.first
    cells: list[Markup | str] = [
        name(sweep.named(run.job.text, run.tokenization)),
        run.rate_text,
        compact(run.budget),
        str(len({run.params for run in curve.runs})),
        f"{lowest(curve.runs).loss:.4f}" if curve.runs else UNMEASURED,
        curve.verdict,
    ]
    fit = curve.fit
    if fit is None or not curve.interior:
        return [*cells, *[UNMEASURED] * 3, ""]
    cells += [
        with_interval(fit.estimates[key], fit.intervals.get(key), digits)
        for key, digits in (("bytes_per_param_opt", 3), ("params_opt", 3), ("bits_per_byte_opt", 4))
    ]
    known = [finding.name for finding in fit.findings if finding.severity != "note"]
    return [*cells, ", ".join(known)]
