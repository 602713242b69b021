"""Small parts of inline SVG: elements, scales, ticks and the palette.

Colours come from classes of the style sheet (`s0`.. for series), so that figures follow light,
dark and print. Coordinates are rounded to a tenth of a pixel.

Categories have the colours of Okabe and Ito 2008, "Color Universal Design", each with a shape of
its own, so that neither is needed alone; ordered values those of cividis (Nuñez, Anderton and
Renslow 2018, doi:10.1371/journal.pone.0199239).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from markupsafe import Markup, escape

from reports.html import attributes, visible


def tag(name: str, *children: object, **values: object) -> Markup:
    """Return an element; what is not `Markup` is escaped."""
    rounded = {key: _rounded(value) for key, value in values.items()}
    inner = Markup("").join(
        child if isinstance(child, Markup) else escape(visible(child)) for child in children
    )
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), attributes(**rounded), inner)


def _rounded(value: object) -> object:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else value


def drawing(
    identity: str, title: str, description: str, width: float, height: float, *children: Markup
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

# Blue, vermillion, green, purple, orange, sky blue, grey, yellow: the most legible first.
OKABE_ITO = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#767676", "#f0e442",
)  # fmt: skip
SHAPES = ("circle", "square", "triangle", "diamond", "plus", "down", "cross", "hexagon")

# Ten equal steps of cividis, as plotly publishes them.
_CIVIDIS = (
    "#00224e", "#123570", "#3b496c", "#575d6d", "#707173",
    "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838",
)  # fmt: skip


class SeriesStyle(NamedTuple):
    """How one series is drawn everywhere on a page.

    Attributes:
        colour: index into `OKABE_ITO`, or `INK` or `QUIET`.
        shape: of its marker.
        dashes: an SVG dash pattern, for lines.
    """

    colour: int
    shape: str
    dashes: str


INK, QUIET = 90, 91  # colours outside the palette: that of text, and of text of less weight
_DASHES = ("none", "7 3", "2 2", "9 3 2 3", "5 5", "1 3", "12 4", "4 2 1 2")


def series_style(index: int) -> SeriesStyle:
    """Return the style of the nth series; colour and shape together are unique up to 64."""
    turn, colour = divmod(index, len(OKABE_ITO))
    other = (colour + turn) % len(SHAPES)
    return SeriesStyle(colour, SHAPES[other], _DASHES[other])


@dataclass(frozen=True)
class Series:
    """What is drawn in one style: a tokenizer, a budget, a rate.

    Attributes:
        name: as the legend has it.
        style: how it is drawn.
        facts: what provenance says of it, if it is a tokenizer.
    """

    name: str
    style: SeriesStyle
    facts: Mapping[str, Any] = field(default_factory=dict)


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
    series = [f".s{i}{{--series:{colour}}}" for i, colour in enumerate(OKABE_ITO)]
    fills = [f"svg .f{i}{{fill:{fill}}}" for i, (fill, _) in enumerate(heat_colours())]
    return "\n".join(series + fills) + "\n"
