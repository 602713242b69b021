"""Small parts of inline SVG: elements, scales, ticks and the palette.

Colours come from classes of the style sheet (`s0`.. for series), so that figures follow light,
dark and print. Coordinates are rounded to a tenth of a pixel.

Categories have the colours of Okabe and Ito 2008, "Color Universal Design", each with a shape of
its own, so that neither is needed alone; ordered values those of cividis (Nuñez, Anderton and
Renslow 2018, doi:10.1371/journal.pone.0199239).

Markers of series, a shape and a colour each, and the keys that name them.
"""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from markupsafe import Markup, escape

from reports.html import attributes, visible
from reports.numbers import power


def tag(name: str, *children: object, **values: object) -> Markup:
    """Return an element; what is not `Markup` is escaped."""
    rounded = {key: _rounded(value) for key, value in values.items()}
    inner = "".join(
        child if isinstance(child, Markup) else escape(visible(child)) for child in children
    )
    return Markup(f"<{name}{attributes(**rounded)}>{inner}</{name}>")


def _rounded(value: object) -> object:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else value


def drawing(
    identity: str,
    title: str,
    description: str,
    width: float,
    height: float,
    *children: Markup,
    row_height: float | None = None,
) -> Markup:
    """Return a figure's SVG, named by its title and described for those who do not see it."""
    return tag(
        "svg",
        tag("title", title, id=f"{identity}-title"),
        tag("desc", description, id=f"{identity}-desc"),
        *children,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_labelledby=f"{identity}-title",
        aria_describedby=f"{identity}-desc",
        data_row=row_height,
    )


@dataclass(frozen=True)
class Scale:
    """A map from values to pixels.

    Attributes:
        low, high: the values at `start` and `stop`.
        start, stop: pixels; `start` may be the larger, as on an upward axis.
        log: whether equal ratios take equal space.
    """

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return where `value` lies."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return self.start + (value - low) / (high - low) * (self.stop - self.start)


def ticks(low: float, high: float, about: int) -> list[float]:
    """Return multiples of 1, 2 or 5 times a power of ten between low and high."""
    if high <= low:
        return [low]
    rough = (high - low) / max(1, about)
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(m for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return powers of two between low and high; of more than eight, every other."""
    first, last = math.ceil(math.log2(low) - 1e-9), math.floor(math.log2(high) + 1e-9)
    powers = range(first, last + 1)
    if len(powers) > 8:
        powers = range(first + first % 2, last + 1, 2)
    return [2.0**i for i in powers]


def tick_text(value: float) -> str:
    """Return a tick's label, with a minus sign where it needs one."""
    return f"{value:g}".replace("-", "\u2212")


def padded(values: Sequence[float], *, share: float = 0.04) -> tuple[float, float]:
    """Return the range of values, a little widened; never empty."""
    low, high = min(values), max(values)
    margin = (high - low) * share or abs(high) * share or 1.0
    return low - margin, high + margin


HEAT_STEPS = 24
_DARK_STEPS = 11  # of these, the first, on which white text reads better than black

# Blue, vermillion, green, purple, orange, sky blue, grey, yellow, of Okabe and Ito, the most
# legible first; then violet, wine, olive and brown, that twelve series have a colour each.
PALETTE = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#767676", "#f0e442",
    "#7d5fe0", "#b0305c", "#8f8f1f", "#8b5a3c",
)  # fmt: skip
SHAPES = (
    "circle", "square", "triangle", "diamond", "plus", "down", "cross", "hexagon",
    "star", "right", "bow", "left",
)  # fmt: skip

# Ten equal steps of cividis, as plotly publishes them.
_CIVIDIS = (
    "#00224e", "#123570", "#3b496c", "#575d6d", "#707173",
    "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838",
)  # fmt: skip


class SeriesStyle(NamedTuple):
    """How one series is drawn everywhere on a page.

    Attributes:
        colour: index into `PALETTE`, or `INK` or `QUIET`.
        shape: of its marker.
        dashes: an SVG dash pattern, for lines.
        tokenizer: whether it is that of a tokenizer, which readers of a page choose among.
    """

    colour: int
    shape: str
    dashes: str
    tokenizer: bool = False

    @property
    def key(self) -> str:
        """What marks of the series are found by: its colour and its shape."""
        return f"{self.colour}-{SHAPES.index(self.shape)}"

    @property
    def found_by(self) -> dict[str, str]:
        """Attributes that tell the page's script whose mark an element is."""
        return {"data_t" if self.tokenizer else "data_s": self.key}


INK, QUIET = 90, 91  # colours outside the palette: that of text, and of text of less weight
_DASHES = (
    "none", "7 3", "2 2", "9 3 2 3", "5 5", "1 3", "12 4", "4 2 1 2",
    "14 3 3 3", "3 5", "8 2 2 2 2 2", "1 2 5 2",
)  # fmt: skip


