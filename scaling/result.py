"""What every fit returns, and every published law is written as: one frozen value.

Because ours and theirs are the same type, "ours against theirs" is one call (`scaling.compare`).
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from corpora.errors import InputError, one_line
from scaling.engine.newton import Array
from scaling.laws.registry import quantity

# A predicted value, its interval, and how far it lies outside what was fitted.


class Prediction(NamedTuple):
    """One quantity of a law at some inputs.

    Attributes:
        value: the point prediction, in the shape of the inputs.
        low, high: ends of the interval in the same shape; None where the law carries no draws.
        outside: for each input that leaves the fitted range, by what factor (1.5 means half as
            large again as the largest fitted value, or that much below the smallest).
    """

    value: Array
    low: Array | None
    high: Array | None
    outside: dict[str, float]


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
        factor = max(top / high, low / bottom)
        if factor > 1 and not math.isclose(factor, 1, rel_tol=1e-9):
            out[name] = factor
    return out


# A fit as text. Apart from the numbers, so that the numbers need not know about layout.


if TYPE_CHECKING:
    pass


def context_text(context: Mapping[str, float | str]) -> str:
    """Return what a fit was confined to, in a message: `language = eng_Latn, ...`."""
    return ", ".join(f"{key} = {_value(value)}" for key, value in context.items())


def report(result: "FitResult") -> str:
    """Return a few lines: what was fitted, coefficients with intervals, quality, findings."""
    lines = [f"{result.law} ({result.form}): {result.status}, n = {result.n}"]
    if result.source:
        lines.append(f"source: {result.source}")
    if result.data:
        lines.append(f"data: {result.data} sha256 {result.data_sha256[:12]}")
    lines += [f"{key}: {_value(value)}" for key, value in result.context.items()]
    lines.append(f"method: {result.method}; intervals: {result.interval_method}")
    if result.conventions:
        lines.append(
            "conventions: " + ", ".join(f"{key} = {one}" for key, one in result.conventions.items())
        )
    width = max((len(name) for name in result.estimates), default=0)
    for name, value in result.estimates.items():
        lines.append(
            f"  {name:<{width}}  {value:<14.6g}{_interval(result, name)}{_unit(result, name)}"
        )
    if result.interval_reason:
        lines.append(f"no interval: {result.interval_reason}")
    quality = [
        f"{label} {value:.6g}"
        for label, value in (
            ("R2", result.r2),
            ("adjusted R2", result.adjusted_r2),
            ("RMSE", result.rmse),
            ("AICc", result.aicc),
            ("BIC", result.bic),
        )
        if value is not None
    ]
    if quality:
        lines.append(", ".join(quality))
    if result.holdout is not None:
        held = result.holdout
        lines.append(
            f"hold-out ({held.rule}, n = {held.n}): RMSE {held.rmse:.6g}, bias {held.bias:+.3g}"
        )
    lines += [f"row {one.row} left out: {one.reason}" for one in result.excluded]
    lines += [f"{one.severity}: {one.name}: {one.message}" for one in result.findings]
    # Names of languages and texts come from a table, which may hold anything.
    return "\n".join(map(one_line, lines))


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


def _interval(result: "FitResult", name: str) -> str:
    ends = result.intervals.get(name)
    return "" if ends is None else f"[{ends.low:.6g}, {ends.high:.6g}]"


def _unit(result: "FitResult", name: str) -> str:
    unit = result.units.get(name)
    return f" {unit}" if unit else ""


Status = Literal["converged", "not converged", "published"]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Interval(_Frozen):
    """Ends of an interval at the result's level."""

    low: Finite
    high: Finite

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


class Finding(_Frozen):
    """Something a reader must know before trusting the fit.

    Attributes:
        name: one of the named checks of `scaling.findings`.
        severity: `note` (worth knowing), `warning` (doubt the answer) or `failure` (do not use it).
        message: one sentence with the numbers.
    """

    name: str
    severity: Literal["note", "warning", "failure"]
    message: str


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


