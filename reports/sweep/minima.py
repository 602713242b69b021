"""The isoFLOP minima of a sweep: parabolas by `scaling.fits.isoflop`, where they may be read, and
the published ones beside them.

A curve has a minimum only where the parabola opens upwards and turns between the smallest and the
largest model trained. Where it has none, and the best model is one end of the grid and the worst
the other, the minimum lies at the best or beyond: a bound, no estimate. Other curves say nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import polars as pl
from markupsafe import Markup

from reports.charts.chart import Chart, octaves
from reports.charts.svg import QUIET, Series, SeriesStyle, Styles, legend, tag
from reports.laws.results import budget, inside, rate
from reports.numbers import ends_of, plural, power, significant
from reports.page import figure, heading, paragraphs
from reports.sweep.results import SweepResults, SweepRun, grouped, lowest, view, views
from scaling.engine.bootstrap import NO_BOOTSTRAP, RESIDUALS
from scaling.fits.isoflop import fit_parabolas
from scaling.fits.minima import FEWEST_SIZES
from scaling.published.tables import isoflop_runs
from scaling.read_runs import read_runs
from scaling.result import FitResult

_DRAWS = 200
_CONTEXT = ("tokenization", "compression_rate", "compute_flops")

Key = tuple[str, str, str, float, float]


@dataclass(frozen=True)
class IsoflopCurve:
    """The sizes of one view at one budget.

    Attributes:
        runs: that finished, by rising bytes per parameter; one for each size and seed.
        short: that are too short to be fitted.
        fit: of `runs`; None with fewer than three sizes.
    """

    runs: Sequence[SweepRun]
    short: Sequence[SweepRun]
    fit: FitResult | None

    @property
    def first(self) -> SweepRun:
        """Any of its runs."""
        return next(iter((*self.runs, *self.short)))

    @property
    def interior(self) -> bool:
        """Whether there is a minimum between the sizes trained."""
        fit = self.fit
        return fit is not None and bool(fit.estimates) and inside(fit)

    @property
    def bound(self) -> tuple[SweepRun, bool] | None:
        """The best run and whether the minimum lies at more bytes per parameter, if the best run
        is one end of the grid, the worst the other, and there is no minimum inside. A curve that
        falls towards both ends does not tell beyond which of them it would turn."""
        if self.interior or len({run.params for run in self.runs}) < FEWEST_SIZES:
            return None
        best, worst = lowest(self.runs), max(self.runs, key=lambda run: run.loss)
        ratios = [run.spec.bytes_per_param for run in self.runs]
        ends = min(ratios), max(ratios)
        if {best.spec.bytes_per_param, worst.spec.bytes_per_param} != set(ends):
            return None
        return best, best.spec.bytes_per_param == ends[1]

    @property
    def verdict(self) -> str:
        """What there is to say of the minimum, in a few words."""
        if self.interior:
            return "minimum inside"
        sizes = len({run.params for run in self.runs})
        if sizes < FEWEST_SIZES:
            return f"{plural(sizes, 'size')} long enough, and a parabola needs {FEWEST_SIZES}"
        if self.bound is None:
            return "the parabola has no minimum among these sizes"
        best, above = self.bound
        return f"lowest at the {'smallest' if above else 'largest'} model, {best.size}: no optimum"


def isoflops_of(runs: Sequence[SweepRun]) -> list[IsoflopCurve]:
    """Return every view and budget of runs that finished, in the order of views and budgets.

    Of runs that differ in learning rate or the like the best one counts, as for each size it would
    be chosen.
    """
    ended = [run for run in runs if run.bits_per_byte is not None]
    groups = grouped(ended, lambda run: (*view(run), run.budget))
    chosen = {key: _best(group) for key, group in groups.items()}
    order = {key: place for place, key in enumerate(views(ended))}
    fits = _fits({key: [run for run in part if not run.short] for key, part in chosen.items()})
    return [
        IsoflopCurve(
            [run for run in chosen[key] if not run.short],
            [run for run in chosen[key] if run.short],
            fits.get(key),
        )
        for key in sorted(chosen, key=lambda key: (order[key[:4]], key[4]))
    ]


def _best(runs: Sequence[SweepRun]) -> list[SweepRun]:
    groups = grouped(runs, lambda run: (run.size, run.params, run.spec.seed))
    return sorted(map(lowest, groups.values()), key=lambda run: run.spec.bytes_per_param)


def _fits(groups: dict[Key, list[SweepRun]]) -> dict[Key, FitResult]:
    """Fit the curves of one tokenization together: in the bootstrap they lend one another
    residuals."""
    enough = {
        key: runs
        for key, runs in groups.items()
        if len({run.params for run in runs}) >= FEWEST_SIZES
    }
    if not enough:
        return {}
    places = {key[:3]: f"{number:06}" for number, key in enumerate(enough)}
    frame = pl.DataFrame(
        [
            {
                "tokenization": places[key[:3]],
                "run_id": run.job.run_id,
                "compute_flops": run.budget,
                "compression_rate": run.rate,
                "global_params": float(run.params),
                "train_bytes": float(run.spec.train_bytes),
                "bits_per_byte": run.loss,
            }
            for key, runs in enough.items()
            for run in runs
        ]
    )
    fits = fit_parabolas(read_runs(frame, "sweep"), bootstrap=RESIDUALS._replace(draws=_DRAWS))
    by_context = {tuple(fit.context[name] for name in _CONTEXT): fit for fit in fits}
    return {key: by_context[places[key[:3]], key[3], key[4]] for key in enough}


_PUBLISHED = SeriesStyle(QUIET, "circle", "none")
_ARROW, _BESIDE = 18.0, 9.0  # pixels


def beside_published(sweep: SweepResults, found: Sequence[IsoflopCurve]) -> Markup:
    """Show the minima and bounds of a sweep over the compression rate, and the published ones."""
    placed = [curve for curve in found if curve.interior or curve.bound is not None]
    if not placed:
        return heading("Bytes per parameter at the minimum") + paragraphs(
            "No curve has a minimum, or an end that bounds it, so there is nothing to set beside "
            "the published runs."
        )
    published = published_minima()
    arms = list(dict.fromkeys((curve.first.job.text, curve.first.arm) for curve in placed))
    budgets = sorted({curve.first.budget for curve in placed})
    styles = Styles(budgets, arms)
    chart = Chart(
        octaves(
            "compression rate T, bytes per patch or token",
            [*(curve.first.rate for curve in placed), *(rate(fit) for fit in published)],
        ),
        octaves("bytes per parameter at the minimum", _extent(placed, published)),
        width=720,
        height=380,
    )
    marks = [tag("g", *_published_marks(chart, published), class_="context")]
    for curve, x in zip(placed, _side_by_side(chart, placed), strict=True):
        run = curve.first
        marks += _marks(chart, curve, x, styles(run.budget, (run.job.text, run.arm)))
    picture = chart.draw(
        "sweep-minima",
        "Bytes per parameter at the minimum, by compression rate",
        f"{len(placed)} curves of this sweep, {len(published)} published ones; the table above "
        "holds the values.",
        marks,
    )
    spent = sorted({budget(fit) for fit in published})
    key = legend(
        [
            *styles.key(
                [f"{power(spent)} FLOPs, this sweep" for spent in budgets],
                [sweep.named(text, arm) for text, arm in arms],
            ),
            Series(f"published, {power(spent[0])} to {power(spent[-1])} FLOPs", _PUBLISHED),
        ]
    )
    times = min(spent) / max(budgets)
    caption = (
        "Bytes per parameter at the minimum of each isoFLOP curve, with its 95 % interval as far "
        "as sizes were trained. "
        + _without_interval(placed)
        + "An arrow stands where the best size is one end of those trained and the worst the "
        "other: the minimum is at the arrow's foot or beyond, where it points. Curves of one rate "
        "are drawn side by side. Grey are the published byte latent "
        f"models on English, of {power(float(f'{times:.1g}'))} times this compute and more: local "
        "modules, context and text are others here too, and these minima neither confirm nor "
        "refute the published law."
    )
    title = "Bytes per parameter at the minimum, beside published"
    return heading(title) + figure(picture, caption, key)


def _without_interval(placed: Sequence[IsoflopCurve]) -> str:
    bare = sum(curve.interior and _ends(curve) is None for curve in placed)
    if not bare:
        return ""
    return f"{plural(bare, 'minimum', 'minima')} without one may be noise: too few runs tell. "


def _side_by_side(chart: Chart, placed: Sequence[IsoflopCurve]) -> list[float]:
    """Return where on the axis each curve is drawn: those of one rate beside one another."""
    groups = grouped(range(len(placed)), lambda i: placed[i].first.rate_text)
    places = [curve.first.rate for curve in placed]
    left, right = (chart.at(end, chart.y.low)[0] for end in (chart.x.low, chart.x.high))
    pixel = (chart.x.high / chart.x.low) ** (1 / (right - left))
    for group in groups.values():
        for order, i in enumerate(group):
            places[i] *= pixel ** (_BESIDE * (order - (len(group) - 1) / 2))
    return places


@cache
def published_minima() -> tuple[FitResult, ...]:
    """Return the minima of the published curves that have one."""
    fits = fit_parabolas(isoflop_runs(exact_params=True), bootstrap=NO_BOOTSTRAP)
    return tuple(fit for fit in fits if fit.estimates and inside(fit))


def _extent(placed: Sequence[IsoflopCurve], published: Sequence[FitResult]) -> list[float]:
    values = [fit.estimates["bytes_per_param_opt"] for fit in published]
    for curve in placed:
        if curve.interior:
            assert curve.fit is not None
            values.append(curve.fit.estimates["bytes_per_param_opt"])
            values += _ends(curve) or ()
        else:
            assert curve.bound is not None
            best, above = curve.bound
            # Room for the arrow.
            values.append(best.spec.bytes_per_param * (2 if above else 0.5))
    return values


def _ends(curve: IsoflopCurve) -> tuple[float, float] | None:
    """Return the interval of the place of a minimum, held to the sizes trained."""
    assert curve.fit is not None
    ends = ends_of(curve.fit.intervals.get("bytes_per_param_opt"))
    if ends is None:
        return None
    ratios = [run.spec.bytes_per_param for run in curve.runs]
    return max(ends[0], min(ratios)), min(ends[1], max(ratios))


def _marks(chart: Chart, curve: IsoflopCurve, place_x: float, style: SeriesStyle) -> list[Markup]:
    run = curve.first
    place = f"{run.tokenization}, T = {run.rate_text}, C = {power(run.budget)}"
    if curve.interior:
        assert curve.fit is not None
        value = curve.fit.estimates["bytes_per_param_opt"]
        hint = f"{place}: {significant(value)} bytes per parameter"
        return [chart.mark(style, place_x, value, hint, y_ends=_ends(curve))]
    assert curve.bound is not None
    best, above = curve.bound
    x, y = chart.at(place_x, best.spec.bytes_per_param)
    words = "or more" if above else "or less"
    hint = f"{place}: {significant(best.spec.bytes_per_param)} bytes per parameter {words}"
    return [
        _arrow(style, x, y, -1 if above else 1),
        chart.mark(style, place_x, best.spec.bytes_per_param, hint),
    ]


def _arrow(style: SeriesStyle, x: float, y: float, down: int) -> Markup:
    """Return an arrow from a marker's place, upwards or downwards."""
    tip, barb = y + down * _ARROW, y + down * (_ARROW - 5)
    points = f"{x:.1f},{y:.1f} {x:.1f},{tip:.1f} {x - 4:.1f},{barb:.1f} {x:.1f},{tip:.1f} "
    return tag(
        "polyline", class_=f"curve thin s{style.colour}", points=f"{points}{x + 4:.1f},{barb:.1f}"
    )


def _published_marks(chart: Chart, published: Sequence[FitResult]) -> list[Markup]:
    marks = []
    for spent in sorted({budget(fit) for fit in published}):
        fits = sorted((fit for fit in published if budget(fit) == spent), key=rate)
        points = [(rate(fit), fit.estimates["bytes_per_param_opt"]) for fit in fits]
        hint = f"published, {power(spent)} FLOPs"
        marks.append(chart.line(_PUBLISHED, points, hint, "faint"))
        marks += [
            chart.mark(
                _PUBLISHED, x, y, f"{hint}, T = {x:.3g}: {significant(y)} bytes per parameter"
            )
            for x, y in points
        ]
    return marks
