"""Synthetic runs of a known law, and fresh noise on them."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from scaling.engine.bootstrap import Bootstrap
from scaling.engine.newton import Array
from scaling.read_runs import read_runs
from scaling.result import FitResult
from scaling.runs import Runs

Truth = Mapping[str, float]


class Planted(NamedTuple):
    """A known law and what its fit is asked.

    Attributes:
        truth: coefficients, by name, that the fit must recover.
        runs: the design, with the law's exact losses in `column`.
        column: of the losses.
        noise: standard deviation added to the losses, [n] or one number.
        fit: (runs, bootstrap) -> the fit.
        logs: coefficients judged in their logarithm (amplitudes, whose error is a factor).
    """

    truth: Truth
    runs: Runs
    column: str
    noise: Array
    fit: Callable[[Runs, Bootstrap], FitResult]
    logs: tuple[str, ...] = ()

    def noisy(self, generator: np.random.Generator) -> Runs:
        """Return the runs with fresh noise on their losses."""
        exact = self.runs.rows[self.column].to_numpy()
        losses = exact + self.noise * generator.standard_normal(len(exact))
        return self.with_losses(losses)

    def with_losses(self, losses: Array) -> Runs:
        """Return the runs with other losses."""
        frame = self.runs.rows.with_columns(pl.Series(self.column, losses))
        return Runs(frame, "planted", "", self.runs.params_column)


def runs_of(columns: Mapping[str, Array]) -> Runs:
    frame = pl.DataFrame({name: list(one) for name, one in columns.items()})
    return read_runs(frame, "planted")
