"""The pages on a design: what was found is what is shown, in a browser too, whatever names are."""

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tokenize_lab as tl
from corpora.errors import InputError
from reports.build import DESIGN_TITLE, build_report
from scaling.design.result import FILE
from tests.reports.browsers import PHONE, Opened, check_described, texts_upon_texts
from tests.reports.folders import HOSTILE
from tests.scaling.design.texts import made

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small design of two languages, with a constraint."""
    out = tmp_path_factory.mktemp("design")
    text = made({"eng_Latn": 500, "hin_Deva": 300})
    weights = {"eng": 0.6, "hin": 0.4}
    tl.design(text, weights, 1e21, out=out, kinds="bpe", largest=2048, max_vocab=600)
    shutil.rmtree(out / "candidates")
    return out


def changed(folder: Path, to: Path, old: str, new: object) -> Path:
    to.mkdir()
    content = (folder / FILE).read_text("utf-8").replace(json.dumps(old), json.dumps(new))
    (to / FILE).write_text(content, "utf-8")
    return to


def test_the_page_holds_what_was_found(folder: Path) -> None:
    page = build_report(folder).read_text("utf-8")
    content = json.loads((folder / FILE).read_text("utf-8"))
    assert f"<title>{DESIGN_TITLE}" in page and content["sentence"] in page
    assert page == build_report(folder).read_text("utf-8")
    best = content["best"]
    for name, row in content["promise"].items():
        assert f"{row['promised']:.3f}" in page and f"{row['held_out']:.4g}" in page, name
    assert "at most 600 ids" in page
    for row in content["shipped"]:
        assert row["name"] in page
    for point in content["frontier"]:
        assert f"{point['vocabulary_size']:,} ids" in page
    assert page.count('role="img"') == 1 + len(content["languages"])
    assert f"chosen: {best['name']}" in page and "T* 2.81" in page
    assert "gpt4 is not proposed: it caps hin at" in page


def test_a_damaged_design_is_one_line(folder: Path, tmp_path: Path) -> None:
    content = json.loads((folder / FILE).read_text("utf-8"))
    for number, broken in enumerate(
        (
            {**content, "version": 9},
            {"version": 1},
            {**content, "best": {}},
            {**content, "promise": 3},
        )
    ):
        place = tmp_path / str(number)
        place.mkdir()
        (place / FILE).write_text(json.dumps(broken), "utf-8")
        with pytest.raises(InputError, match=re.escape(str(place))):
            build_report(place)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_stay_text(browser: "Browser", folder: Path, tmp_path: Path, name: str) -> None:
    place = changed(folder, tmp_path / "changed", "eng", name)
    content = json.loads((place / FILE).read_text("utf-8"))
    content.update(sentence=name, laws=name, cautions=[name])
    content["shipped"][0]["name"] = content["frontier"][0]["name"] = name
    content["languages"][name].update(code=name, note=name)
    (place / FILE).write_text(json.dumps(content), "utf-8")
    context = browser.new_context(viewport=PHONE)
    opened = Opened(context, build_report(place))
    page = opened.page
    assert page.locator("main script, main img, main svg[onload]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    opened.check_silent()
    context.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_figures_can_be_read(browser: "Browser", folder: Path, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900})
    opened = Opened(context, build_report(folder))
    opened.page.evaluate("document.querySelectorAll('main details').forEach((d) => d.open = true)")
    assert texts_upon_texts(opened.page) == []
    check_described(opened.page, "main svg[role=img]", 2)
    opened.check_silent()
    context.close()
