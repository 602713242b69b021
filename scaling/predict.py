"""Everything that a fit predicts at given inputs, with intervals and how far beyond its data.

`FitResult.predict` gives one quantity; this gives all that the inputs determine, for every
combination of them.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from os import PathLike
from typing import Any, NamedTuple, overload

import numpy as np
import polars as pl

from corpora.arguments import path, real, refused
from corpora.bootstrap import bounds_text
from corpora.errors import InputError, did_you_mean, sanitize, status
from scaling.fits.downstream import check_unit, predict_error
from scaling.fits.findings import unusable
from scaling.fits.results import Fits
from scaling.laws.registry import asked_as, quantities
from scaling.load_table import RunsSource
from scaling.mixtures.predict import mixture_law, predict_table
from scaling.published.tables import PUBLISHED
from scaling.result import FitResult, read_fit

GivenFit = FitResult | Fits | str | PathLike[str]
FAR = 10  # times beyond the data fitted: an extrapolation that is said first
_MOST = 10_000  # predictions at once
_ERROR_OF = {"loss": "error", "bits_per_byte": "error", "bits_per_byte_opt": "error_opt"}


class PredictedValue(NamedTuple):
    """One quantity at one combination of its inputs.

    Attributes:
        quantity: its name. inputs: what it was predicted at.
        value: the prediction; None where it is no number.
        low, high: ends of its interval; None where it has no end, and both where there is none.
        unit: of the three.
        outside: by what factor each input lies beyond the data fitted, where it does.
    """

    quantity: str
    inputs: dict[str, float]
    value: float | None
    low: float | None
    high: float | None
    unit: str
    outside: dict[str, float]

    @property
    def has_interval(self) -> bool:
        """Whether at least one end is known."""
        return self.low is not None or self.high is not None


@dataclass(frozen=True, repr=False)
class Predictions:
    """What a fit predicts: `frame`, `summary`, `json`; a table in a notebook.

    Attributes:
        fit: which predicts. rows: one for each quantity and combination of inputs.
        missing: what else the inputs would decide, and the coefficient that it lacks.
    """

    fit: FitResult
    rows: tuple[PredictedValue, ...]
    missing: tuple[str, ...] = ()

    @property
    def cautions(self) -> list[str]:
        """What is to be known before any number."""
        said = []
        if why := unusable(self.fit):
            said.append(f"this fit is not to be used: {why}")
        beyond: dict[str, float] = {}
        for row in self.rows:
            for name, factor in row.outside.items():
                beyond[name] = max(factor, beyond.get(name, 0.0))
        said += [
            f"an extrapolation: {name} lies up to {factor:,.3g} times beyond the data fitted;"
            " intervals do not hold what may change there"
            for name, factor in beyond.items()
            if factor > FAR
        ]
        return [*said, *self.missing]

    def frame(self) -> pl.DataFrame:
        """Return a row a prediction: quantity, the inputs, value, low, high, unit, and `outside`,
        the largest factor by which an input lies beyond the data fitted (1 where none does)."""
        names = dict.fromkeys(name for row in self.rows for name in row.inputs)
        columns: dict[str, list[Any]] = {"quantity": [row.quantity for row in self.rows]}
        for name in names:
            columns[name] = [row.inputs.get(name) for row in self.rows]
        for name in ("value", "low", "high", "unit"):
            columns[name] = [getattr(row, name) for row in self.rows]
        columns["outside"] = [max([1.0, *row.outside.values()]) for row in self.rows]
        floats = dict.fromkeys([*names, "value", "low", "high", "outside"], pl.Float64)
        return pl.DataFrame(columns, schema_overrides=floats)

    def json(self) -> dict[str, Any]:
        """Return what the command prints with --json."""
        return {
            "law": self.fit.law,
            "form": self.fit.form,
            "level": self.fit.level,
            "data": self.fit.data,
            "cautions": self.cautions,
            "predictions": [
                {**row._asdict(), "inputs": dict(row.inputs), "outside": dict(row.outside)}
                for row in self.rows
            ],
        }

    def summary(self) -> str:
        """Return a line a prediction, what is to be known first."""
        lines = [f"caution: {said}" for said in self.cautions]
        for row in self.rows:
            at = ", ".join(f"{name} {value:g}" for name, value in row.inputs.items())
            ends = f" {bounds_text(row.low, row.high, 5)}" if row.has_interval else ""
            value = "unknown" if row.value is None else f"{row.value:.5g}{ends}"
            lines.append(f"{row.quantity} at {at or 'any'}: {value} {row.unit}".rstrip())
        return "\n".join(map(sanitize, lines))

    def __repr__(self) -> str:
        count = len(self.rows)
        law, values = asked_as(self.fit.law), f"{count} value{'s' * (count != 1)}"
        return f"Predictions({law}, {self.fit.form}: {values})"

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{html.escape(line)}</p>" for line in self.cautions)
        return f"<p>{html.escape(repr(self))}</p>{said}{self.frame()._repr_html_()}"


@overload
def predict(
    fit: GivenFit,
    /,
    *,
    compute_flops: float | Sequence[float] | None = None,
    compression_rate: float | Sequence[float] | None = None,
    params: float | Sequence[float] | None = None,
    train_bytes: float | Sequence[float] | None = None,
    tokens: float | Sequence[float] | None = None,
    downstream: GivenFit | None = None,
    **others: float | Sequence[float] | None,
) -> Predictions: ...
@overload
def predict(fit: GivenFit, table: RunsSource, /) -> pl.DataFrame: ...
def predict(
    fit: GivenFit,
    table: RunsSource | None = None,
    /,
    *,
    compute_flops: float | Sequence[float] | None = None,
    compression_rate: float | Sequence[float] | None = None,
    params: float | Sequence[float] | None = None,
    train_bytes: float | Sequence[float] | None = None,
    tokens: float | Sequence[float] | None = None,
    downstream: GivenFit | None = None,
    **others: float | Sequence[float] | None,
) -> Predictions | pl.DataFrame:
    """Return everything that a law predicts at the inputs given, for every combination of them; or,
    of a mixture law, a table of mixtures with a column `predicted`.

    A quantity is predicted where all its inputs are given: Law II tells T* and the lowest loss of
    `compute_flops` alone, and the loss and the price of a `compression_rate` besides.

    Args:
        fit: what `fit` returns, the file that it wrote, or the name of published coefficients.
        table: for a mixture law: what has a column `share:TEXT` of each of its texts.
        compute_flops: training budgets C.
        compression_rate: bytes per token T.
        params: model sizes N, counted as in the fit.
        train_bytes, tokens: data B and D.
        downstream: a fit of the law `downstream`: of every loss the task error is predicted too,
            with both bootstraps.
        others: further inputs of the law, by the names that `quantities` lists.

    Raises:
        InputError: no such fit, an input that the law does not take or that is not positive, or
            one that decides nothing without another.
    """
    mixture = mixture_law(fit)
    named: dict[str, float | Sequence[float] | None] = {
        "compute_flops": compute_flops,
        "compression_rate": compression_rate,
        "params": params,
        "train_bytes": train_bytes,
        "tokens": tokens,
        **others,
    }
    if mixture is not None and table is not None:
        beside = [name for name, values in named.items() if values is not None]
        if beside or downstream is not None:
            raise InputError(
                f"`{[*beside, 'downstream'][0]}`: a mixture law predicts the mixtures of a table,"
                " and nothing else"
            )
        return predict_table(mixture, table)
    if mixture is not None or table is not None:
        raise InputError(
            "`fit`: a mixture law predicts a table of mixtures, as `predict(fit, table)`, and no"
            " other law does"
        )
    found = given_fit(fit)
    given = {name: _values(name, values) for name, values in named.items() if values is not None}
    known = quantities(found.law)
    taken = dict.fromkeys(name for quantity in known.values() for name in quantity.inputs)
    if "train_bytes" in given and "train_bytes" not in taken and "bytes" in taken:
        given["bytes"] = given.pop("train_bytes")  # as a law of N and B calls them
    what = "it predicts " + "; ".join(
        f"{name} of {' and '.join(quantity.inputs)}"
        for name, quantity in known.items()
        if quantity.inputs
    )
    for name in given:
        if name not in taken:
            near = did_you_mean(name, taken)
            raise InputError(f"{asked_as(found.law)} takes no `{name}`{near}; {what}")
    if not given:
        raise InputError(f"{asked_as(found.law)}: no input is given; {what}")
    told = {name: one for name, one in known.items() if set(one.inputs) <= set(given)}
    for name in given:
        if all(name not in one.inputs for one in told.values()):
            raise InputError(
                f"{asked_as(found.law)}: `{name}` decides nothing without another; {what}"
            )
    count = sum(int(np.prod([len(given[n]) for n in one.inputs])) for one in told.values())
    if count > _MOST:
        raise InputError(f"{count:,} predictions are too many at once ({_MOST:,}); give fewer")
    tasks = None if downstream is None else given_fit(downstream)
    if tasks is not None and not set(told) & set(_ERROR_OF):
        raise InputError(
            f"`downstream` needs a loss, and {asked_as(found.law)} predicts none of that; {what}"
        )
    rows: list[PredictedValue] = []
    missing: list[InputError] = []  # quantities whose coefficients were not published or found
    for name, one in told.items():
        for values in product(*(given[n] for n in one.inputs)):
            inputs = dict(zip(one.inputs, values, strict=True))
            try:
                predicted = found.predict(name, **inputs)
            except InputError as error:
                missing.append(error)
                break
            ends = predicted.interval
            low, high = (None, None) if ends is None else map(_number, ends)
            value = _number(predicted.value)
            if name.endswith("_opt") and value == 0:  # coefficients at a limit, not an optimum
                value = low = high = None
            rows.append(PredictedValue(name, inputs, value, low, high, one.unit, predicted.outside))
            if tasks is not None and name in _ERROR_OF:
                rows.append(_task_error(found, rows[-1], tasks))
    if not rows:
        raise missing[0]
    return Predictions(found, tuple(rows), tuple(map(str, missing)))


def _task_error(law: FitResult, loss: PredictedValue, tasks: FitResult) -> PredictedValue:
    """Return the task error at a loss predicted; None where that is no loss."""
    check_unit(tasks, loss.unit)
    name, unit = _ERROR_OF[loss.quantity], quantities("downstream")["error"].unit
    if loss.value is None or loss.value <= 0:
        return loss._replace(quantity=name, value=None, low=None, high=None, unit=unit)
    told = predict_error(law, loss.quantity, tasks, **loss.inputs)
    ends = told.interval
    low, high = (None, None) if ends is None else map(_number, ends)
    return PredictedValue(name, loss.inputs, _number(told.value), low, high, unit, told.outside)


def given_fit(fit: GivenFit) -> FitResult:
    """Return a fit that is given as it is, by its file or by its published name.

    Raises:
        InputError: no such fit.
    """
    if isinstance(fit, FitResult):
        return fit
    if isinstance(fit, Fits):
        return fit.only
    if not isinstance(fit, str | PathLike):
        raise refused("fit", fit, "what `fit` returns, its file, or a published name")
    file = path("fit", fit)
    if status(file) is not None:
        return read_fit(file)
    if str(file) in PUBLISHED:
        return PUBLISHED[str(file)]
    raise InputError(
        f"{file}: no such file, and no published fit{did_you_mean(str(file), PUBLISHED)}"
        " (`scaling fit --out DIR` writes DIR/laws/LAW.json)"
    )


def _values(name: str, values: object) -> list[float]:
    several = values if isinstance(values, list | tuple | np.ndarray) else [values]
    if isinstance(several, np.ndarray):
        several = several.ravel()  # one of no dimension holds a number, too
    numbers = [real(name, value) for value in several]
    if not numbers or not all(number > 0 for number in numbers):
        wrong = next((number for number in numbers if number <= 0), values)
        raise refused(name, wrong, "positive")
    return numbers


def _number(value: Any) -> float | None:
    number = float(value)
    return number if np.isfinite(number) else None
