"""The decision: it follows the laws, carries their intervals, and says where it stands on sand."""

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from corpora.errors import InputError
from corpora.open import open_corpus
from scaling.advise.advise import advise
from scaling.advise.allocate import price, vocabulary_for_rate
from scaling.advise.answer import Advice, Estimate, MeasuredTokenizer
from scaling.advise.laws import FamilyLaws, family_laws
from scaling.advise.sample import embedded_parity, measure_sample, sample_of, vocabulary_curve
from scaling.cli.app import app
from scaling.engine.bootstrap import NO_BOOTSTRAP, Bootstrap
from scaling.fits.joint import fit_joint
from scaling.fits.law1 import fit_law1
from scaling.fits.law2 import fit_law2
from scaling.flops import Setting, paper_blt, training_flops_per_byte
from scaling.laws import law2
from scaling.published import tables
from scaling.result import FitResult
from tokenize_lab.load import load_tokenizer
from tokenize_lab.tokenizer import Tokenizer

RUNNER = CliRunner()


@cache
def latent() -> FamilyLaws:
    return family_laws("latent")


@pytest.fixture(scope="module")
def english() -> Advice:
    tokenizers = (
        MeasuredTokenizer("near", 3.5),
        MeasuredTokenizer("far", 8.0),
        MeasuredTokenizer("bytes", 1.0),
    )
    return advise(1e21, tokenizers=tokenizers)


def inside(one: Estimate) -> bool:
    return one.value is not None and (one.low or 0) <= one.value <= (one.high or math.inf)


def test_the_answer_is_shown_short_and_as_a_frame(english: Advice) -> None:
    shown = repr(english)
    assert shown.startswith("Advice(1e+21 FLOPs, eng_Latn (runs), latent models: T* 3.4")
    assert shown.endswith("; 3 tokenizers)") and "\n" not in shown
    frame = english.frame()
    assert frame.columns == ["tokenizer", "quantity", "value", "low", "high", "unit"]
    best = frame.filter(pl.col("tokenizer").is_null(), quantity="params_opt").row(0, named=True)
    assert (best["value"], best["low"], best["high"]) == english.params_opt[:3]
    near = frame.filter(tokenizer="near", quantity="price_bits_per_byte")["value"].item()
    assert near == english.tokenizers[0].price_bits_per_byte.value
    assert "<table" in english._repr_html_() and "T*" in english._repr_html_()


def test_numbers_hang_together(english: Advice) -> None:
    for one in (
        english.compression_rate_opt,
        english.params_opt,
        english.train_bytes_opt,
        english.tokens,
        english.bytes_per_param_opt,
        english.bits_per_byte_opt,
        english.inference_flops_per_byte,
    ):
        assert inside(one) and one.low is not None and one.high is not None
    rate, data = english.compression_rate_opt.value, english.train_bytes_opt.value
    assert rate is not None and data is not None
    assert english.tokens.value == pytest.approx(data / rate)
    assert english.bytes_per_param_opt.value == pytest.approx(
        data / (english.params_opt.value or 0)
    )
    # The whole budget is spent, local modules included.
    served = english.inference_flops_per_byte.value or 0
    assert 3 * served * data == pytest.approx(1e21, rel=1e-6)
    assert english.outside == {} and english.placement.basis == "runs"


def test_it_says_what_the_laws_say(english: Advice) -> None:
    law2 = fit_law2(tables.optima())
    best = law2.predict("compression_rate_opt", compute_flops=1e21)
    assert english.compression_rate_opt.value == pytest.approx(float(best.value))
    loss = law2.predict("bits_per_byte_opt", compute_flops=1e21)
    assert english.bits_per_byte_opt.value == pytest.approx(float(loss.value))
    # Law II misses single optima by more than its coefficients are unsure: the interval says so.
    assert loss.low is not None and (english.bits_per_byte_opt.low or 1) < loss.low
    lowest = tables.optima().rows.filter(compute_flops=1e21)["bits_per_byte"].min()
    assert english.bits_per_byte_opt.high is not None and isinstance(lowest, float)
    second = english.second_opinion
    assert second is not None and inside(second.bits_per_byte_opt)
    assert abs((second.bits_per_byte_opt.value or 0) - lowest) < 0.002


