"""What every fit shares: the parts of its result that its runs and residuals determine, the
judgement of its draws, the refusal of too little, and one fit for each part of a table."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpora.bootstrap import Interval
from corpora.errors import InputError
from scaling.engine.bootstrap import Bootstrap, percentiles
from scaling.engine.newton import Array
from scaling.fits.findings import (
    NO_LIMITS,
    UNKNOWN,
    Limits,
    failure,
    note,
    open_intervals,
    opened,
    warning,
)
from scaling.laws.registry import LAWS
from scaling.result import Finding, FitResult, HoldOut
from scaling.runs import TOO_SHORT, Runs

FEWEST_DRAWS = 20
MOST_LOST = 0.05  # share of the draws that may be lost: those are not lost by chance
FAMILY = ("tokenization", "language", "dataset")  # a law is of one of each
FitContext = Mapping[str, float | str]
IntervalEnds = Mapping[str, tuple[float, float]]


def first(columns: Mapping[str, Array]) -> dict[str, float]:
    """Return the first of [R] values of each coefficient."""
    return {name: float(values[0]) for name, values in columns.items()}


def finite(estimates: Mapping[str, Any]) -> dict[str, float]:
    """Return the coefficients as plain floats; what is not finite was not found and is left out."""
    return {name: float(value) for name, value in estimates.items() if np.isfinite(value)}


def provenance(
    runs: Runs, inputs: Mapping[str, Array], conventions: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the fields of a result that say which runs it is of, and how they were counted.

    Args:
        inputs: fitted values of each input, for the range beyond which a prediction extrapolates.
    """
    return {
        "excluded": runs.excluded,
        "conventions": {**runs.conventions(), **(conventions or {})},
        "data": runs.name,
        "data_sha256": runs.sha256,
        "data_range": {
            name: (float(np.min(values)), float(np.max(values))) for name, values in inputs.items()
        },
    }


def goodness(observed: Array, residuals: Array, parameters: int) -> dict[str, Any]:
    """Return the fields of a result that measure it: n, residuals, R2, RMSE, AICc and BIC.

    AICc and BIC are those of normal errors of unknown variance (Burnham and Anderson 2002, 2.2):
    the variance counts as one more parameter. AICc is None where n leaves it undefined, R2 where
    the observations do not vary, and all but RMSE where there are as many parameters as rows: what
    is left then is rounding.

    Raises:
        InputError: the residuals are no numbers.
    """
    n = len(residuals)
    squares = float(residuals @ residuals)
    if not math.isfinite(squares):
        raise InputError(
            "the fit is beyond any number: some runs lie by many powers of ten from all others;"
            " fix them, or give them a status with a reason"
        )
    fields: dict[str, Any] = {
        "n": n,
        "residuals": tuple(residuals.tolist()),
        "rmse": math.sqrt(squares / max(n, 1)),
    }
    free = n - parameters
    if free <= 0:
        return fields
    spread = float(np.sum((observed - observed.mean()) ** 2))
    if spread > 0:
        fields["r2"] = 1 - squares / spread
        fields["adjusted_r2"] = 1 - (1 - fields["r2"]) * (n - 1) / free
    if squares > 0:
        k = parameters + 1
        likelihood = n * (math.log(2 * math.pi * squares / n) + 1)
        if n - k - 1 > 0:
            fields["aicc"] = likelihood + 2 * k + 2 * k * (k + 1) / (n - k - 1)
        fields["bic"] = likelihood + k * math.log(n)
    return fields


