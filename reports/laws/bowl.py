"""The isoFLOP bowls: loss over compression rate and bytes per parameter, turning and from above."""

import json
import math
import re
from collections.abc import Sequence
from functools import cache

import numpy as np
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from reports.charts.chart import Chart, Panel, octaves, panels
from reports.charts.svg import heat_step, log_ticks, series_style
from reports.html import TableCell, render, sortable_table, text_file
from reports.laws.results import Laws, budget, family, inside, label
from reports.numbers import compact, ends_of, significant, significant_rate, with_interval
from reports.page import Section, behind, missing
from scaling.laws.optimum import surface
from scaling.result import FitResult
from scaling.runs import Runs

LAW = "isoflop-surface"
_OPTIMUM = ("compression_rate_opt", "bytes_per_param_opt", "bits_per_byte_opt")
LEVELS = (0.005, 0.01, 0.02, 0.04, 0.08)  # bits per byte above the lowest place
NO_OPTIMUM = "the lowest place lies outside what was trained, so there is no optimum"
_GRID = 33  # values on each axis of the bowl that turns
_USUAL = 1e20  # the budget that is shown first
_MAP_STYLES = re.compile(r'getElementById\("([0-9a-f]{64})"\)')
_AROUND = 72  # corners of a ring


def bowls(laws: Laws) -> Section:
    """Show every budget's bowl: the one that turns, all of them from above, and the table."""
    title = "IsoFLOP bowls"
    found = laws.with_runs(LAW)
    if not found:
        reason = (
            "No bowl was fitted: tokenize-lab scaling fit RUNS.csv --law isoflop-surface --out DIR"
        )
        return missing("laws-bowl", title, reason)
    fits = [fit for fit, _ in found]
    middle = len(found) // 2
    chosen = next((i for i, (fit, _) in enumerate(found) if budget(fit) == _USUAL), middle)
    body = render(
        "laws_bowl.html",
        budgets=[label(fit, laws.fits) for fit in fits],
        chosen=chosen,
        flat="The bowl that turns is not drawn without script; seen from above it is the same.",
        contours=panels(contour_panels(found, laws.fits)),
        levels=", ".join(f"{level:g}" for level in LEVELS),
        table=behind("Table: the lowest place of every bowl", _table(fits)),
        data=_json([_drawn(label(fit, laws.fits), fit, runs) for fit, runs in found]),
    )
    # Without `define`, as in a page, plotly calls itself `Plotly`.
    script = f"{_plotly()}\n{text_file('laws_bowl.js')}"
    return Section("laws-bowl", title, _no_map_styles() + body, script, plotting=True)


@cache
def _plotly() -> str:
    """Return plotly's own JavaScript, as its package carries it."""
    return str(get_plotlyjs())


def _no_map_styles() -> Markup:
    """Return elements that stand where plotly would put the style sheets of its maps, which it
    writes only if none is there; the page's policy would refuse them."""
    known = sorted(set(_MAP_STYLES.findall(_plotly())))
    return Markup("").join(Markup('<i hidden id="{}"></i>').format(identity) for identity in known)


