"""The page in a real browser: it runs, sorts, changes colours, fits a phone and stays silent."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from reports.build import build_report
from tests.reports.browsers import DESKTOP, PHONE, Opened, check_described, overlapping_labels
from tests.reports.folders import HOSTILE, measured_folder
from tokenize_lab.backends.simple import ByteTokenizer, CharacterTokenizer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page


@pytest.fixture
def opened(browser: "Browser", embedded_report: Path) -> Iterator[Opened]:
    context = browser.new_context(viewport=DESKTOP)
    page = Opened(context, embedded_report)
    yield page
    page.check_silent()
    context.close()


def cells(table: "Locator", place: int) -> list[str]:
    """Return the texts of a column, from 1."""
    return list(table.locator(f"tbody tr > :nth-child({place})").all_inner_texts())


def unfold(page: "Page", part: str) -> None:
    """Open every fold of a part of the page."""
    page.locator(f"{part} details").evaluate_all("(all) => all.forEach((one) => one.open = true)")


def values(table: "Locator", place: int) -> list[float]:
    texts = (cell.split()[0] for cell in cells(table, place))
    return [float(text.replace(",", "").replace("\u2212", "-")) for text in texts]


@pytest.fixture
def heat(opened: Opened) -> "Locator":
    """The heat map of the first corpus."""
    return opened.page.locator("#compression table").first


def test_sorting_by_click(heat: "Locator") -> None:
    head = heat.locator("thead th").nth(3)
    assert head.get_attribute("aria-sort") is None
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    down = values(heat, 4)
    assert len(down) == 25 and down == sorted(down, reverse=True)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert values(heat, 4) == sorted(down)


def test_sorting_by_keyboard(opened: Opened, heat: "Locator") -> None:
    # The arrow is for the eye: it is no part of the name that is read out.
    heat.get_by_role("button", name="language", exact=True).focus()
    opened.page.keyboard.press("Enter")
    up = cells(heat, 1)
    assert up == sorted(up) and up[0].startswith("Amharic")
    opened.page.keyboard.press("Space")
    assert cells(heat, 1) == sorted(up, reverse=True)
    # On to the next heading: one sort takes the place of another.
    opened.page.keyboard.press("Tab")
    opened.page.keyboard.press("Enter")
    assert heat.locator("th[aria-sort]").all_inner_texts() == ["byte"]


def test_unmeasured_cells_sort_last_both_ways(opened: Opened) -> None:
    unfold(opened.page, "#rates")
    table = opened.page.locator("#rates table").first
    head = table.locator("thead th").filter(has_text="fertility")
    place = 1 + int(head.evaluate("(th) => th.cellIndex"))
    for _ in range(2):
        head.locator("button").click()
        texts = cells(table, place)
        missing = [text == "–" for text in texts]
        assert any(missing) and missing == sorted(missing)  # Thai, Chinese and Japanese, last
    up = [float(text.split()[0]) for text in texts if text != "–"]
    assert up == sorted(up)


def test_thousands_and_negative_numbers_sort_as_numbers(opened: Opened) -> None:
    table = opened.page.locator("#tokenizers table").first
    table.get_by_role("button", name="V", exact=True).click()
    sizes = values(table, 2)
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > 1_000_000
    unfold(opened.page, "#differences")
    table = opened.page.locator("#differences table").nth(1)
    table.get_by_role("button", name="byte", exact=True).click()
    differences = values(table, 2)
    assert differences == sorted(differences, reverse=True) and differences[-1] < 0


@pytest.mark.parametrize("system", ["light", "dark"])
def test_colours_follow_the_system_until_the_button_is_pressed(
    browser: "Browser", embedded_report: Path, system: Any
) -> None:
    context = browser.new_context(viewport=DESKTOP, color_scheme=system)
    opened = Opened(context, embedded_report)
    page = opened.page

    def is_dark() -> bool:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(","))) < 200

    button = page.get_by_role("button", name="Dark colours")
    assert is_dark() is (system == "dark")
    assert button.get_attribute("aria-pressed") == str(system == "dark").lower()
    button.press("Enter")
    assert is_dark() is (system != "dark")
    assert button.get_attribute("aria-pressed") == str(system != "dark").lower()
    page.emulate_media(media="print")
    assert not is_dark()  # ink on paper, whatever was chosen
    opened.check_silent()
    context.close()


@pytest.mark.parametrize("report", ["embedded_report", "hostile_report"])
def test_a_phone_scrolls_tables_not_the_page(
    browser: "Browser", report: str, request: pytest.FixtureRequest
) -> None:
    context = browser.new_context(viewport=PHONE)
    opened = Opened(context, request.getfixturevalue(report))
    width = opened.page.evaluate("document.documentElement.scrollWidth")
    assert width == PHONE["width"]
    unfold(opened.page, "#rates")
    wide = opened.page.locator("#rates .scroll").first
    inside, frame = wide.evaluate("(e) => [e.scrollWidth, e.clientWidth]")
    assert inside > frame
    opened.page.wait_for_selector("#rates .scroll.wide")
    said = wide.locator("caption span").evaluate("(e) => getComputedStyle(e, '::after').content")
    assert "scroll" in said
    opened.check_silent()
    context.close()


def test_hostile_names_stay_text(browser: "Browser", hostile_report: Path) -> None:
    context = browser.new_context(viewport=DESKTOP)
    opened = Opened(context, hostile_report)
    page = opened.page
    assert page.locator("main script, main img, main svg[onload]").count() == 0
    shown = [raw.replace("\0", "␀").replace("\x07", "␇") for raw in HOSTILE]
    shown[-1] = shown[-1].replace("\u202e", "‹202E›")
    heads = page.locator("#tokenizers table").first.locator("tbody th")
    assert heads.all_inner_texts() == shown
    # Sorting and choosing work on such names too.
    page.locator("#tokenizers thead button").first.click()
    page.locator("#corpus").select_option(label=shown[-1])
    assert page.locator(".corpus[data-corpus='0']:visible").count() == 0
    assert page.locator(".corpus[data-corpus='1']:visible").count() > 2
    # A line break in a text is shown, and breaks the line.
    program = page.locator(".program").first
    assert "␊\n" in program.evaluate("(e) => e.textContent")
    assert program.evaluate("(e) => e.getClientRects()[0].height") > 30
    opened.check_silent()
    context.close()


def test_tokens_do_not_break_shaping(opened: Opened) -> None:
    """A text cut into coloured tokens is as wide as the text: its letters still join."""
    page = opened.page
    page.get_by_role("button", name="Show all languages and tokenizers").first.click()
    differing = page.evaluate(
        """() => [...document.querySelectorAll(".tokens:not(.program)")]
        .filter((line) => !line.querySelector("s") && line.clientWidth)
        .map((line) => {
          const measure = (element) => {
            element.style.cssText = "display: inline-block; white-space: pre; width: auto";
            document.body.append(element);
            const width = element.getBoundingClientRect().width;
            element.remove();
            return width;
          };
          const plain = line.cloneNode();
          plain.textContent = line.textContent;
          return [line.lang, measure(line.cloneNode(true)), measure(plain)];
        })"""
    )
    assert len(differing) > 75
    assert {lang for lang, _, _ in differing} >= {"ar-Arab", "hi-Deva", "th-Thai", "am-Ethi"}
    for lang, cut, whole in differing:
        assert cut == pytest.approx(whole, abs=1.0), lang


def test_right_to_left_text_starts_at_the_right(opened: Opened) -> None:
    arabic = opened.page.locator('.line:visible .tokens[lang="ar-Arab"]').first
    assert arabic.evaluate("(e) => getComputedStyle(e).direction") == "rtl"
    first, last = arabic.evaluate(
        """(e) => [e.firstElementChild, e.lastElementChild]
        .map((token) => token.getBoundingClientRect().right)"""
    )
    assert first > last


def test_a_line_runs_as_its_language_does_whatever_it_begins_with(
    browser: "Browser", tmp_path: Path
) -> None:
    """Python and a number first, in Hebrew and in Urdu; Hebrew first, in English."""
    texts = {"heb_Hebr": "Python 3 היא שפה", "urd": "2026 میں", "eng_Latn": "שלום is a word"}
    documents = [Document(text, code, alignment=1) for code, text in texts.items()]
    corpus = DocumentCorpus("mixed", documents, parallel=True)
    folder = measured_folder(tmp_path, [corpus], [ByteTokenizer(), CharacterTokenizer()])
    context = browser.new_context(viewport=DESKTOP)
    opened = Opened(context, build_report(folder))
    shown = opened.page.locator("#tokens .text").evaluate_all(
        """(all) => all.map((text) => [text.dataset.l,
        getComputedStyle(text.querySelector(".tokens")).direction])"""
    )
    assert dict(shown) == {"heb_Hebr": "rtl", "urd": "rtl", "eng_Latn": "ltr"}
    opened.check_silent()
    context.close()


def test_the_token_view_shows_three_languages_and_the_rest_on_demand(opened: Opened) -> None:
    page = opened.page
    view = page.locator("#tokens .corpus").first
    names = view.locator(".text:visible .language").all_inner_texts()
    assert names == ["English eng_Latn", "Arabic arb_Arab", "Hindi hin_Deva"]
    assert view.locator(".line:visible").count() == 3 * 4
    more = view.get_by_role("button", name="Show all languages and tokenizers")
    more.press("Enter")
    assert view.locator(".text:visible").count() == 25
    assert view.locator(".line:visible").count() == 25 * 6
    view.get_by_role("button", name="Show only some").click()
    assert view.locator(".text:visible").count() == 3
    # Vowel signs: cut between the characters of a cluster, and said so on hover.
    held = view.locator(".line:visible [data-n]").first
    held.hover()
    assert "tokens" in held.evaluate("(e) => getComputedStyle(e, '::after').content")


def test_everything_that_acts_has_a_name(opened: Opened) -> None:
    nameless = opened.page.evaluate(
        """() => [...document.querySelectorAll("button, a, input, select, summary, [role]")]
        .filter((e) => e.id != "tip" && e.id != "corpus")
        .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim() ||
          e.labels?.[0]?.textContent.trim()))
        .map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert nameless == []
    page = opened.page
    for select in page.get_by_role("combobox").all():
        assert select.evaluate("(e) => e.labels[0].firstChild.textContent.trim()")
    check_described(page, "[role=img]", 8)
    assert page.get_by_role("navigation", name="Sections").count() == 1
    assert page.get_by_role("main").count() == 1


