"""Fitting a law to the runs themselves, in one stage: search, polish, resample, check."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from scaling.engine.bootstrap import NO_BOOTSTRAP, Bootstrap, leverages, residual_targets
from scaling.engine.intervals import from_hessian, from_profile
from scaling.engine.newton import Array
from scaling.engine.problem import Problem, land_on_kink
from scaling.fits.assemble import assemble
from scaling.fits.findings import correlated, outliers, starts_agree, upside_down
from scaling.result import Finding, FitResult, HoldOut
from scaling.runs import Runs

# Where the Hessian's intervals and the bootstrap's part, the reader is told.


ILL = 1e8
APART = 1.5


def disagreement(problem: Problem, theta: Array, draws: Mapping[str, Array]) -> list[Finding]:
    """Return findings where the Hessian is ill-conditioned or its intervals are off by half.

    Args:
        theta: [1, p] optimum; draws: [R] of each public coefficient.
    """
    curvature = from_hessian(problem, theta)
    findings = []
    if curvature.condition > ILL:
        findings.append(
            Finding(
                name="ill-conditioned Hessian",
                severity="warning",
                message=f"condition number {curvature.condition:.1e}: "
                "some combination of coefficients is not determined by these runs",
            )
        )
    parts = []
    for index, name in enumerate(problem.names):
        cloud = draws[name][np.isfinite(draws[name])]
        if len(cloud) < 20:
            continue
        low, high = np.percentile(cloud, [2.5, 97.5])
        width = curvature.high[index] - curvature.low[index]
        if width <= 0 or high <= low:
            continue
        ratio = (high - low) / width
        if not 1 / APART < ratio < APART:
            parts.append(f"{name} {ratio:.2g}")
    if parts:
        findings.append(
            Finding(
                name="intervals disagree",
                severity="note",
                message="width of the bootstrap's interval over the Hessian's: " + ", ".join(parts),
            )
        )
    return findings


SPARE = 3  # rows beyond the coefficients that a bootstrap needs


class Stage(NamedTuple):
    """What is fitted, and how the result is to be named.

    Attributes:
        law, form, method: as in `FitResult`.
        problem: the engine's problem; starts: [K, p] starts for it.
        formula: coefficients -> [n] predictions in the unit of `observed`.
        observed: [n] losses.
        inputs: fitted inputs by name, for the range of extrapolation.
        annealed: larger deltas to pass through first.
        kink: whether to land on the exact kink of absolute values.
        cells: [n] cells within which rows are resampled; None for one cell.
    """

    law: str
    form: str
    method: str
    problem: Problem
    starts: Array
    formula: Callable[[Mapping[str, float]], Array]
    observed: Array
    inputs: Mapping[str, Array]
    units: Mapping[str, str]
    conventions: Mapping[str, str]
    annealed: tuple[float, ...] = ()
    kink: bool = False
    cells: NDArray[np.int64] | None = None


def fit_stage(
    stage: Stage,
    runs: Runs,
    bootstrap: Bootstrap,
    findings: Sequence[Finding] = (),
    holdout: HoldOut | None = None,
) -> FitResult:
    """Return the finished fit of one stage."""
    problem, n = stage.problem, len(stage.observed)
    names = problem.names
    best, agree = problem.fit(stage.starts, stage.annealed)
    theta = land_on_kink(problem, best.theta)[0] if stage.kink else best.theta
    estimates = {key: float(one[0]) for key, one in problem.public(theta).items()}
    residuals = stage.observed - stage.formula(estimates)
    leverage = leverages(problem.model.jacobian(theta)[0])
    notes = list(findings) + starts_agree(agree, len(stage.starts))
    notes += outliers(residuals, leverage, len(names), runs.rows["row"].to_numpy())
    draws = None
    if bootstrap.kind != "none" and n < len(names) + SPARE:
        notes.append(
            Finding(
                name="too few runs to resample",
                severity="warning",
                message=f"{n} runs for {len(names)} coefficients: there is no interval",
            )
        )
        bootstrap = NO_BOOTSTRAP
    if bootstrap.resamples:
        draws = problem.public(_draw(stage, best.theta, leverage, bootstrap))
        notes += correlated(draws, names) + disagreement(problem, best.theta, draws)
    ends = None
    if bootstrap.kind in ("hessian", "profile"):
        ends = without_resampling(problem, best.theta, bootstrap)
    if stage.law in ("joint", "joint-additive"):
        wrong = upside_down(estimates, stage.observed)
        if wrong:
            # Without T0 nothing can predict an optimum that is none.
            estimates.pop("T0", None)
        notes += wrong
    return assemble(
        law=stage.law,
        form=stage.form,
        estimates=estimates,
        draws=draws,
        observed=stage.observed,
        residuals=residuals,
        parameters=len(names),
        converged=bool(best.converged[0]) and bool(np.isfinite(list(estimates.values())).all()),
        method=stage.method,
        pipeline="refitted",
        bootstrap=bootstrap,
        runs=runs,
        inputs=stage.inputs,
        units=stage.units,
        conventions=stage.conventions,
        findings=notes,
        holdout=holdout,
        ends=ends,
    )


def without_resampling(
    problem: Problem, theta: Array, bootstrap: Bootstrap
) -> dict[str, tuple[float, float]]:
    """Return the ends of each interval from the Hessian, or from each coefficient's profile."""
    curvature = from_hessian(problem, theta, bootstrap.level)
    ends = {
        name: (float(low), float(high))
        for name, low, high in zip(problem.names, curvature.low, curvature.high, strict=True)
    }
    if bootstrap.kind == "hessian":
        return ends
    return {
        name: from_profile(problem, theta, name, max((high - low) / 4, 1e-12), bootstrap.level)
        for name, (low, high) in ends.items()
    }


