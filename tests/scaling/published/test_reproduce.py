"""Published coefficients as fits, and the table of figures beside ours."""

import math
from pathlib import Path

import polars as pl
import pytest

from corpora.errors import InputError
from corpora.json_file import read_shape
from scaling.compare import compare, weigh
from scaling.engine.bootstrap import NO_BOOTSTRAP, Bootstrap
from scaling.evaluate.decoding import FAST_BLT_PARAMS, speculation_rounds
from scaling.fits.law2 import fit_law2
from scaling.laws.registry import Options
from scaling.published import reproduce_runs, tables
from scaling.published.figure import FigureRecord, PublishedFigure, printed_figures
from scaling.published.reproduce import reproduce, summary
from scaling.published.tables import (
    BESIROGLU_REFIT,
    COT_LAW2_LATENT,
    COT_LAW2_SUBWORD,
    GADRE_REDPAJAMA,
    MARIN_ENVELOPE,
    MUENNIGHOFF_REPEATED,
    PUBLISHED,
)
from scaling.result import FitResult


def test_every_published_law_is_a_fit_with_a_citation() -> None:
    authors = (
        "Limisiewicz",
        "Hoffmann",
        "Besiroglu",
        "Kaplan",
        "Porian",
        "Gadre",
        "Tao",
        "Muennighoff",
    )
    for author in authors:
        assert any(author in one.source for one in PUBLISHED.values()), author
    assert sum("Porian" in one.source for one in PUBLISHED.values()) == 14
    for name, one in PUBLISHED.items():
        assert one.status == "published" and one.source, name
        assert FitResult.from_json(one.to_json()) == one
        assert one.source.split(",")[0] in one.summary()


def test_published_laws_predict_what_their_papers_say() -> None:
    best = COT_LAW2_LATENT.predict("compression_rate_opt", compute_flops=1e20)
    assert f"{best.value:.2f}" == "3.63"  # the paper's 3.69 needs more digits of T0 and delta
    assert best.low is None
    chinchilla = PUBLISHED["hoffmann-approach3"].predict("loss", params=70e9, tokens=1.4e12)
    assert chinchilla.value == pytest.approx(1.94, abs=0.01)
    assert f"{BESIROGLU_REFIT.predict('params_exponent').value:.3f}" == "0.513"
    envelope, kaplan = PUBLISHED["kaplan-envelope"], PUBLISHED["kaplan-loss"]
    assert envelope.predict("loss", compute_flops=8.64e19).value == pytest.approx(2.66, abs=0.01)
    loss = kaplan.predict("loss", params=1e9, tokens=2e10).value
    assert loss == pytest.approx(2.6, abs=0.3)
    assert envelope.estimates["A"] == (3.1e8 * 8.64e19) ** 0.050
    ln = {"E": 0.6254804, "A": 6.255414, "B": 7.3049974}
    assert all(MUENNIGHOFF_REPEATED.estimates[name] == math.exp(ln[name]) for name in ln)
    with pytest.raises(InputError, match="'n0', which was not published"):
        PUBLISHED["hoffmann-approach1"].predict("params_opt", compute_flops=1e20)


def test_ours_against_theirs_is_one_call() -> None:
    ours = fit_law2(tables.optima(), Options("compute-dependent"))
    rows = {one.name: one for one in compare(ours, COT_LAW2_LATENT)}
    assert list(rows) == list(ours.estimates)
    assert rows["gamma"].difference == pytest.approx(ours.estimates["gamma"] + 0.206)
    assert rows["gamma"].in_first is True and rows["gamma"].in_second is None
    assert all(one.overlap is None for one in rows.values())
    refit = compare(BESIROGLU_REFIT, PUBLISHED["hoffmann-approach3"])
    assert {one.name: one.in_first for one in refit}["beta"] is False  # what the replication found
    with pytest.raises(InputError, match="no coefficients in common"):
        compare(COT_LAW2_LATENT, PUBLISHED["hoffmann-approach3"])
    assert compare(COT_LAW2_LATENT, COT_LAW2_SUBWORD)[0].relative is not None


