"""The pages on laws: what is drawn lies where it should, and what is said is what was fitted."""

import json
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from corpora.errors import InputError
from reports.build import OF_LAWS, build_report, sections_of
from reports.laws.allocation import allocation
from reports.laws.bowl import LEVELS, bowls
from reports.laws.optimal import BUDGET, placed
from reports.laws.overview import (
    best_rate_answer,
    best_rate_sentences,
    law_overview,
    law_sentences,
)
from reports.laws.profiles import law2_of, optima_of, profiles
from reports.laws.results import Laws, budget, inside, read_laws, shown_name
from reports.measured import Measured
from reports.numbers import power, significant
from reports.page import render_page
from scaling.engine.bootstrap import NO_BOOTSTRAP
from scaling.fits.isoflop import fit_surfaces
from scaling.laws.optimum import bowl_curvature, surface
from scaling.published import tables as published
from scaling.read_runs import read_runs
from scaling.result import Finding, FitResult
from tests.cli import command
from tests.reports.drawings import drawn, of_class, places
from tests.reports.folders import HOSTILE
from tests.reports.test_build import Page


@pytest.fixture(scope="module")
def law2(laws: Laws) -> FitResult:
    found = law2_of(laws)
    assert found is not None
    return found


def test_rings_join_places_of_equal_loss(laws: Laws) -> None:
    """Read back from the drawing by its own ticks, and put through the fitted surface."""
    fit = next(one for one in laws.of("isoflop-surface") if one.context["compute_flops"] == 1e20)
    body = str(bowls(laws).body)
    (svg,) = re.findall(
        r'<svg viewBox="0 0 340 300"[^>]*aria-labelledby="bowl-2-title".*?</svg>', body
    )
    root = drawn(svg)
    assert len(of_class(root, "model")) == fit.n == 64

    def scale(axis: str, anchor: str) -> tuple[float, float]:
        ticks = [
            (float(one.get(axis, "")) - (4 if axis == "y" else 0), math.log(float(one.text or "")))
            for one in of_class(root, "tick")
            if one.get("text-anchor") == anchor
        ]
        slope, level = np.polyfit([at for at, _ in ticks], [value for _, value in ticks], 1)
        return float(slope), float(level)

    x, y = scale("x", "middle"), scale("y", "end")
    rings = of_class(root, "level")
    assert len(rings) == len(LEVELS)
    for ring, level in zip(rings, LEVELS, strict=True):
        corners = np.array(places(ring.get("points", "")))
        rate, ratio = np.exp(x[0] * corners[:, 0] + x[1]), np.exp(y[0] * corners[:, 1] + y[1])
        height = surface(fit.estimates, rate, ratio) - fit.estimates["bits_per_byte_opt"]
        assert height == pytest.approx(level, rel=0.03)


def test_the_turning_bowl_is_given_the_fit(laws: Laws) -> None:
    body = str(bowls(laws).body)
    (data,) = re.findall(r'<script type="application/json" id="bowl-data">(.*?)</script>', body)
    given = json.loads(data)
    counts = [len(one["points"]["z"]) for one in given]
    assert counts == [fit.n for fit in laws.of("isoflop-surface")] and sum(counts) == 311
    at_1e20 = given[2]
    assert at_1e20["said"] == ["3.71", "62.1", "0.960"]
    z = np.array(at_1e20["z"])
    # Rows run over bytes per parameter, columns over bytes per token; the lowest node lies beside
    # the optimum.
    row, column = np.unravel_index(z.argmin(), z.shape)
    assert at_1e20["x"][column] == pytest.approx(3.71, rel=0.05)
    assert at_1e20["y"][row] == pytest.approx(62.1, rel=0.12)


