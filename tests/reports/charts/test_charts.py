"""Values land where they should."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.charts.chart import Chart, decades, linear, octaves
from reports.charts.rows import SHARES, Dot, Heat, HeatScale, dot_plot, heat_map
from reports.charts.scatter import ScatterPoint, lorenz_curves, place_labels, scatter
from reports.charts.svg import (
    HEAT_STEPS,
    PALETTE,
    SHAPES,
    Scale,
    Series,
    heat_colours,
    heat_step,
    legend,
    log_ticks,
    series_style,
    ticks,
)
from tests.reports.drawings import drawn, number, of_class

CIRCLE = series_style(0)
WHITE, BLACK = "#ffffff", "#000000"


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
        HeatScale(1.0, 4.0, ("few", "many"), log=True),
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


def test_marks_lie_at_their_values() -> None:
    chart = Chart(octaves("x", [1, 16]), linear("y", [0, 10], 3))
    root = drawn(
        chart.draw(
            "c", "t", "d", [chart.mark(CIRCLE, 4, 5, "hint", y_ends=(4, 7)), chart.rule(y=5)]
        )
    )
    (circle,) = root.iter("circle")
    (four,) = {one.get("x") for one in of_class(root, "tick") if one.text == "4"}
    assert circle.get("cx") == four  # the scale of the axis is that of the marks
    (whisker,) = of_class(root, "whisker")
    low, high = float(whisker.get("y1", "")), float(whisker.get("y2", ""))
    middle = float(circle.get("cy", ""))
    assert (low - middle) / (middle - high) == pytest.approx(1 / 2, abs=0.02)
    (rule,) = of_class(root, "diagonal")
    assert rule.get("y1") == rule.get("y2") == circle.get("cy")


def test_a_label_at_the_end_of_an_axis_is_not_cut_off() -> None:
    chart = Chart(decades("C", [8.3e4, 1.28e5]), linear("y", [0, 1]))
    root = drawn(chart.draw("c", "t", "d", []))
    last = [one for one in of_class(root, "tick") if one.get("text-anchor") == "middle"][-1]
    assert last.text == "1.3×10⁵"
    assert float(last.get("x", "nan")) + 3.4 * len(last.text) <= chart.width


def test_the_colour_of_a_share_does_not_depend_on_the_others() -> None:
    """A table of shares near 1 is bright all over: colours mean 0 % to 100 %, in every table."""
    cells = [Heat(0.98, "98.0 %", ""), Heat(0.99, "99.0 %", "")]
    shown = heat_map("c", "language", ["a", "b"], [("x", cells)], SHARES)
    assert shown.count(f'class="h{HEAT_STEPS - 1}"') == 3  # both cells, and the end of the key
    assert "0 % <" in shown and "> 100 %" in shown
    assert SHARES.step(0.0) == 0 and SHARES.step(0.5) == HEAT_STEPS // 2
    assert HeatScale(1.0, 4.0, ("", "")).step(9.0) == HEAT_STEPS - 1


def test_decades_have_ticks_at_powers_of_ten() -> None:
    assert [text for _, text in decades("C", [1e19, 2e21]).ticks] == ["10¹⁹", "10²⁰", "10²¹"]
    assert [text for _, text in decades("B", [2e10, 2e11]).ticks] == [
        "2×10¹⁰", "5×10¹⁰", "10¹¹", "2×10¹¹",
    ]  # fmt: skip


@pytest.mark.parametrize("ratio", [1.4, 1.6, 2, 3, 5, 9, 15, 40, 300, 1e4])
@pytest.mark.parametrize("low", [8.2e4, 1e5, 2.3e5, 6e5])
def test_an_axis_has_ticks_enough_to_be_read_and_room_for_them(low: float, ratio: float) -> None:
    assert 3 <= len(decades("forward FLOPs per byte", [low, ratio * low]).ticks) <= 9
    assert 3 <= len(linear("bits per byte", [2, 2 * ratio]).ticks) <= 10


def contrast(colour: str, other: str) -> float:
    """Return the WCAG 2 contrast ratio of two `#rrggbb` colours, 1 to 21."""
    light, dark = sorted((_luminance(colour), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in (int(colour[i : i + 2], 16) for i in (1, 3, 5)))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_on_every_heat_step_reaches_wcag_aa() -> None:
    colours = heat_colours()
    assert len(colours) == HEAT_STEPS
    assert min(contrast(background, text) for background, text in colours) >= 4.5
    for background, text in colours:
        assert contrast(background, text) >= max(contrast(background, x) for x in (WHITE, BLACK))


def test_heat_gets_lighter_all_the_way() -> None:
    against_black = [contrast(background, BLACK) for background, _ in heat_colours()]
    assert against_black == sorted(against_black)


def test_contrast_is_wcags() -> None:
    assert round(contrast(BLACK, WHITE), 6) == 21
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48  # the well-known grey that just fails


def test_steps_cover_the_scale() -> None:
    assert heat_step(1, 1, 3) == 0
    assert heat_step(3, 1, 3) == HEAT_STEPS - 1
    assert heat_step(2, 1, 3) == HEAT_STEPS // 2
    assert heat_step(1, 1, 1) == HEAT_STEPS // 2


def test_twelve_series_have_a_colour_a_mark_and_a_dash_each() -> None:
    entries = [Series(f"t{i}", series_style(i)) for i in range(12)]
    root = drawn(legend(entries, lines=True))
    marks = [(one.get("class"), one.tag, one.get("points")) for one in root.iter()
             if one.get("class", "").startswith("m ")]  # fmt: skip
    assert len({colour for colour, _, _ in marks}) == len({mark[1:] for mark in marks}) == 12
    assert len({one.get("stroke-dasharray") for one in of_class(root, "curve")}) == 12


def test_series_differ_in_colour_and_shape() -> None:
    styles = [series_style(i) for i in range(len(PALETTE) * len(SHAPES))]
    assert len({(style.colour, style.shape) for style in styles}) == len(styles)
    first = styles[: len(PALETTE)]
    assert len({style.colour for style in first}) == len({style.shape for style in first}) == 12