def assemble(
    fit: FitResult,
    runs: Runs,
    parameters: int,
    bootstrap: Bootstrap,
    draws: Mapping[str, Array] | None,
    pipeline: str,
    ends: IntervalEnds | None = None,
    block: str = "",
    limits: Limits = NO_LIMITS,
    most_lost: float = MOST_LOST,
) -> FitResult:
    """Return the fit with its intervals, and findings about them and its runs.

    Draws that came out not finite are dropped, and said so.

    Args:
        fit: the point estimates.
        parameters: free coefficients.
        draws: [draws] of each coefficient, or None where no bootstrap was run.
        pipeline: what the bootstrap repeats, for `interval_method`.
        ends: intervals found without resampling, instead of draws.
        block: what rows are resampled by; empty where each is by itself.
        limits: of coefficients that stop to matter there.
        most_lost: share of the draws that may be lost.
    """
    names = tuple(fit.estimates)
    findings = [
        *fit.findings,
        *runs.notes,
    ]
    if fit.status == "not converged" and not any(found.severity == "failure" for found in findings):
        text = "the objective was still falling when the iterations ran out"
        findings.append(failure("not converged", text))
    table = np.empty((0, 0))
    intervals: dict[str, Interval | None] = dict.fromkeys(names)
    reason, how = "no bootstrap was run" if names else "nothing was found", "none"
    if draws is not None and bootstrap.draws and names:
        cloud = np.stack([np.asarray(draws[name], np.float64) for name in names], axis=-1)
        good = np.isfinite(cloud).all(axis=1)
        lost = int((~good).sum())
        if lost:
            severe = lost > 0.02 * len(cloud)
            text = f"{lost} of {len(cloud)} bootstrap draws could not be fitted"
            findings.append((warning if severe else note)("failed draws", text))
        how = bootstrap.describe(pipeline, block) if fit.n > parameters else "none"
        reason = _unusable(int(good.sum()), len(cloud), fit.n - parameters, most_lost)
        if not reason:
            table = cloud[good]
            low, high = percentiles(table, bootstrap.level)
            both = dict(zip(names, zip(low.tolist(), high.tolist(), strict=True), strict=True))
            intervals = {
                name: opened(name, _interval(*pair), limits) for name, pair in both.items()
            }
            findings += open_intervals(fit.estimates, both, limits)
            unknown = [name for name in names if intervals[name] is None]
            reason = f"{UNKNOWN}{', '.join(unknown)}" if unknown else ""
    if ends is not None:
        intervals = {name: opened(name, _interval(*ends[name]), limits) for name in names}
        open_ended = [name for name in names if intervals[name] is None]
        how = bootstrap.describe("")
        reason = f"no end found for {', '.join(open_ended)}" if open_ended else ""
    if runs.excluded:
        count = len(runs.excluded)
        text = f"{count} row{' was' if count == 1 else 's were'} left out"
        text += f", the first for: {runs.excluded[0].reason}"
        if any(gone.reason.startswith(TOO_SHORT) for gone in runs.excluded):
            text += " (short runs are kept by --keep-short, `keep_short=True`)"
        findings.append(note("rows left out", text))
    return fit.model_copy(
        update={
            "intervals": intervals,
            "level": bootstrap.level,
            "interval_method": how,
            "interval_reason": reason,
            "seed": bootstrap.seed if len(table) else None,
            "draws": table,
            "findings": tuple(findings),
        }
    )


def _interval(low: float, high: float) -> Interval | None:
    return Interval(low, high) if math.isfinite(low) and math.isfinite(high) else None


def _unusable(fitted: int, drawn: int, spare: int, most_lost: float) -> str:
    """Return why draws cannot stand for the uncertainty; empty where they can."""
    if spare <= 0:
        return "no spare degrees of freedom: as many coefficients as rows, so nothing to resample"
    if fitted < FEWEST_DRAWS or drawn - fitted > most_lost * drawn:
        return (
            f"only {fitted} of {drawn} draws could be fitted, and those are not a fair sample"
            f" (at most {most_lost:.0%} may be lost)"
        )
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


