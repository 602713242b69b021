"""The isoFLOP bowls: loss over compression rate and bytes per parameter, turning and from above."""

import json
import math
import re
from functools import cache

import numpy as np
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from reports.charts.chart import Chart, laws_style, octaves, panel, panels
from reports.charts.svg import heat_step, log_ticks, series_style, tag
from reports.html import Cell, Column, render, sortable_table, text_file
from reports.laws.results import Laws, budget, family, inside, label
from reports.laws.text import compact, significant, with_interval
from reports.page import Section, absent, behind
from scaling.laws.isoflop import surface
from scaling.result import FitResult
from scaling.runs import Runs

LAW = "isoflop-surface"
LEVELS = (0.005, 0.01, 0.02, 0.04, 0.08)  # bits per byte above the lowest place
NO_OPTIMUM = "the lowest place lies outside what was trained, so there is no optimum"
_GRID = 33
_MAP_STYLES = re.compile(r'getElementById\("([0-9a-f]{64})"\)')
_AROUND = 72  # corners of a ring


def bowls(laws: Laws) -> Section:
    """Show every budget's bowl: the one that turns, all of them from above, and the table."""
    title = "IsoFLOP bowls"
    found = [(fit, runs) for fit in laws.of(LAW) if (runs := laws.runs_of(fit)) is not None]
    if not found:
        note = absent(
            "No bowl was fitted: tokenize-lab scaling fit RUNS.csv --law isoflop-surface --out "
            "DIR/laws makes them, and RUNS.csv belongs beside them."
        )
        return Section("laws-bowl", title, note)
    fits = [fit for fit, _ in found]
    middle = len(found) // 2
    chosen = next((i for i, (fit, _) in enumerate(found) if budget(fit) == 1e20), middle)
    body = render(
        "laws_bowl.html",
        budgets=[label(fit, fits) for fit in fits],
        chosen=chosen,
        flat="The bowl that turns is not drawn without script; seen from above it is the same.",
        contours=panels(
            *(_contour(i, label(fit, fits), fit, runs) for i, (fit, runs) in enumerate(found))
        ),
        levels=", ".join(f"{level:g}" for level in LEVELS),
        table=behind("Table: the lowest place of every bowl", _table(fits)),
        data=_json([_drawn(label(fit, fits), fit, runs) for fit, runs in found]),
    )
    # Without `define`, as in a page, plotly calls itself `Plotly`.
    script = f"{_plotly()}\n{text_file('laws_bowl.js')}"
    body = _no_map_styles() + body
    return Section("laws-bowl", title, body, script, laws_style(), plotting=True)


@cache
def _plotly() -> str:
    """Return plotly's own JavaScript, as its package carries it."""
    return str(get_plotlyjs())


def _no_map_styles() -> Markup:
    """Return elements that stand where plotly would put the style sheets of its maps, which it
    writes only if none is there; the page's policy would refuse them."""
    known = sorted(set(_MAP_STYLES.findall(_plotly())))
    return Markup("").join(Markup('<i hidden id="{}"></i>').format(one) for one in known)


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
    best = fit.estimates
    return (
        best["compression_rate_opt"],
        best["bytes_per_param_opt"],
        best["bits_per_byte_opt"],
    )


def _drawn(where: str, fit: FitResult, runs: Runs) -> dict[str, object]:
    """Return what the script needs of one bowl."""
    rates, ratios, losses = _columns(runs)
    x = np.geomspace(min(rates), max(rates), _GRID)
    y = np.geomspace(min(ratios), max(ratios), _GRID)
    z = surface(fit.estimates, x[None, :], y[:, None])
    best = _optimum(fit)
    said = [significant(one) for one in best]
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


