"""The decision: it follows the laws, carries their intervals, and says where it stands on sand."""

import math
from typing import Any

import numpy as np
import polars as pl
import pytest

from corpora.errors import InputError
from scaling.advise.advise import advise
from scaling.advise.allocate import shape_of, vocabulary_for_rate
from scaling.advise.answer import Advice, MeasuredTokenizer
from scaling.advise.estimate import Estimate
from scaling.engine.bootstrap import NO_BOOTSTRAP, Bootstrap
from scaling.fits.law1 import fit_law1
from scaling.fits.law2 import fit_law2
from scaling.fits.results import Fits
from scaling.flops import paper_blt
from scaling.laws.registry import Options
from scaling.published import tables
from scaling.result import FitResult


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


@pytest.mark.parametrize("budget", [1e15, 1e21, 1e28, 1e30])
def test_the_whole_budget_is_spent(budget: float) -> None:
    answer = advise(budget, far=True)
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
    # Anchored where it was trained: English's 3.65 by the ratio of the measured optima.
    assert hindi.compression_rate_opt.value == pytest.approx(3.6533 * 8.09 / 3.71, rel=1e-3)
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


SIX = ("eng_Latn", "fra_Latn", "vie_Latn", "arb_Arab", "rus_Cyrl", "hin_Deva")


@pytest.mark.parametrize("language", SIX)
def test_prices_are_those_of_the_shipped_optima(language: str) -> None:
    """RMS at most .003 bits at 1e20 to 2e21, of English and of languages beside it.

    What a rate costs is its optimum's bits per byte above the budget's lowest, which lies between
    the six rates: on the parabola through them. A language is asked at the rates that stand to its
    T* as English's do to English's, and what it loses is English's by its ratio.
    """
    languages = tables.table(tables.LANGUAGES).filter(setting="monolingual")
    columns = ("compression_rate_opt", "bits_per_byte")
    english, own = (
        languages.filter(language=name).select(columns).row(0) for name in ("eng_Latn", language)
    )
    rate_ratio, loss_ratio = own[0] / english[0], own[1] / english[1]
    errors, papers = [], []
    paper = fit_law2(tables.optima(), Options("compute-dependent"), NO_BOOTSTRAP)
    for budget in (1e20, 2e20, 5e20, 1e21, 2e21):
        rows = tables.optima().rows.filter(compute_flops=budget)
        rates = rows["compression_rate"].to_numpy().astype(float)
        loss = rows["bits_per_byte"].to_numpy()
        level, slope, bend = np.polynomial.polynomial.polyfit(np.log(rates), loss, 2)
        price = (loss - (level - slope**2 / (4 * bend))) * loss_ratio
        asked = [MeasuredTokenizer(f"T{rate:g}", rate * rate_ratio) for rate in rates]
        answer = advise(budget, language, tokenizers=asked)
        found = [one.price_bits_per_byte.value or 0.0 for one in answer.tokenizers]
        errors.append(np.array(found) - price)
        fixed = paper.predict("price_bits_per_byte", compute_flops=budget, compression_rate=rates)
        papers.append(fixed.value * loss_ratio - price)
    rms = [float(np.sqrt(np.mean(np.square(some)))) for some in (errors, papers)]
    assert rms[0] <= 0.003 and rms[0] <= 0.0024 * loss_ratio  # bits of English
    assert rms[1] > 2.5 * rms[0]  # what a bowl of one width errs by


def test_the_answer_leads_with_what_speaks_against_it(english: Advice) -> None:
    (said,) = english.cautions
    assert said.startswith("the laws disagree beyond their intervals: ")
    assert (
        "B* 1.7" in said and "the price of far" in said and "near" not in said and "T*" not in said
    )
    for one in english.tokenizers:
        assert one.joint_price_bits_per_byte is not None
        ours, joint = one.price_bits_per_byte, one.joint_price_bits_per_byte
        assert ours.low is not None and ours.high is not None
        assert joint.low is not None and joint.high is not None
        apart = ours.high < joint.low or joint.high < ours.low
        assert (f"the price of {one.name}" in said) == apart
    lines = english.summary().split("\n")
    assert lines[1] == f"caution: {said}" and said in english._repr_html_()
    assert english.to_json()["cautions"] == [said]
    # Ten times beyond the budgets it is said, a thousand times beyond it is refused.
    assert not any("extrapolation" in one for one in advise(1.7e22).cautions)
    first, second, third = advise(1e23).cautions
    assert first.startswith("an extrapolation: 1e+23 FLOPs is 50 times above the largest that Law")
    assert "Law I was" in second and third.startswith("the laws disagree") and "T* 3.1" in third
    with pytest.raises(InputError, match=r"5,000 times above .* `far` answers all the same"):
        advise(1e25)
    with pytest.raises(InputError, match="10,000 times below the smallest that Law II was"):
        advise(1e15)
    assert advise(1e15, far=True).cautions[0].startswith("an extrapolation: 1e+15 FLOPs is 10,000")


