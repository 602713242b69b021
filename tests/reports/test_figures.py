"""Values land where they should."""

import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.charts.chart import Chart, octaves
from reports.charts.heat_map import Heat, heat_map
from reports.charts.key import legend
from reports.charts.rows import Dot, dot_plot
from reports.charts.scatter import ScatterPoint, lorenz_curves, place_labels, scatter
from reports.charts.svg import HEAT_STEPS, SHAPES, Scale, Series, log_ticks, series_style, ticks

CIRCLE = series_style(0)


def drawn(svg: str) -> ET.Element:
    """Parse: a figure is well-formed XML, whatever it is called."""
    return ET.fromstring(svg)


def of_class(root: ET.Element, name: str) -> list[ET.Element]:
    return [one for one in root.iter() if name in one.get("class", "").split()]


def number(element: ET.Element, key: str) -> float:
    return float(element.get(key, "nan"))


def test_scale_is_linear_or_logarithmic() -> None:
    scale = Scale(1, 3, 100, 0)
    assert [scale(x) for x in (1, 2, 3)] == [100, 50, 0]
    log = Scale(1, 16, 0, 100, log=True)
    assert [log(x) for x in (1, 2, 4, 16)] == pytest.approx([0, 25, 50, 100])


@given(st.floats(-100, 100), st.floats(0.01, 1e3), st.integers(2, 12))
def test_ticks_are_round_and_within(low: float, width: float, about: int) -> None:
    found = ticks(low, low + width, about)
    assert len(found) <= about + 2
    assert all(
        low - 1e-6 * width - 1e-9 <= tick <= low + width * (1 + 1e-6) + 1e-9 for tick in found
    )
    steps = {round((b - a) / width, 6) for a, b in pairwise(found)}
    assert len(steps) <= 1


def test_log_ticks_are_powers_of_two() -> None:
    assert log_ticks(0.4, 9) == [0.5, 1, 2, 4, 8]
    assert log_ticks(0.001, 1000)[:2] == [2.0**-8, 2.0**-6]


def test_dot_plot_places_values_intervals_and_names() -> None:
    dots = [
        Dot(CIRCLE, 0, 2.0, (1.5, 2.5), "Hindi, x: 2.00"),
        Dot(series_style(1), 1, 4.0, None, "y"),
    ]
    root = drawn(dot_plot("d", "A <title>", "why", "bytes & more", [("Hindi", dots), ("Thai", [])]))
    (circle,) = (one for one in root.iter("circle"))
    whisker = of_class(root, "whisker")
    assert len(whisker) == 1  # none where there is no interval
    left, right = number(whisker[0], "x1"), number(whisker[0], "x2")
    assert left < number(circle, "cx") < right
    assert number(circle, "cx") == pytest.approx((left + right) / 2, abs=0.1)
    # The scale of the axis is that of the dots: 2.0 lies on the tick that says 2.
    (two,) = {number(one, "x") for one in of_class(root, "tick") if one.text == "2"}
    assert number(circle, "cx") == pytest.approx(two, abs=0.1)
    assert [one.text for one in of_class(root, "name")] == ["Hindi", "Thai"]
    assert root.find("title").text == "A <title>"  # type: ignore[union-attr]  # it is there
    assert root.get("aria-labelledby") == "d-title"
    # A row for each language, not one upon another.
    heights = [number(one, "y") for one in of_class(root, "name")]
    assert heights[1] - heights[0] >= 20


def test_dot_plot_draws_its_origin() -> None:
    root = drawn(dot_plot("d", "t", "d", "a", [("x", [Dot(CIRCLE, 0, 3.0, None, "")])], origin=0.0))
    (origin,) = of_class(root, "origin")
    (zero,) = {number(one, "x") for one in of_class(root, "tick") if one.text == "0"}
    assert number(origin, "x1") == pytest.approx(zero, abs=0.1)


def test_long_names_are_cut_and_told_on_hover() -> None:
    name = "a name that goes on and on"
    root = drawn(dot_plot("d", "t", "d", "a", [(name, [Dot(CIRCLE, 0, 1.0, None, "")])]))
    (shown,) = of_class(root, "name")
    assert shown.text and len(shown.text) < len(name)
    assert shown.find("title").text == name  # type: ignore[union-attr]  # it is there


