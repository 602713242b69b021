"""IsoFLOP curves of a sweep: bits per byte over bytes per parameter, a panel for each rate."""

from collections.abc import Sequence

from markupsafe import Markup

from reports.charts.chart import Axis, Chart, legend, linear, octaves, of_budgets, panel, panels
from reports.charts.svg import SeriesStyle
from reports.html import Column, name, sortable_table
from reports.laws.isoflops import fitted_curve
from reports.laws.text import compact, power, significant, with_interval
from reports.measured import Series
from reports.numbers import UNMEASURED
from reports.page import Section, absent, behind
from reports.sweep.minima import IsoFlop, beside_published, isoflops_of
from reports.sweep.results import QUIET, SweepResults, SweepRun, budgets, lowest
from scaling.flops import latent_share

IDENTITY, TITLE = "sweep-isoflop", "IsoFLOP curves"
_SHORT = SeriesStyle(QUIET, "cross", "none")


def isoflops(sweep: SweepResults) -> Section:
    """Show one panel for each text, tokenization and rate, one curve for each budget."""
    found = isoflops_of(sweep.runs)
    if not found:
        return Section(IDENTITY, TITLE, absent("No run has finished yet."))
    everything = [run for one in found for run in (*one.runs, *one.short)]
    series = of_budgets(budgets(everything))
    # Runs too short to be fitted lie so high that what is fitted would be drawn flat.
    ranged = [run for one in found for run in one.runs] or everything
    axes = (
        octaves("bytes per parameter", [run.bytes_per_param for run in ranged]),
        linear("bits per byte", [*(run.loss for run in ranged), *_lowest_fitted(found)]),
    )
    groups: dict[tuple[str, str, str, float], list[IsoFlop]] = {}
    for one in found:
        run = one.first
        key = run.job.text, run.arm, run.tokenization, run.rate
        groups.setdefault(key, []).append(one)
    drawn = panels(
        *(_panel(i, sweep, part, axes, series) for i, part in enumerate(groups.values()))
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
    if any(one.short for one in found):
        words += " Grey crosses are runs too short to be fitted; those beyond the axes are cut off."
    body = (
        legend(list(series.values()), lines=True)
        + drawn
        + Markup('<p class="note">{}</p>').format(words)
        + behind("Table: every curve and its minimum", _table(sweep, found))
        + beside_published(sweep, found)
    )
    return Section(IDENTITY, TITLE, body)


def _lowest_fitted(found: Sequence[IsoFlop]) -> list[float]:
    return [one.fit.estimates["bits_per_byte_opt"] for one in found if one.fit and one.interior]


def _panel(
    place: int,
    sweep: SweepResults,
    part: Sequence[IsoFlop],
    axes: tuple[Axis, Axis],
    series: dict[float, Series],
) -> Markup:
    run = part[0].first
    caption = sweep.named(run.job.text, f"{run.tokenization}, T = {run.rate_text}")
    chart = Chart(*axes)
    marks = [mark for one in part for mark in _marks(chart, one, series[one.first.budget].style)]
    said = "; ".join(f"{power(one.first.budget)}: {one.verdict}" for one in part)
    picture = chart.draw(
        f"sweep-isoflop-{place}",
        f"IsoFLOP curves, {caption}",
        f"{said}. The table below holds the minima.",
        *marks,
    )
    return panel(Markup('{} <span class="verdict">{}</span>').format(name(caption), said), picture)


def _marks(chart: Chart, one: IsoFlop, style: SeriesStyle) -> list[Markup]:
    place = f"C = {power(one.first.budget)}"
    marks = [
        chart.mark(_SHORT, run.bytes_per_param, run.loss, f"{_hint(place, run)}, too short")
        for run in one.short
    ]
    if not one.runs:
        return marks
    if one.interior:
        assert one.fit is not None
        runs = sorted(one.runs, key=lambda run: run.train_bytes)
        data = [float(run.train_bytes) for run in runs]
        ratio, loss = [run.bytes_per_param for run in runs], [run.loss for run in runs]
        return marks + fitted_curve(chart, one.fit, style, data, ratio, loss)
    sizes = {run.params: [other for other in one.runs if other.params == run.params]
             for run in one.runs}  # fmt: skip
    best = [lowest(group) for group in sizes.values()]
    joined = [(run.bytes_per_param, run.loss) for run in best]
    marks.append(chart.line(style, joined, f"{place}: {one.verdict}", "thin"))
    return marks + [
        chart.mark(style, run.bytes_per_param, run.loss, _hint(place, run)) for run in one.runs
    ]


def _shares(runs: Sequence[SweepRun]) -> str:
    found = [latent_share(run.spec.model.shape, run.spec.setting) for run in runs]
    least, most = (significant(100 * one, 2) for one in (min(found), max(found)))
    return f"{least} to {most} %" if least != most else f"{least} %"


def _hint(place: str, run: SweepRun) -> str:
    return (
        f"{place}, {run.size}, seed {run.spec.seed}: {significant(run.bytes_per_param)} bytes per "
        f"parameter, {run.loss:.4f}"
    )


def _table(sweep: SweepResults, found: Sequence[IsoFlop]) -> Markup:
    return sortable_table(
        "Every isoFLOP curve; minima, with 95 % intervals of the fit, where they lie inside",
        [
            Column("tokenization", numeric=False),
            Column("T"),
            Column("budget, FLOPs"),
            Column("sizes"),
            Column("lowest trained"),
            Column("minimum", numeric=False),
            Column("ρ*, bytes per parameter"),
            Column("N*, parameters"),
            Column("bits per byte"),
            Column("to be known", numeric=False),
        ],
        [_line(sweep, one) for one in found],
        style="tall",
    )


def _line(sweep: SweepResults, one: IsoFlop) -> list[Markup | str]:
    run = one.first
    cells: list[Markup | str] = [
        name(sweep.named(run.job.text, run.tokenization)),
        run.rate_text,
        compact(run.budget),
        str(len({run.params for run in one.runs})),
        f"{lowest(one.runs).loss:.4f}" if one.runs else UNMEASURED,
        one.verdict,
    ]
    fit = one.fit
    if fit is None or not one.interior:
        return [*cells, *[UNMEASURED] * 3, ""]
    cells += [
        with_interval(fit.estimates[key], fit.intervals.get(key), digits)
        for key, digits in (
            ("bytes_per_param_opt", 3),
            ("params_opt", 3),
            ("bits_per_byte_opt", 4),
        )
    ]
    known = [finding.name for finding in fit.findings if finding.severity != "note"]
    return [*cells, ", ".join(known)]