def test_every_number_of_the_published_figures_is_there(laws: Laws) -> None:
    sections = {one.identity: str(one.body) for one in sections_of(OF_LAWS, laws)}
    assert list(sections) == [
        "laws", "laws-bowl", "laws-isoflop", "laws-one", "laws-two", "laws-joint", "laws-serving",
        "laws-doubt", "laws-reproduced",
    ]  # fmt: skip
    assert "3.65 [3.59, 3.71] bytes per token" in sections["laws"]
    assert sections["laws-isoflop"].count('class="ring"') == 36
    for number in ("0.0361", "0.133", "0.00437", "0.00485", "0.00738", "0.0102", "0.0133"):
        assert number in sections["laws-two"]
    assert "48 of 48 figures agree" in sections["laws-reproduced"]
    assert sections["laws-reproduced"].count("<tr>") == 1 + len(laws.reproduced)
    for form in ("chinchilla", "one-exponent", "additive", "joint-terms", "Law II"):
        assert form in sections["laws-joint"]
    for convention in ("as published", "6nd-global", "all modules, exact", "head-excluded"):
        assert convention in sections["laws-doubt"]


def test_the_best_rate_where_serving_is_paid_for(laws: Laws) -> None:
    (section,) = [one for one in sections_of(OF_LAWS, laws) if one.identity == "laws-serving"]
    body = str(section.body)
    assert "is 3.51 bytes per token where nothing is served, and 4.51 where 1e12 bytes are" in body
    assert "take 59% of the budget" in body and "<small>[4.3" in body
    charts = [drawn(svg) for svg in re.findall(r'<svg viewBox="0 0 440 400".*?</svg>', body)]
    assert [len(of_class(chart, "curve")) for chart in charts] == [6, 6]  # two leave the runs
    assert [len(of_class(chart, "band")) for chart in charts] == [1, 0]
    for chart in charts:
        for line in of_class(chart, "curve"):
            up = [y for _, y in places(line.get("points", ""))]
            assert up == sorted(up, reverse=True)
    bare = replace(laws, fits=[fit for fit in laws.fits if fit.law != "joint"])
    assert "laws-serving" not in [one.identity for one in sections_of(OF_LAWS, bare)]


def test_what_the_forms_are_said_to_do_is_so(laws: Laws) -> None:
    body = next(str(one.body) for one in sections_of(OF_LAWS, laws) if one.identity == "laws-joint")
    said = re.search(
        r"forms below, (\S+) \(9 coefficients\) predicts the largest budget best .*RMSE (\S+)\); "
        r".* takes one-exponent \(RMSE (\S+) of the largest budget",
        body,
    )
    assert said is not None
    held = {one.form: one.holdout for one in laws.of("joint") + laws.of("joint-additive")}
    errors = {form: one.rmse for form, one in held.items() if one is not None}
    best = min(errors, key=lambda form: errors[form])
    assert said.groups() == (best, significant(errors[best]), significant(errors["one-exponent"]))


def test_optima_are_those_that_law_ii_was_fitted_to(laws: Laws, law2: FitResult) -> None:
    optima = optima_of(laws, law2)
    assert len(optima) == 48
    compute, rate, loss = (np.array(one) for one in zip(*optima, strict=True))
    predicted = law2.predict("bits_per_byte", compute_flops=compute, compression_rate=rate).value
    assert loss - predicted == pytest.approx(np.array(law2.residuals), abs=1e-12)


def test_a_bowl_whose_lowest_place_was_not_trained_has_no_optimum() -> None:
    table = read_runs(published.path(published.ISOFLOP))
    some = table.only(table.column("compute_flops", "test") <= 1e20)
    high = some.only(some.column("compression_rate", "test") >= 6)  # the best is near 4
    for runs, there in ((some, True), (high, False)):
        fits = fit_surfaces(runs, bootstrap=NO_BOOTSTRAP)
        shown = Laws({runs.sha256: runs}, fits)
        assert [inside(one) for one in fits] == [there] * len(fits)
        body = str(bowls(shown).body)
        (data,) = re.findall(r'id="bowl-data">(.*?)</script>', body)
        for one in json.loads(data):
            assert (one["optimum"] is not None) == there
            assert ("so there is no optimum" in one["words"]) != there
        assert ('class="best' in body) == there and ("no optimum inside" in body) != there
        said = " ".join(law_sentences(shown))
        assert ("the best compression rate is" in said) == there
        assert ("lies outside the rates or sizes trained" in said) != there


