"""The pages on vocabulary in a real browser: three languages first, and texts that can be read."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from corpora.open import open_corpus
from reports.build import build_report
from tests.reports.browsers import Opened, texts_upon_texts
from tokenize_lab.tokenizer_spec import load_tokenizers
from tokenize_lab.vocabulary_curves.job import vocab_curve

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("curves")
    corpus = open_corpus("embedded:eng_Latn,hin_Deva,arb_Arab,tam_Taml,rus_Cyrl")
    vocab_curve(corpus, load_tokenizers(["mistral:tekken"])).save(folder, ["vocab-curve"])
    return build_report(folder)


@pytest.mark.parametrize("width", [390, 820, 1440])
def test_no_text_lies_upon_another(browser: "Browser", report: Path, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900})
    opened = Opened(context, report)
    page = opened.page
    assert page.locator("#vocabulary .panel:visible").count() == 3
    page.evaluate("document.querySelectorAll('main details').forEach((d) => d.open = true)")
    assert page.locator("#vocabulary .panel:visible").count() == 5
    assert texts_upon_texts(page) == []
    opened.check_silent()
    context.close()
