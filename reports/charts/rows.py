"""Charts of rows: a name each, and beside it dots with their intervals or one stacked bar.

Heat map that is its own table: colours to look at, values to read, columns to sort.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from reports.charts.chart import Axis, Chart, Margins, linear, round_ticks
from reports.charts.svg import HEAT_STEPS, SeriesStyle, heat_step, tag
from reports.html import Column, TableCell, sortable_table
from reports.numbers import UNMEASURED, LowHigh

_WIDTH = 720.0
_ABOUT = 7  # ticks
_LANE = 4.6  # height that each series takes within a row of dots
_BAR, _GAP = 22.0, 4.0  # height of a row of bars, and what is left free of it on either side
_FAINT = 0.3  # opacity
_MOST_CHARACTERS = 22  # of a name


class Dot(NamedTuple):
    """One estimate.

    Attributes:
        style: of its series.
        lane: number of its series: markers of a row lie one below the other.
        value: where it lies.
        interval: its interval, or None.
        hint: shown on hover.
        apart: drawn faint: it is not to be compared with the others.
    """

    style: SeriesStyle
    lane: int
    value: float
    interval: LowHigh
    hint: str
    apart: bool = False


class BarPart(NamedTuple):
    """A part of a bar: its length, the colour of its series, and what is shown on hover."""

    value: float
    colour: int
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
    """Return a row for each name, and in it a marker with its interval for each series.

    Arguments:
        axis: name of the measure and its unit.
        rows: names and their dots, from the top.
        origin: a value to draw a line at, such as 0 for differences.
    """
    lanes = 1 + max(dot.lane for _, dots in rows for dot in dots)
    values = [x for _, dots in rows for dot in dots for x in (dot.value, *(dot.interval or ()))]
    height = max(20.0, _LANE * lanes + 7)
    x = linear(axis, values if origin is None else [*values, origin], _ABOUT)
    chart = _chart(x, len(rows), height, ("above", "below"))
    marks = [] if origin is None else [chart.rule(x=origin, classes="origin")]
    for i, (_, dots) in enumerate(rows):
        for dot in dots:
            y = i + 0.5 + (dot.lane - (lanes - 1) / 2) * _LANE / height
            mark = chart.mark(dot.style, dot.value, y, dot.hint, x_ends=dot.interval)
            marks.append(tag("g", mark, opacity=_FAINT) if dot.apart else mark)
    stripes = [
        tag("rect", class_="stripe", x=0, y=chart.top + height * i, width=_WIDTH, height=height)
        for i in range(0, len(rows), 2)
    ]
    names = _names(chart, [name for name, _ in rows])
    return chart.draw(identity, title, description, marks, under=stripes, beside=names)


def bars(
    identity: str,
    title: str,
    description: str,
    axis: str,
    rows: Sequence[tuple[str, Sequence[BarPart]]],
) -> Markup:
    """Return a row for each name, and in it the parts of one whole side by side.

    Arguments:
        axis: name of the measure and its unit.
        rows: names and their parts, from the top; parts are of no negative value.
    """
    high = max(sum(part.value for part in parts) for _, parts in rows) * 1.02 or 1.0
    x = Axis(axis, 0.0, high, round_ticks(0.0, high, _ABOUT))
    chart = _chart(x, len(rows), _BAR, ("above",))
    marks = []
    for i, (_, parts) in enumerate(rows):
        begin = 0.0
        for part in parts:
            (left, top), (right, _) = chart.at(begin, i), chart.at(begin + part.value, i)
            begin += part.value
            marks.append(
                tag("rect", tag("title", part.hint), class_=f"bar s{part.colour}", x=left,
                    y=top + _GAP, width=max(right - left, 0.0), height=_BAR - 2 * _GAP)
            )  # fmt: skip
    names = _names(chart, [name for name, _ in rows])
    return chart.draw(identity, title, description, marks, beside=names)


def _chart(x: Axis, rows: int, row_height: float, tick_rows: tuple[str, ...]) -> Chart:
    """Return a chart whose upward axis counts rows, from the top."""
    margins = Margins(150.0, 16.0, 40.0, 26.0 if "below" in tick_rows else 12.0)
    height = margins.top + row_height * rows + margins.bottom
    return Chart(x, Axis("", float(rows), 0.0), _WIDTH, height, margins, tick_rows)


def _names(chart: Chart, names: Iterable[str]) -> list[Markup]:
    found = []
    for i, name in enumerate(names):
        shown = name if len(name) <= _MOST_CHARACTERS else name[: _MOST_CHARACTERS - 1] + "…"
        hint = (tag("title", name),) if shown != name else ()
        y = chart.at(chart.x.low, i + 0.5)[1] + 4
        found.append(
            tag("text", shown, *hint, class_="name", x=chart.left - 10, y=y, text_anchor="end")
        )
    return found


class Heat(NamedTuple):
    """A cell: its value, or None where unmeasured; the value as text; a hint with the interval;
    whether it stands apart, without a colour, as not to be compared with the others."""

    value: float | None
    text: str
    hint: str
    apart: bool = False


def heat_map(
    caption: str,
    corner: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str | Markup, Sequence[Heat]]],
    ends: tuple[str, str],
    *,
    log: bool = False,
) -> Markup:
    """Return the map and its scale.

    Arguments:
        corner: heading of the column of row names.
        columns: headings of the others.
        rows: names, and a cell for each column.
        ends: what the dark and the bright end of the scale mean.
        log: whether equal ratios, rather than equal differences, are equally far in colour.
    """
    scale = math.log if log else float
    known = [
        scale(cell.value)
        for _, cells in rows
        for cell in cells
        if cell.value is not None and not cell.apart
    ]

    def cell_of(heat: Heat) -> TableCell:
        if heat.value is None:
            return TableCell(UNMEASURED, "none", heat.hint)
        if heat.apart:
            return TableCell(heat.text, "apart", heat.hint)
        step = heat_step(scale(heat.value), min(known), max(known))
        return TableCell(heat.text, f"h{step}", heat.hint)

    table = sortable_table(
        caption,
        [Column(corner, numeric=False), *map(Column, columns)],
        [[name, *map(cell_of, cells)] for name, cells in rows],
        style="heat",
    )
    return _key(ends) + table if known else table


def _key(ends: tuple[str, str]) -> Markup:
    steps = [tag("i", class_=f"h{i}") for i in range(HEAT_STEPS)]
    bar = tag("span", *steps, class_="ramp", aria_hidden="true")
    return tag("p", ends[0], " ", bar, " ", ends[1], class_="key")