def test_scatter_puts_equal_ratios_on_the_diagonal() -> None:
    points = [ScatterPoint(x, x, None, f"p{x}", "") for x in (0.5, 1, 3.3)]
    points.append(ScatterPoint(1.0, 2.0, (1.5, 2.6), "above", ""))
    root = drawn(scatter("s", "t", "d", ("x", "y"), points, CIRCLE, (0.4, 4)))
    (diagonal,) = of_class(root, "diagonal")
    x1, y1, x2, y2 = (number(diagonal, key) for key in ("x1", "y1", "x2", "y2"))
    circles = list(root.iter("circle"))
    for circle in circles[:3]:
        at = (number(circle, "cx") - x1) / (x2 - x1)
        assert number(circle, "cy") == pytest.approx(y1 + at * (y2 - y1), abs=0.2)
    at = (number(circles[3], "cx") - x1) / (x2 - x1)
    assert number(circles[3], "cy") < y1 + at * (y2 - y1) - 10  # above it, so dearer than bytes
    (whisker,) = of_class(root, "whisker")
    low, high = sorted((number(whisker, "y1"), number(whisker, "y2")))
    assert low < number(circles[3], "cy") < high


@given(st.lists(st.tuples(st.floats(0.5, 8), st.floats(0.5, 8), st.text(max_size=20)), max_size=60))
def test_labels_never_lie_upon_one_another(cases: list[tuple[float, float, str]]) -> None:
    chart = Chart(octaves("x", [0.4, 10]), octaves("y", [0.4, 10]), height=340)
    points = [ScatterPoint(x, y, None, name, "") for x, y, name in cases]
    labels = place_labels(chart, points)
    boxes = [box for _, box in labels]
    assert not any(a.meets(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert len({i for i, _ in labels}) == len(labels)
    if len(points) == 1 and points[0].name:
        assert labels


def series(index: int) -> Series:
    return Series(f"t{index}", series_style(index))


def test_lorenz_curve_hangs_as_deep_as_the_costs_say() -> None:
    root = drawn(lorenz_curves("l", "t", "d", [(series(0), [3, 1], ""), (series(1), [5, 5], "")]))
    diagonal = of_class(root, "diagonal")[0]
    x0, y0, x1, y1 = (number(diagonal, key) for key in ("x1", "y1", "x2", "y2"))
    uneven, even = (
        [tuple(map(float, pair.split(","))) for pair in line.get("points", "").split()]
        for line in root.iter("polyline")
    )
    # Half of the languages take a quarter of the tokens, or half of them.
    assert uneven == [(x0, y0), ((x0 + x1) / 2, y0 + 0.25 * (y1 - y0)), (x1, y1)]
    assert even[1] == ((x0 + x1) / 2, (y0 + y1) / 2)


def test_heat_map_is_a_table_with_its_values() -> None:
    shown = heat_map(
        "c", "language", ["a", "b"],
        [("x", [Heat(1.0, "1.00", "1.00 [0.9, 1.1]"), Heat(4.0, "4.00", "")]),
         ("y", [Heat(2.0, "2.00", ""), Heat(None, "", "not measured")])],
        ("few", "many"), log=True,
    )  # fmt: skip
    assert '<td class="h0" title="1.00 [0.9, 1.1]">1.00</td>' in shown
    assert f'<td class="h{HEAT_STEPS - 1}">4.00</td>' in shown
    assert f'<td class="h{HEAT_STEPS // 2}">2.00</td>' in shown  # the middle, in ratios
    assert '<td class="none" title="not measured">–</td>' in shown


def test_legend_names_every_series_with_its_shape() -> None:
    root = drawn(legend([series(i) for i in range(len(SHAPES))], lines=True))
    assert [item.find("bdi").text for item in root] == [f"t{i}" for i in range(len(SHAPES))]  # type: ignore[union-attr]  # each has one
    shapes = [item.find("svg")[1] for item in root]  # type: ignore[index]  # the marker
    outlines = {(one.tag, one.get("points")) for one in shapes}
    assert len(outlines) == len(SHAPES)
