"""Fitting a law to the runs themselves, in one stage: search, polish, resample, check."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from scaling.engine.bootstrap import (
    NO_BOOTSTRAP,
    NUMERICAL,
    Bootstrap,
    leverages,
    residual_targets,
)
from scaling.engine.intervals import from_bound, from_hessian, from_profile
from scaling.engine.newton import Array
from scaling.engine.problem import Problem, land_on_kink
from scaling.engine.shared import shared_targets, two_levels
from scaling.fits.assemble import (
    IntervalEnds,
    assemble,
    finite,
    first,
    goodness,
    provenance,
    tried_on,
)
from scaling.fits.blocks import MANY, RowBlocks, blocks_of, kinds_of, shared_noise
from scaling.fits.findings import (
    NO_LIMITS,
    NOTHING_OPEN,
    ROUNDING,
    Limits,
    Open,
    at_a_limit,
    correlated,
    note,
    outliers,
    starts_agree,
    through_zero,
    warning,
    with_open_ends,
)
from scaling.result import Finding, FitResult, HoldOut
from scaling.runs import Runs

SPARE = 3  # rows beyond the coefficients that a bootstrap needs
ILL = 1e8  # condition number of the Hessian beyond which the reader is told
APART = 1.5  # ratio of the bootstrap's interval to the Hessian's beyond which they disagree
SEARCH = "grid over the exponents with the rest solved, then Newton"  # for `method`


class OneStage(NamedTuple):
    """What is fitted, and how the result is to be named.

    Attributes:
        law, form, method, units, conventions, holdout: as in `FitResult`; or why none is held out.
        problem: the engine's problem; starts: [K, p] starts for it.
        formula: coefficients -> [n] predictions in the unit of `observed`.
        observed: [n] losses.
        inputs: fitted inputs by name, for the range of extrapolation.
        annealed: larger deltas to pass through first.
        kink: whether to land on the exact kink of absolute values.
        cells: [n] cells within which rows are resampled; None for one cell.
        block: rows that are resampled together where nothing else is asked for.
        strata: [n] rows whose noise is alike; None for all of them.
        check: (estimates, observed) -> findings about the shape; it may drop estimates.
        limits: of coefficients that stop to matter there.
        exponents: of free sign -> the amplitudes that are confounded where one passes through 0.
        tied: findings about coefficients that the design of the runs leaves open, and those.
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
    holdout: HoldOut | str | None = None
    annealed: tuple[float, ...] = ()
    kink: bool = False
    cells: NDArray[np.int64] | None = None
    block: str = "row"
    strata: NDArray[np.int64] | None = None
    check: Callable[[dict[str, float], Array], list[Finding]] | None = None
    limits: Limits = NO_LIMITS
    exponents: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    tied: Open = NOTHING_OPEN