def test_allocation_lies_between_the_papers_shapes() -> None:
    """At a shape's own size the interpolated cost is that shape's."""
    from scaling.advise.allocate import _forward

    for layers, rate in ((8, 4.0), (20, 2.5), (32, 9.0)):
        shape = paper_blt(layers)
        ours = _forward(np.array([float(shape.global_params)]), np.array([rate]), None)
        assert 3 * ours[0] == pytest.approx(training_flops_per_byte(shape, Setting(rate)), rel=1e-6)


@pytest.mark.parametrize("budget", [1e15, 1e21, 1e28, 1e30])
def test_the_whole_budget_is_spent(budget: float) -> None:
    answer = advise(budget)
    size, data = answer.inference_flops_per_byte.value, answer.train_bytes_opt.value
    assert size is not None and data is not None
    assert 3 * size * data == pytest.approx(budget, rel=1e-6)


def test_prices_rise_with_distance(english: Advice) -> None:
    near, far, plain = english.tokenizers
    assert (near.price_bits_per_byte.value or 0) < (far.price_bits_per_byte.value or 0)
    assert (near.compute_multiplier.value or 0) >= 1
    assert near.inference_flops_per_byte.value is not None
    assert (far.inference_flops_per_byte.value or 0) < near.inference_flops_per_byte.value
    assert (plain.inference_flops_per_byte.value or 0) > near.inference_flops_per_byte.value
    assert near.rate_over_best.value == pytest.approx(
        3.5 / (english.compression_rate_opt.value or 1)
    )
    for one in english.tokenizers:
        reached = (english.bits_per_byte_opt.value or 0) + (one.price_bits_per_byte.value or 0)
        assert one.bits_per_byte.value == pytest.approx(reached)
        assert one.joint_price_bits_per_byte is not None


@settings(max_examples=25)
@given(st.floats(1, 30), st.floats(18, 23))
def test_the_multiplier_buys_the_price_back(rate: float, ln10: float) -> None:
    cloud = {name: column[:3] for name, column in latent().law2.draws.items()}
    budget = 10.0**ln10
    cost = price(cloud, budget, np.full(3, rate), np.ones(3))
    for draw in range(3):
        if not np.isfinite(cost.multiplier[draw]):
            continue
        p = {name: column[draw] for name, column in cloud.items()}
        best = p["L0"] * budget ** p["gamma"] + p["E"]
        more = budget * cost.multiplier[draw]
        away = math.log(rate) - math.log(p["T0"] * more ** -p["delta"])
        assert p["L0"] * more ** p["gamma"] + p["E"] + p["F"] * away**2 == pytest.approx(best)


def test_frontier_trades_loss_for_serving(english: Advice) -> None:
    rates = [one.compression_rate for one in english.frontier]
    assert rates == sorted(rates)
    served = [one.inference_flops_per_byte for one in english.frontier]
    assert served == sorted(served, reverse=True)
    best = min(english.frontier, key=lambda one: one.bits_per_byte)
    assert best.compression_rate == pytest.approx(english.compression_rate_opt.value or 0)
    for one in english.frontier:
        assert one.efficient == (one.compression_rate >= best.compression_rate * 0.999)


def test_languages_measured_and_by_analogy() -> None:
    hindi = advise(1e20, "hin_Deva")
    assert hindi.placement.basis == "measured"
    # Anchored where it was trained: English's 3.70 by the ratio of the measured optima.
    assert hindi.compression_rate_opt.value == pytest.approx(3.7033 * 8.09 / 3.71, rel=1e-3)
    analogy = advise(1e20, "tel_Telu", parity=2.6)
    assert analogy.placement.basis == "analogy"
    assert any("analogy" in note for note in analogy.notes)

    def width(one: Advice) -> float:
        rate = one.compression_rate_opt
        assert rate.low is not None and rate.high is not None
        return math.log(rate.high / rate.low)

    assert width(analogy) > 3 * width(hindi)
    low, high = analogy.compression_rate_opt.low, analogy.compression_rate_opt.high
    assert low is not None and high is not None and low < 8.09 < high
    many = advise(1e20, "hin_Deva", setting="joint")
    assert (many.compression_rate_opt.value or 0) < (hindi.compression_rate_opt.value or 0)


def test_far_outside_is_said() -> None:
    far = advise(1e25, tokenizers=[MeasuredTokenizer("words", 60.0)])
    assert far.outside["compute_flops"] == pytest.approx(5000)
    note = far.tokenizers[0].note
    assert "outside the fitted data" in note and "millionfold" not in note
    assert far.tokenizers[0].compute_multiplier.value is None
    assert "no budget a million times" in note