def _json(data: object) -> Markup:
    """Return JSON that no text in it can end before its time."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026").replace(">", "\\u003e"))


def _columns(runs: Runs) -> tuple[list[float], list[float], list[float]]:
    """Return T, rho and L of the runs."""
    size, data = runs.column("params", LAW), runs.column("train_bytes", LAW)
    return (
        runs.column("compression_rate", LAW).tolist(),
        (data / size).tolist(),
        runs.column("bits_per_byte", LAW).tolist(),
    )


def _optimum(fit: FitResult) -> tuple[float, float, float]:
    t, rho, loss = (fit.estimates[name] for name in _OPTIMUM)
    return t, rho, loss


def _drawn(where: str, fit: FitResult, runs: Runs) -> dict[str, object]:
    """Return what the script needs of one bowl."""
    rates, ratios, losses = _columns(runs)
    x = np.geomspace(min(rates), max(rates), _GRID)
    y = np.geomspace(min(ratios), max(ratios), _GRID)
    z = surface(fit.estimates, x[None, :], y[:, None])
    best = _optimum(fit)
    said = [significant(value) for value in best]
    low = min(float(z.min()), min(losses))
    high = max(float(z.max()), max(losses))
    margin = 0.08 * (high - low)
    there = inside(fit)
    place = (
        f"lowest at {said[0]} bytes per token and {said[1]} bytes per parameter, {said[2]} bits per"
        " byte there"
        if there
        else f"{NO_OPTIMUM} (T* {said[0]}, ρ* {said[1]})"
    )
    return {
        "x": _rounded(x),
        "y": _rounded(y),
        "z": [_rounded(row) for row in z],
        "points": {"x": rates, "y": _rounded(ratios), "z": losses},
        "optimum": list(best) if there else None,
        "lowest": best[2],
        "range": [low - margin, high],
        "x_ticks": log_ticks(min(rates), max(rates)),
        "y_ticks": log_ticks(min(ratios), max(ratios)),
        "said": said,
        "words": (
            f"At {where}, {fit.n} models: {place}; the paraboloid leaves an RMSE of "
            f"{significant(fit.rmse, 2)}."
        ),
    }


def _rounded(values: object) -> list[float]:
    return [float(f"{value:.6g}") for value in np.asarray(values)]


def contour_panels(
    found: Sequence[tuple[FitResult, Runs]], others: Sequence[FitResult] = ()
) -> list[Panel]:
    """Return every bowl from above: its models, rings of equal loss and its lowest place.

    Arguments:
        others: further fits of the law: where they are of other runs, captions tell which.
    """
    fits = [*(fit for fit, _ in found), *others]
    return [_contour(i, label(fit, fits), fit, runs) for i, (fit, runs) in enumerate(found)]


def _contour(place: int, where: str, fit: FitResult, runs: Runs) -> Panel:
    rates, ratios, losses = _columns(runs)
    t, rho, best = _optimum(fit)
    chart = Chart(octaves("bytes per token", rates), octaves("bytes per parameter", ratios))
    marks = [chart.area(_ring(fit, level), "level") for level in LEVELS]
    low, high = min(losses), max(losses)
    for rate, ratio, loss in sorted(zip(rates, ratios, losses, strict=True)):
        hint = (
            f"{significant_rate(rate)} bytes per token, {significant(ratio)} bytes per parameter: "
            f"{loss:.4f} bits per byte"
        )
        marks.append(chart.dot(rate, ratio, f"model f{heat_step(loss, low, high)}", 3.6, hint))
    said, caption = NO_OPTIMUM, f"{where}: no optimum inside"
    if inside(fit):
        ends = [ends_of(fit.intervals.get(name)) for name in _OPTIMUM[:2]]
        style = f"s{series_style(1).colour}"
        marks.append(chart.cross(t, rho, style, arm=5, x_ends=ends[0], y_ends=ends[1]))
        said = f"lowest at {significant(t)} and {significant(rho)}"
        said += f", {significant(best)} bits per byte"
        caption = f"{where}: T* {significant(t)}, ρ* {significant(rho)}"
    return chart.panel(
        caption,
        f"bowl-{place}",
        f"Bowl at {where} from above",
        f"{fit.n} models over bytes per token and bytes per parameter; {said}.",
        marks,
    )


def _ring(fit: FitResult, level: float) -> list[tuple[float, float]]:
    """Return the corners of an ellipse: where the paraboloid lies `level` above its lowest."""
    a, b, c = (
        fit.estimates[f"curvature_{of}"] for of in ("compression", "bytes_per_param", "cross")
    )
    t, rho, _ = _optimum(fit)
    corners = []
    for angle in np.linspace(0, 2 * math.pi, _AROUND, endpoint=False):
        u, v = math.cos(angle), math.sin(angle)
        far = math.sqrt(level / (a * u * u + b * v * v + c * u * v))
        corners.append((t * math.exp(far * u), rho * math.exp(far * v)))
    return corners


def _table(fits: Sequence[FitResult]) -> Markup:
    def best(fit: FitResult, name: str) -> Markup | TableCell:
        if not inside(fit):
            return TableCell("no optimum", hint=NO_OPTIMUM)
        digits = 4 if name == "bits_per_byte_opt" else 3
        return with_interval(fit.estimates[name], fit.intervals.get(name), digits)

    return sortable_table(
        "Lowest place of the paraboloid fitted to each budget, with 95 % intervals",
        "budget, FLOPs | runs of: | models | T*, bytes per token | ρ*, bytes per parameter | "
        "bits per byte | R² | RMSE",
        [
            [
                compact(budget(fit)),
                family(fit),
                str(fit.n),
                *(best(fit, name) for name in _OPTIMUM),
                significant(fit.r2, 4),
                significant(fit.rmse, 2),
            ]
            for fit in fits
        ],
    )
