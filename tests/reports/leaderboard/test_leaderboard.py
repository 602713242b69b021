"""Leaderboards of real tokenizers on embedded text: values, ranks, and what is measured again."""

import json
import os
import shutil
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from corpora.bootstrap import DocumentBootstrap
from corpora.open import open_corpus
from reports import numbers
from reports.laws.optimal import place_of
from reports.leaderboard.build import TABLE, Built, build_leaderboard, rows
from reports.leaderboard.page import sentence
from reports.leaderboard.standings import RankRange, ranked
from scaling.advise.forecast import forecast
from scaling.advise.laws import family_laws
from tests.cli import answer, command, mistake
from tests.reports.browsers import DESKTOP, Opened
from tests.tokenize_lab.forensics.made import byte_level
from tests.tokenize_lab.local_registry import npm_archive, serving
from tokenize_lab.measurement import measure

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TEXT = "embedded:eng_Latn,deu_Latn,hin_Deva"


def built(folder: Path, *lines: str, text: str = TEXT, **settings: object) -> Built:
    specs = folder / "tokenizers.txt"
    specs.write_text("\n".join(lines), "utf-8")
    chosen = {"replicates": 200, "jobs": 1} | settings
    return build_leaderboard(specs, [open_corpus(text)], folder / "out", **chosen)  # type: ignore[arg-type]


