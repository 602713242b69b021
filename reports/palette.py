"""Colours that colour-blind readers can tell apart, with the contrast of text upon them.

Categories: Okabe and Ito 2008, "Color Universal Design", each with a shape of its own. Ordered
values: cividis (Nuñez, Anderton and Renslow 2018, doi:10.1371/journal.pone.0199239).
"""

from typing import NamedTuple

HEAT_STEPS = 24

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
    """How one tokenizer is drawn everywhere on the page.

    Attributes:
        colour: index into `OKABE_ITO`.
        shape: of its marker.
        dashes: an SVG dash pattern, for lines.
    """

    colour: int
    shape: str
    dashes: str


_DASHES = ("none", "7 3", "2 2", "9 3 2 3", "5 5", "1 3", "12 4", "4 2 1 2")


def series_style(index: int) -> SeriesStyle:
    """Return the style of the nth series; colour and shape together are unique up to 64."""
    turn, colour = divmod(index, len(OKABE_ITO))
    other = (colour + turn) % len(SHAPES)
    return SeriesStyle(colour, SHAPES[other], _DASHES[other])


def heat_step(value: float, low: float, high: float) -> int:
    """Return the step of a value on the scale from low to high: 0 to HEAT_STEPS - 1."""
    if high <= low:
        return HEAT_STEPS // 2
    part = (value - low) / (high - low)
    return min(HEAT_STEPS - 1, max(0, int(part * HEAT_STEPS)))


def heat_colours() -> list[tuple[str, str]]:
    """Return, for each step, its colour and the colour of text that reads best upon it."""
    result = []
    for step in range(HEAT_STEPS):
        background = _between(step / (HEAT_STEPS - 1))
        texts = ("#ffffff", "#000000")
        result.append((background, max(texts, key=lambda text: contrast(text, background))))
    return result


def contrast(one: str, other: str) -> float:
    """Return the WCAG 2 contrast ratio of two `#rrggbb` colours, 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _between(part: float) -> str:
    at = part * (len(_CIVIDIS) - 1)
    left = min(int(at), len(_CIVIDIS) - 2)
    pairs = zip(_channels(_CIVIDIS[left]), _channels(_CIVIDIS[left + 1]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * (at - left)):02x}" for a, b in pairs)


def _channels(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
