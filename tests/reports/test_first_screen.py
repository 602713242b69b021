"""What a reader meets: the answer on the first screen, the rest folded, one choice that everything
follows, and nothing lost on paper, by keyboard or to a screen reader. In numbers, in a browser."""

import csv
import io
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.reports.browsers import Opened, texts_upon_texts

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
WIDTHS = (390, 820, 1440)
TEKKEN, V3 = "mistral:tekken", "mistral:v3"


def opened_at(browser: "Browser", report: Path, size: Any, **more: Any) -> Opened:
    return Opened(browser.new_context(viewport=size, **more), report)


@pytest.fixture
def opened(browser: "Browser", embedded_report: Path) -> Iterator[Opened]:
    page = opened_at(browser, embedded_report, DESKTOP)
    yield page
    page.check_silent()
    page.page.context.close()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_first_screen_has_an_answer_and_a_chart(
    browser: "Browser", embedded_report: Path, size: dict[str, int]
) -> None:
    opened = opened_at(browser, embedded_report, size)
    page = opened.page
    answer = page.locator("main .lead").first
    text = answer.inner_text()
    assert re.match(r"mistral:tekken holds [\d.]+ \[.*\] bytes per token, [\d.]+ \[", text)
    assert re.search(r"; it charges Amharic [\d.]+ \[.*\] times English\.$", text)
    chart = page.locator("main svg[role=img]").first
    seen, drawn = answer.bounding_box(), chart.bounding_box()
    assert seen and drawn and seen["y"] + seen["height"] < size["height"] / 2
    if size is DESKTOP:
        assert drawn["y"] + drawn["height"] < size["height"]  # whole
    else:
        assert drawn["y"] < size["height"] / 2
    assert (
        0 < page.locator("#overview .corpus").first.locator(".findings > li:visible").count() <= 5
    )
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
    opened.check_silent()
    page.context.close()


def test_what_is_folded_is_short(opened: Opened) -> None:
    page = opened.page
    assert page.evaluate("document.documentElement.scrollHeight") < 8_000
    assert page.locator("main details[open]").count() == 0
    rows = page.locator("#compression table").first.locator("tbody tr:visible")
    assert rows.count() == 10
    more = page.locator("#compression .more").first
    assert more.inner_text() == "Show all 25 rows"
    more.press("Enter")
    assert rows.count() == 25 and more.inner_text() == "Show the first 10 rows"
    more.click()
    assert rows.count() == 10


def test_a_page_of_everything_is_short_too(browser: "Browser", laws_report: Path) -> None:
    opened = opened_at(browser, laws_report, DESKTOP)
    assert opened.page.evaluate("document.documentElement.scrollHeight") < 12_000
    opened.page.context.close()


def test_a_link_opens_what_it_leads_to(opened: Opened) -> None:
    page = opened.page
    assert not page.locator("#rates table").first.is_visible()
    page.locator("nav a[href='#rates']").click()
    assert page.locator("#rates table").first.is_visible()
    page.wait_for_selector("nav a[href='#rates'][aria-current]")
    assert page.locator("nav a[aria-current]").count() == 1


def test_the_contents_are_folded_on_a_phone(browser: "Browser", embedded_report: Path) -> None:
    opened = opened_at(browser, embedded_report, PHONE)
    page = opened.page
    assert not page.locator("nav a").first.is_visible()
    page.locator("nav summary").press("Enter")
    page.locator("nav a[href='#fairness']").click()
    box = page.locator("#fairness h2").bounding_box()
    assert box is not None and 0 <= box["y"] < PHONE["height"] / 2
    opened.check_silent()
    page.context.close()


def choose(page: "Page", kind: str, *names: str) -> None:
    """Show some tokenizers or languages only, as a reader would, by keyboard and mouse."""
    page.locator(".choice summary").filter(has_text=kind).press("Enter")
    group = page.get_by_role("group", name=f"{kind} shown")
    group.get_by_role("button", name="none").click()
    for name in names:
        group.get_by_label(name, exact=True).press("Space")
    page.keyboard.press("Escape")
    assert not group.is_visible()