def _contour(place: int, where: str, fit: FitResult, runs: Runs) -> Markup:
    rates, ratios, losses = _columns(runs)
    t, rho, best = _optimum(fit)
    chart = Chart(octaves("bytes per token", rates), octaves("bytes per parameter", ratios))
    marks = [tag("polygon", class_="level", points=_ring(chart, fit, level)) for level in LEVELS]
    low, high = min(losses), max(losses)
    for one_rate, ratio, loss in sorted(zip(rates, ratios, losses, strict=True)):
        x, y = chart.at(one_rate, ratio)
        hint = (
            f"{one_rate:g} bytes per token, {significant(ratio)} bytes per parameter: "
            f"{loss:.4f} bits per byte"
        )
        step = heat_step(loss, low, high)
        marks.append(tag("circle", tag("title", hint), class_=f"model f{step}", cx=x, cy=y, r=3.6))
    if inside(fit):
        marks += _cross(chart, fit)
        said = f"lowest at {significant(t)} and {significant(rho)}"
        said += f", {significant(best)} bits per byte"
        caption = f"{where}: T* {significant(t)}, ρ* {significant(rho)}"
    else:
        said, caption = NO_OPTIMUM, f"{where}: no optimum inside"
    picture = chart.draw(
        f"bowl-{place}",
        f"Bowl at {where} from above",
        f"{fit.n} models over bytes per token and bytes per parameter; {said}.",
        *marks,
    )
    return panel(caption, picture)


def _ring(chart: Chart, fit: FitResult, level: float) -> str:
    """Return the corners of an ellipse: where the paraboloid lies `level` above its lowest."""
    p = fit.estimates
    a, b, c = (
        p["curvature_compression"],
        p["curvature_bytes_per_param"],
        p["curvature_cross"],
    )
    t, rho, _ = _optimum(fit)
    corners = []
    for i in range(_AROUND):
        u, v = math.cos(2 * math.pi * i / _AROUND), math.sin(2 * math.pi * i / _AROUND)
        far = math.sqrt(level / (a * u * u + b * v * v + c * u * v))
        x, y = chart.at(t * math.exp(far * u), rho * math.exp(far * v))
        corners.append(f"{x:.1f},{y:.1f}")
    return " ".join(corners)


def _cross(chart: Chart, fit: FitResult) -> list[Markup]:
    """Return the optimum with its two intervals."""
    t, rho, _ = _optimum(fit)
    x, y = chart.at(t, rho)
    arms = []
    for name, across in (("compression_rate_opt", True), ("bytes_per_param_opt", False)):
        own = fit.intervals.get(name)
        low, high = (x - 5, x + 5) if across else (y - 5, y + 5)
        if own is not None and across:
            low, high = min(low, chart.at(own.low, rho)[0]), max(high, chart.at(own.high, rho)[0])
        elif own is not None:
            low, high = min(low, chart.at(t, own.high)[1]), max(high, chart.at(t, own.low)[1])
        ends = (
            {"x1": low, "x2": high, "y1": y, "y2": y}
            if across
            else {"x1": x, "x2": x, "y1": low, "y2": high}
        )
        arms.append(tag("line", class_=f"best s{series_style(1).colour}", **ends))
    return arms


def _table(fits: list[FitResult]) -> Markup:
    names = ("compression_rate_opt", "bytes_per_param_opt", "bits_per_byte_opt")
    return sortable_table(
        "Lowest place of the paraboloid fitted to each budget, with 95 % intervals",
        [
            Column("budget, FLOPs"),
            Column("runs of", numeric=False),
            Column("models"),
            Column("T*, bytes per token"),
            Column("ρ*, bytes per parameter"),
            Column("bits per byte"),
            Column("R²"),
            Column("RMSE"),
        ],
        [
            [
                compact(budget(fit)),
                family(fit),
                str(fit.n),
                *(_best(fit, name, 4 if i == 2 else 3) for i, name in enumerate(names)),
                significant(fit.r2, 4),
                significant(fit.rmse, 2),
            ]
            for fit in fits
        ],
    )


def _best(fit: FitResult, name: str, digits: int) -> str | Markup | Cell:
    if not inside(fit):
        return Cell("no optimum", hint=NO_OPTIMUM)
    return with_interval(fit.estimates[name], fit.intervals.get(name), digits)
