"""What rates other than T* cost: in bits per byte, in compute, in serving and in task errors.

The loss that Law II gives at a rate goes through a law of task errors, Err = eps - k exp(-gamma L)
(`scaling.laws.downstream`), draw by draw, so that an interval holds what both laws leave open.
"""

from typing import NamedTuple

import numpy as np

from corpora.errors import InputError
from scaling.advise.answer import (
    FrontierPoint,
    MeasuredTokenizer,
    Question,
    TokenizerPrice,
    outside_notes,
)
from scaling.advise.estimate import Estimate
from scaling.advise.forecast import Forecast, joint_law_price
from scaling.advise.laws import Draws, language_of
from scaling.advise.serving_case import ServingCase
from scaling.engine.newton import Array
from scaling.fits.downstream import check_unit, error_draws
from scaling.fits.findings import check_usable
from scaling.laws.registry import BITS
from scaling.result import FitResult, beyond
from tokenize_lab.ceilings import capped_line

FRONTIER = 2.0 ** np.arange(-1.0, 2.01, 0.5)  # rates shown, over T*


class TaskErrors(NamedTuple):
    """A law of task errors, as an answer uses it: `fit`, of the law `downstream`."""

    fit: FitResult

    def at(self, loss: Array) -> Estimate:
        """Return the share of answers that are wrong, at [1 + R] bits per byte."""
        return Estimate.of(error_draws(loss, self.fit), "of answers wrong")

    def lost(self, loss: Array, best: Array) -> Estimate:
        """Return the points of accuracy lost at one loss against another, [1 + R] bits per byte."""
        more = error_draws(loss, self.fit) - error_draws(best, self.fit)
        return Estimate.of(100 * more, "points of accuracy")

    def cautions(self, loss: Array, language: str) -> list[str]:
        """Return what is to be known of it before any number, at [1 + R] bits per byte.

        Args:
            language: of the answer.
        """
        said = []
        for factor in beyond({"loss": loss[:1]}, self.fit.data_range).values():
            low, high = self.fit.data_range["loss"]
            said.append(
                f"an extrapolation: L* lies beyond the losses that task errors were fitted to,"
                f" {low:.3g} to {high:.3g} bits per byte, by a factor of {factor:.3g}"
            )
        told = language_of(self.fit)
        if told != language:
            said.append(f"task errors are by the loss of {told} text, not of {language} text")
        return said

    @property
    def note(self) -> str:
        """What is taken for granted."""
        data = f" ({self.fit.data})" if self.fit.data else ""
        known = "" if len(self.fit.draws) else "; it has no draws, so nothing of it has an interval"
        return (
            f"task errors{data} are taken to follow from bits per byte of the same kind of text as"
            f" the laws'{known}"
        )


def task_errors(fit: FitResult) -> TaskErrors:
    """Return a law of task errors that an answer can use.

    Raises:
        InputError: it is a fit of another law, of losses that are not bits per byte, or not to be
            used.
    """
    check_unit(fit, BITS)
    check_usable("downstream", fit)
    if not np.isfinite(list(fit.estimates.values())).all():
        raise InputError("`downstream`: not to be used: coefficients of it have no end; fit again")
    return TaskErrors(fit)


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
