"""Charts of the report as figures of their own: of a measurement, of a fit, of vocabulary curves.

They are drawn by the functions that draw the report's.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from corpora.errors import InputError, did_you_mean
from reports.charts.chart import Chart, Panel, linear
from reports.charts.figure import Figure
from reports.charts.svg import Series, series_style
from reports.laws.allocation import CURVES, allocation_panels, parabola_panels
from reports.laws.bowl import contour_panels
from reports.laws.languages import language_panels, languages_key
from reports.laws.mixture import mixture_panels
from reports.laws.profiles import best_rate_panel, compute_panel, losses_panel, optima_of
from reports.laws.results import Laws
from reports.measured import Measured, measured, read_measured
from reports.measures import MEASURES, OF_LOST_TEXT, Measure
from reports.numbers import LowHigh, significant
from reports.sections.compression import dots_by_language
from reports.vocabulary.curves import Curves, curves_of, read_curves, size_panels
from scaling.laws.registry import quantities
from scaling.mixtures.result import MixtureLaw
from scaling.result import FitResult
from scaling.runs import LOSSES, Runs
from tokenize_lab.results import Results
from tokenize_lab.rows import MeasureRow

MeasuredCells = Mapping[tuple[str, str], MeasureRow]  # rows by language and tokenizer
_COMPUTE = ("compute_flops",)  # the inputs of what compute alone decides


def measurement_figure(
    source: Measured | Results | str | Path | Sequence[MeasureRow], rate: str = "bytes_per_token"
) -> Figure:
    """Return a rate of every language under every tokenizer, with intervals.

    Args:
        source: a measurement, the folder of one, or its rows: mappings that have `language`,
            `tokenizer`, the rate, and under `intervals` its interval or None.
        rate: `bytes_per_token`, `premium`, `fertility` or another column of the report.

    Raises:
        InputError: unknown rate; a rate that was not measured; a folder that holds no measurement.
    """
    if rate not in MEASURES:
        raise InputError(f"no rate {rate!r}{did_you_mean(rate, MEASURES)}")
    measure = MEASURES[rate]
    if isinstance(source, str | Path):
        source = read_measured(Path(source))
    elif isinstance(source, Results):
        source = measured(source)
    if isinstance(source, Measured):
        rows = [row for corpus in source.corpora for row in corpus.rows]
    else:
        rows = list(source)
    known = [row for row in rows if row.get(rate) is not None]
    if not known:
        raise InputError(
            f"{rate} was not measured of this text; there are: "
            f"{', '.join(name for name in MEASURES if any(row.get(name) for row in rows))}"
        )
    names = dict.fromkeys(str(row["tokenizer"]) for row in rows)
    series = [Series(name, series_style(i)) for i, name in enumerate(names)]
    places: dict[str, dict[tuple[str, str], MeasureRow]] = {}
    for row in known:
        place = ", ".join(str(row[key]) for key in ("corpus", "domain") if row.get(key))
        places.setdefault(place, {})[str(row["language"]), str(row["tokenizer"])] = row
    panels = []
    for i, (place, cells) in enumerate(places.items()):
        read = partial(_read, cells, rate)
        picture = dots_by_language(
            f"{rate}-{i}", measure, _ordered(cells, rate), series, read,
            caveat=partial(_caveat, cells, measure),
        )  # fmt: skip
        assert picture is not None
        panels.append(Panel(place if len(places) > 1 else "", picture))
    return Figure(f"{measure.heading.capitalize()} by language", panels, series)


def _read(
    cells: MeasuredCells, rate: str, language: str, tokenizer: str
) -> tuple[float, LowHigh] | None:
    row = cells.get((language, tokenizer))
    return None if row is None else (row[rate], row.get("intervals", {}).get(rate))


def _caveat(cells: MeasuredCells, measure: Measure, language: str, tokenizer: str) -> str:
    row = cells.get((language, tokenizer))
    return "" if row is None or measure.name not in OF_LOST_TEXT else measure.caveat(row)


def _ordered(cells: MeasuredCells, rate: str) -> list[str]:
    """Return the languages, the largest mean over tokenizers first; over those that lose no text,
    if there are any."""
    losing = {tokenizer for (_, tokenizer), row in cells.items() if row.get("lost_share")}
    kept = {key: row for key, row in cells.items() if key[1] not in losing} or cells
    values: dict[str, list[float]] = {language: [-math.inf] for language, _ in cells}
    for (language, _), row in kept.items():
        values[language] = [v for v in values[language] if v > -math.inf] + [row[rate]]
    return sorted(values, key=lambda code: (-sum(values[code]) / len(values[code]), code))


def mixture_figure(law: MixtureLaw) -> Figure:
    """Return the best share of each text, with intervals, for each tokenizer."""
    names = [Series(arm.name, series_style(i)) for i, arm in enumerate(law.arms)]
    return Figure(f"Best mixture, {law.name}", mixture_panels(law), names if law.apart else [])


def fit_figure(fits: FitResult | Sequence[FitResult], runs: Runs | None = None) -> Figure:
    """Return the main chart of a law.

    Of isoFLOP fits the parabolas or the bowls from above; of Law I text and size over compute; of
    Law II and the joint law the best rate over compute, and loss over rate; of languages their
    optima over parity; of a law with best sizes these over compute; and of others what was observed
    over what is fitted.

    Args:
        fits: one fit, or several of one law as `isoflop` gives them; beside Law I its minima.
        runs: that they were made from; parabolas, bowls and observed losses are drawn from these.

    Raises:
        InputError: the chart needs the runs, or the law has nothing to draw.
    """
    several = [fits] if isinstance(fits, FitResult) else list(fits)
    laws = Laws({fit.data_sha256: runs for fit in several} if runs is not None else {}, several)
    fit = next((fit for fit in several if fit.estimates), None)
    if fit is None:
        raise InputError("nothing was fitted, so there is nothing to draw")
    if fit.law in (*CURVES, "isoflop-surface"):
        found = laws.with_runs(fit.law)
        if not found:
            raise InputError(f"{fit.law}: its chart is drawn from the runs; give them as well")
        if fit.law == "isoflop-surface":
            return Figure("IsoFLOP bowls from above", contour_panels(found))
        panels, series = parabola_panels(found)
        return Figure("IsoFLOP parabolas", panels, series, lines=True)
    if fit.law == "languages":
        key = languages_key(fit)
        return Figure("Languages over parity", language_panels(fit), key, lines=True)
    law1 = laws.one("law1")
    if law1 is not None:
        panels, series = allocation_panels(law1, laws.of("isoflop"))
        return Figure("Law I: text and model size over compute", panels, series, lines=True)
    title = {"law2": "Law II", "joint": "Joint law"}.get(fit.law, fit.law.capitalize())
    if "T0" in fit.estimates:
        panels, series = [best_rate_panel(fit, title)], []
        optima = optima_of(laws, fit) if fit.law == "law2" else _lowest(runs, fit)
        if optima:
            losses, series = losses_panel(fit, title, optima)
            panels.insert(0, losses)
        return Figure(f"{title}: the best compression rate", panels, series, lines=True)
    panels = [
        compute_panel(fit, name, title)
        for name, quantity in quantities(fit.law).items()
        if quantity.inputs == _COMPUTE and name != "compression_rate_opt"
    ]
    if fit.residuals:
        panels.append(_observed(fit, title, runs))
    if not panels:
        raise InputError(f"{fit.law} ({fit.form}) has no chart: it carries no residuals")
    return Figure(title, panels)


def _lowest(runs: Runs | None, fit: FitResult) -> list[tuple[float, float, float]]:
    """Return the lowest loss trained at every budget and rate."""
    if runs is None:
        return []
    found: dict[tuple[float, float], float] = {}
    columns = ("compute_flops", "compression_rate", "bits_per_byte")
    for compute, rate, loss in zip(*(runs.column(c, fit.law) for c in columns), strict=True):
        found[compute, rate] = min(loss, found.get((compute, rate), np.inf))
    return [(float(c), float(t), float(loss)) for (c, t), loss in sorted(found.items())]


def _observed(fit: FitResult, title: str, runs: Runs | None) -> Panel:
    """Return what was observed over what is fitted, or residuals where that is not known."""
    errors, style = list(fit.residuals), series_style(0)
    rmse = f"RMSE {significant(fit.rmse, 2)}"
    name = next((loss for loss in LOSSES if runs is not None and runs.has(loss)), None)
    if runs is None or name is None or len(runs) != len(errors):
        rows = list(range(1, len(errors) + 1))
        chart = Chart(linear("row", rows), linear("residual", [0.0, *errors]), 440)
        marks = [chart.mark(style, x, y, f"row {x}: {significant(y)}") for x, y in
                 zip(rows, errors, strict=True)]  # fmt: skip
        marks.insert(0, chart.rule(y=0.0))
        said = f"{len(errors)} residuals in the order of the rows."
        return chart.panel(f"Residuals: {rmse}", f"{fit.law}-residuals", title, said, marks)
    observed = runs.column(name, fit.law).tolist()
    fitted = [loss - error for loss, error in zip(observed, errors, strict=True)]
    values = observed + fitted
    chart = Chart(linear("fitted", values), linear("observed", values), 440, 400)
    marks = [chart.mark(style, x, y, f"fitted {significant(x, 4)}, observed {significant(y, 4)}")
             for x, y in zip(fitted, observed, strict=True)]  # fmt: skip
    said = f"{len(errors)} runs; on the diagonal the law is exact."
    return chart.panel(
        f"Observed against fitted: {rmse}", f"{fit.law}-observed", title, said,
        [chart.diagonal(), *marks],
    )  # fmt: skip


def vocabulary_figure(source: Curves | str | Path | Sequence[MeasureRow]) -> Figure:
    """Return bytes per token over vocabulary size, a chart for each language.

    Args:
        source: curves, the folder that `vocab-curve` wrote, or its rows.

    Raises:
        InputError: the folder holds no curves, or none with text.
    """
    if isinstance(source, str | Path):
        curves = read_curves(Path(source))
    else:
        curves = source if isinstance(source, Curves) else curves_of(source)
    if curves is None or not curves.curves:
        raise InputError("there are no vocabulary curves here, or none with text")
    title = "Bytes per token by vocabulary size"
    return Figure(title, size_panels(curves), curves.series, lines=True)
