"""The page on a sweep in a real browser: silent, sortable, narrow, and hostile names stay text."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reports.build import build_report
from tests.reports.browsers import DESKTOP, PHONE, Opened, check_described, texts_upon_texts
from tests.reports.folders import HOSTILE
from tests.reports.sweep.sweeps import (
    SIZES,
    grid,
    hostile_sweep,
    planted_sweep,
    spec_of,
    unfinished_sweep,
)
from tests.reports.test_in_browser import values

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = planted_sweep(tmp_path_factory.mktemp("sweep"), grid())
    return build_report(folder.path)


@pytest.fixture
def opened(browser: "Browser", report: Path) -> Iterator[Opened]:
    context = browser.new_context(viewport=DESKTOP)
    page = Opened(context, report)
    yield page
    page.check_silent()
    context.close()


def test_every_section_is_seen_and_every_figure_described(opened: Opened) -> None:
    page = opened.page
    for section in page.locator("main > section").all():
        assert section.locator("h2").is_visible()
    check_described(page, "[role=img]", 15)


def test_all_runs_sort_by_what_they_reached(opened: Opened) -> None:
    table = opened.page.locator("#sweep-runs table")
    table.get_by_role("button", name="bits per byte", exact=True).click()
    reached = values(table, 7)
    assert len(reached) == 80 and reached == sorted(reached, reverse=True)


def test_states_are_told_by_colour_too(browser: "Browser", tmp_path: Path) -> None:
    context = browser.new_context(viewport=DESKTOP)
    opened = Opened(context, build_report(unfinished_sweep(tmp_path).path))
    cells = opened.page.locator("#sweep-grid .states td")
    colours = {
        cell.locator(".state").inner_text(): cell.evaluate(
            "(e) => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color].join()"
        )
        for cell in cells.all()
        if cell.locator(".state").count()
    }
    assert len({colours[one] for one in ("finished", "running", "waiting", "failed")}) == 4
    opened.check_silent()
    context.close()


def test_names_of_tokenizers_stand_under_their_heading(browser: "Browser", tmp_path: Path) -> None:
    specs = [spec_of(size, rate, kind="tokens") for rate in (2.0, 3.0) for size in SIZES]
    context = browser.new_context(viewport=DESKTOP)
    opened = Opened(context, build_report(planted_sweep(tmp_path, specs).path))
    cell = opened.page.locator("#sweep-grid tbody th").first
    assert cell.inner_text() == "bpe:512"
    assert cell.evaluate("(e) => getComputedStyle(e).textAlign") == "start"
    opened.check_silent()
    context.close()


def test_labels_of_figures_do_not_overlap(opened: Opened) -> None:
    for width in (390, 820, 1440):
        opened.page.set_viewport_size({"width": width, "height": 900})
        assert texts_upon_texts(opened.page) == [], width


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_it_opens_with_the_best_rate_and_its_picture(
    browser: "Browser", report: Path, size: tuple[int, int]
) -> None:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    opened = Opened(context, report)
    page = opened.page
    answer = page.locator("main .lead").first
    assert re.match(
        r"planted: At 3×10¹² FLOPs, static models of novels have their best compression rate "
        r"T\* at 4\.\d+ \[3\.\d+, 5\.\d+\] bytes per patch",
        answer.inner_text(),
    )
    chart = page.locator("main svg[role=img]").first.bounding_box()
    assert chart and chart["y"] < size[1] / 2
    assert "What to do:" in page.locator("#sweep .findings").first.inner_text()
    assert 1 < page.locator("#sweep .findings").first.locator("li").count() <= 5
    opened.check_silent()
    context.close()


def test_the_grid_is_coloured_by_loss(opened: Opened) -> None:
    """The darker, the lower, by one scale in every grid of a text; a run too short has no part."""
    cells = opened.page.locator("#sweep-grid td.state-finished").evaluate_all(
        """(all) => all.map((cell) => [parseFloat(cell.textContent),
        getComputedStyle(cell).backgroundColor.match(/\\d+/g).map(Number)])"""
    )
    by_loss = sorted((loss, 0.2126 * r + 0.7152 * g + 0.0722 * b) for loss, (r, g, b) in cells)
    shades = [shade for _, shade in by_loss]
    assert len(cells) > 60 and shades == sorted(shades) and shades[-1] > 4 * shades[0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_hostile_names_fit_a_phone_and_stay_text(
    browser: "Browser", tmp_path: Path, scheme: Any
) -> None:
    context = browser.new_context(viewport=PHONE, color_scheme=scheme)
    opened = Opened(context, build_report(hostile_sweep(tmp_path).path))
    page = opened.page
    assert page.locator("main script, main img, main svg[onload]").count() == 0
    assert page.locator("#sweep .lead b").inner_text() == HOSTILE[0]
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.set_viewport_size({"width": 688, "height": 1000})
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= 688
    opened.check_silent()
    context.close()
