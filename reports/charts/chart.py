"""A chart with two axes: lines, bands, markers with intervals, rules; SVG without script."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.charts.svg import (
    Scale,
    SeriesStyle,
    drawing,
    heat_colours,
    log_ticks,
    padded,
    series_style,
    tag,
    tick_text,
    ticks,
)
from reports.html import text_file
from reports.laws.text import power
from reports.measured import Series

# Markers of series: a shape and a colour each, so that neither is needed alone.


RADIUS = 4.2

# Outlines in units of the radius.
_POLYGONS = {
    "square": "-.85,-.85 .85,-.85 .85,.85 -.85,.85",
    "triangle": "0,-1.15 1.05,.75 -1.05,.75",
    "down": "0,1.15 1.05,-.75 -1.05,-.75",
    "diamond": "0,-1.2 1.2,0 0,1.2 -1.2,0",
    "plus": "-.35,-1.1 .35,-1.1 .35,-.35 1.1,-.35 1.1,.35 .35,.35 .35,1.1 -.35,1.1 -.35,.35 "
    "-1.1,.35 -1.1,-.35 -.35,-.35",
    "cross": "-1,-.6 -.6,-1 0,-.4 .6,-1 1,-.6 .4,0 1,.6 .6,1 0,.4 -.6,1 -1,.6 -.4,0",
    "hexagon": "-.55,-.95 .55,-.95 1.1,0 .55,.95 -.55,.95 -1.1,0",
}


def marker(style: SeriesStyle, x: float, y: float, hint: str = "") -> Markup:
    """Return a marker centred at (x, y), with a text shown on hover."""
    title = (tag("title", hint),) if hint else ()
    name = f"m s{style.colour}"
    if style.shape == "circle":
        return tag("circle", *title, class_=name, cx=float(x), cy=float(y), r=RADIUS)
    points = " ".join(
        f"{x + RADIUS * float(a):.1f},{y + RADIUS * float(b):.1f}"
        for a, b in (pair.split(",") for pair in _POLYGONS[style.shape].split())
    )
    return tag("polygon", *title, class_=name, points=points)


def legend(series: list[Series], *, lines: bool = False) -> Markup:
    """Return the key to a figure's series, as a list."""
    items = []
    for one in series:
        line = Markup("")
        width = 28 if lines else 14
        if lines:
            line = tag(
                "line",
                class_=f"curve s{one.style.colour}",
                stroke_dasharray=one.style.dashes,
                x1=0, x2=width, y1=7, y2=7,
            )  # fmt: skip
        sample = tag(
            "svg",
            line,
            marker(one.style, width / 2, 7),
            viewBox=f"0 0 {width} 14",
            width=width,
            height=14,
            aria_hidden="true",
        )
        items.append(tag("li", sample, " ", tag("bdi", one.name)))
    return tag("ul", *items, class_="legend")


Points = Sequence[tuple[float, float]]
# Ticks within a decade, the finer the less of it is shown.
_STEPS_OF_DECADES = ((1,), (1, 3), (1, 2, 5), tuple(range(1, 10)))
_LINEAR_BELOW = 3.0  # a ratio of an axis's ends so small that equal steps are as good as any
_FEWEST_TICKS = 3  # that tell a scale
_HALF_LETTER = 3.4  # pixels; half of what a letter of a tick's label is wide, at most
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 12.0, 10.0, 42.0


@dataclass(frozen=True)
class Axis:
    """An axis.

    Attributes:
        label: what it measures, and the unit.
        low, high: its range.
        ticks: values and their texts.
        log: whether equal ratios take equal space.
    """

    label: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    log: bool = False


def linear(label: str, values: Sequence[float], about: int = 8) -> Axis:
    """Return an axis that holds the values, with round ticks."""
    low, high = padded(values)
    return Axis(label, low, high, [(one, tick_text(one)) for one in ticks(low, high, about)])


