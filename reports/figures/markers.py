"""Markers of series: a shape and a colour each, so that neither is needed alone."""

from markupsafe import Markup

from reports.figures.svg import tag
from reports.measured import Series
from reports.palette import SeriesStyle

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
