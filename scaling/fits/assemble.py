"""From coefficients and draws to a `FitResult`."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from scaling.engine.bootstrap import Bootstrap
from scaling.engine.newton import Array
from scaling.result import Finding, FitResult, HoldOut, Interval, interval_table
from scaling.runs import Runs

# Goodness of fit from residuals, and the criteria that weigh it against parameters spent.


class Goodness(NamedTuple):
    """R2, adjusted R2, RMSE (dividing by n), AICc and BIC; None where undefined."""

    r2: float | None
    adjusted_r2: float | None
    rmse: float
    aicc: float | None
    bic: float | None


def goodness(observed: Array, residuals: Array, parameters: int) -> Goodness:
    """Return the usual figures of a fit with `parameters` free coefficients.

    AICc and BIC are those of normal errors of unknown variance (Burnham and Anderson 2002, 2.2):
    the variance counts as one more parameter. AICc is None where n leaves it undefined, R2 where
    the observations do not vary, and all but RMSE where there are as many parameters as rows: what
    is left then is rounding.
    """
    n = len(residuals)
    squares = float(residuals @ residuals)
    spread = float(np.sum((observed - observed.mean()) ** 2))
    free = n - parameters
    if free <= 0:
        return Goodness(None, None, math.sqrt(squares / max(n, 1)), None, None)
    r2 = 1 - squares / spread if spread > 0 else None
    adjusted = 1 - (1 - r2) * (n - 1) / free if r2 is not None else None
    if squares <= 0:
        return Goodness(r2, adjusted, 0.0, None, None)
    k = parameters + 1
    likelihood = n * (math.log(2 * math.pi * squares / n) + 1)
    aicc = likelihood + 2 * k + 2 * k * (k + 1) / (n - k - 1) if n - k - 1 > 0 else None
    return Goodness(r2, adjusted, math.sqrt(squares / n), aicc, likelihood + k * math.log(n))


FEWEST_DRAWS = 20


def assemble(
    *,
    law: str,
    form: str,
    estimates: Mapping[str, float],
    draws: Mapping[str, Array] | None,
    observed: Array,
    residuals: Array,
    parameters: int,
    converged: bool,
    method: str,
    pipeline: str,
    bootstrap: Bootstrap,
    runs: Runs,
    inputs: Mapping[str, Array],
    units: Mapping[str, str],
    conventions: Mapping[str, str] | None = None,
    findings: Sequence[Finding] = (),
    holdout: HoldOut | None = None,
    ends: Mapping[str, tuple[float, float]] | None = None,
) -> FitResult:
    """Return the frozen result; draws that came out not finite are dropped, and said so.

    Args:
        estimates: every coefficient, by name.
        draws: [draws] of each coefficient, or None where no bootstrap was run.
        observed, residuals: [n] for the goodness of fit.
        parameters: free coefficients, for AICc and BIC.
        pipeline: what the bootstrap repeats, for `interval_method`.
        ends: intervals found without resampling, instead of draws.
        inputs: fitted values of each input, for the range beyond which a prediction extrapolates.
    """
    # A coefficient that is not finite was not found; it is left out, never written as a number.
    estimates = {name: one for name, one in estimates.items() if np.isfinite(one)}
    names = tuple(estimates)
    notes = list(findings)
    notes += [Finding(name="column names", severity="note", message=note) for note in runs.notes]
    if not converged and not any(note.severity == "failure" for note in notes):
        notes.append(
            Finding(
                name="not converged",
                severity="failure",
                message="the objective was still falling when the iterations ran out",
            )
        )
    quality = goodness(observed, residuals, parameters)
    table: tuple[tuple[float, ...], ...] = ()
    intervals: dict[str, Interval | None] = dict.fromkeys(names)
    reason, how = "no bootstrap was run" if names else "nothing was found", "none"
    if draws is not None and bootstrap.draws and names:
        cloud = np.stack([np.asarray(draws[name], np.float64) for name in names], axis=-1)
        good = np.isfinite(cloud).all(axis=1)
        lost = int((~good).sum())
        if lost:
            notes.append(
                Finding(
                    name="failed draws",
                    severity="warning" if lost > 0.02 * len(cloud) else "note",
                    message=f"{lost} of {len(cloud)} bootstrap draws could not be fitted",
                )
            )
        how = bootstrap.describe(pipeline)
        reason = _unusable(int(good.sum()), len(cloud), len(residuals) - parameters)
        if not reason:
            cloud = cloud[good]
            table = tuple(tuple(row) for row in cloud.tolist())
            tail = 50 * (1 - bootstrap.level)
            low, high = np.percentile(cloud, [tail, 100 - tail], axis=0)
            intervals = interval_table(names, low, high)
    if ends is not None:
        low, high = (np.array([ends[name][side] for name in names]) for side in (0, 1))
        intervals = interval_table(names, low, high)
        how, open_ended = bootstrap.describe(""), [one for one in names if intervals[one] is None]
        reason = f"no end found for {', '.join(open_ended)}" if open_ended else ""
    if runs.excluded:
        count = len(runs.excluded)
        rows = f"{count} row{' was' if count == 1 else 's were'} left out"
        rows += f", the first for: {runs.excluded[0].reason}"
        notes.append(Finding(name="rows left out", severity="note", message=rows))
    return FitResult(
        law=law,
        form=form,
        estimates={name: float(value) for name, value in estimates.items()},
        intervals=intervals,
        level=bootstrap.level,
        method=method,
        interval_method=how,
        interval_reason=reason,
        seed=bootstrap.seed if table else None,
        status="converged" if converged else "not converged",
        n=len(residuals),
        excluded=runs.excluded,
        residuals=tuple(float(one) for one in residuals),
        r2=quality.r2,
        adjusted_r2=quality.adjusted_r2,
        rmse=quality.rmse,
        aicc=quality.aicc,
        bic=quality.bic,
        holdout=holdout,
        units=dict(units),
        conventions={**runs.conventions(), **(conventions or {})},
        data=runs.name,
        data_sha256=runs.sha256,
        data_range={key: (float(np.min(one)), float(np.max(one))) for key, one in inputs.items()},
        draws=table,
        findings=tuple(notes),
    )


def _unusable(fitted: int, drawn: int, spare: int) -> str:
    """Return why draws cannot stand for the uncertainty; empty where they can."""
    if spare <= 0:
        return "no spare degrees of freedom: as many coefficients as rows, so nothing to resample"
    if fitted < FEWEST_DRAWS or 2 * fitted < drawn:
        return f"only {fitted} of {drawn} draws could be fitted, and those are not a fair sample"
    return ""


def held_out(rule: str, observed: Array, predicted: Array) -> HoldOut | None:
    """Return the record of rows predicted, not fitted; None where a prediction is not finite."""
    if not np.isfinite(predicted).all():
        return None
    errors = observed - predicted
    return HoldOut(
        rule=rule,
        n=len(errors),
        rmse=float(np.sqrt(np.mean(errors**2))),
        bias=float(np.mean(errors)),
    )
