"""A fit as text. Apart from the numbers, so that the numbers need not know about layout."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from corpora.errors import one_line

if TYPE_CHECKING:
    from scaling.result import FitResult


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