def fit_stage(stage: OneStage, runs: Runs, bootstrap: Bootstrap) -> FitResult:
    """Return the finished fit of one stage."""
    problem, n = stage.problem, len(stage.observed)
    names = problem.names
    best, agree = problem.fit(stage.starts, stage.annealed)
    theta = land_on_kink(problem, best.theta)[0] if stage.kink else best.theta
    estimates = first(problem.public(theta))
    residuals = stage.observed - stage.formula(estimates)
    leverage = leverages(problem.model.jacobian(theta)[0])
    holdout, no_holdout = tried_on(stage.holdout)
    blocks = blocks_of(runs, bootstrap.block, stage.law, stage.block)
    findings = [*blocks.findings, *no_holdout, *starts_agree(agree, len(stage.starts))]
    rows, robust = runs.rows["row"].to_numpy(), np.isfinite(problem.loss.delta)
    if not robust:
        findings += outliers(residuals, leverage, len(names), rows)
    if bootstrap.kind != "none" and n < len(names) + SPARE:
        text = f"{n} runs for {len(names)} coefficients: there is no interval"
        findings.append(warning("too few runs to resample", text))
        bootstrap = NO_BOOTSTRAP
    residuals_fitted = problem.residuals(theta)
    jacobian = problem.model.jacobian(theta)[0]
    findings += shared_noise(residuals_fitted, jacobian, kinds_of(runs, stage.law), blocks)
    draws, pipeline = None, "refitted"
    if bootstrap.resamples:
        if bootstrap.kind == "cases" and blocks.what:
            if blocks.number < MANY:
                bootstrap = bootstrap._replace(kind="residuals")
            else:
                pipeline += f", widened for {blocks.number} {blocks.what}s"
        draws = problem.public(_draw(stage, best.theta, leverage, bootstrap, blocks))
        findings += correlated(draws, names)
        findings += disagreement(problem, best.theta, draws, blocks)
    if robust:
        findings += influential(problem, theta, rows, draws)
    ends = without_resampling(problem, best.theta, bootstrap, blocks)
    open_ones = through_zero(draws, ends, stage.exponents, bootstrap.level).join(stage.tied)
    unbounded = at_a_limit(estimates, stage.limits)
    if stage.check is not None:
        findings += stage.check(estimates, stage.observed)
    converged = bool(best.converged[0]) and bool(np.isfinite(list(estimates.values())).all())
    fit = FitResult(
        law=stage.law,
        form=stage.form,
        estimates=finite(estimates),
        method=stage.method,
        status="not converged" if not converged else "not bounded" if unbounded else "converged",
        units=stage.units,
        holdout=holdout,
        findings=(*findings, *unbounded),
        **goodness(stage.observed, residuals, len(names)),
        **provenance(runs, stage.inputs, stage.conventions),
    )
    fit = assemble(
        fit, runs, len(names), bootstrap, draws, pipeline, ends, blocks.what, stage.limits
    )
    if bootstrap.kind == "none":
        return fit.model_copy(update={"findings": (*fit.findings, *open_ones.findings)})
    least = _least_allowed(stage, theta, estimates, bootstrap)
    return with_open_ends(fit, least, open_ones, stage.limits)


def _least_allowed(
    stage: OneStage, theta: Array, estimates: Mapping[str, float], bootstrap: Bootstrap
) -> dict[str, tuple[float, float]]:
    """Return the interval of each coefficient that grows without end, open above.

    Draws of it may all end at the limit as well; how low it may lie is told by the profile.
    """
    ends = {}
    for index, name in enumerate(stage.problem.names):
        if name in stage.limits and stage.limits[name].above(estimates.get(name, 0.0)):
            low = from_bound(stage.problem, theta, index, name, bootstrap.level)
            ends[name] = (low, math.inf)
    return ends


def disagreement(
    problem: Problem, theta: Array, draws: Mapping[str, Array], blocks: RowBlocks
) -> list[Finding]:
    """Return findings where the Hessian is ill-conditioned or its intervals are off by half.

    Args:
        theta: [1, p] optimum; draws: [R] of each public coefficient.
    """
    if np.abs(problem.residuals(theta)).max() <= NUMERICAL * np.abs(problem.target).max():
        return []  # both are of rounding
    curvature = from_hessian(problem, theta, blocks=blocks.shared)
    findings = []
    if curvature.condition > ILL:
        known = np.isfinite(curvature.condition)
        text = f"condition number {curvature.condition:.1e}: " if known else "it is singular: "
        text += "some combination of coefficients is not determined by these runs"
        findings.append(warning("ill-conditioned Hessian", text))
    parts = []
    few = blocks.shared is not None and blocks.number < MANY  # of which a Hessian knows little
    for index, name in enumerate(() if few else problem.names):
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
        text = "width of the bootstrap's interval over the Hessian's: " + ", ".join(parts)
        findings.append(note("intervals disagree", text))
    return findings


TRIED = 8  # rows of which a fit is made without them
MOVES = 1.5  # standard errors by which a coefficient moves without a row that is an outlier
FAR = 10.0  # usual distances from the curve beyond which a row is told of, whatever it moves


