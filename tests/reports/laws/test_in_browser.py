"""The pages on laws in a real browser: the bowl turns, or is seen from above where it cannot."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.reports.browsers import DESKTOP, PHONE, Opened, check_described, overlapping_labels

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# What the driver says of its own speed, and plotly of a canvas; neither is a fault of the page.
HARMLESS = ("GL Driver Message (OpenGL, Performance", "willReadFrequently")
SECTIONS = ("laws", "laws-bowl", "laws-isoflop", "laws-one", "laws-two", "laws-optimal",
            "laws-joint", "laws-doubt", "laws-reproduced")  # fmt: skip
CAMERA = "document.getElementById('bowl')._fullLayout.scene._scene.getCamera().eye"


def check_silent(opened: Opened) -> None:
    opened.said = [one for one in opened.said if not any(part in one for part in HARMLESS)]
    opened.check_silent()


def drawn(page: "Page") -> None:
    """Wait for the bowl, or skip where this browser has no WebGL even in software."""
    page.locator("#bowl-flat").evaluate("(e) => e.scrollIntoView()")
    page.wait_for_function("() => typeof Plotly !== 'undefined'", timeout=60_000)
    if not page.locator(".bowl").is_visible():
        pytest.skip("this browser draws no WebGL")
    page.wait_for_selector("#bowl[data-drawn]", timeout=60_000)


@pytest.fixture
def opened(browser: "Browser", laws_report: Path) -> Iterator[Opened]:
    context = browser.new_context(viewport=DESKTOP)
    page = Opened(context, laws_report)
    yield page
    check_silent(page)
    context.close()


def test_every_section_is_there(opened: Opened) -> None:
    for section in SECTIONS:
        assert opened.page.locator(f"section#{section} h2").is_visible()
        assert opened.page.locator(f"nav a[href='#{section}']").count() == 1


def test_the_select_chooses_the_bowl(opened: Opened) -> None:
    page = opened.page
    drawn(page)
    assert "At 10²⁰ FLOPs, 64 models: lowest at 3.71" in page.locator("#bowl-words").inner_text()
    page.get_by_role("combobox", name="Budget").select_option(label="2×10²¹ FLOPs")
    assert "At 2×10²¹ FLOPs, 36 models: lowest at 3.17" in page.locator("#bowl-words").inner_text()
    shown = page.evaluate("document.getElementById('bowl').data[1].x.length")
    assert shown == 36
    assert not page.locator("#bowl-flat").is_visible()
    assert page.locator("#bowl canvas").count() >= 1


def test_it_turns_by_keyboard_and_button(opened: Opened) -> None:
    page = opened.page
    drawn(page)
    before = page.evaluate(CAMERA)
    page.locator("#bowl").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"() => Math.abs({CAMERA}.x - ({before['x']})) > .05")
    turned = page.evaluate(CAMERA)
    assert turned["z"] == pytest.approx(before["z"], abs=0.05)
    page.get_by_role("button", name="from above").click()
    page.wait_for_function(f"() => {CAMERA}.z > {turned['z']} + .2")
    page.get_by_role("button", name="as at first").click()
    page.wait_for_function(f"() => Math.abs({CAMERA}.x - ({before['x']})) < .02")
    # Nothing moves of its own accord.
    still = page.evaluate(CAMERA)
    page.wait_for_timeout(300)
    assert page.evaluate(CAMERA) == still


def test_it_follows_the_colours(opened: Opened) -> None:
    page = opened.page
    drawn(page)
    ink = "document.getElementById('bowl')._fullLayout.scene.xaxis.title.font.color"
    light = page.evaluate(ink)
    page.locator("#theme").click()
    page.wait_for_function(f"() => {ink} !== '{light}'")


def test_labels_of_the_charts_do_not_overlap(opened: Opened) -> None:
    figures = "[id^=laws] svg[role=img]"
    assert overlapping_labels(opened.page, figures, "text.name, text.tick") == []


def test_everything_drawn_is_described(opened: Opened) -> None:
    check_described(opened.page, "[id^=laws] svg[role=img]", 15)


@pytest.mark.parametrize("how", ["no WebGL", "no script"])
def test_without_it_the_bowls_are_seen_from_above(
    how: str, launch: "Callable[..., Browser]", laws_report: Path
) -> None:
    browser = launch(*(["--disable-3d-apis"] if how == "no WebGL" else []))
    context = browser.new_context(viewport=DESKTOP, java_script_enabled=how == "no WebGL")
    opened = Opened(context, laws_report)
    page = opened.page
    if how == "no WebGL":
        page.locator("#bowl-flat").evaluate("(e) => e.scrollIntoView()")
        page.wait_for_function("() => document.getElementById('bowl-above').open")
    assert not page.locator(".bowl").is_visible()
    assert page.locator("#bowl-flat").is_visible()
    said = page.locator("#bowl-flat").inner_text()
    assert ("without WebGL" if how == "no WebGL" else "without script") in said
    assert page.locator("#laws-bowl .panel svg:visible").count() == 6
    check_silent(opened)
    context.close()


def test_it_fits_a_phone_and_paper(browser: "Browser", laws_report: Path) -> None:
    context = browser.new_context(viewport=PHONE, color_scheme="dark")
    opened = Opened(context, laws_report)
    page = opened.page
    drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.set_viewport_size({"width": 688, "height": 1000})
    page.emulate_media(media="print")
    assert not page.locator(".bowl").is_visible()  # the bowls from above are printed
    assert page.locator("#laws-bowl .panel svg:visible").count() == 6
    assert page.evaluate("document.documentElement.scrollWidth") <= 688
    check_silent(opened)
    context.close()
