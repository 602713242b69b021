"""The pages on vocabulary curves: what they show is what was counted, whatever the names are."""

import html
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpora.errors import InputError
from corpora.open import open_corpus
from reports.build import build_report
from reports.vocabulary.best import BUDGETS, Wanted, best_size, placed_curves, reached
from reports.vocabulary.curves import MOST_PANELS, DrawnCurve, read_curves
from scaling.advise.estimate import Estimate
from scaling.laws.chinchilla import best_vocabulary
from scaling.published.tables import TAO_VOCABULARY
from tests.reports.browsers import PHONE, Opened
from tests.reports.folders import HOSTILE
from tokenize_lab.tokenizer_spec import load_tokenizers
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer
from tokenize_lab.vocabulary_curves.job import vocab_curve
from tokenize_lab.vocabulary_curves.read import FILE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small BPE over all languages of the embedded corpus."""
    root = tmp_path_factory.mktemp("vocabulary")
    corpus = open_corpus("embedded")
    for name, pattern in (("split", "gpt4"), ("whole", "none")):
        train_tokenizer(corpus, TrainSettings("bpe", 1500, pattern=pattern), root / name)
    tokenizers = load_tokenizers([str(root / "split"), str(root / "whole")])
    vocab_curve(corpus, tokenizers, replicates=100).save(root / "out", ["tokenize-lab"])
    return root / "out"


def section(page: str, identity: str) -> str:
    found = re.search(rf'<(section|li) id="{identity}".*?</\1>', page, re.S)
    assert found, identity
    return found[0]


def changed(folder: Path, to: Path, **values: Any) -> Path:
    """Copy the folder with other values at the top of its file."""
    to.mkdir()
    content = json.loads((folder / FILE).read_text("utf-8"))
    (to / FILE).write_text(json.dumps({**content, **values}), "utf-8")
    return to


def test_the_page_holds_what_was_counted(folder: Path) -> None:
    page = build_report(folder).read_text("utf-8")
    curves = read_curves(folder)
    assert curves is not None and len(curves.languages) == 25 and len(curves.curves) == 50
    sizes, gains, best = (
        section(page, name) for name in ("vocabulary", "vocabulary-gains", "vocabulary-best")
    )
    for part in (sizes, gains, best):
        assert part.count('role="img"') == MOST_PANELS
    (table,) = re.findall(r"<table.*?</table>", sizes, re.S)
    assert table.count("<tr") == 51
    english = curves.languages["eng_Latn"][0]
    assert [row["vocabulary_size"] for row in english.rows if row["vocabulary_size"] == 1024]
    for size in (256, 512, 1024, 1500):
        rate = dict(english.points)[size]
        assert f"{rate:.3g}" in table or f"{rate:.2f}" in table
    assert f"{english.ceiling:.2f}" in table
    assert "13 more languages are in the table only" in sizes
    # A tokenizer that splits nothing has lines for pieces: its ceiling is off the page.
    assert "ceiling" in sizes and curves.languages["eng_Latn"][1].ceiling > 50
    assert page == build_report(folder).read_text("utf-8")


def test_a_measured_folder_has_its_curves_among_its_sections(
    folder: Path, embedded_folder: Path, tmp_path: Path
) -> None:
    both = tmp_path / "both"
    shutil.copytree(embedded_folder, both)
    shutil.copy(folder / FILE, both)
    page = build_report(both).read_text("utf-8")
    order = [page.index(f'id="{name}"') for name in ("rates", "vocabulary", "definitions")]
    assert order == sorted(order)


def test_best_rates_lie_where_the_curve_meets_them() -> None:
    rows = [
        {"vocabulary_size": size, "bytes_per_token": rate, "bytes_per_pretoken": 9.0}
        for size, rate in ((256, 1.0), (1024, 2.0), (4096, 3.0), (16384, 4.0))
    ]
    curve = DrawnCurve(None, "eng_Latn", rows)  # type: ignore[arg-type]  # not drawn here
    want = Wanted(
        1e20, Estimate(2.5, 2.0, 3.0, ""), Estimate(4.5, 3.9, 5.0, ""), 1e9, vocabulary=2048.0
    )
    met = reached(curve, want)
    assert met.latent == pytest.approx((2048, 1024, 4096, "ids"))
    assert met.subword.value is None and met.subword.low == pytest.approx(16384 * 4**-0.1)
    assert met.rate == pytest.approx(2.5)
    assert reached(curve, want._replace(vocabulary=20_000.0)).rate is None


def test_the_vocabulary_laws_size_is_that_of_its_shape() -> None:
    layers = 8
    width, params = 128 * layers, 12 * layers * (128 * layers) ** 2
    wanted = best_vocabulary(
        TAO_VOCABULARY.estimates, np.array(params), np.array(width), np.array(1e20)
    )
    assert best_size(params, 1e20) == pytest.approx(float(wanted))
    assert best_size(params, 1e21) > best_size(params, 1e20)


def test_languages_are_placed_by_runs_or_parity_or_not_at_all(folder: Path, tmp_path: Path) -> None:
    curves = read_curves(folder)
    assert curves is not None
    placed = placed_curves(curves)
    assert placed[0].language == "eng_Latn" and placed[0].parity == 1
    bases = [one.basis for one in placed]
    assert bases == sorted(bases, key=lambda basis: basis == "analogy")
    assert len(placed) == 25 and {"runs", "measured", "analogy"} == set(bases)
    for one in placed:
        assert [want.budget for want in one.wanted] == list(BUDGETS)
        rates = [want.latent.value or 0 for want in one.wanted]
        assert rates == sorted(rates, reverse=True)
        sizes = [want.vocabulary for want in one.wanted]
        assert sizes == sorted(sizes)
    apart = read_curves(
        changed(folder, tmp_path / "apart", corpus={"name": "texts", "parallel": False})
    )
    assert apart is not None
    assert {one.basis for one in placed_curves(apart)} == {"runs", "measured"}


def test_where_nothing_can_be_placed(folder: Path, tmp_path: Path) -> None:
    content = json.loads((folder / FILE).read_text("utf-8"))
    own = [{**content["curves"][0], "language": "und"}]
    page = build_report(changed(folder, tmp_path / "und", curves=own)).read_text("utf-8")
    assert "none can be placed by its parity" in section(page, "vocabulary-best")
    none = build_report(changed(folder, tmp_path / "none", curves=[])).read_text("utf-8")
    assert "There is no text to measure." in section(none, "vocabulary")


def test_names_cannot_leave_their_place(folder: Path, tmp_path: Path) -> None:
    script, style, quotes, controls = HOSTILE
    content = json.loads((folder / FILE).read_text("utf-8"))
    (first, *_) = content["curves"]
    path = build_report(
        changed(
            folder,
            tmp_path / "hostile",
            corpus={"name": controls, "parallel": True},
            tokenizers=[{**content["tokenizers"][0], "name": script}],
            curves=[
                {**first, "tokenizer": script, "language": code}
                for code in ("eng", style, quotes, controls)
            ],
        )
    )
    page = path.read_text("utf-8")
    assert script not in page and style not in page and html.escape(script) in page
    assert "\0" not in page and "\u202e" not in page


@pytest.mark.parametrize(
    "damage",
    [
        {"curves": 3},
        {"curves": [{}]},
        {"tokenizers": []},
        {"corpus": {}},
        {"corpus": {"name": "x", "parallel": "yes"}},
    ],
)
def test_a_damaged_file(folder: Path, tmp_path: Path, damage: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"vocab_curve\.json: is damaged .*make it again"):
        build_report(changed(folder, tmp_path / "damaged", **damage))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vocabulary_size", -1),
        ("bytes_per_token", "2"),
        ("bytes_per_pretoken", float("inf")),
        ("intervals", {"bytes_per_token": [2, 1]}),
        ("tokens", None),
    ],
)
def test_a_damaged_row(folder: Path, tmp_path: Path, name: str, value: Any) -> None:
    content = json.loads((folder / FILE).read_text("utf-8"))
    content["curves"][0]["rows"][0][name] = value
    with pytest.raises(InputError, match="is damaged"):
        build_report(changed(folder, tmp_path / "damaged", **content))


def test_it_fits_a_phone_and_stays_silent(browser: Any, folder: Path) -> None:
    context = browser.new_context(viewport=PHONE)
    opened = Opened(context, build_report(folder))
    width = opened.page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]
    assert opened.page.locator("#vocabulary svg[role=img]").count() == MOST_PANELS
    opened.check_silent()
    context.close()
