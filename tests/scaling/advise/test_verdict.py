"""The last line of advice is one that a manager can act on."""

import pytest

from scaling.advise.advise import advise
from scaling.advise.answer import MeasuredTokenizer
from scaling.advise.verdict import Plan, TokenizerCost, verdict

PLAN = Plan(7.43, 2.9e9, 2.9e11, "29.2 days on 1 h100")
REACHED = PLAN._replace(vocabulary=32_400, rates=[3.0, 7.0, 8.0])


def test_a_tokenizer_near_the_best_rate_is_kept() -> None:
    said = verdict(REACHED, [TokenizerCost("mistral:tekken", 1.019, 1.008, 1.035)])
    assert said == (
        "Keep mistral:tekken: it costs 2 % [1, 4] more compute than the best rate; a vocabulary of"
        " about 32k ids reaches the best rate on this text."
    )


def test_the_cheapest_comes_first_and_what_no_budget_buys_back_is_named() -> None:
    costs = [
        TokenizerCost("far", 3.35, 2.7, None),
        TokenizerCost("near", 1.1, 1.02, 1.3),
        TokenizerCost("no", None, None, None),
    ]
    said = verdict(PLAN, costs, cautions=2)
    assert said == (
        "Change near if the run is dear: it costs 10 % [2, 30] more compute than the best rate; the"
        " best rate is 7.43 bytes per token. far costs 3.4 times [2.7, unbounded] the compute of"
        " the best rate. no is not to be used: no budget buys back what it loses. Read the cautions"
        " above first."
    )


def test_without_tokenizers_it_is_the_plan() -> None:
    assert verdict(PLAN, [], cautions=1) == (
        "Train 2.9 billion parameters on 290 billion bytes at 7.43 bytes per token: 29.2 days on 1"
        " h100. Read the caution above first."
    )
    assert verdict(Plan(None, None, None, ""), []).startswith("Nothing can be advised")


def test_with_serving_it_is_the_plan_that_pays_for_it() -> None:
    assert verdict(PLAN, [], served_bytes=1e12).startswith("Serving 1e+12 bytes is paid for. Train")
    plain = advise(1e21, tokenizers=MeasuredTokenizer("wide", 6.0))
    served = advise(1e21, tokenizers=MeasuredTokenizer("wide", 6.0), serve_bytes=1e12)
    assert plain.verdict().startswith("Change wide")
    said = served.verdict()
    assert said.startswith("Serving 1e+12 bytes is paid for. Keep wide: it costs 3 % [")
    assert "the best rate is 4.51 bytes per token" in said
    alone = advise(1e21, serve_bytes=1e12).verdict()
    assert (
        "Train 875 million parameters on 230 billion bytes at 4.51 bytes per token: 11.9" in alone
    )
    far = advise(1e21, serve_bytes=1e13)
    assert (
        "beyond the joint law's runs: bytes per effective parameter 1.75 times" in far.cautions[-1]
    )


def test_a_rate_that_no_vocabulary_reaches() -> None:
    cost = [TokenizerCost("a", 1.3, 1.2, 1.4)]
    said = verdict(PLAN._replace(compression_rate=9.0, rates=[3.0, 8.0]), cost)
    assert said.startswith("Change a: it costs 30 % [20, 40] more compute than the best rate; ")
    assert "reaches the best rate of 9 bytes per token on this text (at most 8)" in said
    said = verdict(PLAN._replace(compression_rate=2.0, rates=[3.0, 8.0]), cost)
    assert "every vocabulary of its kind lies above the best rate of 2" in said


def test_advice_ends_in_it_and_takes_any_name_of_a_language() -> None:
    advice = advise(1e21, "hi", tokenizers=["mistral:tekken"])
    assert advice.question.language == "hin_Deva"
    assert advice.summary().splitlines()[-1] == f"Verdict: {advice.verdict()}"
    assert advice.to_json()["verdict"] == advice.verdict()
    price = advice.tokenizers[0].compute_multiplier.value
    assert price is not None and advice.verdict().startswith("Keep mistral:tekken: it costs ")
    assert f"{100 * (price - 1):.0f} % [" in advice.verdict()
    texts = {"de": ["Guten Tag, wie geht es?"] * 9, "en": ["Good day, how are you?"] * 9}
    measured = advise(1e21, "deu_Latn", corpus=texts, tokenizers=["byte"])
    assert measured.tokenizers[0].bytes_per_token == pytest.approx(1)