def leave_out_largest(
    compute: Array,
    observed: Array,
    predict: Callable[[NDArray[np.bool_]], Array],
    fewest_rows: int = 0,
) -> HoldOut | str:
    """Leave out the rows of the largest budget and predict them from a fit to the others.

    Args:
        compute, observed: [n].
        predict: [n] which rows are left out -> predictions of those.

    Returns:
        why there is none, where fewer than three budgets, or fewer rows, would be left to fit.
    """
    left_out = compute == compute.max()
    rest = ~left_out
    budgets = len(np.unique(compute[rest]))
    if budgets < 3 or rest.sum() < fewest_rows:
        return few_left(compute.max(), f"{budgets} budgets and {int(rest.sum())} rows")
    rule = f"compute_flops = {compute.max():g} left out"
    found = held_out(rule, observed[left_out], predict(left_out))
    return found or "a fit to the smaller budgets predicts no number for the largest"


def few_left(largest: float, left: str) -> str:
    """Return why nothing is held out, where too little would be left."""
    return f"without the largest budget ({largest:g}) {left} would be left, too few to predict it"


def tried_on(found: HoldOut | str | None) -> tuple[HoldOut | None, list[Finding]]:
    """Return the hold-out there is, or a note that says why there is none."""
    if isinstance(found, str):
        return None, [note("no hold-out", found)]
    return found, []


def columns(runs: Runs, law: str) -> list[Array]:
    """Return the columns that the law says it needs, [n] each, in the order in which it says so.

    Raises:
        InputError: the table lacks one.
    """
    return [runs.column(name, law) for name in LAWS[law].columns]


def need(runs: Runs, law: str, *wanted: tuple[int | NDArray[Any], int, str], at: str = "") -> None:
    """Refuse a table with fewer of something than the law needs: (count, least, what).

    For the count there may be values, of which different ones are counted.

    Args:
        at: the part of the table that is too small, where it is not the whole.

    Raises:
        InputError: naming the first that is too few.
    """
    for values, least, what in wanted:
        count = values if isinstance(values, int) else len(np.unique(values))
        if count < least:
            raise InputError(
                f"{runs.name}: {law} needs at least {least} {what}{at}, and there "
                f"{'is' if count == 1 else 'are'} {count}{runs.remedy_of_few}"
            )


def few_minima(
    runs: Runs,
    law: str,
    labels: NDArray[Any],
    found: NDArray[np.bool_],
    least: int,
    what: str,
    why: Sequence[Finding],
) -> FitResult:
    """Return the result of a law that too few of a table's isoFLOP curves have a minimum for.

    Args:
        labels: [c] of the curves, of which the law needs different ones; found: [c] whether a
            curve has a minimum.
        least, what: how many of what the law needs.
        why: the findings that say what became of the others.
    """
    some, whole = len(np.unique(labels[found])), len(np.unique(labels))
    reason = f"{law} needs at least {least} {what} with a minimum among the sizes trained, and "
    reason += f"{some} of {whole} {'has' if some == 1 else 'have'} one{runs.remedy_of_few}"
    return unfitted(law, runs, {}, reason, why)


def fit_each(
    law: str,
    parts: Iterable[tuple[FitContext, Runs]],
    fit: Callable[[FitContext, Runs], Sequence[FitResult]],
) -> tuple[FitResult, ...]:
    """Return every part's results; a part that cannot be fitted has one that says why.

    Args:
        parts: what each is confined to, which its results will say, and its runs.

    Raises:
        InputError: no part can be fitted; what the first of them lacks.
    """
    results: list[FitResult] = []
    refusals: list[InputError] = []
    parts = list(parts)
    for context, runs in parts:
        try:
            results += (result.within(context) for result in fit(context, runs))
        except InputError as error:
            refusals.append(error)
            results.append(unfitted(law, runs, context, str(error)))
    if len(refusals) == len(parts):
        raise refusals[0]
    return tuple(results)


def unfitted(
    law: str, runs: Runs, context: FitContext, reason: str, why: Sequence[Finding] = ()
) -> FitResult:
    """Return the result of a part that a law cannot be fitted to.

    Args:
        why: findings that led to it.
    """
    return FitResult(
        law=law,
        form="none",
        estimates={},
        method="none",
        interval_reason="nothing was fitted",
        status="not converged",
        n=0,
        context=dict(context),
        findings=(*why, failure("not fitted", reason)),
        **provenance(runs, {}),
    )
