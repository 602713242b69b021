"""The pages on tokens in a real browser: silent, narrow, and hostile tokens stay text."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from reports.build import build_report
from tests.reports.browsers import DESKTOP, PHONE, Opened
from tests.reports.folders import HOSTILE
from tests.reports.forensics.test_forensics import spelling_out
from tests.tokenize_lab.forensics.made import byte_level
from tokenize_lab.forensics.audit import audit
from tokenize_lab.forensics.diff import diff
from tokenize_lab.forensics.mixture import count_words, infer_mixture
from tokenize_lab.patterns import GPT4

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every token, word and language is an attack, or as long as a name can be."""
    folder = tmp_path_factory.mktemp("hostile")
    tokens = [*HOSTILE, "\u202eabc", "x" * 300]
    one, other = spelling_out(*tokens), byte_level([(b"a", b"l"), (b"al", b"e")], pattern=GPT4)
    documents = [Document(" ".join(tokens), language) for language in (HOSTILE[0], "y" * 200)]
    corpus = DocumentCorpus("hostile", documents)
    audit(one, [corpus]).save(folder)
    diff(one, other, [corpus]).save(folder)
    words = count_words(other, [corpus], 1 << 40)
    infer_mixture(other, words, merges=2).save(folder)
    return build_report(folder)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_hostile_tokens_fit_a_phone_and_stay_text(
    browser: "Browser", report: Path, scheme: Any
) -> None:
    context = browser.new_context(viewport=PHONE, color_scheme=scheme)
    opened = Opened(context, report)
    page = opened.page
    assert page.locator("main script, main img, main svg[onload]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    opened.check_silent()
    context.close()


def test_every_figure_is_described_and_bars_are_coloured(browser: "Browser", report: Path) -> None:
    context = browser.new_context(viewport=DESKTOP)
    opened = Opened(context, report)
    described = opened.page.get_by_role("img").evaluate_all(
        """(all) => all.length > 3 && all.every((svg) =>
        ["aria-labelledby", "aria-describedby"].every((name) =>
          document.getElementById(svg.getAttribute(name)).textContent))"""
    )
    assert described
    bars = opened.page.locator("#audit-0 svg[role=img]:last-of-type rect.bar")
    fills = set(bars.evaluate_all("(all) => all.map((e) => getComputedStyle(e).fill)"))
    assert len(fills) >= 3 and "rgb(0, 0, 0)" not in fills
    opened.check_silent()
    context.close()