def series_style(index: int, *, tokenizer: bool = False) -> SeriesStyle:
    """Return the style of the nth series; colour and shape together are unique up to 144."""
    turn, colour = divmod(index, len(PALETTE))
    other = (colour + turn) % len(SHAPES)
    return SeriesStyle(colour, SHAPES[other], _DASHES[other], tokenizer)


@dataclass(frozen=True)
class Series:
    """What is drawn in one style: a tokenizer, a budget, a rate.

    Attributes:
        name: as the legend has it.
        style: how it is drawn.
        facts: what provenance says of it, if it is a tokenizer.
        stands_for: keys of the styles that an entry of a legend stands for, where it is one of
            two that make a style together: `3-*` all of a colour, `*-2` all of a shape.
    """

    name: str
    style: SeriesStyle
    facts: Mapping[str, Any] = field(default_factory=dict)
    stands_for: str = ""


def heat_step(value: float, low: float, high: float) -> int:
    """Return the step of a value on the scale from low to high: 0 to HEAT_STEPS - 1."""
    if high <= low:
        return HEAT_STEPS // 2
    part = (value - low) / (high - low)
    return min(HEAT_STEPS - 1, max(0, int(part * HEAT_STEPS)))


def heat_colours() -> list[tuple[str, str]]:
    """Return, for each step, its colour and the colour of text that reads best upon it."""
    return [
        (_between(step / (HEAT_STEPS - 1)), "#ffffff" if step < _DARK_STEPS else "#000000")
        for step in range(HEAT_STEPS)
    ]


def _between(part: float) -> str:
    at = part * (len(_CIVIDIS) - 1)
    left = min(int(at), len(_CIVIDIS) - 2)
    pairs = zip(_channels(_CIVIDIS[left]), _channels(_CIVIDIS[left + 1]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * (at - left)):02x}" for a, b in pairs)


def _channels(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def colour_rules() -> str:
    """Return the style sheet's rules of series and of fills by the steps of the heat scale."""
    series = [f".s{i}{{--series:{colour}}}" for i, colour in enumerate(PALETTE)]
    fills = [f"svg .f{i}{{fill:{fill}}}" for i, (fill, _) in enumerate(heat_colours())]
    return "\n".join(series + fills) + "\n"


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
    "star": "0,-1.3 .35,-.45 1.25,-.4 .55,.2 .8,1.1 0,.6 -.8,1.1 -.55,.2 -1.25,-.4 -.35,-.45",
    "right": "1.15,0 -.75,1.05 -.75,-1.05",
    "left": "-1.15,0 .75,1.05 .75,-1.05",
    "bow": "-1.1,-.95 0,-.3 1.1,-.95 1.1,.95 0,.3 -1.1,.95",
    "hexagon": "-.55,-.95 .55,-.95 1.1,0 .55,.95 -.55,.95 -1.1,0",
}


def hint_of(hint: str) -> tuple[Markup, ...]:
    """Return the element that shows a text on hover, or none without text."""
    return (tag("title", hint),) if hint else ()


def marker(
    style: SeriesStyle, x: float, y: float, hint: str = "", radius: float = RADIUS
) -> Markup:
    """Return a marker centred at the pixels (x, y), with a text shown on hover."""
    name, own = f"m s{style.colour}", style.found_by
    if style.shape == "circle":
        where = {"cx": float(x), "cy": float(y), "r": radius}
        return tag("circle", *hint_of(hint), class_=name, **where, **own)
    points = " ".join(
        f"{x + radius * float(a):.1f},{y + radius * float(b):.1f}"
        for a, b in (pair.split(",") for pair in _POLYGONS[style.shape].split())
    )
    return tag("polygon", *hint_of(hint), class_=name, points=points, **own)


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
        own = {"data_s": entry.stands_for} if entry.stands_for else entry.style.found_by
        items.append(tag("li", picture, " ", tag("bdi", entry.name), **own))
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
        dashes = series_style(second % len(PALETTE)).dashes
        return SeriesStyle(first % len(PALETTE), SHAPES[second % len(SHAPES)], dashes)

    def key(self, colour_names: Sequence[str], shape_names: Sequence[str]) -> list[Series]:
        """Return a legend: every colour, then every shape in ink."""
        styles = [self(colour, self.shapes[0]) for colour in self.colours]
        if len(self.shapes) == 1:
            return [Series(*pair) for pair in zip(colour_names, styles, strict=True)]
        plain = [
            Series(
                name,
                style._replace(shape="circle", dashes="none"),
                stands_for=f"{style.colour}-*",
            )
            for name, style in zip(colour_names, styles, strict=True)
        ]
        shaped = [self(self.colours[0], shape)._replace(colour=INK) for shape in self.shapes]
        return plain + [
            Series(name, style, stands_for=f"*-{SHAPES.index(style.shape)}")
            for name, style in zip(shape_names, shaped, strict=True)
        ]
