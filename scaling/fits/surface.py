"""Fitting one bowl per budget: a paraboloid in (ln T, ln rho)."""

import numpy as np

from corpora.errors import InputError
from scaling.engine.bootstrap import CASES, Bootstrap, case_weights, leverages, residual_targets
from scaling.engine.newton import Array, solve_weighted
from scaling.fits.assemble import assemble
from scaling.fits.findings import OUTSIDE, correlated, outliers
from scaling.fits.single_stage import FAMILY, Context, fit_each
from scaling.laws.isoflop import SURFACE_NAMES, place, surface_design, surface_vertex
from scaling.result import Finding, FitResult, context_text
from scaling.runs import Runs

LAW = "isoflop-surface"
UNITS = {
    "compression_rate_opt": "bytes per token",
    "bytes_per_param_opt": "bytes per parameter",
    "bits_per_byte_opt": "bits per byte",
}


def fit_surfaces(runs: Runs, bootstrap: Bootstrap = CASES) -> tuple[FitResult, ...]:
    """Fit a paraboloid in (ln T, ln rho) for every budget (of every language and family).

    Raises:
        InputError: every budget has fewer than three rates, or fewer runs than coefficients.
    """
    return fit_each(
        LAW,
        runs.groups((*FAMILY, "compute_flops")),
        lambda context, part: (_fit_surface(part, context, bootstrap),),
    )


def _fit_surface(runs: Runs, context: Context, bootstrap: Bootstrap) -> FitResult:
    rate = runs.column("compression_rate", LAW)
    ratio = runs.column("train_bytes", LAW) / runs.column("params", LAW)
    loss = runs.column("bits_per_byte", LAW)
    _enough(runs, context, rate, ratio)
    centre = np.log(rate).mean(), np.log(ratio).mean()
    design = surface_design(np.log(rate) - centre[0], np.log(ratio) - centre[1])
    ones = np.ones(len(loss))
    coefficients = solve_weighted(design, loss, ones)
    vertex = surface_vertex(coefficients)
    estimates = {name: one[0] for name, one in _optimum(vertex[None], centre).items()}
    residuals = loss - design @ coefficients
    leverage = leverages(design)
    findings = _surface_findings(estimates, rate, ratio)
    findings += outliers(residuals, leverage, 6, runs.rows["row"].to_numpy())
    draws = None
    if bootstrap.resamples:
        targets, weights = _surface_replicates(
            rate, design @ coefficients, residuals, leverage, bootstrap
        )
        draws = _optimum(surface_vertex(solve_weighted(design, targets, weights)), centre)
        findings += correlated(draws, ("compression_rate_opt", "bytes_per_param_opt"))
    return assemble(
        law=LAW,
        form="paraboloid in (ln T, ln rho)",
        estimates=estimates,
        draws=draws,
        observed=loss,
        residuals=residuals,
        parameters=6,
        converged=bool(np.isfinite(list(estimates.values())).all()),
        method="least squares",
        pipeline="surface refitted",
        bootstrap=bootstrap,
        runs=runs,
        inputs={"compression_rate": rate, "bytes_per_param": ratio},
        units=UNITS,
        findings=findings,
    )


def _surface_replicates(
    rate: Array, fitted: Array, residuals: Array, leverage: Array, bootstrap: Bootstrap
) -> tuple[Array, Array]:
    generator, n = bootstrap.generator(), len(rate)
    if bootstrap.kind == "cases":
        _, cells = np.unique(rate, return_inverse=True)
        # The bowl is one for all rates, so a rate need not keep three sizes: asking for that would
        # leave four sizes next to no way to differ, and intervals half as wide as they should be.
        weights = case_weights(cells, bootstrap.draws, generator, fewest=2)
        return fitted + residuals, weights
    one = np.zeros(n, np.int64)
    targets = residual_targets(fitted, residuals, leverage, one, bootstrap.draws, generator)
    return targets, np.ones(n)


def _optimum(vertex: Array, centre: tuple[float, float]) -> dict[str, Array]:
    columns = list(np.moveaxis(vertex, -1, 0))
    columns[:2] = [place(one + middle) for one, middle in zip(columns[:2], centre, strict=True)]
    # A saddle or a dome has no optimum to report.
    bowl = (columns[3] > 0) & (4 * columns[3] * columns[4] > columns[5] ** 2)
    return {
        name: np.where(bowl, column, np.nan)
        for name, column in zip(SURFACE_NAMES, columns, strict=True)
    }


def _surface_findings(estimates: dict[str, float], rate: Array, ratio: Array) -> list[Finding]:
    if not np.isfinite(list(estimates.values())).all():
        return [
            Finding(
                name="concave surface",
                severity="failure",
                message="the losses form no bowl in (ln T, ln rho), so there is no optimum",
            )
        ]
    findings = []
    for name, values, what in (
        ("compression_rate_opt", rate, "compression rates"),
        ("bytes_per_param_opt", ratio, "sizes"),
    ):
        if not values.min() <= estimates[name] <= values.max():
            findings.append(
                Finding(
                    name=OUTSIDE,
                    severity="warning",
                    message=f"{name} {estimates[name]:.4g} lies outside the {what} trained, "
                    f"{values.min():.4g} to {values.max():.4g}",
                )
            )
    return findings


def _enough(runs: Runs, context: Context, rate: Array, ratio: Array) -> None:
    at = f" at {context_text(context)}" if context else ""
    if len(np.unique(rate)) < 3:
        raise InputError(
            f"{runs.name}: {LAW} needs at least 3 compression rates{at}, "
            f"and there {_are(len(np.unique(rate)))}{runs.remedy_of_few}"
        )
    sizes = max(len(np.unique(ratio[rate == one])) for one in np.unique(rate))
    if sizes < 3:
        raise InputError(
            f"{runs.name}: {LAW} needs at least 3 model sizes{at}, "
            f"and there {_are(sizes)}{runs.remedy_of_few}"
        )
    if len(rate) < 7:
        raise InputError(
            f"{runs.name}: {LAW} has 6 coefficients and needs at least 7 runs{at}, not {len(rate)}"
        )


def _are(number: int) -> str:
    return f"is {number}" if number == 1 else f"are {number}"