def test_one_choice_is_followed_by_tables_figures_and_tokens(opened: Opened) -> None:
    page = opened.page
    whole = page.locator("#answer-rates-0-title").evaluate("(e) => e.parentElement.clientHeight")
    choose(page, "Tokenizers", TEKKEN, V3)
    choose(page, "Languages", "Hindi", "English", "Tamil")
    page.evaluate("document.querySelectorAll('main details').forEach((d) => d.open = true)")
    heat = page.locator("#compression table").first
    assert heat.locator("thead th:visible").all_inner_texts() == ["language", V3, TEKKEN]
    names = heat.locator("tbody th:visible").all_inner_texts()
    assert [name.split()[0] for name in names] == ["Tamil", "Hindi", "English"]
    rates = page.locator("#rates table").first.locator("tbody tr:visible")
    assert rates.count() == 6
    for chart, kept in (("answer-rates-0", 3), ("dots-0", 3), ("premium-0", 3)):
        svg = page.locator(f"svg[aria-labelledby='{chart}-title']")
        assert svg.locator("text.name:visible").count() == kept, chart
        tops = svg.locator("text.name:visible").evaluate_all(
            "(all) => all.map((e) => e.getBoundingClientRect().y)"
        )
        assert max(tops) - min(tops) < 200  # rows close up
        marks = svg.locator("[data-t]:visible").evaluate_all(
            "(all) => new Set(all.map((e) => e.dataset.t)).size"
        )
        assert marks == 2, chart
    closed = page.locator("#answer-rates-0-title").evaluate("(e) => e.parentElement.clientHeight")
    assert closed < whole / 2
    view = page.locator("#tokens .corpus").first
    assert view.locator(".text:visible").count() == 3
    assert view.locator(".line:visible").count() == 6
    panels = page.locator("#fairness figure.panel:visible figcaption bdi").all_inner_texts()
    assert panels == [V3, TEKKEN]
    page.locator(".choice summary").filter(has_text="Languages: 3 of 31").click()
    page.get_by_role("group", name="Languages shown").get_by_role("button", name="all").click()
    assert view.locator(".text:visible").count() == 3  # those it opens with


def test_a_legend_shows_a_series_alone(opened: Opened) -> None:
    page = opened.page
    figure = page.locator("#overview figure").first
    marks = figure.locator(".plot [data-t]:visible")
    before = marks.count()
    entry = figure.locator(".legend").get_by_role("button", name=TEKKEN)
    entry.press("Enter")
    assert entry.get_attribute("aria-pressed") == "true"
    assert 0 < marks.count() < before / 2
    assert len(set(marks.evaluate_all("(all) => all.map((e) => e.dataset.t)"))) == 1
    entry.press("Enter")
    assert marks.count() == before


def test_hints_are_shown_at_once_and_under_a_finger(
    browser: "Browser", embedded_report: Path
) -> None:
    opened = opened_at(browser, embedded_report, DESKTOP)
    page = opened.page
    mark = page.locator("#overview .plot svg .m").first
    said = mark.evaluate("(e) => e.querySelector('title').textContent")
    mark.hover()
    tip = page.get_by_role("tooltip")
    assert tip.inner_text() == said
    assert mark.locator("title").count() == 0  # or the browser's own would lie upon it
    page.mouse.move(5, 300)
    assert not tip.is_visible() and mark.locator("title").count() == 1
    heading = page.locator("#compression thead button[title]").first
    heading.focus()
    page.keyboard.press("Tab")
    assert tip.is_visible()
    opened.check_silent()
    page.context.close()
    opened = opened_at(browser, embedded_report, PHONE, has_touch=True)
    page = opened.page
    mark = page.locator("#overview .plot svg .m").nth(3)
    box = mark.bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + box["width"] / 2 + 9, box["y"] + box["height"] / 2)  # beside it
    assert "bytes per token" not in page.get_by_role("tooltip").inner_text()
    assert re.match(r"\w+, [\w:-]+: [\d.]+", page.get_by_role("tooltip").inner_text())
    opened.check_silent()
    page.context.close()


def test_figures_and_tables_are_saved(opened: Opened, tmp_path: Path) -> None:
    page = opened.page
    with page.expect_download() as waited:
        page.locator("#overview .save").first.click()
    path = tmp_path / waited.value.suggested_filename
    waited.value.save_as(path)
    assert path.suffix == ".svg"
    root = ET.parse(path).getroot()
    svg = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f".//{svg}g")) >= 25 and "var(" not in path.read_text("utf-8")
    fills = {one.get("fill") for one in root.iter() if "m s" in one.get("class", "")}
    assert len(fills) == 4 and "rgb(0, 0, 0)" not in fills
    choose(page, "Tokenizers", TEKKEN)
    with page.expect_download() as waited:
        page.locator("#compression .save").first.click()
    path = tmp_path / waited.value.suggested_filename
    waited.value.save_as(path)
    rows = list(csv.reader(io.StringIO(path.read_text("utf-8"))))
    assert rows[0] == ["language", TEKKEN] and len(rows) == 26  # also those beyond the tenth
    assert all(float(row[1]) > 0 for row in rows[1:])


