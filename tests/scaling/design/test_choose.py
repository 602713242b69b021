"""The choice: the least loss, constraints that cost no less than nothing, a monotone frontier."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling.advise.forecast import forecast
from scaling.advise.laws import family_laws, joint_law_draws
from scaling.advise.placement import place_language
from scaling.design.candidates import Candidate, CandidateCurve
from scaling.design.choose import (
    Constraints,
    choose,
    premiums,
    separate_options,
    shared_options,
)
from scaling.design.price import Budget, MixturePrice
from tokenize_lab import InputError

LANGUAGES = ("eng_Latn", "hin_Deva")
PARITY = {"eng_Latn": 1.0, "hin_Deva": 2.6}
SIZES = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536]


def _prices(compute_flops: float) -> MixturePrice:
    laws = family_laws("subword")
    ahead = [forecast(compute_flops, laws, place_language(n, None, "joint")) for n in LANGUAGES]
    return MixturePrice(LANGUAGES, np.array([0.6, 0.4]), ahead, joint_law_draws()).first(41)


PRICES = _prices(1e21)


def _curve(steep: float, name: str = "bpe", language: str = "") -> CandidateCurve:
    """Rates that rise with the logarithm of the ids, Hindi's twice as fast."""
    doublings = np.log2(np.array(SIZES) / 256)
    rates = np.stack([1.2 + steep * doublings, 1.2 + 2 * steep * doublings], axis=1)
    if language:
        rates = rates.copy()
        rates[:, 1 - LANGUAGES.index(language)] = np.nan
    return CandidateCurve(Candidate(name, "gpt4o", language), SIZES, rates)


@settings(max_examples=25, deadline=None)
@given(
    steep=st.floats(0.2, 0.8),
    served=st.sampled_from([0.0, 1e11, 1e12]),
    most_ids=st.sampled_from(SIZES),
    most_tokens=st.floats(1.3, 2.5),
)
def test_constraints_cost_and_the_frontier_is_one(
    steep: float, served: float, most_ids: int, most_tokens: float
) -> None:
    options = shared_options([_curve(steep), _curve(0.9 * steep, "superbpe")])
    priced = PRICES.of(options.rates, options.ids, Budget(1e21, served))
    premium = premiums(options, LANGUAGES, PARITY)
    free = choose(options, priced, {}, premium)
    assert free.best == free.unconstrained == int(priced.loss[0].argmin()) and not free.costs
    asked = Constraints(most_ids, most_tokens)
    allowed = asked.allowed(options, premium)
    if not (allowed["max_vocab"] & allowed["max_premium"]).any():
        with pytest.raises(InputError, match="`max_premium`"):
            choose(options, priced, allowed, premium)
        return
    bound = choose(options, priced, allowed, premium)
    assert set(bound.costs) == {"max_vocab", "max_premium", "all"}
    assert all(cost.value is not None and cost.value >= 0 for cost in bound.costs.values())
    assert bound.costs["all"].value == max(
        priced.loss[0, bound.best] - priced.loss[0, free.best], bound.costs["all"].value or 0
    )
    assert (options.ids[bound.best] <= most_ids).all()
    assert (premium[bound.best] <= most_tokens).all()
    for some in (free, bound):
        losses = [point.bits_per_byte for point in some.frontier]
        flops = [point.flops_per_byte for point in some.frontier]
        assert all(a > b for a, b in pairwise(losses)) and all(a < b for a, b in pairwise(flops))
        assert some.frontier[-1].place == some.best


def test_premium_is_tokens_for_the_same_content() -> None:
    options = shared_options([_curve(0.4)])
    found = premiums(options, LANGUAGES, PARITY)
    assert (found[:, 0] == 1).all()
    np.testing.assert_allclose(found[:, 1], 2.6 * options.rates[:, 0] / options.rates[:, 1])
    alone = premiums(options, ("rus_Cyrl", "fra_Latn"), {"rus_Cyrl": 2.0, "fra_Latn": 1.2})
    assert (alone[:, 1] == 1).all()  # without English, the one of least parity


def test_what_no_vocabulary_keeps_to_is_refused() -> None:
    options = shared_options([_curve(0.4)])
    priced = PRICES.of(options.rates, options.ids, Budget(1e21))
    premium = premiums(options, LANGUAGES, PARITY)
    for asked, said in (
        (Constraints(max_vocab=300), "`max_vocab`: .* the smallest tried has 512 ids"),
        (Constraints(max_premium=1.01), r"`max_premium`: .* the least that any has is 1\.\d"),
    ):
        with pytest.raises(InputError, match=said):
            choose(options, priced, asked.allowed(options, premium), premium)


def test_the_best_of_each_language_is_no_worse_than_sharing() -> None:
    budget = Budget(1e21, 1e12)
    shared = shared_options([_curve(0.4)])
    own = separate_options([_curve(0.4, language=name) for name in LANGUAGES], PRICES, budget)
    together, apart = (PRICES.of(o.rates, o.ids, budget).loss[0] for o in (shared, own))
    assert apart.min() <= together.min()
    every = [(i, j) for i in range(len(SIZES)) for j in range(len(SIZES))]
    rates = np.array([[shared.rates[i, 0], shared.rates[j, 1]] for i, j in every])
    ids = np.array([[SIZES[i], SIZES[j]] for i, j in every], np.float64)
    assert apart.min() == pytest.approx(PRICES.first(1).of(rates, ids, budget).loss.min())
    both = shared + own
    assert len(both.makers) == len(SIZES) + 1 and "bpe-gpt4o-hin_Deva" in both.name(len(SIZES))


def test_a_larger_budget_wants_fewer_bytes_per_token() -> None:
    """T* falls with compute (delta > 0), and the vocabulary with it."""
    options = shared_options([_curve(0.3)])
    chosen = []
    for compute in (1e19, 1e20, 1e21):
        priced = _prices(compute).of(options.rates, options.ids, Budget(compute))
        chosen.append(choose(options, priced, {}, options.rates).ids.value or 0)
    assert chosen == sorted(chosen, reverse=True) and chosen[0] > chosen[-1]
