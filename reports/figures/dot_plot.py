"""Dot plot: a row for each language, a marker with its interval for each tokenizer."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from reports.charts.chart import marker
from reports.charts.svg import Scale, SeriesStyle, drawing, padded, tag, tick_text

_WIDTH = 720.0
_GUTTER = 150.0
_RIGHT = 16.0
_HEAD = 40.0
_FOOT = 26.0
_LANE = 4.6  # height that each series takes within a row
_MOST_CHARACTERS = 22


class Dot(NamedTuple):
    """One estimate.

    Attributes:
        style: of its series.
        lane: number of its series: markers of a row lie one below the other.
        value: where it lies.
        interval: its interval, or None.
        hint: shown on hover.
    """

    style: SeriesStyle
    lane: int
    value: float
    interval: Sequence[float] | None
    hint: str


def dot_plot(
    identity: str,
    title: str,
    description: str,
    axis: str,
    rows: Sequence[tuple[str, Sequence[Dot]]],
    *,
    origin: float | None = None,
) -> Markup:
    """Return the plot.

    Arguments:
        identity: unique on the page.
        axis: name of the measure and its unit.
        rows: names and their dots, from the top.
        origin: a value to draw a line at, such as 0 for differences.
    """
    lanes = 1 + max(dot.lane for _, dots in rows for dot in dots)
    row_height = max(20.0, _LANE * lanes + 7)
    height = _HEAD + row_height * len(rows) + _FOOT
    values = [x for _, dots in rows for dot in dots for x in (dot.value, *(dot.interval or ()))]
    if origin is not None:
        values.append(origin)
    low, high = padded(values)
    scale = Scale(low, high, _GUTTER, _WIDTH - _RIGHT)
    parts = [tag("text", axis, class_="axis", x=(_GUTTER + _WIDTH) / 2, y=12, text_anchor="middle")]
    bottom = height - _FOOT
    parts += [
        tag("rect", class_="stripe", x=0, y=_HEAD + row_height * i, width=_WIDTH, height=row_height)
        for i in range(0, len(rows), 2)
    ]
    for tick in scale.ticks(7):
        x = scale(tick)
        parts.append(tag("line", class_="grid", x1=x, x2=x, y1=_HEAD, y2=bottom))
        for y in (_HEAD - 7, bottom + 16):
            parts.append(
                tag("text", tick_text(tick), class_="tick", x=x, y=y, text_anchor="middle")
            )
    if origin is not None:
        x = scale(origin)
        parts.append(tag("line", class_="origin", x1=x, x2=x, y1=_HEAD, y2=bottom))
    for i, (name, dots) in enumerate(rows):
        middle = _HEAD + row_height * (i + 0.5)
        parts.append(_name(name, middle))
        for dot in dots:
            y = middle + (dot.lane - (lanes - 1) / 2) * _LANE
            parts.append(_whisker(dot, scale, y))
            parts.append(marker(dot.style, scale(dot.value), y, dot.hint))
    return drawing(identity, title, description, _WIDTH, height, *parts)


def _name(name: str, middle: float) -> Markup:
    shown = name if len(name) <= _MOST_CHARACTERS else name[: _MOST_CHARACTERS - 1] + "…"
    hint = (tag("title", name),) if shown != name else ()
    return tag("text", shown, *hint, class_="name", x=_GUTTER - 10, y=middle + 4, text_anchor="end")


def _whisker(dot: Dot, scale: Scale, y: float) -> Markup:
    if dot.interval is None or dot.interval[0] == dot.interval[1]:
        return Markup("")
    left, right = scale(dot.interval[0]), scale(dot.interval[1])
    return tag("line", class_=f"whisker s{dot.style.colour}", x1=left, x2=right, y1=y, y2=y)