def test_a_saved_table_of_hostile_names_runs_in_no_spreadsheet(
    browser: "Browser", tmp_path: Path
) -> None:
    from corpora.corpus import DocumentCorpus
    from corpora.document import Document
    from reports.build import build_report
    from tests.reports.folders import measured_folder
    from tokenize_lab.backends.simple import ByteTokenizer

    corpus = DocumentCorpus("c", [Document("text one", "eng"), Document("text", "=1+1")])
    name = '=HYPERLINK("http://x")'
    folder = measured_folder(tmp_path, [corpus], [ByteTokenizer(name=name), ByteTokenizer()])
    opened = opened_at(browser, build_report(folder), DESKTOP)
    with opened.page.expect_download() as waited:
        opened.page.locator("#tokenizers .save").first.click()
    waited.value.save_as(tmp_path / "t.csv")
    rows = list(csv.reader(io.StringIO((tmp_path / "t.csv").read_text("utf-8"))))
    assert [row[0] for row in rows[1:]] == [f"'{name}", "byte"]
    opened.check_silent()
    opened.page.context.close()


@pytest.mark.parametrize("report", ["embedded_report", "laws_report"])
@pytest.mark.parametrize("width", WIDTHS)
def test_no_text_of_a_figure_lies_upon_another(
    browser: "Browser", report: str, width: int, request: pytest.FixtureRequest
) -> None:
    """All texts of all figures: ticks, names, labels, what axes are called."""
    opened = opened_at(browser, request.getfixturevalue(report), {"width": width, "height": 900})
    page = opened.page
    page.evaluate("document.querySelectorAll('main details').forEach((d) => d.open = true)")
    assert page.locator("main svg[role=img]:visible").count() > 8
    assert texts_upon_texts(page) == []
    page.context.close()


@pytest.mark.parametrize("how", ["print", "beforeprint"])
def test_it_prints_whole(browser: "Browser", embedded_report: Path, how: str) -> None:
    opened = opened_at(browser, embedded_report, {"width": 688, "height": 1000})
    page = opened.page
    if how == "print":
        page.emulate_media(media="print")
    else:
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("main table:visible").count() == page.locator("main table").count()
    assert (
        page.locator("main svg[role=img]:visible").count()
        == page.locator("main svg").count() - page.locator("main svg[aria-hidden]").count()
    )
    if how == "print":
        assert page.locator("#tokens .text:visible").count() == 25 + 6
        hidden = page.locator("main tbody tr").evaluate_all(
            "(all) => all.filter((row) => !row.checkVisibility()).length"
        )
        assert hidden == 0
    else:
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator("main details[open]").count() == 0
    page.context.close()


def cpu_of_loading(browser: "Browser", report: Path) -> float:
    """Return the seconds of CPU that the page's own thread takes until it rests."""
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(report.resolve().as_uri())
    page.wait_for_timeout(400)
    found = session.send("Performance.getMetrics")["metrics"]
    context.close()
    return float({one["name"]: one["value"] for one in found}["TaskDuration"])


def test_a_page_is_loaded_in_a_second_of_cpu(browser: "Browser", laws_report: Path) -> None:
    """Some hundred thousand elements and plotly, which waits until its bowl is seen."""
    assert min(cpu_of_loading(browser, laws_report) for _ in range(3)) < 1.0


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, fetched by npm; skips where that cannot be."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed, so axe-core cannot be fetched")
    folder = tmp_path_factory.mktemp("axe")
    command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "axe-core@4"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not fetch axe-core in two minutes")
    source = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not source.is_file():
        pytest.skip(f"npm could not fetch axe-core: {done.stderr.strip()[:200]}")
    return source.read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("folded", [True, False], ids=["folded", "unfolded"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious(
    browser: "Browser", embedded_report: Path, axe: str, size: Any, folded: bool
) -> None:
    opened = opened_at(browser, embedded_report, size, bypass_csp=True)
    page = opened.page
    if not folded:
        page.evaluate("document.querySelectorAll('main details').forEach((d) => d.open = true)")
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = {
        one["id"]: [node["html"][:120] for node in one["nodes"]][:3]
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    }
    assert serious == {}, json.dumps(serious, indent=1)
    page.context.close()