def influential(
    problem: Problem, theta: Array, rows: NDArray[np.int64], draws: Mapping[str, Array] | None
) -> list[Finding]:
    """Return findings that name rows whose removal shifts a robust fit, or that lie far from it.

    A loss that bounds what a row can do has no use for Cook's distance, which is of squares. The
    rows that pull most, by the influence function, are left out one by one and the law refitted.

    Args:
        theta: [1, p] optimum; rows: [n] their numbers; draws: [R] of each public coefficient.
    """
    residuals, jacobian = problem.residuals(theta), problem.model.jacobian(theta)[0]
    scale = np.linalg.norm(jacobian, axis=0)
    basis, _ = np.linalg.qr(jacobian / np.where(scale > 0, scale, 1))
    pull = np.abs(problem.loss.slope(residuals)) * np.linalg.norm(basis, axis=1)
    usual = 1.4826 * float(np.median(np.abs(residuals - np.median(residuals))))
    if not usual > ROUNDING * float(np.abs(problem.target).max()):
        return []
    distance = np.abs(residuals) / usual
    tried = np.unique(np.concatenate([np.argsort(-pull)[:TRIED], np.argsort(-distance)[:1]]))
    weights = np.ones((len(tried), len(rows)))
    weights[np.arange(len(tried)), tried] = 0.0
    without, here = problem.public(problem.reweighted(theta, weights)), problem.public(theta)
    moves = np.zeros((len(problem.names), len(tried)))
    for index, name in enumerate(problem.names):
        spread = _spread(problem, theta, index, None if draws is None else draws[name])
        if spread > 0:
            moves[index] = np.nan_to_num((without[name] - here[name][0]) / spread)
    findings = []
    most = np.abs(moves).max(axis=0)
    moving = np.flatnonzero(most > MOVES)
    if len(moving):
        worst = moving[np.argsort(-most[moving])][:5]
        listed = ", ".join(str(int(rows[tried[at]])) for at in worst)
        name = problem.names[int(np.abs(moves[:, worst[0]]).argmax())]
        text = f"leaving out row {listed} would shift the fit (the first moves {name} by "
        text += f"{moves[problem.names.index(name), worst[0]]:+.2g} standard errors)"
        findings.append(warning("outliers", text))
    far = np.flatnonzero((distance[tried] > FAR) & (most <= MOVES))
    if len(far):
        worst = far[np.argsort(-distance[tried[far]])][:5]
        listed = ", ".join(str(int(rows[tried[at]])) for at in worst)
        text = f"row {listed} lies {distance[tried[worst[0]]]:.3g} times as far from the curve as "
        text += "is usual; the loss lets it move no coefficient by more than "
        text += f"{most[worst].max():.2g} standard errors"
        findings.append(note("far from the curve", text))
    return findings


def _spread(problem: Problem, theta: Array, index: int, draws: Array | None) -> float:
    """Return a standard error of a coefficient: half of what two thirds of its draws span."""
    cloud = np.empty(0) if draws is None else draws[np.isfinite(draws)]
    if len(cloud) >= 20:
        low, high = np.percentile(cloud, [15.87, 84.13])
        return float(high - low) / 2
    curvature = from_hessian(problem, theta, 0.6827)
    return float(curvature.high[index] - curvature.low[index]) / 2


def without_resampling(
    problem: Problem, theta: Array, bootstrap: Bootstrap, blocks: RowBlocks | None = None
) -> IntervalEnds | None:
    """Return the ends of each interval from the Hessian or the profile; None where not wanted."""
    if bootstrap.kind not in ("hessian", "profile"):
        return None
    shared = None if blocks is None else blocks.shared
    if bootstrap.kind == "profile" and bootstrap.block and shared is not None:
        raise InputError(
            f"`block={bootstrap.block}`: a profile takes every row as independent; use cases,"
            " residuals or hessian"
        )
    curvature = from_hessian(problem, theta, bootstrap.level, shared)
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


def _draw(
    stage: OneStage, theta: Array, leverage: Array, bootstrap: Bootstrap, blocks: RowBlocks
) -> Array:
    """Return [R, p] the replicates' optima."""
    problem, n = stage.problem, len(stage.observed)
    cells = np.zeros(n, np.int64) if stage.cells is None else stage.cells
    if bootstrap.kind == "cases":
        return problem.redraw(theta, bootstrap, cells, blocks.shared)
    fitted = problem.model.value(theta)[0]
    if blocks.shared is not None:
        levels = two_levels(
            problem.target - fitted, problem.model.jacobian(theta)[0], blocks.shared
        )
        strata = np.zeros(n, np.int64) if stage.strata is None else stage.strata
        shared = shared_targets(fitted, levels, strata, bootstrap.draws, bootstrap.generator())
        return problem.retarget(theta, shared)
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
    return first(problem.public(best.theta))
