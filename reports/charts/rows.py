"""Charts of rows: a name each, and beside it dots with their intervals or one stacked bar.

Heat map that is its own table: colours to look at, values to read, columns to sort.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from reports.charts.chart import Axis, Chart, Margins, linear, round_ticks
from reports.charts.svg import HEAT_STEPS, RADIUS, SeriesStyle, heat_step, tag
from reports.html import Column, TableCell, sortable_table
from reports.numbers import UNMEASURED, LowHigh

_WIDTH = 720.0
_ABOUT = 7  # ticks
_LANE = 4.6  # height that each series takes within a row of dots
_BAR, _GAP = 22.0, 4.0  # height of a row of bars, and what is left free of it on either side
_FAINT = 0.3  # opacity
_MOST_CHARACTERS = 22  # of a name
_SMALL, _SMALL_NAMES, _MOST_CHARACTERS_SMALL = 370.0, 104.0, 16  # of a chart as wide as a phone


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
    axis: str | Axis,
    rows: Sequence[tuple[str, Sequence[Dot]]],
    *,
    origin: float | None = None,
    languages: Sequence[str] = (),
    small: bool = False,
) -> Markup:
    """Return a row for each name, and in it a marker with its interval for each series.

    Arguments:
        axis: name of the measure and its unit, or the axis itself.
        rows: names and their dots, from the top.
        origin: a value to draw a line at, such as 0 for differences.
        languages: codes of the rows' languages, where rows are languages that readers may choose.
        small: as wide as a phone, with rows as low as can be read.
    """
    lanes = 1 + max(dot.lane for _, dots in rows for dot in dots)
    values = [x for _, dots in rows for dot in dots for x in (dot.value, *(dot.interval or ()))]
    lane, least, radius = (3.7, 17.0, 3.6) if small else (_LANE, 20.0, RADIUS)
    height = max(least, lane * lanes + (3 if small else 7))
    if isinstance(axis, str):
        axis = linear(axis, values if origin is None else [*values, origin], 8 if small else _ABOUT)
    chart = _chart(axis, len(rows), height, ("above", "below"), small)
    marks = [] if origin is None else [chart.rule(x=origin, classes="origin")]
    for i, (_, dots) in enumerate(rows):
        drawn = []
        for dot in dots:
            y = i + 0.5 + (dot.lane - (lanes - 1) / 2) * lane / height
            mark = chart.mark(dot.style, dot.value, y, dot.hint, x_ends=dot.interval, radius=radius)
            drawn.append(tag("g", mark, opacity=_FAINT) if dot.apart else mark)
        marks.append(tag("g", *drawn, data_l=_row_of(languages, i)))
    stripes = [
        tag("rect", class_="stripe", x=0, y=chart.top + height * i, width=chart.width,
            height=height, data_l=_row_of(languages, i))
        for i in range(0, len(rows), 2)
    ]  # fmt: skip
    names = _names(chart, [name for name, _ in rows], languages, small)
    return chart.draw(
        identity, title, description, marks, under=stripes, beside=names,
        row_height=height if languages else None,
    )  # fmt: skip


def bars(
    identity: str,
    title: str,
    description: str,
    axis: str,
    rows: Sequence[tuple[str, Sequence[BarPart]]],
    *,
    languages: Sequence[str] = (),
) -> Markup:
    """Return a row for each name, and in it the parts of one whole side by side.

    Arguments:
        axis: name of the measure and its unit.
        rows: names and their parts, from the top; parts are of no negative value.
        languages: codes of the rows' languages, where rows are languages that readers may choose.
    """
    high = max(sum(part.value for part in parts) for _, parts in rows) * 1.02 or 1.0
    x = Axis(axis, 0.0, high, round_ticks(0.0, high, _ABOUT))
    chart = _chart(x, len(rows), _BAR, ("above",))
    marks = []
    for i, (_, parts) in enumerate(rows):
        begin = 0.0
        drawn = []
        for part in parts:
            (left, top), (right, _) = chart.at(begin, i), chart.at(begin + part.value, i)
            begin += part.value
            drawn.append(
                tag("rect", tag("title", part.hint), class_=f"bar s{part.colour}", x=left,
                    y=top + _GAP, width=max(right - left, 0.0), height=_BAR - 2 * _GAP)
            )  # fmt: skip
        marks.append(tag("g", *drawn, data_l=_row_of(languages, i)))
    names = _names(chart, [name for name, _ in rows], languages)
    return chart.draw(
        identity, title, description, marks, beside=names, row_height=_BAR if languages else None
    )


def _row_of(languages: Sequence[str], i: int) -> str | None:
    return languages[i] if languages else None


def _chart(
    x: Axis, rows: int, row_height: float, tick_rows: tuple[str, ...], small: bool = False
) -> Chart:
    """Return a chart whose upward axis counts rows, from the top."""
    left, width = (_SMALL_NAMES, _SMALL) if small else (150.0, _WIDTH)
    margins = Margins(left, 16.0, 40.0, 26.0 if "below" in tick_rows else 12.0)
    height = margins.top + row_height * rows + margins.bottom
    return Chart(x, Axis("", float(rows), 0.0), width, height, margins, tick_rows)


def _names(
    chart: Chart, names: Iterable[str], languages: Sequence[str], small: bool = False
) -> list[Markup]:
    found = []
    most = _MOST_CHARACTERS_SMALL if small else _MOST_CHARACTERS
    for i, name in enumerate(names):
        shown = name if len(name) <= most else name[: most - 1] + "…"
        hint = (tag("title", name),) if shown != name else ()
        y = chart.at(chart.x.low, i + 0.5)[1] + 4
        found.append(
            tag("text", shown, *hint, class_="name", x=chart.left - 10, y=y, text_anchor="end",
                data_l=_row_of(languages, i))
        )  # fmt: skip
    return found


class Heat(NamedTuple):
    """A cell: its value, or None where unmeasured; the value as text; a hint with the interval;
    whether it stands apart, without a colour, as not to be compared with the others."""

    value: float | None
    text: str
    hint: str
    apart: bool = False


class HeatScale(NamedTuple):
    """What the colours of a heat map mean: the same wherever a page shows the quantity.

    Attributes:
        low, high: the values at the dark and at the bright end.
        ends: what stands at these ends of the key.
        log: whether equal ratios, rather than equal differences, are equally far in colour.
    """

    low: float
    high: float
    ends: tuple[str, str]
    log: bool = False

    def step(self, value: float) -> int:
        """Return the colour of a value; what lies beyond an end has the colour of that end."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return heat_step(value, low, high)

    @property
    def key(self) -> Markup:
        """The ramp of colours, and what its ends stand for."""
        steps = [tag("i", class_=f"h{i}") for i in range(HEAT_STEPS)]
        bar = tag("span", *steps, class_="ramp", aria_hidden="true")
        return tag("p", self.ends[0], " ", bar, " ", self.ends[1], class_="key")


SHARES = HeatScale(0.0, 1.0, ("0 %", "100 %"))


def heat_map(
    caption: str,
    corner: str,
    columns: Sequence[str | Column],
    rows: Sequence[tuple[str | Markup, Sequence[Heat]]],
    scale: HeatScale,
) -> Markup:
    """Return the map and its scale.

    Arguments:
        corner: heading of the column of row names.
        columns: the others, or their headings.
        rows: names, and a cell for each column.
        scale: what colours mean.
    """

    def cell_of(heat: Heat) -> TableCell:
        if heat.value is None:
            return TableCell(UNMEASURED, "none", heat.hint)
        if heat.apart:
            return TableCell(heat.text, "apart", heat.hint)
        return TableCell(heat.text, f"h{scale.step(heat.value)}", heat.hint)

    heads = [head if isinstance(head, Column) else Column(head) for head in columns]
    table = sortable_table(
        caption,
        [Column(corner, numeric=False), *heads],
        [[name, *map(cell_of, cells)] for name, cells in rows],
        style="heat",
    )
    known = any(cell.value is not None for _, cells in rows for cell in cells)
    return scale.key + table if known else table
