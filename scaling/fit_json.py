"""A fit as the command prints it: strict JSON, one object, one entry per family and budget."""

import math
from collections.abc import Sequence
from typing import Any

from scaling.result import FitResult

Json = dict[str, Any]
_BUDGETS_SHOWN = 12


def fit_json(law: str, results: Sequence[FitResult]) -> Json:
    """Return the object `scaling fit --json` prints.

    One fit is itself; several (a surface per budget, a law per language) are pooled on top, their
    estimates named `name@budget`, and listed whole under `entries`.
    """
    entries = [entry(result) for result in results]
    if len(entries) == 1:
        return {**entries[0], "entries": entries}
    names = dict.fromkeys(name for result in results for name in result.context)
    varying = [name for name in names if len({one.context.get(name) for one in results}) > 1]
    estimates, intervals = {}, {}
    for result in results:
        where = "/".join(_short(result.context[one]) for one in varying if one in result.context)
        for name, value in result.estimates.items():
            estimates[f"{name}@{where}"] = value
            ends = result.intervals.get(name)
            intervals[f"{name}@{where}"] = None if ends is None else [ends.low, ends.high]
    n = sum(result.n for result in results)
    squares = sum(sum(one * one for one in result.residuals) for result in results)
    failed = any(result.status == "not converged" for result in results)
    return {
        "law": law,
        "n": n,
        "status": "not converged" if failed else "converged",
        "estimates": estimates,
        "intervals": intervals,
        "r2": _pooled_r2(results),
        "rmse": math.sqrt(squares / n) if n else None,
        "entries": entries,
    }


def entry(result: FitResult) -> Json:
    """Return one fit, without its draws and residuals; its budget and optimum stand on top."""
    optimum = {name: value for name, value in result.estimates.items() if name.endswith("_opt")}
    return {
        "law": result.law,
        "form": result.form,
        **result.context,
        **optimum,
        "status": result.status,
        "n": result.n,
        "estimates": result.estimates,
        "intervals": {
            name: None if ends is None else [ends.low, ends.high]
            for name, ends in result.intervals.items()
        },
        "interval_method": result.interval_method,
        "interval_reason": result.interval_reason,
        "level": result.level,
        "seed": result.seed,
        "method": result.method,
        "r2": result.r2,
        "adjusted_r2": result.adjusted_r2,
        "rmse": result.rmse,
        "aicc": result.aicc,
        "bic": result.bic,
        "holdout": None if result.holdout is None else result.holdout.model_dump(),
        "units": result.units,
        "conventions": result.conventions,
        "data": result.data,
        "data_sha256": result.data_sha256,
        "excluded": [one.model_dump() for one in result.excluded],
        "findings": [one.model_dump() for one in result.findings],
        "predictions": predictions(result),
    }


def predictions(result: FitResult) -> list[Json]:
    """Return T* and the best loss at a few budgets, for the laws that tell them."""
    if result.law not in ("law2", "joint", "joint-additive") or not result.estimates:
        return []
    if "T0" not in result.estimates or "compute_flops" not in result.data_range:
        return []
    low, high = result.data_range["compute_flops"]
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1
    rows = []
    for power in range(first, min(last, first + _BUDGETS_SHOWN) + 1):
        compute = 10.0**power
        rate = result.predict("compression_rate_opt", compute_flops=compute)
        inputs = {"compute_flops": compute}
        if result.law != "law2":
            inputs["compression_rate"] = float(rate.value)
        loss = result.predict("bits_per_byte_opt", **inputs)
        rows.append(
            {
                "compute_flops": compute,
                "compression_rate_opt": float(rate.value),
                "compression_rate_opt_interval": _ends(rate.low, rate.high),
                "bits_per_byte_opt": float(loss.value),
                "bits_per_byte_opt_interval": _ends(loss.low, loss.high),
                "outside": rate.outside,
            }
        )
    return rows


def _ends(low: Any, high: Any) -> list[float] | None:
    return None if low is None or high is None else [float(low), float(high)]


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _pooled_r2(results: Sequence[FitResult]) -> float | None:
    """Return the share of the variance within each fit's own rows that the fits explain."""
    squares = spread = 0.0
    for result in results:
        if result.r2 is None or result.r2 >= 1:
            return None
        own = sum(one * one for one in result.residuals)
        squares += own
        spread += own / (1 - result.r2)
    return 1 - squares / spread if spread > 0 else None
