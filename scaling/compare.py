"""Two fits beside each other, coefficient by coefficient; several, by what they explain."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from corpora.errors import InputError
from scaling.result import FitResult, Interval


class Coefficient(NamedTuple):
    """One coefficient in two fits of a law.

    Attributes:
        name: of the coefficient.
        first, second: the two estimates.
        difference: first less second; relative: that, over the second (None where it is 0).
        in_first, in_second: whether the other's estimate lies in this one's interval; None where
            there is none.
        overlap: whether the two intervals meet; None where one is missing.
    """

    name: str
    first: float
    second: float
    difference: float
    relative: float | None
    in_first: bool | None
    in_second: bool | None
    overlap: bool | None


def compare(first: FitResult, second: FitResult) -> tuple[Coefficient, ...]:
    """Return the coefficients the two have in common, in the order of the first.

    Raises:
        InputError: the two are fits of different laws.
    """
    if first.law != second.law:
        raise InputError(f"a {first.law} fit and a {second.law} fit have no coefficients in common")
    rows = []
    for name, one in first.estimates.items():
        if name not in second.estimates:
            continue
        other = second.estimates[name]
        mine, theirs = first.intervals.get(name), second.intervals.get(name)
        rows.append(
            Coefficient(
                name,
                one,
                other,
                one - other,
                (one - other) / other if other else None,
                _inside(other, mine),
                _inside(one, theirs),
                None
                if mine is None or theirs is None
                else mine.low <= theirs.high and theirs.low <= mine.high,
            )
        )
    return tuple(rows)


def _inside(value: float, interval: Interval | None) -> bool | None:
    return None if interval is None else value in interval


class Weight(NamedTuple):
    """One of several fits to the same rows, for a table of rivals.

    Attributes:
        law, form: which. coefficients: fitted. n: rows.
        rmse, r2, aicc, bic: of the fit; holdout_rmse: of what was held out.
        delta_aicc: AICc above the best of the table.
    """

    law: str
    form: str
    coefficients: int
    n: int
    rmse: float | None
    r2: float | None
    aicc: float | None
    bic: float | None
    holdout_rmse: float | None
    delta_aicc: float | None


def weigh(results: Sequence[FitResult]) -> tuple[Weight, ...]:
    """Return nested and rival fits of the same rows in one table, lowest AICc first.

    Raises:
        InputError: they were fitted to different numbers of rows, so that AICc does not compare.
    """
    sizes = {result.n for result in results}
    if len(sizes) > 1:
        raise InputError(
            f"fits to {', '.join(str(size) for size in sorted(sizes))} rows cannot be weighed "
            "against each other; fit them to the same table"
        )
    known = [result.aicc for result in results if result.aicc is not None]
    best = min(known) if known else None
    rows = [
        Weight(
            one.law,
            one.form,
            len(one.estimates),
            one.n,
            one.rmse,
            one.r2,
            one.aicc,
            one.bic,
            None if one.holdout is None else one.holdout.rmse,
            None if one.aicc is None or best is None else one.aicc - best,
        )
        for one in results
    ]
    return tuple(sorted(rows, key=lambda row: (row.aicc is None, row.aicc or 0.0)))


# A fit as the command prints it: strict JSON, one object, one entry per family and budget.


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