class FitResult(_Frozen):
    """A law with its coefficients, and everything needed to doubt them.

    Attributes:
        law: the law's name (`scaling.laws.registry`).
        form: which form of it.
        estimates: every coefficient at full precision, by name.
        intervals: an interval for each estimate, or None; `interval_reason` says why none.
        level: coverage the intervals aim at.
        method: how the estimates were found.
        interval_method: how the intervals were found.
        interval_reason: why an interval is missing; empty where none is.
        seed: of the bootstrap's random numbers; None where none were drawn.
        status: `converged`, `not converged`, or `published` (coefficients from a paper).
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
        draws: [draws][estimates] bootstrap coefficients, in the order of `estimates`.
        findings: named checks that had something to say.
        source: citation, for published coefficients.
    """

    law: str
    form: str
    estimates: dict[str, Finite]
    intervals: dict[str, Interval | None]
    level: float = 0.95
    method: str
    interval_method: str = "none"
    interval_reason: str = ""
    seed: int | None = None
    status: Status
    n: int
    excluded: tuple[Excluded, ...] = ()
    residuals: tuple[Finite, ...] = ()
    r2: Finite | None = None
    adjusted_r2: Finite | None = None
    rmse: Finite | None = None
    aicc: Finite | None = None
    bic: Finite | None = None
    holdout: HoldOut | None = None
    units: dict[str, str] = {}
    conventions: dict[str, str] = {}
    context: dict[str, float | str] = {}
    data: str = ""
    data_sha256: str = ""
    data_range: dict[str, tuple[Finite, Finite]] = {}
    draws: tuple[tuple[Finite, ...], ...] = ()
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

    @property
    def ok(self) -> bool:
        """Whether the fit converged and no check calls it a failure."""
        return self.status != "not converged" and not any(
            finding.severity == "failure" for finding in self.findings
        )

    def within(self, context: Mapping[str, float | str]) -> "FitResult":
        """Return the result, said to be confined to a part of the table as well."""
        return self.model_copy(update={"context": {**context, **self.context}})

    def predict(self, name: str, **inputs: float | Array) -> Prediction:
        """Return one of the law's quantities at the inputs, with the bootstrap's interval.

        Args:
            name: a quantity of the law, e.g. `bits_per_byte` or `compression_rate_opt`.
            inputs: its inputs by name; arrays broadcast.

        Raises:
            InputError: the law has no such quantity, or an input is missing or unknown.
        """
        asked = quantity(self.law, self.form, name, tuple(inputs))
        values = {key: np.asarray(value, np.float64) for key, value in inputs.items()}
        fixed = {key: np.float64(value) for key, value in self.estimates.items()}
        try:
            value = asked.formula(fixed, **values)
        except KeyError as error:
            raise InputError(
                f"{self.law}: {name} needs the coefficient {error}, which was not published"
            ) from error
        low = high = None
        if self.draws:
            table = np.asarray(self.draws).T
            # Draws lie along a new first axis, so every input shape broadcasts against them.
            shape = (-1,) + (1,) * np.ndim(value)
            cloud = {
                key: column.reshape(shape)
                for key, column in zip(self.estimates, table, strict=True)
            }
            spread = np.asarray(asked.formula(cloud, **values))
            spread = np.broadcast_to(spread, (table.shape[1], *np.shape(value)))
            tail = 50 * (1 - self.level)
            low, high = np.nanpercentile(spread, [tail, 100 - tail], axis=0)
        return Prediction(value, low, high, beyond(values, self.data_range))

    def report(self) -> str:
        """Return the fit as text for people."""
        return report(self)


def interval_table(names: tuple[str, ...], low: Array, high: Array) -> dict[str, Interval | None]:
    """Return an interval for each name, None where an end is not finite."""
    return {
        name: Interval(low=float(one), high=float(other))
        if np.isfinite(one) and np.isfinite(other)
        else None
        for name, one, other in zip(names, low, high, strict=True)
    }


def point_table(names: tuple[str, ...], values: Mapping[str, float]) -> dict[str, float]:
    """Return the values in the order of the names, as plain floats."""
    return {name: float(values[name]) for name in names}