def test_a_bowl_apart_from_law_ii_is_said_to_be(laws: Laws, law2: FitResult) -> None:
    apart = []
    for bowl in laws.of("isoflop-surface"):
        own = bowl.intervals["compression_rate_opt"]
        best = law2.predict("compression_rate_opt", compute_flops=budget(bowl))
        assert own is not None and best.low is not None and best.high is not None
        if own.high < best.low or own.low > best.high:
            apart.append(power(budget(bowl)))
    assert apart
    (said,) = [one for one in law_sentences(laws) if "do not meet" in one]
    assert all(one in said for one in apart)


def test_distance_is_measured_over_best(laws: Laws, measured: Measured, law2: FitResult) -> None:
    languages = {one.language: one for one in placed(measured, measured.corpora[0], law2)}
    assert len(languages) == 25
    assert languages["eng_Latn"].basis == "runs"
    hindi, swahili = languages["hin_Deva"], languages["swh_Latn"]
    assert hindi.basis == "measured" and swahili.basis == "analogy"
    # At 1e20 the table's own ratio, 8.09 to English's 3.71, on Law II's T*.
    best = float(law2.predict("compression_rate_opt", compute_flops=BUDGET).value)
    assert hindi.best.value == pytest.approx(best * 8.09 / 3.71, rel=1e-6)
    widths = [
        math.log(one.best.high / one.best.low)
        for one in (hindi, swahili)
        if one.best.low is not None and one.best.high is not None
    ]
    assert widths[1] > 2 * widths[0]  # an analogy is less sure, and shows it
    assert hindi.best.value is not None
    for distance in hindi.distances:
        row = measured.corpora[0].cells[("hin_Deva", distance.tokenizer)]
        assert distance.rate == row["bytes_per_token"]
        assert distance.over_best.value == pytest.approx(distance.rate / hindi.best.value)
        away = math.log(distance.rate / hindi.best.value)
        loss_ratio = 0.337 / 0.960
        assert distance.price.value == pytest.approx(
            bowl_curvature(law2.estimates, np.array(BUDGET)) * away**2 * loss_ratio, rel=1e-6
        )


def test_what_the_demo_says_is_so(laws: Laws, measured: Measured) -> None:
    first, second = best_rate_sentences(laws, measured, "mistral:tekken")
    assert "3.65 [3.59, 3.71]" in first and "3.46 [3.36, 3.56]" in first
    for language in ("eng_Latn", "hin_Deva"):
        rate = measured.corpora[0].cells[(language, "mistral:tekken")]["bytes_per_token"]
        assert f"{significant(rate)} bytes per token of" in second


def test_code_is_not_placed(laws: Laws, measured: Measured, law2: FitResult) -> None:
    assert placed(measured, measured.corpora[1], law2) == []


def test_a_page_without_bowls_does_not_carry_plotly(
    embedded_report: Path, laws: Laws, law2: FitResult
) -> None:
    assert embedded_report.stat().st_size < 1_500_000
    assert "plotly" not in embedded_report.read_text("utf-8").lower()
    page = render_page("x", sections_of(OF_LAWS, Laws(laws.tables, [law2])))
    assert "plotly" not in page.lower()
    assert len(page) < 300_000
    assert "--law isoflop-surface" in page  # what is missing, and how to make it


def test_plotly_is_there_once(laws_report: Path) -> None:
    text = laws_report.read_text("utf-8")
    assert text.count("plotly.js v") == 1
    assert len(text) < 7_500_000


def test_the_same_laws_give_the_same_bytes(
    laws_folder: Path, laws_report: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(laws_folder, copy)
    again = build_report(copy, tmp_path / "again.html")
    assert again.read_bytes() == laws_report.read_bytes()


def test_it_is_well_formed(laws_report: Path) -> None:
    text = laws_report.read_text("utf-8")
    text = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)  # half of it is plotly
    page = Page(text)
    assert page.faults == [] and page.open == []
    identities = [one["id"] for _, one in page.elements if "id" in one]
    assert len(set(identities)) == len(identities)


