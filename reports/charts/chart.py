"""A chart: a frame with two axes and their ticks, and the marks in it; SVG without script.

Every figure of a report is one: charts of two quantities, and charts of rows (`rows.py`), whose
upward axis counts rows. Marks are made by their values; the chart knows where these lie.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from markupsafe import Markup

from reports.charts.svg import (
    RADIUS,
    Scale,
    SeriesStyle,
    drawing,
    hint_of,
    log_ticks,
    marker,
    padded,
    tag,
    tick_text,
    ticks,
)
from reports.numbers import LowHigh, power

Points = Sequence[tuple[float, float]]

# Ticks within a decade, the finer the less of it is shown.
_STEPS_OF_DECADES = ((1,), (1, 3), (1, 2, 5), tuple(range(1, 10)))
_LINEAR_BELOW = 3.0  # a ratio of an axis's ends so small that equal steps are as good as any
_FEWEST_TICKS = 3  # that tell a scale
_NAMED, _FIGURE = 26.0, 6.4  # pixels for an axis's turned name; of a figure of a tick's label
_HALF_LETTER = 3.4  # pixels; half of what a letter of a tick's label is wide, at most


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
    ticks: Sequence[tuple[float, str]] = ()
    log: bool = False


def round_ticks(low: float, high: float, about: int) -> list[tuple[float, str]]:
    """Return about so many round values between two ends, with their texts."""
    return [(value, tick_text(value)) for value in ticks(low, high, about)]


def linear(label: str, values: Sequence[float], about: int = 8) -> Axis:
    """Return an axis that holds the values, with round ticks."""
    low, high = padded(values)
    return Axis(label, low, high, round_ticks(low, high, about))


def octaves(label: str, values: Sequence[float]) -> Axis:
    """Return a logarithmic axis with ticks at powers of two, for ratios such as bytes per token."""
    low, high = _widened(values)
    return Axis(label, low, high, [(v, tick_text(v)) for v in log_ticks(low, high)], True)


# Ratios that a reader knows: what is written of an axis of times and premiums, the finer the less
# of it is shown.
_RATIOS = (
    (1, 2, 4, 8, 16, 32, 64),
    (0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32),
    (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5),
)


def ratios(label: str, values: Sequence[float], most: int = 8) -> Axis:
    """Return a logarithmic axis that holds 1, with ticks at ratios one reads, `most` of them."""
    low, high = _widened([*values, 1.0])
    found = [[v for v in known if low <= v <= high] for known in _RATIOS]
    fitting = [ticks for ticks in found if len(ticks) <= most]
    shown = max(fitting, key=len, default=[])
    if len(shown) < _FEWEST_TICKS:
        return replace(linear(label, [*values, 1.0], most), log=low > 0)
    return Axis(label, low, high, [(value, tick_text(value)) for value in shown], True)


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
    return Axis(label, low, high, [(value, power(value)) for value in places], True)


def _widened(values: Sequence[float]) -> tuple[float, float]:
    low, high = padded([math.log(value) for value in values], share=0.05)
    return math.exp(low), math.exp(high)


class Margins(NamedTuple):
    """Pixels around the plotting area, for ticks and labels."""

    left: float = 52.0
    right: float = 12.0
    top: float = 10.0
    bottom: float = 42.0


_MARGINS = Margins()


@dataclass(frozen=True)
class Chart:
    """A chart's frame, in which marks are made by their values.

    Attributes:
        x, y: its axes.
        width, height: in pixels.
        margins: around the plotting area.
        tick_rows: `below` the plotting area, `above` it, or both: where x has its ticks; its label
            stands at the first.
    """

    x: Axis
    y: Axis
    width: float = 340.0
    height: float = 300.0
    margins: Margins = _MARGINS
    tick_rows: tuple[str, ...] = ("below",)

    @property
    def left(self) -> float:
        """Where the plotting area begins: right of the ticks, and of what the axis is called."""
        if not self.y.label:
            return self.margins.left
        ticks = max((len(text) for _, text in self.y.ticks), default=0)
        return max(self.margins.left, _NAMED + _FIGURE * ticks)

    @property
    def right(self) -> float:
        """Where it ends."""
        return self.width - self.margins.right

    @property
    def top(self) -> float:
        """Its upper edge."""
        return self.margins.top

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.height - self.margins.bottom

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the pixels of a value."""
        return (
            Scale(self.x.low, self.x.high, self.left, self.right, self.x.log)(x),
            Scale(self.y.low, self.y.high, self.bottom, self.top, self.y.log)(y),
        )

    def line(
        self, style: SeriesStyle | None, points: Points, hint: str = "", more: str = ""
    ) -> Markup:
        """Return a line through the points; `more` names further classes."""
        known = (f"curve s{style.colour}", style.dashes) if style else ("", None)
        return tag(
            "polyline",
            *hint_of(hint),
            class_=f"{known[0]} {more}".strip(),
            stroke_dasharray=known[1],
            points=self._path(points),
            **(style.found_by if style else {}),
        )

    def area(self, outline: Points, classes: str, **own: str) -> Markup:
        """Return the area within a line that ends where it begins."""
        return tag("polygon", class_=classes, points=self._path(outline), **own)

    def banded(
        self, style: SeriesStyle, points: Sequence[tuple[float, float, LowHigh]], hint: str = ""
    ) -> list[Markup]:
        """Return a line through the points, over the band of the intervals that they have."""
        known = [(x, ends) for x, _, ends in points if ends and (ends[1] > 0 or not self.y.log)]
        # A logarithmic axis has no place for an end that is not positive.
        outline = [(x, max(ends[0], self.y.low)) for x, ends in known]
        outline += [(x, ends[1]) for x, ends in reversed(known)]
        band = [self.area(outline, f"band s{style.colour}", **style.found_by)] if known else []
        return [*band, self.line(style, [(x, y) for x, y, _ in points], hint)]

    def mark(
        self,
        style: SeriesStyle,
        x: float,
        y: float,
        hint: str = "",
        *,
        x_ends: LowHigh = None,
        y_ends: LowHigh = None,
        radius: float = RADIUS,
    ) -> Markup:
        """Return a marker with the intervals it has."""
        name, own = f"whisker s{style.colour}", style.found_by
        lines = [
            self._segment((ends[0], y), (ends[1], y), name, **own)
            if across
            else self._segment((x, ends[0]), (x, ends[1]), name, **own)
            for ends, across in ((x_ends, True), (y_ends, False))
            if ends is not None and ends[0] != ends[1]
        ]
        return Markup("").join([*lines, marker(style, *self.at(x, y), hint, radius)])

    def dot(self, x: float, y: float, classes: str, radius: float, hint: str = "") -> Markup:
        """Return a circle of some classes of the style sheet."""
        px, py = self.at(x, y)
        return tag("circle", *hint_of(hint), class_=classes, cx=px, cy=py, r=radius)

    def ring(self, x: float, y: float, hint: str = "") -> Markup:
        """Return a ring that marks a minimum."""
        return self.dot(x, y, "ring", 5.5, hint)

    def cross(
        self,
        x: float,
        y: float,
        more: str = "",
        *,
        arm: float = 7.0,
        x_ends: LowHigh = None,
        y_ends: LowHigh = None,
    ) -> Markup:
        """Return a cross that marks a best place; its arms reach as far as the intervals, and at
        least `arm` pixels."""
        px, py = self.at(x, y)
        across = [px - arm, px + arm, *(self.at(end, y)[0] for end in x_ends or ())]
        upward = [py - arm, py + arm, *(self.at(x, end)[1] for end in y_ends or ())]
        name = f"best {more}".strip()
        return Markup("").join(
            [
                tag("line", class_=name, x1=min(across), x2=max(across), y1=py, y2=py),
                tag("line", class_=name, x1=px, x2=px, y1=min(upward), y2=max(upward)),
            ]
        )

    def rule(
        self, x: float | None = None, y: float | None = None, classes: str = "diagonal"
    ) -> Markup:
        """Return a line across the chart, dashed unless other classes are named."""
        if x is not None:
            return self._segment((x, self.y.low), (x, self.y.high), classes)
        assert y is not None
        return self._segment((self.x.low, y), (self.x.high, y), classes)

    def diagonal(self) -> Markup:
        """Return the line on which both quantities are equal, of axes that are."""
        low, high = self.x.low, self.x.high
        return self._segment((low, low), (high, high), "diagonal")

    def text(
        self, x: float, y: float, words: str, *, up: float = 8, anchor: str = "middle"
    ) -> Markup:
        """Return a label beside a value."""
        px, py = self.at(x, y)
        return tag("text", words, class_="label", x=px, y=py - up, text_anchor=anchor)

    def draw(
        self,
        identity: str,
        title: str,
        description: str,
        marks: Iterable[Markup],
        *,
        under: Iterable[Markup] = (),
        beside: Iterable[Markup] = (),
        row_height: float | None = None,
    ) -> Markup:
        """Return the chart.

        Arguments:
            identity: unique on the page.
            title, description: for those who do not see it.
            marks: what leaves the plotting area of them is cut off there.
            under: drawn before the lines of the grid.
            beside: drawn last, and not cut off.
            row_height: of a chart of rows, that the page's script may close up.
        """
        clip = f"{identity}-clip"
        area = tag(
            "rect", x=self.left, y=self.top, width=self.right - self.left,
            height=self.bottom - self.top,
        )  # fmt: skip
        middle = (self.top + self.bottom) / 2
        parts = [
            *under,
            tag("clipPath", area, id=clip),
            *self._ticks(),
            tag("g", *marks, clip_path=f"url(#{clip})"),
            tag("text", self.x.label, class_="axis", text_anchor="middle",
                x=(self.left + self.right) / 2,
                y=12 if self.tick_rows[0] == "above" else self.height - 8),
        ]  # fmt: skip
        if self.y.label:
            turn = f"translate(12 {middle:g}) rotate(-90)"
            parts.append(
                tag("text", self.y.label, class_="axis", text_anchor="middle", transform=turn)
            )
        return drawing(
            identity, title, description, self.width, self.height, *parts, *beside,
            row_height=row_height,
        )  # fmt: skip

    def panel(
        self,
        caption: str | Markup,
        identity: str,
        title: str,
        description: str,
        marks: Iterable[Markup],
    ) -> "Panel":
        """Return the chart under a caption, to stand beside others."""
        return Panel(caption, self.draw(identity, title, description, marks))

    def _ticks(self) -> list[Markup]:
        parts = []
        heights = {"above": self.top - 7, "below": self.bottom + 19}
        for value, text in self.x.ticks:
            x, _ = self.at(value, self.y.low)
            parts.append(tag("line", class_="grid", x1=x, x2=x, y1=self.top, y2=self.bottom))
            # A tick at the very end would be cut off with half of its label.
            shown = min(x, self.width - _HALF_LETTER * len(text))
            parts += [
                tag("text", text, class_="tick foot" if row == "below" else "tick", x=shown,
                    y=heights[row], text_anchor="middle")
                for row in self.tick_rows
            ]  # fmt: skip
        for value, text in self.y.ticks:
            _, y = self.at(self.x.low, value)
            parts += [
                tag("line", class_="grid", x1=self.left, x2=self.right, y1=y, y2=y),
                tag("text", text, class_="tick", x=self.left - 6, y=y + 4, text_anchor="end"),
            ]
        return parts

    def _segment(
        self, begin: tuple[float, float], end: tuple[float, float], name: str, **own: str
    ) -> Markup:
        (x1, y1), (x2, y2) = self.at(*begin), self.at(*end)
        return tag("line", class_=name, x1=x1, x2=x2, y1=y1, y2=y2, **own)

    def _path(self, points: Points) -> str:
        return " ".join(f"{px:.1f},{py:.1f}" for px, py in (self.at(x, y) for x, y in points))


class Panel(NamedTuple):
    """One of several charts side by side, and the caption over it.

    Attributes:
        caption: over it. picture: the chart.
        language: code of the language that it is of, if of one.
        style: of the tokenizer that it is of, if of one.
    """

    caption: str | Markup
    picture: Markup
    language: str = ""
    style: SeriesStyle | None = None


def panels(parts: Iterable[Panel], *, wide: bool = False) -> Markup:
    """Return charts side by side, as many as the page is wide for."""
    drawn = Markup("").join(
        tag("figure", tag("figcaption", part.caption), part.picture, class_="panel",
            data_l=part.language or None, **(part.style.found_by if part.style else {}))
        for part in parts
    )  # fmt: skip
    style = "panels wide" if wide else "panels"
    return Markup('<div class="{}">{}</div>').format(style, drawn)
