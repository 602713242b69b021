"""Markers of series, a shape and a colour each, and the keys that name them."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Generic, TypeVar

from markupsafe import Markup

from reports.charts.svg import INK, OKABE_ITO, SHAPES, Series, SeriesStyle, series_style, tag
from reports.numbers import power

RADIUS = 4.2  # of a marker
# Outlines of markers, in units of the radius.
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


def hint_of(hint: str) -> tuple[Markup, ...]:
    """Return the element that shows a text on hover, or none without text."""
    return (tag("title", hint),) if hint else ()


def marker(style: SeriesStyle, x: float, y: float, hint: str = "") -> Markup:
    """Return a marker centred at the pixels (x, y), with a text shown on hover."""
    name = f"m s{style.colour}"
    if style.shape == "circle":
        return tag("circle", *hint_of(hint), class_=name, cx=float(x), cy=float(y), r=RADIUS)
    points = " ".join(
        f"{x + RADIUS * float(a):.1f},{y + RADIUS * float(b):.1f}"
        for a, b in (pair.split(",") for pair in _POLYGONS[style.shape].split())
    )
    return tag("polygon", *hint_of(hint), class_=name, points=points)


def sample(style: SeriesStyle, *, line: bool) -> tuple[Markup, float]:
    """Return what stands before a series' name in a key, and how wide it is."""
    width = 28 if line else 14
    drawn = marker(style, width / 2, 7)
    if line:
        drawn = (
            tag("line", class_=f"curve s{style.colour}", stroke_dasharray=style.dashes,
                x1=0, x2=width, y1=7, y2=7)
            + drawn
        )  # fmt: skip
    return drawn, width


def legend(series: Sequence[Series], *, lines: bool = False) -> Markup:
    """Return the key to a figure's series, as a list."""
    items = []
    for entry in series:
        drawn, width = sample(entry.style, line=lines)
        picture = tag(
            "svg", drawn, viewBox=f"0 0 {width} 14", width=width, height=14, aria_hidden="true"
        )
        items.append(tag("li", picture, " ", tag("bdi", entry.name)))
    return tag("ul", *items, class_="legend")


def bars_key(parts: Sequence[tuple[int, str]]) -> Markup:
    """Return the key: a colour and what it stands for, each."""
    items = []
    for colour, text in parts:
        box = tag("rect", class_=f"bar s{colour}", x=1, y=2, width=12, height=10)
        picture = tag("svg", box, viewBox="0 0 14 14", width=14, height=14, aria_hidden="true")
        items.append(tag("li", picture, " ", text))
    return tag("ul", *items, class_="legend")


def of_budgets(budgets: Iterable[float]) -> dict[float, Series]:
    """Return a series for every budget, from the smallest."""
    return {
        budget: Series(f"{power(budget)} FLOPs", series_style(i))
        for i, budget in enumerate(sorted(set(budgets)))
    }


def of_rates(rates: Iterable[float]) -> dict[float, Series]:
    """Return a series for every compression rate, from the lowest."""
    return {
        rate: Series(f"{rate:.3g} bytes per token", series_style(i))
        for i, rate in enumerate(sorted(set(rates)))
    }


C = TypeVar("C", bound=Hashable)
S = TypeVar("S", bound=Hashable)


class Styles(Generic[C, S]):
    """Styles of series that are told apart by two things: one by colour, the other by shape and
    dashes.

    Attributes:
        colours: values that have a colour each. shapes: values that have a shape and dashes each.
    """

    def __init__(self, colours: Sequence[C], shapes: Sequence[S]) -> None:
        self.colours, self.shapes = list(colours), list(shapes)

    def __call__(self, colour: C, shape: S) -> SeriesStyle:
        """Return the style of one series."""
        first, second = self.colours.index(colour), self.shapes.index(shape)
        if len(self.shapes) == 1:
            return series_style(first)
        dashes = series_style(second % len(OKABE_ITO)).dashes
        return SeriesStyle(first % len(OKABE_ITO), SHAPES[second % len(SHAPES)], dashes)

    def key(self, colour_names: Sequence[str], shape_names: Sequence[str]) -> list[Series]:
        """Return a legend: every colour, then every shape in ink."""
        named = [
            Series(name, self(colour, self.shapes[0]))
            for colour, name in zip(self.colours, colour_names, strict=True)
        ]
        if len(self.shapes) == 1:
            return named
        plain = [
            Series(entry.name, entry.style._replace(shape="circle", dashes="none"))
            for entry in named
        ]
        return plain + [
            Series(name, self(self.colours[0], shape)._replace(colour=INK))
            for shape, name in zip(self.shapes, shape_names, strict=True)
        ]
