"""What to do, in a sentence or two that can be read without the table above them.

A tokenizer is judged by the compute that would buy back what its rate loses: within 5 % it is kept,
within 25 % changing it is a matter of what the run costs, beyond that it is to be changed. The ends
of the interval stand beside each figure.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

KEEP, CHANGE = 1.05, 1.25  # times the compute


class TokenizerCost(NamedTuple):
    """What a tokenizer costs: times the budget, and the interval; None for no bound."""

    name: str
    multiplier: float | None
    low: float | None
    high: float | None


class Plan(NamedTuple):
    """What the budget trains at its best.

    Attributes:
        compression_rate, params, train_bytes: T*, N*, B*. days: of training, and on what.
        vocabulary: ids that give T* on the text in question; None where none do, or it is unknown.
        rates: bytes per token that its vocabularies have there; none where that is unknown.
    """

    compression_rate: float | None
    params: float | None
    train_bytes: float | None
    days: str
    vocabulary: float | None = None
    rates: Sequence[float] = ()


def verdict(
    plan: Plan, costs: Sequence[TokenizerCost], cautions: int = 0, served_bytes: float = 0.0
) -> str:
    """Return what to do.

    Args:
        plan: at the best rate.
        costs: of the tokenizers asked about.
        cautions: how many the answer begins with.
        served_bytes: that the budget pays for as well, in plan and costs.
    """
    known = [cost for cost in costs if cost.multiplier is not None]
    sentences = []
    if known:
        best, *others = sorted(known, key=lambda cost: cost.multiplier or 0)
        sentences.append(f"{_judged(best)}; {_reached(plan)}.")
        sentences += [f"{other.name} costs {_amount(other)}." for other in others]
    sentences += [
        f"{cost.name} is not to be used: no budget buys back what it loses."
        for cost in costs
        if cost.multiplier is None
    ]
    if not costs and None not in plan[:3]:
        sentences.append(
            f"Train {_count(plan.params or 0)} parameters on {_count(plan.train_bytes or 0)} bytes"
            f" at {plan.compression_rate:.3g} bytes per token: {plan.days}."
        )
    if not sentences:
        return "Nothing can be advised: the laws give no best rate here."
    if served_bytes:
        sentences.insert(0, f"Serving {served_bytes:g} bytes is paid for.")
    if cautions:
        sentences.append(f"Read the caution{'s' * (cautions > 1)} above first.")
    return " ".join(sentences)


def _judged(cost: TokenizerCost) -> str:
    assert cost.multiplier is not None
    if cost.multiplier <= KEEP:
        return f"Keep {cost.name}: it costs {_amount(cost)}"
    dear = " if the run is dear" if cost.multiplier <= CHANGE else ""
    return f"Change {cost.name}{dear}: it costs {_amount(cost)}"


def _amount(cost: TokenizerCost) -> str:
    """Return `2 % [1, 4] more compute than the best rate`, or how many times as much."""
    assert cost.multiplier is not None
    if cost.multiplier < 2:
        value, low, high = (_percent(end) for end in cost[1:])
        unit, than = " %", "more compute than the best rate"
    else:
        value, low, high = ("unbounded" if end is None else f"{end:.2g}" for end in cost[1:])
        unit, than = " times", "the compute of the best rate"
    ends = "" if cost.low is None and cost.high is None else f" [{low}, {high}]"
    return f"{value}{unit}{ends} {than}"


def _percent(multiplier: float | None) -> str:
    if multiplier is None:
        return "unbounded"
    percent = round(100 * (multiplier - 1), 6)
    return f"{percent:.1f}" if 0 < percent < 0.5 else str(math.floor(percent + 0.5))


def _reached(plan: Plan) -> str:
    """Return which vocabulary gives the best rate on the text, if one does."""
    rate = plan.compression_rate
    if rate is None:
        return "the best rate is unknown"
    if plan.vocabulary is not None:
        size = _count(plan.vocabulary)
        return f"a vocabulary of about {size} ids reaches the best rate on this text"
    if not plan.rates:
        return f"the best rate is {rate:.3g} bytes per token"
    most = max(plan.rates)
    if most < rate:
        return (
            f"no vocabulary of its kind reaches the best rate of {rate:.3g} bytes per token on this"
            f" text (at most {most:.3g})"
        )
    return f"every vocabulary of its kind lies above the best rate of {rate:.3g} bytes per token"


def _count(number: float) -> str:
    """Return `40k`, `2.9 billion`."""
    for unit, name in ((1e12, " trillion"), (1e9, " billion"), (1e6, " million"), (1e3, "k")):
        if number >= unit:
            return (
                f"{number / unit:.2g}{name}"
                if number < 100 * unit
                else f"{number / unit:.0f}{name}"
            )
    return f"{number:.0f}"