def with_another_language(laws: Laws, language: str, **more: object) -> Laws:
    """The same runs and fits once more, as those of another language."""
    tables = {}
    for sha256, table in laws.tables.items():
        frame = table.rows
        if "language" in frame.columns:
            frame = pl.concat([frame, frame.with_columns(pl.lit(language).alias("language"))])
        tables[sha256] = replace(table, rows=frame)
    others = [
        fit.model_copy(update={"context": {**fit.context, "language": language}, **more})
        for fit in laws.fits
        if "language" in fit.context
    ]
    return Laws(tables, [*laws.fits, *others], laws.rivals, laws.reproduced)


def test_names_of_users_cannot_act(laws: Laws) -> None:
    script, style, quotes, controls = HOSTILE
    finding = Finding(name=script, severity="warning", message=controls)
    hostile = with_another_language(
        laws, script, data=style, interval_method=quotes, findings=(finding,), form=controls
    )
    page = render_page("x", sections_of(OF_LAWS, hostile))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page  # it was there to act
    for text in (script, "<img src=x", "<svg onload", "\u202e", "\x07"):
        assert text not in page
    text = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    parsed = Page(text)
    assert parsed.faults == [] and parsed.open == []


def test_several_languages_are_told_apart(laws: Laws) -> None:
    both = with_another_language(laws, "hin_Deva")
    body = str(bowls(both).body)
    assert body.count("from above</title>") == 12
    assert body.count("blt_entropy, hin_Deva</option>") == 6
    drawn_points = body.count('class="model ')
    assert drawn_points == 2 * 311  # each bowl its own runs
    curves = next(one for one in sections_of(OF_LAWS, both) if one.identity == "laws-isoflop")
    assert str(curves.body).count("hin_Deva, T = ") >= 6


