"""What a changed vocabulary is worth: the laws' price of a tokenizer, before and after."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from reports.html import TableCell, columns, language_cell, sortable_table
from reports.laws.optimal import place_of
from reports.numbers import UNMEASURED, cell, power, significant
from scaling.advise.answer import MeasuredTokenizer, Question, TokenizerPrice
from scaling.advise.answer_question import answer_question
from scaling.advise.estimate import Estimate
from scaling.advise.placement import trained_code

BUDGETS = (1e20, 1e21)  # FLOPs
FAMILY = "subword"
_MOST = 12  # languages


class ChangedRate(NamedTuple):
    """One language under the old and the new vocabulary.

    Attributes:
        language: its code.
        parity: bytes over English's of the same lines; None where not known.
        rates: bytes per token before and after. sizes: ids before and after.
    """

    language: str
    parity: float | None
    rates: tuple[float, float]
    sizes: tuple[int, int]


class ChangedPrice(NamedTuple):
    """What the laws say of a changed rate at a budget."""

    rate: ChangedRate
    budget: float
    best: Estimate
    before: TokenizerPrice
    after: TokenizerPrice


def changed_prices(rates: Sequence[ChangedRate]) -> list[ChangedPrice]:
    """Return the prices of all languages that can be placed, the first dozen."""
    found = []
    placed = [
        rate
        for rate in rates
        if min(rate.rates) >= 1 and place_of(rate.language, rate.parity) is not None
    ]
    for rate in placed[:_MOST]:
        tokenizers = [
            MeasuredTokenizer(name, known, size)
            for name, known, size in zip(("before", "after"), rate.rates, rate.sizes, strict=True)
        ]
        for budget in BUDGETS:
            language = trained_code(rate.language) or rate.language
            asked = Question(budget, language, FAMILY, parity=rate.parity, tokenizers=tokenizers)
            advice = answer_question(asked)
            found.append(
                ChangedPrice(rate, budget, advice.compression_rate_opt, *advice.tokenizers)
            )
    return found


def price_table(prices: Sequence[ChangedPrice]) -> Markup:
    """Return the prices as a table."""
    return sortable_table(
        "Price of the vocabulary by the laws of subword models, before and after",
        columns(
            "language: | budget, FLOPs | T* | bytes per token | price before, bits per byte | "
            "after | bought back by before | after | serving before, FLOPs per byte | after",
            {
                "T*": "bytes per token at which the budget reaches the lowest loss",
                "bought back by before": "times the budget that would make up for it",
            },
        ),
        [
            [
                language_cell(price.rate.language),
                power(price.budget),
                cell(price.best),
                " → ".join(significant(rate) for rate in price.rate.rates),
                *(
                    cell(getattr(side, field))
                    for field in ("price_bits_per_byte", "compute_multiplier")
                    for side in (price.before, price.after)
                ),
                *(_served(side) for side in (price.before, price.after)),
            ]
            for price in prices
        ],
        row_headers=2,
        style="tall",
    )


def _served(price: TokenizerPrice) -> str | TableCell:
    value = price.inference_flops_per_byte.value
    return UNMEASURED if value is None else significant(value)
