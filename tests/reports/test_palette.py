"""Colours can be told apart, and text upon them read."""

from reports.charts.svg import (
    HEAT_STEPS,
    OKABE_ITO,
    SHAPES,
    contrast,
    heat_colours,
    heat_step,
    series_style,
)


def test_text_on_every_heat_step_reaches_wcag_aa() -> None:
    colours = heat_colours()
    assert len(colours) == HEAT_STEPS
    assert min(contrast(background, text) for background, text in colours) >= 4.5


def test_heat_gets_lighter_all_the_way() -> None:
    against_black = [contrast(background, "#000000") for background, _ in heat_colours()]
    assert against_black == sorted(against_black)


def test_contrast_is_wcags() -> None:
    assert round(contrast("#000000", "#ffffff"), 6) == 21
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48  # the well-known grey that just fails


def test_steps_cover_the_scale() -> None:
    assert heat_step(1, 1, 3) == 0
    assert heat_step(3, 1, 3) == HEAT_STEPS - 1
    assert heat_step(2, 1, 3) == HEAT_STEPS // 2
    assert heat_step(1, 1, 1) == HEAT_STEPS // 2


def test_series_differ_in_colour_and_shape() -> None:
    styles = [series_style(i) for i in range(len(OKABE_ITO) * len(SHAPES))]
    assert len({(style.colour, style.shape) for style in styles}) == len(styles)
    first = styles[: len(OKABE_ITO)]
    assert len({style.colour for style in first}) == len({style.shape for style in first}) == 8
