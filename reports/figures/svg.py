"""Small parts of inline SVG: elements, scales and ticks.

Colours come from classes of the style sheet (`s0`.. for series), so that figures follow light,
dark and print. Coordinates are rounded to a tenth of a pixel.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

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

    def ticks(self, about: int) -> list[float]:
        """Return round values in the scale's range, about as many as asked for."""
        return log_ticks(self.low, self.high) if self.log else ticks(self.low, self.high, about)


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