def test_a_shape_is_given_for_the_size(english: Advice) -> None:
    shape = english.shape
    assert shape is not None and english.params_opt.value is not None
    blt = paper_blt(shape.layers)
    assert (blt.global_dim, blt.local_layers, blt.local_dim) == (
        shape.width, shape.local_layers, shape.local_width,
    )  # fmt: skip
    assert (blt.global_params, blt.total_params) == (shape.global_params, shape.total_params)
    for other in (paper_blt(shape.layers - 1), paper_blt(shape.layers + 1)):
        ratios = [one.global_params / english.params_opt.value for one in (blt, other)]
        assert abs(math.log(ratios[0])) < abs(math.log(ratios[1]))
    assert f"{shape.layers} layers of width {shape.width:,}" in english.summary()
    subword = advise(1e21, family="subword").shape
    assert subword is not None and subword.local_layers is None
    assert subword.total_params == subword.global_params + 128_000 * subword.width
    # The paper's smallest has 196,608 parameters.
    assert shape_of(1e5, None) is None and shape_of(2e5, None) is not None


def test_a_parity_beyond_the_trained_languages_is_said() -> None:
    (said,) = advise(1e20, "tel_Telu", parity=4.0).cautions
    assert "parity 4 lies beyond the trained languages, 1 to 2.6" in said
    assert "parity 0.8 lies beyond" in advise(1e20, "tel_Telu", parity=0.8).cautions[0]
    assert advise(1e20, "tel_Telu", parity=2.6).cautions == ()


def test_far_outside_is_said() -> None:
    far = advise(1e25, tokenizers=[MeasuredTokenizer("words", 1000.0)], far=True)
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
    law1 = fit_law1(runs, bootstrap=few)
    law2 = fit_law2(runs, bootstrap=few)
    answer = advise(1e20, laws=[law1, law2])
    own = law2.predict("compression_rate_opt", compute_flops=1e20)
    assert answer.compression_rate_opt.value == pytest.approx(float(own.value))
    assert answer.notes[0].startswith("own fits") and answer.second_opinion is None
    # A fit does not know the shapes of its runs; the answer is of the paper's.
    assert any("N*, B* and serving are of the paper's shapes" in note for note in answer.notes)
    assert not any("N*, B* and" in note for note in advise(1e20).notes)
    with pytest.raises(InputError, match="`law1`: the fit given is of law2"):
        advise(1e20, laws={"law1": law2})
    flat = fit_law2(runs, Options("mean"), few)
    with pytest.raises(InputError, match="has no best rate"):
        advise(1e20, laws=[flat])


def test_own_fits_are_used_as_what_they_are() -> None:
    runs, few = tables.isoflop_runs(), Bootstrap("residuals", 100)
    hindi = {"language": "hin_Deva"}
    law1, law2 = (
        fit_law1(runs, bootstrap=few).within(hindi),
        fit_law2(runs, bootstrap=few).within(hindi),
    )
    # A law of the language's own runs is not moved by the language's ratios to English.
    both = advise(1e20, "hin_Deva", laws=[law1, law2])
    own = law2.predict("compression_rate_opt", compute_flops=1e20)
    assert both.compression_rate_opt.value == pytest.approx(float(own.value))
    assert both.placement.basis == "runs" and both.placement.rate == 1
    plain = advise(1e20, laws=[fit_law1(runs, bootstrap=few), fit_law2(runs, bootstrap=few)])
    assert both.params_opt.value == pytest.approx(plain.params_opt.value or 0)
    one = advise(1e20, "hin_Deva", laws=[law2])
    assert one.compression_rate_opt.value == pytest.approx(float(own.value))
    assert "Law I is the shipped one" in one.notes[0] and "Law II of" in one.notes[0]
    assert any("applied to Law I only" in note for note in one.notes)
    # Law I is English's then, read at the English rate that corresponds, and moved.
    assert one.bytes_per_param_opt.value != pytest.approx(plain.bytes_per_param_opt.value or 0)
    unplaced = advise(1e20, "tel_Telu", laws=[_in(law1, "tel_Telu"), _in(law2)])
    assert unplaced.placement.note == "both laws are of the language's own runs"
    with pytest.raises(InputError, match="is of hin_Deva runs, and `language` is fra_Latn"):
        advise(1e20, "fra_Latn", laws=[law2])
    # Of fits to a table of several languages, that of the language is taken.
    several = Fits("law2", [law2, fit_law2(runs, bootstrap=few).within({"language": "fra_Latn"})])
    found = advise(1e20, "hin_Deva", laws=[law1, several])
    assert found.compression_rate_opt == both.compression_rate_opt
    with pytest.raises(InputError, match="`laws`: 0 fits of law2 for eng_Latn; give one"):
        advise(1e20, laws=several)
    failed = law2.model_copy(update={"status": "not converged"})
    with pytest.raises(InputError, match="`law2`: not to be used: not converged"):
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
    bare = advise(1e20, laws=[fit_law2(runs, bootstrap=NO_BOOTSTRAP)])
    assert bare.compression_rate_opt == rate and "has 0 draws" in bare.notes[0]


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
        ({"compute_flops": 1e20, "language": "tel_Telu", "parity": -2.0}, "`parity` -2"),
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
