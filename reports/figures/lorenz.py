"""Lorenz curves: how evenly a tokenizer spreads its tokens over languages."""

from collections.abc import Sequence

from markupsafe import Markup

from reports.charts.chart import marker
from reports.charts.svg import Scale, drawing, tag
from reports.measured import Series
from tokenize_lab.rates import lorenz

_SIZE = 420.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 48.0, 24.0, 12.0, 46.0


def lorenz_curves(
    identity: str,
    title: str,
    description: str,
    curves: Sequence[tuple[Series, Sequence[float], str]],
) -> Markup:
    """Return the curves.

    Arguments:
        identity: unique on the page.
        curves: series, its costs by language in any order, and a text shown on hover.
    """
    x_scale = Scale(0, 1, _LEFT, _SIZE - _RIGHT)
    y_scale = Scale(0, 1, _SIZE - _BOTTOM, _TOP)
    parts: list[Markup] = []
    for tick in x_scale.ticks(5):
        x, y, text = x_scale(tick), y_scale(tick), f"{100 * tick:.0f} %"
        parts += [
            tag("line", class_="grid", x1=x, x2=x, y1=_TOP, y2=_SIZE - _BOTTOM),
            tag("line", class_="grid", x1=_LEFT, x2=_SIZE - _RIGHT, y1=y, y2=y),
            tag("text", text, class_="tick", x=x, y=_SIZE - _BOTTOM + 16, text_anchor="middle"),
            tag("text", text, class_="tick", x=_LEFT - 6, y=y + 4, text_anchor="end"),
        ]
    middle = (_TOP + _SIZE - _BOTTOM) / 2
    parts += [
        tag("line", class_="diagonal", x1=x_scale(0), y1=y_scale(0), x2=x_scale(1), y2=y_scale(1)),
        tag("text", "languages, the cheapest first", class_="axis", text_anchor="middle",
            x=(_LEFT + _SIZE - _RIGHT) / 2, y=_SIZE - 8),
        tag("text", "share of all tokens", class_="axis", text_anchor="middle",
            transform=f"translate(11 {middle:g}) rotate(-90)"),
    ]  # fmt: skip
    for i, (series, costs, hint) in enumerate(curves):
        xs, ys = lorenz(costs)
        places = [(x_scale(x), y_scale(y)) for x, y in zip(xs, ys, strict=True)]
        parts.append(
            tag(
                "polyline",
                tag("title", hint),
                class_=f"curve s{series.style.colour}",
                stroke_dasharray=series.style.dashes,
                points=" ".join(f"{x:.1f},{y:.1f}" for x, y in places),
            )
        )
        # One marker a curve, each at its own place, so that curves that coincide show all of them.
        parts.append(marker(series.style, *_along(places, (i + 1) / (len(curves) + 1)), hint))
    return drawing(identity, title, description, _SIZE, _SIZE, *parts)


def _along(places: Sequence[tuple[float, float]], part: float) -> tuple[float, float]:
    """Return the point of a polyline with evenly spaced x at a share of its width."""
    at = part * (len(places) - 1)
    left = min(int(at), len(places) - 2)
    rest = at - left
    (x0, y0), (x1, y1) = places[left], places[left + 1]
    return x0 + rest * (x1 - x0), y0 + rest * (y1 - y0)