def test_no_folder_of_laws_is_no_fault(tmp_path: Path) -> None:
    assert read_laws(tmp_path) is None


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("law2.json", '{"law": "law2"}', "law2.json: not a fit (form: Field required)"),
        ("law2.json", "{", "law2.json: not a fit"),
        ("reproduce.json", '[{"group": "x"}]', "reproduce.json: is damaged"),
        ("reproduce.json", "7", "reproduce.json: is damaged or of another version (not a list)"),
        ("runs.csv", "a,b\n1,2\n", "runs.csv: no column of a runs table"),
    ],
)
def test_what_is_neither_fit_nor_table_is_named(
    name: str, content: str, says: str, tmp_path: Path
) -> None:
    folder = tmp_path / "laws"
    folder.mkdir()
    (folder / name).write_text(content)
    with pytest.raises(InputError, match=re.escape(says)) as raised:
        read_laws(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.fixture
def small(laws: Laws) -> Laws:
    """The laws as if they were of runs of a small machine, and of two kinds of patches."""
    fits = [
        fit.model_copy(
            update={
                "context": {**fit.context, "tokenization": kind},
                "data_range": {**fit.data_range, name: (1e10, 1.04e13)},
            }
        )
        for kind in ("entropy", "static")
        for law, name in (("law1", "latent_flops"), ("law2", "compute_flops"))
        for fit in laws.of(law)[:1]
    ]
    return replace(laws, fits=fits)


def test_laws_of_small_runs_say_nothing_of_large_budgets(small: Laws) -> None:
    page = str(allocation(small).body) + str(profiles(small).body)
    assert "10²⁰ latent" not in page and ">1e21<" not in page
    first = law_sentences(small)[0]
    assert "for 10¹⁰ FLOPs and" in first and first.endswith("for 1.04×10¹³.")
    assert "4 bytes per token and 10¹³ latent FLOPs" in page


def test_fits_of_several_families_are_told_apart(small: Laws, laws: Laws) -> None:
    names = [shown_name(fit, small.fits) for fit in small.fits]
    assert len(set(names)) == len(names) and all("(static" in one for one in names[2:])
    # Whose runs they are is always said, of one family too.
    assert "optima of entropy models of English (eng_Latn), puts" in law_sentences(small)[0]
    assert "optima of blt_entropy models of English (eng_Latn), puts" in law_sentences(laws)[0]


HINT = re.compile(r"tokenize-lab (scaling (?:fit|reproduce) [^<;]*?--out DIR[\w/]*)")


def test_hints_do_what_they_say(tmp_path: Path) -> None:
    """Every command that a page gives is run as written, and what was missing is then there."""
    alone = tmp_path / "alone" / "laws"
    alone.mkdir(parents=True)
    runs = read_runs(published.path(published.ISOFLOP))
    (alone / "bowl.json").write_text(fit_surfaces(runs, bootstrap=NO_BOOTSTRAP)[0].to_json())
    page = build_report(tmp_path / "alone").read_text("utf-8")
    absences = page[page.index('id="absences"') :]
    hints = dict.fromkeys(HINT.findall(absences))
    assert {hint.split("--law ")[1].split()[0] for hint in hints if "--law" in hint} == {
        "isoflop", "isoflop-surface", "law1", "law2", "joint",
    }  # fmt: skip
    for hint in hints:
        if "reproduce" in hint:
            continue  # reproduces every figure, which takes a minute; its file has a test
        words = hint.replace("RUNS.csv", str(published.path(published.ISOFLOP)))
        words = words.replace("OPTIMA.csv", str(published.path(published.OPTIMA)))
        done = command(words.replace("DIR", str(tmp_path / "made")) + " --draws 0")
        assert done.exit_code == 0, done.stderr
    page = build_report(tmp_path / "made").read_text("utf-8")
    for section in ("laws-isoflop", "laws-bowl", "laws-one", "laws-two", "laws-joint"):
        assert f'<section id="{section}"' in page, section
    for text in (page[page.index('id="laws"') :], page):
        commands = re.findall(r"<code>tokenize-lab (scaling advise .*?)</code>", text)
        assert commands
    assert command(commands[0]).exit_code == 0


def test_the_answer_names_budget_language_and_family(tmp_path: Path) -> None:
    """Of two languages one fit fails: the other's best rate is not said of both."""
    rates, sizes = np.meshgrid([2.0, 3.0, 4.0, 8.0], [1e6, 2e6, 4e6, 8e6])
    rows = []
    for code, bend in (("deu_Latn", -0.05), ("rus_Cyrl", 0.05)):
        data = 4e11 / sizes
        rho = np.log(data / sizes) - np.log(data / sizes).mean()
        loss = 2 + bend * np.log(rates / 4) ** 2 + 0.01 * (1 if bend > 0 else -1) * rho**2
        loss += np.random.default_rng(0).normal(0, 1e-3, loss.shape)
        columns = {"params": sizes, "train_bytes": data, "compression_rate": rates,
                   "bits_per_byte": loss}  # fmt: skip
        rows.append(pl.DataFrame({k: v.ravel() for k, v in columns.items()}).with_columns(
            language=pl.lit(code), dataset=pl.lit(code[:3]), tokenization=pl.lit("static"),
            compute_flops=pl.lit(1e12)))  # fmt: skip
    runs = read_runs(pl.concat(rows), "two")
    fits = fit_surfaces(runs)
    laws = Laws({runs.sha256: runs}, fits)
    assert sum(bool(fit.estimates) for fit in fits) == 1
    answer = best_rate_answer(laws).striptags()
    assert answer.startswith("At 10¹² FLOPs the best compression rate T* is ")
    assert re.search(r"is [34]\.\d+ \[3\.\d+, 4\.\d+\] bytes per token, by 16 runs", answer)
    assert answer.endswith("of static models of Russian (rus_Cyrl), rus.")
    (first, *_) = law_sentences(laws)
    assert "At 10¹² FLOPs of static models of Russian (rus_Cyrl), rus, the best" in first
    assert "static, rus_Cyrl, rus: T*" in str(bowls(laws).body)


def test_the_first_screen_has_the_picture_and_what_to_do(laws: Laws) -> None:
    body = str(law_overview(laws).body)
    assert 'id="answer-law2-losses-title"' in body
    assert 'id="answer-law2-compression_rate_opt-title"' in body
    answer = best_rate_answer(laws).striptags()
    assert re.match(r"At 10²¹ FLOPs the best compression rate T\* is 3\.\d\d \[", answer)
    assert answer.endswith("of blt_entropy models of English (eng_Latn).")
    assert body.count("<li>", body.index('class="findings"')) <= 12
    assert "What to do:" in body
