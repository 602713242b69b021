"""From bits per byte to task error: what a tokenizer costs in points of accuracy.

The loss that Law II gives at a rate goes through a law of task errors, Err = eps - k exp(-gamma L)
(`scaling.laws.downstream`), draw by draw, so that an interval holds what both laws leave open.
"""

from typing import NamedTuple

import numpy as np

from corpora.errors import InputError
from scaling.advise.estimate import Estimate
from scaling.advise.laws import language_of
from scaling.engine.newton import Array
from scaling.fits.downstream import check_unit, error_draws
from scaling.laws.registry import BITS
from scaling.result import FitResult, beyond


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
    if not fit.ok or not np.isfinite(list(fit.estimates.values())).all():
        failed = [finding.message for finding in fit.findings if finding.severity == "failure"]
        raise InputError(f"`downstream`: not to be used: {'; '.join([fit.status, *failed])}")
    return TaskErrors(fit)
