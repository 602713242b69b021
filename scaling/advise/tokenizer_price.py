"""What keeping a tokenizer costs, and what a cheaper one to serve costs: rates other than T*."""

import numpy as np

from scaling.advise.answer import (
    FrontierPoint,
    MeasuredTokenizer,
    Question,
    TokenizerPrice,
    outside_notes,
)
from scaling.advise.estimate import Estimate
from scaling.advise.forecast import Forecast, joint_law_price
from scaling.advise.laws import Draws
from scaling.advise.serving_case import ServingCase
from scaling.advise.task_error import TaskErrors
from tokenize_lab.ceilings import capped_line

FRONTIER = 2.0 ** np.arange(-1.0, 2.01, 0.5)  # rates shown, over T*


def tokenizer_price(
    ahead: Forecast,
    tokenizer: MeasuredTokenizer,
    joint: Draws | None,
    errors: TaskErrors | None = None,
    case: ServingCase | None = None,
) -> TokenizerPrice:
    """Return what keeping a tokenizer costs, by Law II and, where it has a say, the joint law.

    Args:
        errors: a law of task errors, for what it costs in accuracy.
        case: a budget that pays for serving, for what it costs there.
    """
    rate = np.full_like(ahead.best_rate, tokenizer.bytes_per_token)
    cost = ahead.price(rate)
    vocabulary_size = ahead.vocabulary_size
    if vocabulary_size is not None and tokenizer.vocabulary_size is not None:
        vocabulary_size = tokenizer.vocabulary_size
    serving = ahead.allocate(rate, vocabulary_size).forward_flops_per_byte
    notes = [*filter(None, [tokenizer.warning]), *outside_notes(ahead.outside(rate))]
    if not np.isfinite(cost.multiplier[0]):
        notes.append("no budget a million times as large reaches the best rate's bits per byte")
    joint_price = None
    if joint is not None:
        lost = joint_law_price(joint, ahead, tokenizer.bytes_per_token)
        joint_price = Estimate.of(lost, "bits per byte")
    loss = ahead.loss(rate)
    served = None if case is None else case.price(tokenizer.bytes_per_token)
    return TokenizerPrice(
        name=tokenizer.name,
        bytes_per_token=tokenizer.bytes_per_token,
        rate_over_best=Estimate.of(rate / ahead.best_rate, "of T*"),
        price_bits_per_byte=Estimate.of(cost.bits_per_byte, "bits per byte"),
        compute_multiplier=Estimate.of(cost.multiplier, "times the budget"),
        bits_per_byte=Estimate.of(loss, "bits per byte"),
        inference_flops_per_byte=Estimate.of(serving, "FLOPs per byte"),
        joint_price_bits_per_byte=joint_price,
        note="; ".join(notes),
        error=None if errors is None else errors.at(loss),
        served_price_bits_per_byte=None
        if served is None
        else Estimate.of(served.bits_per_byte, "bits per byte"),
        served_compute_multiplier=None
        if served is None
        else Estimate.of(served.multiplier, "times the budget"),
        price_points=None if errors is None else errors.lost(loss, ahead.loss(ahead.best_rate)),
    )


def capped(question: Question, best_rate: float) -> list[str]:
    """Return a line for each tokenizer whose splitter keeps it below the best rate.

    No vocabulary behind it reaches that, so the remedy is another splitter, not more ids.

    Args:
        question: with the bytes per piece of its tokenizers. best_rate: T*, bytes per token.
    """
    found = (
        (name, pieces.ceiling(question.language, best_rate)) for name, pieces in question.pieces
    )
    return [
        capped_line(name, [ceiling], best_rate) for name, ceiling in found if ceiling is not None
    ]


def frontier(ahead: Forecast) -> tuple[FrontierPoint, ...]:
    """Return better loss against cheaper serving, at rates around T*."""
    points = []
    for factor in FRONTIER:
        rate = ahead.best_rate * factor
        if rate[0] < 1:
            continue  # no token is shorter than a byte
        chosen = ahead.allocate(rate, ahead.vocabulary_size)
        points.append(
            FrontierPoint(
                compression_rate=float(rate[0]),
                bits_per_byte=float(ahead.loss(rate)[0]),
                params=float(chosen.params[0]),
                train_bytes=float(chosen.train_bytes[0]),
                inference_flops_per_byte=float(chosen.forward_flops_per_byte[0]),
            )
        )

    def beaten(point: FrontierPoint) -> bool:
        return any(
            other.bits_per_byte <= point.bits_per_byte
            and other.inference_flops_per_byte < point.inference_flops_per_byte
            for other in points
        )

    return tuple(point._replace(efficient=not beaten(point)) for point in points)