def with_unknown(folder: Path) -> Path:
    """Write a tokenizer that loses every word but one."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    made = Tokenizer(models.WordLevel({"[UNK]": 0, "the": 1}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    path = folder / "words.json"
    made.save(str(path))
    return path


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("leaderboard")
    with_unknown(folder)
    return built(
        folder,
        "# what we may take",
        "v3=mistral:v3",
        "mistral:tekken  # the newest",
        "byte",
        "words.json",
    )


def test_ranks_leave_open_what_differences_do() -> None:
    """Planted: two that differ in noise alone, one surely above, one surely below, one unranked."""
    random = np.random.default_rng(0)
    shared = random.normal(0, 1, 2001)
    noise = random.normal(0, 0.1, (5, 2001))
    scores = np.array([3.0, 2.0, 2.0, 1.0, 9.0])[:, None] + shared + noise
    ranks = ranked(scores, [True, True, True, True, False], DocumentBootstrap())
    assert [str(rank) for rank in ranks] == ["1", "2–3", "2–3", "4", "–"]
    # Without draws the estimates alone decide, and equals share their places.
    alone = ranked(np.array([[2.0], [3.0], [2.0]]), [True] * 3, DocumentBootstrap(0))
    assert alone == [RankRange(2, 3), RankRange(1, 1), RankRange(2, 3)]


def test_values_are_those_of_measure(board: Built) -> None:
    specs = ["mistral:v3", "mistral:tekken", "byte"]
    measured = {
        (row["language"], row["tokenizer"]): row
        for row in measure([open_corpus(TEXT)], specs, replicates=200).rows()
    }
    names = {"v3": "mistral:v3"}
    found = [row for row in board.board.languages if row["tokenizer"] != "words.json"]
    assert len(found) == len(measured) == 9
    for row in found:
        other = measured[row["language"], names.get(row["tokenizer"], row["tokenizer"])]
        for name in ("bytes", "tokens", "bytes_per_token", "premium", "exact_share", "lost_share"):
            assert row[name] == pytest.approx(other[name], rel=1e-12), name
        ends = row["bytes_per_token_low"], row["bytes_per_token_high"]
        assert ends == pytest.approx(other["intervals"]["bytes_per_token"], rel=1e-12)
    for row in board.board.overall[:3]:
        own = [r["bytes_per_token"] for r in found if r["tokenizer"] == row["tokenizer"]]
        assert row["bytes_per_token"] == pytest.approx(np.exp(np.mean(np.log(own))))
        assert row["bytes_per_token_low"] <= row["bytes_per_token"] <= row["bytes_per_token_high"]


def test_prices_are_those_of_the_law(board: Built) -> None:
    english = next(r["bytes"] for r in board.board.languages if r["language"] == "eng_Latn")
    for row in board.board.languages:
        where = place_of(row["language"], row["bytes"] / english)
        assert where is not None
        for budget, name in ((1e19, "1e19"), (1e21, "1e21")):
            ahead = forecast(budget, family_laws("latent"), where).first(1)
            cost = ahead.price(np.array([row["bytes_per_token"]]))
            assert row[f"compute_at_{name}"] == pytest.approx(float(cost.multiplier[0]))
            assert row[f"bits_per_byte_at_{name}"] == pytest.approx(float(cost.bits_per_byte[0]))
            assert row[f"compute_at_{name}_low"] <= row[f"compute_at_{name}_high"]


def test_who_loses_text_has_no_rank(board: Built) -> None:
    *kept, words = board.board.overall
    assert [row["tokenizer"] for row in kept] == ["mistral:tekken", "v3", "byte"]
    assert [row["rank_best"] for row in kept] == [1, 2, 3]
    assert words["rank_best"] is None and words["lost_share"] > 0.9
    assert words["bytes_per_token"] > kept[0]["bytes_per_token"]  # what it would be ranked by
    assert all(a["rank_worst"] < b["rank_best"] for a, b in pairwise(kept))


def test_the_page_and_the_table_hold_the_rows(board: Built) -> None:
    table = pl.read_parquet(board.table)
    assert table.to_dicts() == rows(board.board)
    page = board.page.read_text("utf-8")
    assert "mistral:tekken</b> holds the most of it over 3 languages" in page.replace("</bdi>", "")
    assert "Faint: text is lost" in page and "another leads" not in page


def test_the_sentence_says_where_another_leads(tmp_path: Path) -> None:
    """A tokenizer trained on Hindi leads there, and not over both languages."""
    from tokenize_lab.training.settings import TrainSettings
    from tokenize_lab.training.train import train_tokenizer

    train_tokenizer(open_corpus("embedded:hin_Deva"), TrainSettings("bpe", 2000), tmp_path / "hi")
    found = built(tmp_path, "v3=mistral:v3", "hi", text="embedded:eng_Latn,deu_Latn,hin_Deva")
    said = sentence(found.board).striptags()
    best = found.board.overall[0]["tokenizer"]
    leads = {r["language"]: r["tokenizer"] for r in found.board.languages if r["rank_best"] == 1}
    others = [code for code, name in leads.items() if name != best]
    assert others and f"In {numbers.plural(len(others), 'language')} another leads" in said


def test_another_tokenizer_is_all_that_is_measured(tmp_path: Path) -> None:
    (tmp_path / "once").mkdir()
    first = built(tmp_path, "v3=mistral:v3", "byte")
    assert first.measured == ["v3", "byte"]
    own = tmp_path / "own.json"
    own.write_text(byte_level([(b"t", b"h"), (b"th", b"e")]).serialized, "utf-8")
    lines = ("v3=mistral:v3", "own.json", "byte")
    assert built(tmp_path, *lines).measured == ["own.json"]
    again = built(tmp_path, *lines)
    assert again.measured == []
    (tmp_path / "once" / "own.json").write_bytes(own.read_bytes())
    whole = built(tmp_path / "once", *lines)
    assert whole.measured == ["v3", "own.json", "byte"]
    assert pl.read_parquet(again.table).equals(pl.read_parquet(whole.table))
    # Another file under the name is another tokenizer; other text is all measured anew.
    own.write_text(byte_level([(b"t", b"h")]).serialized, "utf-8")
    assert built(tmp_path, *lines).measured == ["own.json"]
    assert built(tmp_path, "byte", "own.json").measured == []
    other = built(tmp_path, *lines, text="embedded:eng_Latn,deu_Latn")
    assert other.measured == ["v3", "own.json", "byte"]
    (tmp_path / "out" / "counts" / "counts.parquet").write_bytes(b"torn")
    assert built(tmp_path, *lines).measured == ["v3", "own.json", "byte"]


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_what_a_package_ships_is_measured_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = byte_level([(b"t", b"h")]).serialized.encode()
    with serving(tmp_path, monkeypatch) as registry:
        registry.npm["tok"] = {"1.0.0": npm_archive({"tokenizer.json": content})}
        lines = ("tok=npm:tok@1.0.0/tokenizer.json", "byte")
        assert built(tmp_path, *lines).measured == ["tok", "byte"]
        assert built(tmp_path, *lines).measured == []


def test_one_line_has_no_intervals_and_no_reference_no_premium(tmp_path: Path) -> None:
    for code, text in (("fra_Latn", "un"), ("kat_Geor", "ერთი")):
        (tmp_path / "text").mkdir(exist_ok=True)
        (tmp_path / "text" / f"{code}.txt").write_text(f"{text}\n", "utf-8")
    found = built(tmp_path, "byte", "character", text=str(tmp_path / "text"))
    best, other = found.board.overall
    assert best["tokenizer"] == "character" and other["rank_best"] == 2
    assert best["bytes_per_token_low"] is None and best["premium"] is None
    assert found.board.unplaced == ["kat_Geor"]  # French has runs
    assert any("no premium" in notice for notice in found.board.notices)
    assert "No price for Georgian" in found.page.read_text("utf-8")


def test_a_blank_line_among_few_gives_no_interval_and_no_warning(tmp_path: Path) -> None:
    for code, text in (("eng_Latn", "one\n\n"), ("fra_Latn", "un\n\n")):
        (tmp_path / "text").mkdir(exist_ok=True)
        (tmp_path / "text" / f"{code}.txt").write_text(text, "utf-8")
    found = built(tmp_path, "byte", text=str(tmp_path / "text"))
    assert found.board.overall[0]["bytes_per_token_low"] is None


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "specs.txt").write_text("mistral:v3\nbyte\n", "utf-8")
    line = f"leaderboard {tmp_path / 'specs.txt'} {TEXT} --no-cache --jobs 1 --replicates 50"
    line += f" --out {tmp_path / 'out'} --budget 1e20"
    found = answer(line)
    assert len(found) == 2 + 6 and found[0]["language"] is None
    assert "compute_at_1e20" in found[0] and "compute_at_1e21" not in found[0]
    done = command(line)
    assert "price 1e20" in done.stdout and "all counts were kept" in done.stderr
    chosen = command(f"{line} --csv --columns tokenizer,rank_worst").stdout.splitlines()
    assert chosen[:3] == ["tokenizer,rank_worst", "mistral:v3,1", "byte,2"]
    assert json.dumps(found, allow_nan=False) and (tmp_path / "out" / TABLE).exists()


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    specs = tmp_path / "specs.txt"

    def refused(content: str, text: str = TEXT) -> str:
        specs.write_text(content, "utf-8")
        return mistake(f"leaderboard {specs} {text} --no-cache --out {tmp_path / 'out'}")

    assert f"{specs}:3: hf:: names no tokenizer" in refused("# one\nbyte\nhf:\n")
    assert f"{specs}:2: mistral:v99" in refused("byte\nmistral:v99\n")
    assert f"a second tokenizer 'a' ({specs}:1)" in refused("a=byte\na=mistral:v3\n")
    assert "names no tokenizer; one [NAME=]SPEC a line" in refused("# nothing\n\n")
    assert "one language, eng_Latn; a leaderboard is of the same lines" in refused(
        "byte\n", "embedded:eng_Latn"
    )
    loose = tmp_path / "loose"
    loose.mkdir()
    (loose / "eng_Latn.txt").write_text("one\ntwo\n", "utf-8")
    (loose / "deu_Latn.txt").write_text("eins\n", "utf-8")
    assert "no parallel text" in refused("byte\n", f"{loose} --no-parallel")
    (loose / "deu_Latn.txt").write_text("\n\n", "utf-8")
    assert "deu_Latn has no text; leave it out" in refused("byte\n", f"{loose}")
    (loose / "eng_Latn.txt").write_text("\n\n", "utf-8")
    (loose / "deu_Latn.txt").write_text("eins\nzwei\n", "utf-8")
    assert "eng_Latn has no text; leave it out" in refused("byte\n", f"{loose}")
    assert "not of the languages of" in refused("byte\n", f"{TEXT} embedded:eng_Latn,fra_Latn")
    assert not (tmp_path / "out").exists() or not [*(tmp_path / "out").glob("*.html")]
    for budget in ("0", "1e308"):
        line = f"leaderboard {specs} {TEXT} --budget {budget} --out {tmp_path / 'out'}"
        assert "--budget" in mistake(line)
    assert "1,001 tokenizers; 1,000 can be" in refused("".join(f"{n}=byte\n" for n in range(1001)))
    specs.unlink()
    os.mkfifo(specs)  # it would hang
    assert "a pipe or a device" in mistake(f"leaderboard {specs} {TEXT}")


def test_the_page_in_a_browser(tmp_path: Path, browser: "Browser") -> None:
    hostile = "<img src=x onerror=alert(1)>".replace("=", " ")
    found = built(tmp_path, f"{hostile}=mistral:v3", "byte", replicates=50)
    assert hostile not in found.page.read_text("utf-8")
    context = browser.new_context(viewport=DESKTOP)
    opened = Opened(context, found.page)
    table = opened.page.locator("#leaderboard table").first
    assert table.locator("tbody tr").first.inner_text().startswith(hostile)
    table.locator("thead th").nth(2).locator("button").click()
    table.locator("thead th").nth(2).locator("button").click()
    assert table.locator("tbody tr").first.inner_text().startswith("byte")
    opened.check_silent()
    context.close()