def test_rivals_are_weighed_on_the_same_rows() -> None:
    optima = tables.optima()
    fits = [
        fit_law2(optima, Options(form), NO_BOOTSTRAP)
        for form in ("mean", "constant", "compute-dependent")
    ]
    table = weigh(fits)
    assert [one.form for one in table] == ["compute-dependent", "constant", "mean"]
    assert table[0].delta_aicc == 0 and (table[1].delta_aicc or 0) > 10
    few = optima.only(optima.column("compute_flops", "test") < 1e21)
    with pytest.raises(InputError, match="36, 48 rows cannot be weighed"):
        weigh([fits[0], fit_law2(few, Options("mean"), NO_BOOTSTRAP)])


def test_reproduce_what_is_shipped() -> None:
    rows = reproduce(bootstrap=Bootstrap(draws=100))
    agree, judged = summary(rows)
    assert agree == judged >= 35
    elsewhere = pl.col("group").str.contains("^(Gadre|Takano|Marin)")
    printed = printed_figures().filter(~elsewhere).select("group", "name").rows()
    assert len(printed) == judged and {(one.group, one.name) for one in rows} >= set(printed)
    assert [
        PublishedFigure.of_record(read_shape(FigureRecord, one.to_json(), "it", "")) for one in rows
    ] == list(rows)
    by_name = {(one.group, one.name): one for one in rows}
    best = by_name["Law II, 48 optima", "T*(1e+20)"]
    assert best.published == "3.70" and best.agrees and best.in_interval
    assert by_name["Law I, as the paper prints it", "alpha"].agrees is None


def test_what_decoders_cost_follows_from_their_passes() -> None:
    """All 128 rows within 2 %; blocks of B bytes take L / B passes of the global module."""
    rows = tables.decoded()
    assert rows.height == 128 and rows["block"].null_count() == 8
    assert dict(rows.select("task", "length").unique().rows())["mbpp"] == 256
    for row in rows.iter_rows(named=True):
        params = FAST_BLT_PARAMS[row["size"]]
        found = params.gigabytes(row["decoder_nfe"], row["global_nfe"])
        assert found == pytest.approx(row["bandwidth_gb"], rel=0.02)
        if row["model"].startswith("BLT-D-"):
            assert row["global_nfe"] * row["block"] == row["length"]
        if row["model"] == "BLT-S":
            rounds = speculation_rounds(
                row["length"], row["block"], row["acceptance_percent"] / 100
            )
            assert rounds * (row["block"] + 1) == pytest.approx(row["decoder_nfe"], rel=0.02)
            assert 2 * rounds == pytest.approx(row["global_nfe"], rel=0.055)


def test_what_is_printed_is_what_the_coefficients_say() -> None:
    for group, law in (
        ("Gadre, RedPajama, 5 models", GADRE_REDPAJAMA),
        ("Takano, lower edge", PUBLISHED["takano-lower-edge"]),
        ("Marin, envelope of 6 budgets", MARIN_ENVELOPE),
    ):
        rows = printed_figures().filter(group=group)
        printed = dict(zip(rows["name"], rows["published"].cast(pl.Float64), strict=True))
        shared = printed.keys() & law.estimates.keys()
        assert len(shared) >= 2
        assert all(printed[name] == law.estimates[name] for name in shared)


def test_reproduce_other_projects_runs(shared: Path) -> None:
    folder = shared / "reference" / "runs"
    if not folder.is_dir():
        pytest.skip("the runs of other projects are not beside this checkout")
    rows = reproduce(folder, Bootstrap(draws=1000))
    groups = {one.group.split(",")[0] for one in rows}
    assert {"Porian", "Gadre", "Takano", "Besiroglu", "Marin"} <= groups
    assert [one for one in rows if one.agrees is False] == []
    exponents = [one for one in rows if one.group.startswith("Porian") and one.name == "a"]
    assert len(exponents) == 14
    assert all(one.in_published_interval and one.in_interval for one in exponents)


def test_a_folder_without_the_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name the folder that has them"):
        reproduce(tmp_path, Bootstrap(draws=20))


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n"])
@pytest.mark.parametrize("name", [reproduce_runs.GADRE, reproduce_runs.PORIAN_PAIRS])
def test_a_folder_of_other_tables_is_one_line(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    if name == reproduce_runs.PORIAN_PAIRS:
        (tmp_path / reproduce_runs.PORIAN_POINTS).write_text(content)
    with pytest.raises(InputError, match=name):
        list(reproduce_runs.figures_of_runs(tmp_path))