def test_vocabulary_is_read_off_the_curve() -> None:
    curve = [(1000, 2.0), (10_000, 3.0), (100_000, 4.2), (300_000, 4.5)]
    assert vocabulary_for_rate(3.0, curve) == pytest.approx(10_000)
    assert vocabulary_for_rate(2.5, curve) == pytest.approx(math.sqrt(1000 * 10_000), rel=1e-9)
    assert vocabulary_for_rate(1.0, curve) is None and vocabulary_for_rate(9.0, curve) is None
    answer = advise(1e20, family="subword", curve=curve)
    assert answer.granularity.unit == "ids" and inside(answer.granularity)
    flat = advise(1e20, family="subword", curve=[(1000, 1.1), (9000, 1.2)])
    assert flat.granularity.value is None and "lies outside" in flat.granularity_note
    assert advise(1e20, family="subword").granularity.value is None


def test_subword_borrows_intervals_and_says_so() -> None:
    answer = advise(1e20, family="subword")
    assert f"{answer.compression_rate_opt.value:.2f}" == "4.15"  # 1577 C^-.129
    assert inside(answer.compression_rate_opt) and answer.second_opinion is None
    assert any("borrowed" in note for note in answer.notes)


def test_own_fits_take_the_place_of_the_shipped() -> None:
    runs = tables.isoflop_runs()
    few = Bootstrap("residuals", 100)
    law1 = fit_law1(runs, few)
    law2 = fit_law2(runs, bootstrap=few)
    answer = advise(1e20, laws=[law1, law2])
    own = law2.predict("compression_rate_opt", compute_flops=1e20)
    assert answer.compression_rate_opt.value == pytest.approx(float(own.value))
    assert answer.notes[0].startswith("own fits") and answer.second_opinion is None
    # A fit does not know the shapes of its runs; the answer is of the paper's.
    assert any("N*, B* and serving are of the paper's shapes" in note for note in answer.notes)
    assert not any("N*, B* and" in note for note in advise(1e20).notes)
    with pytest.raises(InputError, match="law1: the fit given is of law2"):
        advise(1e20, laws={"law1": law2})
    flat = fit_law2(runs, "mean", few)
    with pytest.raises(InputError, match="has no best rate"):
        advise(1e20, laws=[flat])


def test_own_fits_are_used_as_what_they_are() -> None:
    runs, few = tables.isoflop_runs(), Bootstrap("residuals", 100)
    hindi = {"language": "hin_Deva"}
    law1, law2 = fit_law1(runs, few).within(hindi), fit_law2(runs, bootstrap=few).within(hindi)
    # A law of the language's own runs is not moved by the language's ratios to English.
    both = advise(1e20, "hin_Deva", laws=[law1, law2])
    own = law2.predict("compression_rate_opt", compute_flops=1e20)
    assert both.compression_rate_opt.value == pytest.approx(float(own.value))
    assert both.placement.basis == "runs" and both.placement.rate == 1
    plain = advise(1e20, laws=[fit_law1(runs, few), fit_law2(runs, bootstrap=few)])
    assert both.params_opt.value == pytest.approx(plain.params_opt.value or 0)
    one = advise(1e20, "hin_Deva", laws=[law2])
    assert one.compression_rate_opt.value == pytest.approx(float(own.value))
    assert "Law I is the shipped one" in one.notes[0] and "Law II of" in one.notes[0]
    assert any("applied to Law I only" in note for note in one.notes)
    # Law I is English's then, read at the English rate that corresponds, and moved.
    assert one.bytes_per_param_opt.value != pytest.approx(plain.bytes_per_param_opt.value or 0)
    unplaced = advise(1e20, "tel_Telu", laws=[_in(law1, "tel_Telu"), _in(law2)])
    assert unplaced.placement.note == "both laws are of the language's own runs"
    with pytest.raises(InputError, match="is of hin_Deva runs, and the language asked is fra_Latn"):
        advise(1e20, "fra_Latn", laws=[law2])
    failed = law2.model_copy(update={"status": "not converged"})
    with pytest.raises(InputError, match="law2: not to be used: not converged"):
        advise(1e20, "hin_Deva", laws=[failed])
    upside_down = law2.model_copy(update={"estimates": {**law2.estimates, "F": -0.01}})
    with pytest.raises(InputError, match=r"F is -0\.01, so no rate is best"):
        advise(1e20, "hin_Deva", laws=[upside_down])


def _in(fit: FitResult, language: str = "tel_Telu") -> FitResult:
    return fit.model_copy(update={"context": {"language": language}})


