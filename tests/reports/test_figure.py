"""Figures on their own: the report's charts as files and in notebooks."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from corpora.errors import InputError
from reports.charts.figure import Figure
from reports.figures import fit_figure, measurement_figure, vocabulary_figure
from reports.laws.allocation import isoflops
from reports.laws.results import Laws
from reports.measured import Measured
from scaling.engine.bootstrap import NO_BOOTSTRAP
from scaling.fits.chinchilla import fit_chinchilla
from scaling.fits.fit import fit as fit_law
from scaling.read_runs import read_runs
from tests.reports.folders import HOSTILE
from tests.scaling.test_complete import tokens_table
from tokenize_lab.results import load_results

SVG = "{http://www.w3.org/2000/svg}"


def drawn(figure: Figure) -> ET.Element:
    """Parse it as a file would be: alone, every identity its own, no variable left."""
    root = ET.fromstring(figure.svg)
    assert root.tag == f"{SVG}svg" and root.get("width") and root.get("height")
    identities = [one.get("id") for one in root.iter() if one.get("id")]
    assert len(set(identities)) == len(identities)
    assert "var(" not in figure.svg and "<script" not in figure.svg
    assert not re.search(r"\.s\d+{[^}]*width", figure.svg)  # or thin lines would not be thin
    for name in re.findall(r"url\(#([^)]*)\)", figure.svg):
        assert name in identities
    return root


def test_a_rate_is_drawn_as_in_the_report(embedded_folder: Path, measured: Measured) -> None:
    figure = measurement_figure(embedded_folder, "premium")
    root = drawn(figure)
    corpus = measured.corpora[0]
    paid = [row["premium"] for row in corpus.rows if row["premium"] is not None]
    markers = [one for one in root.iter() if one.get("class", "").startswith("m s")]
    assert len(markers) == len(paid) + len(corpus.tokenizers)  # and those of the key
    assert any(one.text and "Amharic, mistral:v3: " in one.text for one in root.iter(f"{SVG}title"))
    rows = [row for each in measured.corpora for row in each.rows]
    assert measurement_figure(rows, "premium").svg == figure.svg
    assert measurement_figure(load_results(embedded_folder), "premium").svg == figure.svg
    assert len(measurement_figure(embedded_folder).panels) == 2  # a chart for each corpus
    assert repr(figure) == "<Figure 'Premium (tokens) by language': 1 chart>"


def test_shares_are_drawn_in_per_cent(embedded_folder: Path) -> None:
    root = drawn(measurement_figure(embedded_folder, "exact_share"))
    ticks = [one.text for one in root.iter(f"{SVG}text") if one.get("class") == "tick"]
    assert "100" in ticks


def test_rates_that_are_not_there_are_named(embedded_folder: Path) -> None:
    with pytest.raises(InputError, match=r"no rate 'premum'; did you mean 'premium'"):
        measurement_figure(embedded_folder, "premum")
    with pytest.raises(InputError, match=r"graphemes_per_token was not measured .*bytes_per_token"):
        measurement_figure(embedded_folder, "graphemes_per_token")


def test_a_figure_saves_and_shows_itself(embedded_folder: Path, tmp_path: Path) -> None:
    figure = measurement_figure(embedded_folder)
    path = figure.save(tmp_path / "deep" / "rates.svg")
    assert path.read_text("utf-8") == figure.svg and figure.svg in figure._repr_html_()
    with pytest.raises(InputError, match=r"end its name in \.svg"):
        figure.save(tmp_path / "rates.png")


def test_hostile_names_stay_text() -> None:
    rows = [{"language": HOSTILE[1], "tokenizer": HOSTILE[0], "corpus": name,
             "bytes_per_token": 2.0, "intervals": {}} for name in HOSTILE]  # fmt: skip
    text = measurement_figure(rows).svg
    assert not any(raw in text for raw in HOSTILE)
    drawn(measurement_figure(rows))


def test_laws_are_drawn_with_their_runs(laws: Laws) -> None:
    for law, charts in (("isoflop", 6), ("isoflop-surface", 6)):
        fits = laws.of(law)
        figure = fit_figure(fits, laws.tables[fits[0].data_sha256])
        assert len(figure.panels) == charts
        drawn(figure)
        with pytest.raises(InputError, match="drawn from the runs"):
            fit_figure(fits)
    law1 = laws.of("law1")
    assert "whisker" in str(fit_figure([*law1, *laws.of("isoflop")]).panels[0].picture)
    drawn(fit_figure(law1))
    for fit in laws.of("law2") + laws.of("joint"):
        for runs in (laws.tables[fit.data_sha256], None):
            figure = fit_figure(fit, runs)
            drawn(figure)
            if "T0" in fit.estimates:
                assert len(figure.panels) == (1 if runs is None else 2)
                assert "best rate T*, bytes per token" in figure.svg
            else:
                shown = "Residuals" if runs is None else "Observed against fitted"
                assert str(figure.panels[-1].caption).startswith(shown)


def test_other_laws_have_a_chart(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    params, tokens = (x.ravel() for x in np.meshgrid(np.geomspace(1e7, 1e9, 5), [1e9, 1e10, 1e11]))
    loss = 1.7 + 400 / params**0.34 + 410 / tokens**0.28 + rng.normal(0, 1e-3, params.shape)
    frame = pl.DataFrame({"params": params, "train_tokens": tokens, "nats_per_token": loss})
    runs = read_runs(frame.with_columns(compute_flops=6 * params * tokens), "made")
    fit = fit_chinchilla(runs, bootstrap=NO_BOOTSTRAP)
    assert [panel.caption.split(":")[0] for panel in fit_figure(fit, runs).panels] == [
        "Best model size over budgets", "Best amount of text over budgets",
        "Observed against fitted",
    ]  # fmt: skip
    assert str(fit_figure(fit).panels[-1].caption).startswith("Residuals: RMSE")
    drawn(fit_figure(fit, runs))
    with pytest.raises(InputError, match="nothing was fitted"):
        fit_figure([])


def test_vocabulary_curves_are_drawn_from_rows(tmp_path: Path) -> None:
    rows = [
        {"tokenizer": "t", "language": language, "vocabulary_size": size, "bytes_per_token": rate,
         "bytes_per_pretoken": 5.0, "intervals": {"bytes_per_token": None}}
        for language in ("eng_Latn", "deu_Latn") for size, rate in ((512, 2.0), (256, 1.5))
    ]  # fmt: skip
    figure = vocabulary_figure(rows)
    assert [str(panel.caption.striptags()) for panel in figure.panels] == ["English", "German"]  # type: ignore[attr-defined]  # a Markup
    drawn(figure)
    with pytest.raises(InputError, match="no vocabulary curves"):
        vocabulary_figure(tmp_path)


def test_curves_of_tokens_are_drawn_in_tokens() -> None:
    runs = read_runs(tokens_table())
    fits = fit_law(runs, "isoflop", draws=50)
    figure = fit_figure(list(fits), runs)
    drawn(figure)
    picture = str(figure.panels[0].picture)
    assert picture.count('class="ring"') == 3 and "tokens per parameter" in picture
    assert "nats per token" in picture
    body = str(isoflops(Laws({runs.sha256: runs}, list(fits))).body)
    assert "D*, tokens" in body and "ρ*, tokens per parameter" in body