def test_the_first_tab_leads_past_the_navigation(opened: Opened) -> None:
    page = opened.page
    page.keyboard.press("Tab")
    skip = page.evaluate("document.activeElement.textContent")
    assert skip == "Skip to the content"
    left = page.evaluate("document.activeElement.getBoundingClientRect().left")
    assert left >= 0  # it is seen when it has the focus
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_labels_of_figures_do_not_overlap(opened: Opened) -> None:
    assert (
        overlapping_labels(opened.page, "svg[role=img]", "text.name, text.label, text.tick") == []
    )


def test_without_script_everything_is_there(browser: "Browser", embedded_report: Path) -> None:
    context = browser.new_context(viewport=DESKTOP, java_script_enabled=False)
    opened = Opened(context, embedded_report)
    assert opened.page.locator("#tokens .text:visible").count() == 25 + 6
    assert not opened.page.locator("#theme").is_visible()  # it could do nothing
    opened.check_silent()
    context.close()


def test_it_prints(browser: "Browser", embedded_folder: Path, tmp_path: Path) -> None:
    context = browser.new_context()
    opened = Opened(context, build_report(embedded_folder, tmp_path / "report.html"))
    pdf = opened.page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    # Nothing is wider than the paper (A4 less its margins, at 96 dots to the inch).
    opened.page.set_viewport_size({"width": 688, "height": 1000})
    opened.page.emulate_media(media="print")
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 688
    widths = opened.page.locator("table:visible").evaluate_all(
        "(all) => all.map((table) => table.clientWidth)"
    )
    assert 200 < min(widths) <= max(widths) <= 688
    opened.check_silent()
    context.close()