def octaves(label: str, values: Sequence[float]) -> Axis:
    """Return a logarithmic axis with ticks at powers of two, for ratios such as bytes per token."""
    low, high = _widened(values)
    return Axis(label, low, high, [(one, tick_text(one)) for one in log_ticks(low, high)], True)


def decades(label: str, values: Sequence[float]) -> Axis:
    """Return a logarithmic axis with ticks at powers of ten and round parts of them, for FLOPs,
    bytes and parameters."""
    low, high = _widened(values)
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    narrow = high / low < _LINEAR_BELOW
    places: list[float] = ticks(low, high, 6) if narrow else []
    for steps in () if narrow else _STEPS_OF_DECADES[0 if last - first >= 2 else 1 :]:
        places = [
            step * 10.0**i
            for i in range(first - 1, last + 1)
            for step in steps
            if low <= step * 10.0**i <= high
        ]
        if len(places) >= _FEWEST_TICKS:
            break
    return Axis(label, low, high, [(one, power(one)) for one in places], True)


def _widened(values: Sequence[float]) -> tuple[float, float]:
    low, high = padded([math.log(value) for value in values], share=0.05)
    return math.exp(low), math.exp(high)


@dataclass(frozen=True)
class Chart:
    """A chart's frame, in which marks are made by their values.

    Attributes:
        x, y: its axes.
        width, height: in pixels.
    """

    x: Axis
    y: Axis
    width: float = 340.0
    height: float = 300.0

    @property
    def right(self) -> float:
        """Where the plotting area ends."""
        return self.width - _RIGHT

    @property
    def bottom(self) -> float:
        """Where the plotting area ends."""
        return self.height - _BOTTOM

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the pixels of a value."""
        return self._x(x), self._y(y)

    def line(self, style: SeriesStyle, points: Points, hint: str = "", more: str = "") -> Markup:
        """Return a line through the points; `more` names further classes."""
        title = (tag("title", hint),) if hint else ()
        return tag(
            "polyline",
            *title,
            class_=f"curve s{style.colour} {more}".strip(),
            stroke_dasharray=style.dashes,
            points=self._path(points),
        )

    def band(self, style: SeriesStyle, low: Points, high: Points) -> Markup:
        """Return the area between two lines."""
        outline = [*low, *reversed(high)]
        return tag("polygon", class_=f"band s{style.colour}", points=self._path(outline))

    def mark(
        self,
        style: SeriesStyle,
        x: float,
        y: float,
        hint: str = "",
        *,
        x_ends: Sequence[float] | None = None,
        y_ends: Sequence[float] | None = None,
    ) -> Markup:
        """Return a marker with the intervals it has."""
        px, py = self.at(x, y)
        parts = []
        for low, high, across in (
            *((self._x(a), self._x(b), True) for a, b in _pair(x_ends)),
            *((self._y(a), self._y(b), False) for a, b in _pair(y_ends)),
        ):
            ends = (
                {"x1": low, "x2": high, "y1": py, "y2": py}
                if across
                else {"x1": px, "x2": px, "y1": low, "y2": high}
            )
            parts.append(tag("line", class_=f"whisker s{style.colour}", **ends))
        return Markup("").join([*parts, marker(style, px, py, hint)])

    def ring(self, x: float, y: float, hint: str = "") -> Markup:
        """Return a ring that marks a minimum."""
        px, py = self.at(x, y)
        return tag("circle", tag("title", hint), class_="ring", cx=px, cy=py, r=5.5)

    def rule(self, x: float | None = None, y: float | None = None) -> Markup:
        """Return a dashed line across the chart."""
        if x is not None:
            px = self._x(x)
            return tag("line", class_="diagonal", x1=px, x2=px, y1=_TOP, y2=self.bottom)
        assert y is not None
        py = self._y(y)
        return tag("line", class_="diagonal", x1=_LEFT, x2=self.right, y1=py, y2=py)

    def text(
        self, x: float, y: float, words: str, *, up: float = 8, anchor: str = "middle"
    ) -> Markup:
        """Return a label beside a value."""
        px, py = self.at(x, y)
        return tag("text", words, class_="label", x=px, y=py - up, text_anchor=anchor)

    def draw(self, identity: str, title: str, description: str, *marks: Markup) -> Markup:
        """Return the chart; what leaves the plotting area is cut off there."""
        clip = f"{identity}-clip"
        area = tag("rect", x=_LEFT, y=_TOP, width=self.right - _LEFT, height=self.bottom - _TOP)
        middle = (_TOP + self.bottom) / 2
        parts = [
            tag("clipPath", area, id=clip),
            *self._ticks(),
            tag("g", *marks, clip_path=f"url(#{clip})"),
            tag("text", self.x.label, class_="axis", text_anchor="middle",
                x=(_LEFT + self.right) / 2, y=self.height - 8),
            tag("text", self.y.label, class_="axis", text_anchor="middle",
                transform=f"translate(12 {middle:g}) rotate(-90)"),
        ]  # fmt: skip
        return drawing(identity, title, description, self.width, self.height, *parts)

    def _ticks(self) -> list[Markup]:
        parts = []
        for value, text in self.x.ticks:
            x = self._x(value)
            # A tick at the very end would be cut off with half of its label.
            parts += [
                tag("line", class_="grid", x1=x, x2=x, y1=_TOP, y2=self.bottom),
                tag(
                    "text",
                    text,
                    class_="tick",
                    y=self.bottom + 16,
                    text_anchor="middle",
                    x=min(x, self.width - _HALF_LETTER * len(text)),
                ),
            ]
        for value, text in self.y.ticks:
            y = self._y(value)
            parts += [
                tag("line", class_="grid", x1=_LEFT, x2=self.right, y1=y, y2=y),
                tag("text", text, class_="tick", x=_LEFT - 6, y=y + 4, text_anchor="end"),
            ]
        return parts

    def _path(self, points: Points) -> str:
        return " ".join(f"{px:.1f},{py:.1f}" for px, py in (self.at(x, y) for x, y in points))

    def _x(self, value: float) -> float:
        return Scale(self.x.low, self.x.high, _LEFT, self.right, self.x.log)(value)

    def _y(self, value: float) -> float:
        return Scale(self.y.low, self.y.high, self.bottom, _TOP, self.y.log)(value)


def _pair(ends: Sequence[float] | None) -> list[tuple[float, float]]:
    return [] if ends is None or ends[0] == ends[1] else [(ends[0], ends[1])]


def panel(caption: str | Markup, picture: Markup) -> Markup:
    """Return one of several charts side by side, under its caption."""
    return Markup('<figure class="panel"><figcaption>{}</figcaption>{}</figure>').format(
        caption, picture
    )


def panels(*parts: Markup, wide: bool = False) -> Markup:
    """Return charts side by side, as many as the page is wide for."""
    style = "panels wide" if wide else "panels"
    return Markup('<div class="{}">{}</div>').format(style, Markup("").join(parts))


# The style sheet of the pages on laws.


def laws_style() -> str:
    """Return the sheet, with a fill for every step of the heat scale."""
    fills = [f"svg .f{i}{{fill:{colour}}}" for i, (colour, _) in enumerate(heat_colours())]
    return text_file("laws.css") + "\n".join(fills) + "\n"


# Series of the pages on laws: a style for every budget, every rate.


def of_budgets(budgets: Sequence[float]) -> dict[float, Series]:
    """Return a series for every budget, from the smallest."""
    return {
        one: Series(f"{power(one)} FLOPs", {}, series_style(i))
        for i, one in enumerate(sorted(set(budgets)))
    }


def of_rates(rates: Sequence[float]) -> dict[float, Series]:
    """Return a series for every compression rate, from the lowest."""
    return {
        one: Series(f"{one:.3g} bytes per token", {}, series_style(i))
        for i, one in enumerate(sorted(set(rates)))
    }