def _draw(stage: Stage, theta: Array, leverage: Array, bootstrap: Bootstrap) -> Array:
    """Return [R, p] the replicates' optima."""
    problem, n = stage.problem, len(stage.observed)
    cells = np.zeros(n, np.int64) if stage.cells is None else stage.cells
    if bootstrap.kind == "cases":
        return problem.redraw(theta, bootstrap, cells)
    fitted = problem.model.value(theta)[0]
    targets = residual_targets(
        fitted,
        problem.target - fitted,
        leverage,
        np.zeros(n, np.int64),
        bootstrap.draws,
        bootstrap.generator(),
    )
    return problem.retarget(theta, targets)


def point(problem: Problem, starts: Array, annealed: tuple[float, ...] = ()) -> dict[str, float]:
    """Return the point estimates alone, as a hold-out needs them."""
    best, _ = problem.fit(starts, annealed)
    return {name: float(one[0]) for name, one in problem.public(best.theta).items()}


def need(runs: Runs, law: str, *wanted: tuple[int, int, str]) -> None:
    """Refuse a table with fewer of something than the law needs: (count, least, what).

    Raises:
        InputError: naming the first that is too few.
    """
    for count, least, what in wanted:
        if count < least:
            raise InputError(
                f"{runs.name}: {law} needs at least {least} {what}, and there "
                f"{'is' if count == 1 else 'are'} {count}"
            )


# Laws fitted to each part of a table: what one part lacks does not cost the others their fit.


FAMILY = ("tokenization", "language", "dataset")  # a law is of one of each
Context = Mapping[str, float | str]


def fit_each(
    law: str,
    parts: Iterable[tuple[Context, Runs]],
    fit: Callable[[Context, Runs], tuple[FitResult, ...]],
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
            results += (one.within(context) for one in fit(context, runs))
        except InputError as error:
            refusals.append(error)
            results.append(unfitted(law, runs, context, str(error)))
    if len(refusals) == len(parts):
        raise refusals[0]
    return tuple(results)


def unfitted(law: str, runs: Runs, context: Context, reason: str) -> FitResult:
    """Return the result of a part that a law cannot be fitted to."""
    return FitResult(
        law=law,
        form="none",
        estimates={},
        intervals={},
        method="none",
        interval_reason="nothing was fitted",
        status="not converged",
        n=0,
        excluded=runs.excluded,
        conventions=runs.conventions(),
        context=dict(context),
        data=runs.name,
        data_sha256=runs.sha256,
        findings=(Finding(name="not fitted", severity="failure", message=reason),),
    )
