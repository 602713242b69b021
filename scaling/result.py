"""What every fit returns, and every published law is written as: one frozen value.

Because ours and theirs are the same type, "ours against theirs" is one call (`scaling.compare`).
"""

import html
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, ValidationError

from corpora.arguments import refused
from corpora.bootstrap import Interval, bounds_text
from corpora.errors import InputError, is_file, sanitize
from corpora.json_file import read_content
from scaling.engine.bootstrap import percentiles
from scaling.engine.newton import Array
from scaling.engine.stored import (
    DrawTable,
    Finite,
    FittedRange,
    Level,
    ReadEstimates,
    StoredInterval,
    StoredNumber,
)
from scaling.laws.registry import LAWS, asked_as, quantities, quantity

FitStatus = Literal["converged", "not bounded", "not converged", "published"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Finding(_Frozen):
    """Something a reader must know before trusting the fit.

    Attributes:
        name: one of the named checks of `scaling.fits.findings` and of the laws.
        severity: `note` (worth knowing), `warning` (doubt the answer) or `failure` (do not use it).
        message: one sentence with the numbers.
    """

    name: str
    severity: Literal["note", "warning", "failure"]
    message: str


def noted(name: str, message: str) -> Finding:
    """Return a finding that is worth knowing."""
    return Finding(name=name, severity="note", message=message)


class Excluded(_Frozen):
    """A row that was left out, counted from 1 below the header, and why."""

    row: int
    reason: str


class HoldOut(_Frozen):
    """How well rows that were not fitted are predicted.

    Attributes:
        rule: which rows were held out.
        n: how many.
        rmse: root mean square error, in the unit of the loss.
        bias: mean of observed less predicted.
    """

    rule: str
    n: int
    rmse: Finite
    bias: Finite


class Prediction(NamedTuple):
    """One quantity of a law at some inputs.

    Attributes:
        value: the point prediction, in the shape of the inputs; a float where they are numbers.
        low, high: ends of the interval in the same shape; None where the law carries no draws.
        outside: for each input that leaves the fitted range, by what factor (1.5 means half as
            large again as the largest fitted value, or that much below the smallest).
    """

    value: Any
    low: Any
    high: Any
    outside: dict[str, float]

    @property
    def interval(self) -> Interval | None:
        """The interval of a single value; None where there is none."""
        if self.low is None or self.high is None or np.ndim(self.value):
            return None
        return Interval(float(self.low), float(self.high))

    def __repr__(self) -> str:
        value = f"{self.value:.6g}" if not np.ndim(self.value) else f"{self.value.shape} values"
        ends = self.interval
        shown = value if ends is None else f"{value} {bounds_text(*ends)}"
        outside = [f"{name} {factor:.3g} times beyond" for name, factor in self.outside.items()]
        return f"Prediction({', '.join([shown, *outside])})"


class FitResult(_Frozen):
    """A law with its coefficients, and everything needed to doubt them.

    Attributes:
        law: the law's name (`scaling.laws.registry`).
        form: which form of it.
        estimates: every coefficient at full precision, by name.
        intervals: an interval for each estimate, or None; `interval_reason` says why none. An end
            that the runs do not bound is infinite.
        level: coverage the intervals aim at.
        method: how the estimates were found.
        interval_method: how the intervals were found.
        interval_reason: why an interval is missing; empty where none is.
        seed: of the bootstrap's random numbers; None where none were drawn.
        status: `converged`, `not bounded` (a coefficient is at a limit), `not converged`, or
            `published` (coefficients from a paper).
        n: rows fitted.
        excluded: rows left out, with reasons.
        residuals: observed less predicted, in the order of the rows fitted.
        r2, adjusted_r2, rmse, aicc, bic: of those residuals (rmse divides by n); None where there
            are none.
        holdout: prediction of rows left out, where some were.
        units: unit of each input, output and coefficient that has one.
        conventions: which parameter count, FLOPs convention and loss were used.
        context: what the fit was confined to (`compute_flops`, `language`, ...).
        data: name of the table; `data_sha256`: of its bytes.
        data_range: lowest and highest value of each input that was fitted.
        draws: [draws, estimates] bootstrap coefficients, in the order of `estimates`.
        findings: named checks that had something to say.
        source: citation, for published coefficients.
    """

    law: str
    form: str
    estimates: dict[str, StoredNumber]
    intervals: dict[str, StoredInterval | None] = {}
    level: Level = 0.95
    method: str
    interval_method: str = "none"
    interval_reason: str = ""
    seed: int | None = None
    status: FitStatus
    n: int
    excluded: tuple[Excluded, ...] = ()
    residuals: tuple[Finite, ...] = ()
    r2: Finite | None = None
    adjusted_r2: Finite | None = None
    rmse: Finite | None = None
    aicc: Finite | None = None
    bic: Finite | None = None
    holdout: HoldOut | None = None
    units: Mapping[str, str] = {}
    conventions: dict[str, str] = {}
    context: dict[str, Finite | str] = {}
    data: str = ""
    data_sha256: str = ""
    data_range: dict[str, FittedRange] = {}
    draws: DrawTable = np.empty((0, 0))
    findings: tuple[Finding, ...] = ()
    source: str = ""

    def to_json(self) -> str:
        """Return strict JSON at full precision; `from_json` gives an equal value back."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str | bytes) -> "FitResult":
        """Read what `to_json` wrote.

        Raises:
            pydantic.ValidationError: a field is missing, unknown or not finite.
        """
        return cls.model_validate_json(text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FitResult) and self.to_json() == other.to_json()

    @property
    def ok(self) -> bool:
        """Whether the fit converged and no check calls it a failure."""
        return self.status != "not converged" and not any(
            finding.severity == "failure" for finding in self.findings
        )

    def within(self, context: Mapping[str, float | str]) -> "FitResult":
        """Return the result, said to be confined to a part of the table as well."""
        return self.model_copy(update={"context": {**context, **self.context}})

    @np.errstate(all="ignore")  # a coefficient at its limit gives no number, and that is said
    def predict(self, name: str, **inputs: float | Array) -> Prediction:
        """Return one of the law's quantities at the inputs, with the bootstrap's interval.

        Args:
            name: a quantity of the law, e.g. `bits_per_byte` or `compression_rate_opt`;
                `quantities` lists them.
            inputs: its inputs by name, positive numbers; arrays broadcast.

        Raises:
            InputError: the law has no such quantity, or an input is missing, unknown or not
                positive.
        """
        asked = quantity(self.law, self.form, name, tuple(inputs))
        values = {key: _positive(key, value) for key, value in inputs.items()}
        try:
            np.broadcast_shapes(*(value.shape for value in values.values()))
        except ValueError as error:
            shapes = ", ".join(f"`{key}` {value.shape}" for key, value in values.items())
            raise InputError(
                f"{asked_as(self.law)} {name}: shapes do not broadcast: {shapes}"
            ) from error
        fixed = {key: np.float64(value) for key, value in self.estimates.items()}
        try:
            value = asked.formula(fixed, **values)
        except KeyError as error:
            known = "which was not published" if self.source else "which was not found"
            raise InputError(
                f"{asked_as(self.law)}: {name} needs the coefficient {error}, {known}"
            ) from error
        low = high = None
        if len(self.draws):
            # Draws lie along a new first axis, so every input shape broadcasts against them.
            shape = (-1,) + (1,) * np.ndim(value)
            columns = (column.reshape(shape) for column in self.draws.T)
            spread = asked.formula(dict(zip(self.estimates, columns, strict=True)), **values)
            spread = np.broadcast_to(spread, (len(self.draws), *np.shape(value)))
            low, high = percentiles(spread, self.level)
        found: list[Any] = [value, low, high]
        if not np.ndim(value):
            found = [None if end is None else float(end) for end in found]
        return Prediction(found[0], found[1], found[2], beyond(values, self.data_range))

    def quantities(self) -> pl.DataFrame:
        """Return what `predict` can tell: a row a quantity, the inputs it needs, and its unit."""
        return pl.DataFrame(
            [
                {"quantity": name, "inputs": ", ".join(known.inputs), "unit": known.unit}
                for name, known in quantities(self.law).items()
            ]
        )

    def coefficients(self, draws: int | None = None) -> Mapping[str, Array]:
        """Return [1 + R] of each coefficient by name: its estimate, then its draws.

        Args:
            draws: R, at most; all where not given.
        """
        drawn = self.draws if len(self.draws) else np.empty((0, len(self.estimates)))
        table = np.vstack([list(self.estimates.values()), drawn[:draws]])
        named = dict(zip(self.estimates, table.T, strict=True))
        return self.estimates.of(named) if isinstance(self.estimates, ReadEstimates) else named

    def frame(self) -> pl.DataFrame:
        """Return one row per coefficient: its name, estimate, interval and unit."""
        ends = [self.intervals.get(name) for name in self.estimates]
        return pl.DataFrame(
            {
                "coefficient": list(self.estimates),
                "estimate": list(self.estimates.values()),
                "low": [None if interval is None else interval.low for interval in ends],
                "high": [None if interval is None else interval.high for interval in ends],
                "unit": [self.units.get(name, "") for name in self.estimates],
            },
            schema_overrides={"low": pl.Float64, "high": pl.Float64},
        )

    def summary(self) -> str:
        """Return a few lines: what was fitted, coefficients with intervals, quality, findings."""
        return _summary(self)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name} {value:.4g}" for name, value in self.estimates.items())
        law = f"{asked_as(self.law)}, {self.form}, {self.status}, n = {self.n}"
        return f"FitResult({law}: {shown or 'none'})"

    __str__ = summary

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"


FIT_REMEDY = "pass one that `scaling fit --out` wrote"


def read_fit(path: Path) -> FitResult:
    """Read a `FitResult` that `scaling fit --out` wrote.

    Raises:
        InputError: no such file, or not a fit.
    """
    if not is_file(path):
        raise InputError(f"{path}: no such fit; `scaling fit --out DIR` writes one")
    try:
        found = FitResult.from_json(read_content(path, FIT_REMEDY))
    except ValidationError as error:
        first = error.errors()[0]
        said = ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
        raise InputError(f"{path}: not a fit ({said})") from error
    if len(found.draws) and found.draws.shape[1] != len(found.estimates):
        raise InputError(
            f"{path}: not a fit (draws: of {found.draws.shape[1]} coefficients, not of the "
            f"{len(found.estimates)} of estimates)"
        )
    estimates = ReadEstimates(path, found.estimates)
    law = LAWS.get(asked_as(found.law))
    if law is not None and estimates:
        # A formula takes for 0 or 1 what a form holds there, and would of what a file has lost.
        estimates.need(law.forms.get(found.form, ()))
    return found.model_copy(update={"estimates": estimates})


def _positive(name: str, value: Any) -> Array:
    """Return an input of a law, or arrays of it; a text that looks like a number is none."""
    try:
        masked = isinstance(value, np.ma.MaskedArray | range | bytearray | memoryview)
        if masked or np.asarray(value).dtype.kind not in "iufO":
            raise TypeError
        values = np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        values = np.full(1, np.nan)
    if not (values.size and np.isfinite(values).all() and (values > 0).all()):
        raise refused(name, value, "positive finite numbers")
    return values


def beyond(
    inputs: Mapping[str, Array], fitted: Mapping[str, tuple[float, float]]
) -> dict[str, float]:
    """Return by what factor each positive input exceeds its fitted range, where it does."""
    out = {}
    for name, values in inputs.items():
        if name not in fitted:
            continue
        low, high = fitted[name]
        top, bottom = float(np.max(values)), float(np.min(values))
        if low <= 0 or bottom <= 0:
            continue
        factor = min(max(top / high, low / bottom), sys.float_info.max)  # JSON has no infinity
        if factor > 1 and not math.isclose(factor, 1, rel_tol=1e-9):
            out[name] = factor
    return out


def context_text(context: Mapping[str, float | str]) -> str:
    """Return what a fit was confined to, in a message: `language = eng_Latn, ...`."""
    return ", ".join(f"{key} = {_value(value)}" for key, value in context.items())


def _summary(fit: FitResult) -> str:
    lines = [f"{asked_as(fit.law)} ({fit.form}): {fit.status}, n = {fit.n}"]
    if fit.source:
        lines.append(f"source: {fit.source}")
    if fit.data:
        lines.append(f"data: {fit.data} sha256 {fit.data_sha256[:12]}")
    lines += [f"{key}: {_value(value)}" for key, value in fit.context.items()]
    lines.append(f"method: {fit.method}; intervals: {fit.interval_method}")
    if fit.conventions:
        counted = ", ".join(f"{key} = {value}" for key, value in fit.conventions.items())
        lines.append(f"conventions: {counted}")
    width = max((len(name) for name in fit.estimates), default=0)
    for name, value in fit.estimates.items():
        ends, unit = fit.intervals.get(name), fit.units.get(name)
        interval = "" if ends is None else bounds_text(*ends)
        lines.append(f"  {name:<{width}}  {value:<14.6g}{interval}{f' {unit}' if unit else ''}")
    if fit.interval_reason:
        lines.append(f"no interval: {fit.interval_reason}")
    figures = {
        "R2": fit.r2,
        "adjusted R2": fit.adjusted_r2,
        "RMSE": fit.rmse,
        "AICc": fit.aicc,
        "BIC": fit.bic,
    }
    quality = [f"{name} {value:.6g}" for name, value in figures.items() if value is not None]
    if quality:
        lines.append(", ".join(quality))
    if fit.holdout is not None:
        held = fit.holdout
        lines.append(
            f"hold-out ({held.rule}, n = {held.n}): RMSE {held.rmse:.6g}, bias {held.bias:+.3g}"
        )
    lines += [f"row {gone.row} left out: {gone.reason}" for gone in fit.excluded]
    lines += [f"{found.severity}: {found.name}: {found.message}" for found in fit.findings]
    # Names of languages and texts come from a table, which may hold anything.
    return "\n".join(map(sanitize, lines))


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