def test_no_token_is_shorter_than_a_byte() -> None:
    answer = advise(1e20, "xyz_Latn", parity=0.1, tokenizers=[MeasuredTokenizer("t", 2.0)])
    assert (answer.compression_rate_opt.value or 1) < 1
    assert all(one.compression_rate >= 1 for one in answer.frontier)
    assert any("outside what a tokenizer can be" in note for note in answer.notes)
    assert any("the family `subword`" in note for note in answer.notes)


def test_few_draws_give_no_interval() -> None:
    runs = tables.isoflop_runs()
    law2 = fit_law2(runs, bootstrap=Bootstrap("residuals", 20))
    answer = advise(1e20, laws=[law2], tokenizers=[MeasuredTokenizer("t", 5.0)])
    rate = answer.compression_rate_opt
    assert rate.value is not None and rate.low is None and rate.high is None
    assert answer.tokenizers[0].price_bits_per_byte.low is None
    assert "has 20 draws, fewer than 100: no interval" in answer.notes[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"compute_flops": -1.0}, "a positive number of FLOPs"),
        ({"compute_flops": 1e-300}, r"1e\+12 to 1e\+30"),
        (
            {"compute_flops": 1e20, "tokenizers": [MeasuredTokenizer("x", 0.5)]},
            "x: 0.5 bytes per token cannot be",
        ),
        (
            {"compute_flops": 1e20, "tokenizers": [MeasuredTokenizer("x", 2.0, 0)]},
            "a vocabulary of 0 ids",
        ),
        (
            {"compute_flops": 1e20, "tokenizers": [MeasuredTokenizer("x", 2.0)] * 2},
            "two tokenizers of that name",
        ),
        ({"compute_flops": 1e20, "language": "hin_Dev"}, "did you mean 'hin_Deva'"),
        ({"compute_flops": 1e20, "language": "tel_Telu", "parity": -2.0}, "parity -2"),
        ({"compute_flops": 1e20, "gpu": "h1000"}, "did you mean 'h100'"),
        ({"compute_flops": 1e20, "utilisation": 40.0}, r"\(0, 1\]"),
        ({"compute_flops": 1e20, "gpus": 0}, "at least one"),
        ({"compute_flops": 1e20, "family": "latnt"}, "did you mean 'latent'"),
        ({"compute_flops": 1e20, "setting": "both"}, "monolingual or joint"),
        (
            {"compute_flops": 1e20, "tokenizers": [MeasuredTokenizer("x", 0.0)]},
            "x: 0.0 bytes per token cannot be",
        ),
    ],
)
def test_impossible_questions(words: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        advise(**words)
    assert "\n" not in str(caught.value)


def test_command() -> None:
    words = ["advise", "--compute", "1e21", "--language", "hin_Deva", "--bytes-per-token", "t=4.6"]
    result = RUNNER.invoke(app, [*words, "--json"], catch_exceptions=False)
    answer = json.loads(result.stdout)
    assert answer["placement"]["basis"] == "measured"
    price_of_t = answer["tokenizers"][0]["price_bits_per_byte"]
    assert price_of_t["low"] < price_of_t["value"] < price_of_t["high"]
    assert answer["training_days"]["value"] == pytest.approx(29.245, abs=1e-3)
    text = RUNNER.invoke(app, words, catch_exceptions=False).stdout
    for piece in ("compression rate T*", "bought back by", "hin_Deva was trained"):
        assert piece in text
    with pytest.raises(InputError, match="give NAME=X or NAME=X/V"):
        RUNNER.invoke(
            app, ["advise", "--compute", "1e21", "--bytes-per-token", "t"], catch_exceptions=False
        )


@pytest.mark.parametrize(("language", "used"), [("hin_Deva", False), ("tel_Telu", True)])
def test_a_parity_that_is_not_used_is_said_not_to_be(language: str, used: bool) -> None:
    words = ["advise", "--compute", "1e21", "--language", language]
    done = RUNNER.invoke(app, [*words, "--parity", "9"], catch_exceptions=False)
    assert done.exit_code == 0
    assert ("warning: --parity 9 is not used" not in done.stderr) is used
    without = RUNNER.invoke(app, [*words, "--parity", "3"], catch_exceptions=False)
    assert (without.stdout != done.stdout) is used


def test_a_price_is_bought_back_at_the_first_budget_that_does() -> None:
    # With a strong drift of T*, a rate just below T* is soon redeemed, and lost again far beyond.
    cloud = {
        name: np.array([value])
        for name, value in {
            "L0": 1087.0,
            "gamma": -0.181,
            "F": 0.0575,
            "T0": 1577.0,
            "delta": 0.129,
            "E": 0.68,
        }.items()
    }
    best = 1577.0 * 1e21**-0.129
    cost = price(cloud, 1e21, np.array([0.98 * best]), np.array([1.0]))
    assert 1 < cost.multiplier[0] < 1.2
    goal = law2.best_loss(cloud, np.array(1e21))
    again = law2.loss(cloud, 1e21 * cost.multiplier, np.array([0.98 * best]))
    assert again == pytest.approx(goal, rel=1e-9)
    far = law2.loss(cloud, np.array([1e27]), np.array([0.98 * best]))
    assert far > goal


def test_a_corpus_and_tokenizers_are_measured(tmp_path: Path) -> None:
    text = tmp_path / "hindi.txt"
    lines = next(
        batch.texts
        for batch in open_corpus("embedded:hin_Deva,eng_Latn").batches()
        if batch.language == "hin_Deva"
    )
    text.write_text("\n".join(lines) + "\n", "utf-8")
    done = RUNNER.invoke(
        app,
        [
            "advise",
            "--compute",
            "1e21",
            "--language",
            "hin_Deva",
            "--corpus",
            str(text),
            "-t",
            "mistral:tekken",
            "-t",
            "byte",
            "--json",
        ],
    )
    assert done.exit_code == 0, done.output
    tekken, byte = json.loads(done.stdout)["tokenizers"]
    assert byte["bytes_per_token"] == 1
    own = load_tokenizer("mistral:tekken")
    tokens = int(own.encode_batch(lines).lengths.sum())
    assert tekken["bytes_per_token"] == sum(len(x.encode()) for x in lines) / tokens
    assert 0 < tekken["price_bits_per_byte"]["value"] < byte["price_bits_per_byte"]["value"]
    assert tekken["compute_multiplier"]["value"] > 1


def test_tokenizers_may_be_specs_loaded_or_measured_elsewhere() -> None:
    corpus = open_corpus("embedded:hin_Deva,eng_Latn")
    asked: list[str | Tokenizer | MeasuredTokenizer] = [
        "mistral:v3",
        MeasuredTokenizer("mine", 4.1),
        load_tokenizer("byte"),
    ]
    answer = advise(1e21, "hin_Deva", tokenizers=asked, corpus=corpus)
    assert [one.name for one in answer.tokenizers] == ["mistral:v3", "mine", "byte"]
    assert [one.bytes_per_token for one in answer.tokenizers[1:]] == [4.1, 1]
    assert answer.tokenizers[0].bytes_per_token == pytest.approx(2.41, abs=0.01)
    with pytest.raises(InputError, match="the embedded corpus has no xyz_Latn; give corpus"):
        advise(1e21, "xyz_Latn", tokenizers=["byte"], parity=2.0)
    with pytest.raises(InputError, match="laws: a fit of joint; give fits of law1 and law2"):
        advise(1e21, laws=[fit_joint(tables.isoflop_runs(), bootstrap=NO_BOOTSTRAP)])


def test_parity_comes_from_a_parallel_corpus_or_the_embedded_one(tmp_path: Path) -> None:
    (tmp_path / "eng_Latn.txt").write_text("ab\ncd\n")
    (tmp_path / "xyz_Latn.txt").write_text("abcd\nefgh\n")
    assert sample_of(str(tmp_path), "xyz_Latn").parity == 2
    assert embedded_parity("tha_Thai") == pytest.approx(2.4, abs=0.05)
    assert embedded_parity("xyz_Latn") is None
    with pytest.raises(InputError, match="holds no fra_Latn"):
        sample_of(str(tmp_path), "fra_Latn")


def test_the_vocabulary_curve_ends_at_the_whole_vocabulary() -> None:
    sample = sample_of("embedded", "eng_Latn")
    tokenizer = load_tokenizer("mistral:tekken")
    curve = vocabulary_curve(sample, tokenizer)
    assert curve is not None
    sizes, rates = zip(*curve, strict=True)
    assert list(sizes) == sorted(sizes)
    assert list(rates) == sorted(rates)
    (whole,), _, _ = measure_sample("eng_Latn", None, [tokenizer], with_curve=False)
    assert rates[-1] == whole.bytes_per_token
    assert vocabulary_curve(sample, load_tokenizer("byte")) is None
