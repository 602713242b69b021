"""Charts of two quantities of one unit, with the diagonal on which both are equal."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from reports.charts.chart import Axis, Chart, octaves
from reports.charts.svg import Series, SeriesStyle, tag
from reports.numbers import LowHigh
from tokenize_lab.rates import lorenz

_CHARACTER = 6.2  # width of a label's character, generously
_LINE = 15.0
_MOST_LABELS = 14


class ScatterPoint(NamedTuple):
    """One point.

    Attributes:
        x, y: both positive.
        y_interval: or None.
        name: a label, written where there is room.
        hint: shown on hover.
    """

    x: float
    y: float
    y_interval: LowHigh
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
    points: Sequence[ScatterPoint],
    style: SeriesStyle,
    extent: tuple[float, float],
) -> Markup:
    """Return a scatter of two ratios on logarithmic axes.

    Arguments:
        axes: names of x and y.
        extent: a range that both axes hold, the same in every panel so that panels compare.
    """
    chart = Chart(octaves(axes[0], extent), octaves(axes[1], extent), height=340)
    marks = [
        chart.mark(style, point.x, point.y, point.hint, y_ends=point.y_interval) for point in points
    ]
    labels = [
        tag("text", points[i].name, class_="label", x=box.left, y=box.bottom - 4)
        for i, box in place_labels(chart, points)
    ]
    return chart.draw(identity, title, description, [chart.diagonal(), *marks], beside=labels)


def place_labels(chart: Chart, points: Sequence[ScatterPoint]) -> list[tuple[int, Box]]:
    """Return which points get a label and where: the farthest from the diagonal first, none upon
    another or upon a marker."""
    places = [chart.at(point.x, point.y) for point in points]
    taken = [Box(x - 5, y - 5, x + 5, y + 5) for x, y in places]
    area = Box(chart.left, 2, chart.width - 2, chart.bottom)
    order = sorted(
        range(len(points)),
        key=lambda i: (-max(points[i].y / points[i].x, points[i].x / points[i].y), i),
    )
    labels: list[tuple[int, Box]] = []
    for i in order:
        if len(labels) == _MOST_LABELS:
            break
        x, y = places[i]
        width = _CHARACTER * len(points[i].name)
        for left, top in (
            (x + 7, y - _LINE / 2),
            (x - 7 - width, y - _LINE / 2),
            (x - width / 2, y - 7 - _LINE),
            (x - width / 2, y + 7),
        ):
            box = Box(left, top, left + width, top + _LINE)
            inside = left >= area.left and box.right <= area.right and top >= area.top
            if inside and box.bottom <= area.bottom and not any(map(box.meets, taken)):
                labels.append((i, box))
                taken.append(box)
                break
    return labels


def lorenz_curves(
    identity: str,
    title: str,
    description: str,
    curves: Sequence[tuple[Series, Sequence[float], str]],
) -> Markup:
    """Return how evenly each tokenizer spreads its tokens over languages.

    Arguments:
        curves: series, its costs by language in any order, and a text shown on hover.
    """
    shares = [(i / 5, f"{20 * i} %") for i in range(6)]
    chart = Chart(
        Axis("languages, the cheapest first", 0.0, 1.0, shares),
        Axis("share of all tokens", 0.0, 1.0, shares),
        width=420,
        height=420,
    )
    marks = [chart.diagonal()]
    for i, (series, costs, hint) in enumerate(curves):
        points = list(zip(*lorenz(costs), strict=True))
        marks.append(chart.line(series.style, points, hint))
        # One marker a curve, each at its own place, so that curves that coincide show all of them.
        place = _along(points, (i + 1) / (len(curves) + 1))
        marks.append(chart.mark(series.style, *place, hint))
    return chart.draw(identity, title, description, marks)


def _along(points: Sequence[tuple[float, float]], part: float) -> tuple[float, float]:
    """Return the point of a line with evenly spaced x at a share of its width."""
    at = part * (len(points) - 1)
    left = min(int(at), len(points) - 2)
    rest = at - left
    (x0, y0), (x1, y1) = points[left], points[left + 1]
    return x0 + rest * (x1 - x0), y0 + rest * (y1 - y0)
