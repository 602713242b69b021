"""What a tokenizer's rate costs in compute, of every language: by how much the budget would have to
grow to buy back what the best rate reaches (Law II, as `advise` tells it).

Every draw of the law meets a resample of the lines, the same for every tokenizer, so prices of two
tokenizers differ by paired draws.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from reports.laws.optimal import place_of
from scaling.advise.estimate import MOST
from scaling.advise.forecast import forecast
from scaling.advise.laws import family_laws
from tokenize_lab.tokenizer import FloatArray

DRAWS = 200  # the ends of a 95 % interval are the outermost five of them


class LanguagePrices(NamedTuple):
    """One language at one budget, [tokenizers, 1 + draws] each, the first the estimate.

    Attributes:
        multiplier: of the budget, at which the tokenizer reaches what T* reaches at the budget
            itself; a million where none below it does.
        bits_per_byte: lost against T* at the budget.
    """

    multiplier: FloatArray
    bits_per_byte: FloatArray


def language_prices(
    language: str, parity: float | None, rates: FloatArray, budgets: tuple[float, ...]
) -> Mapping[float, LanguagePrices]:
    """Return the prices of a language's rates at each budget; none where it cannot be placed.

    Arguments:
        language: its code. parity: its bytes over those of English for the same lines.
        rates: [tokenizers, 1 + resamples] bytes per token, the first the estimate.
        budgets: FLOPs.
    """
    where = place_of(language, parity)
    if where is None:
        return {}
    laws = family_laws("latent")
    found = {}
    for budget in budgets:
        ahead = forecast(budget, laws, where).first(1 + DRAWS)
        count = len(ahead.best_rate)
        paired = rates[:, np.minimum(np.arange(count), rates.shape[1] - 1)]
        tokenizers = len(rates)
        every = {name: np.tile(column, tokenizers) for name, column in ahead.draws.items()}
        cost = replace(ahead, draws=every).price(paired.ravel())
        shape = (tokenizers, count)
        found[budget] = LanguagePrices(
            np.minimum(cost.multiplier, MOST).reshape(shape), cost.bits_per_byte.reshape(shape)
        )
    return found


def over_languages(prices: Sequence[LanguagePrices]) -> LanguagePrices:
    """Return the geometric mean of multipliers, and the mean of bits per byte."""
    return LanguagePrices(
        np.exp(np.mean([np.log(of.multiplier) for of in prices], 0)),
        np.mean([of.bits_per_byte for of in prices], 0),
    )
