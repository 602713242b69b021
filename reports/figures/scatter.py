"""Scatter of two ratios on log axes, with the diagonal on which both are equal."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from reports.charts.chart import marker
from reports.charts.svg import Scale, SeriesStyle, drawing, tag, tick_text

_SIZE = 340.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 12.0, 10.0, 42.0
_CHARACTER = 6.2  # width of a label's character, generously
_LINE = 12.0
_MOST_LABELS = 14


class Point(NamedTuple):
    """One point.

    Attributes:
        x, y: both positive.
        y_interval: or None.
        name: a label, written where there is room.
        hint: shown on hover.
    """

    x: float
    y: float
    y_interval: Sequence[float] | None
    name: str
    hint: str


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "Box") -> bool:
        """Whether the two overlap."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


def scatter(
    identity: str,
    title: str,
    description: str,
    axes: tuple[str, str],
    points: Sequence[Point],
    style: SeriesStyle,
    extent: tuple[float, float],
) -> Markup:
    """Return one panel.

    Arguments:
        identity: unique on the page.
        axes: names of x and y.
        extent: the range of both axes, the same in every panel so that panels compare.
    """
    x_scale = Scale(*extent, _LEFT, _SIZE - _RIGHT, log=True)
    y_scale = Scale(*extent, _SIZE - _BOTTOM, _TOP, log=True)
    parts: list[Markup] = []
    for tick in x_scale.ticks(6):
        x, y = x_scale(tick), y_scale(tick)
        parts += [
            tag("line", class_="grid", x1=x, x2=x, y1=_TOP, y2=_SIZE - _BOTTOM),
            tag("line", class_="grid", x1=_LEFT, x2=_SIZE - _RIGHT, y1=y, y2=y),
            tag("text", tick_text(tick), class_="tick", x=x, y=_SIZE - _BOTTOM + 15,
                text_anchor="middle"),
            tag("text", tick_text(tick), class_="tick", x=_LEFT - 6, y=y + 4, text_anchor="end"),
        ]  # fmt: skip
    middle = (_TOP + _SIZE - _BOTTOM) / 2
    parts += [
        tag("line", class_="diagonal", x1=x_scale(extent[0]), y1=y_scale(extent[0]),
            x2=x_scale(extent[1]), y2=y_scale(extent[1])),
        tag("text", axes[0], class_="axis", x=(_LEFT + _SIZE - _RIGHT) / 2, y=_SIZE - 8,
            text_anchor="middle"),
        tag("text", axes[1], class_="axis", text_anchor="middle",
            transform=f"translate(12 {middle:g}) rotate(-90)"),
    ]  # fmt: skip
    placed = [(x_scale(point.x), y_scale(point.y)) for point in points]
    for point, (x, y) in zip(points, placed, strict=True):
        if point.y_interval and point.y_interval[0] < point.y_interval[1]:
            low, high = (y_scale(end) for end in point.y_interval)
            parts.append(
                tag("line", class_=f"whisker s{style.colour}", x1=x, x2=x, y1=low, y2=high)
            )
        parts.append(marker(style, x, y, point.hint))
    parts += [
        tag("text", points[i].name, class_="label", x=box.left, y=box.bottom - 3)
        for i, box in place_labels(points, placed)
    ]
    return drawing(identity, title, description, _SIZE, _SIZE, *parts)


def place_labels(
    points: Sequence[Point], placed: Sequence[tuple[float, float]]
) -> list[tuple[int, Box]]:
    """Return which points get a label and where: the farthest from the diagonal first, none upon
    another or upon a marker."""
    taken = [Box(x - 5, y - 5, x + 5, y + 5) for x, y in placed]
    order = sorted(
        range(len(points)),
        key=lambda i: (-max(points[i].y / points[i].x, points[i].x / points[i].y), i),
    )
    labels: list[tuple[int, Box]] = []
    for i in order:
        if len(labels) == _MOST_LABELS:
            break
        x, y = placed[i]
        width = _CHARACTER * len(points[i].name)
        for left, top in (
            (x + 7, y - _LINE / 2),
            (x - 7 - width, y - _LINE / 2),
            (x - width / 2, y - 7 - _LINE),
            (x - width / 2, y + 7),
        ):
            box = Box(left, top, left + width, top + _LINE)
            inside = left >= _LEFT and box.right <= _SIZE - 2 and top >= 2
            if inside and box.bottom <= _SIZE - _BOTTOM and not any(map(box.meets, taken)):
                labels.append((i, box))
                taken.append(box)
                break
    return labels
