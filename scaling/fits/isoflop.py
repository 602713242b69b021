"""Fitting the bowls: one parabola per budget and rate, or one paraboloid per budget."""

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from scaling.engine.bootstrap import (
    CASES,
    RESIDUALS,
    Bootstrap,
    case_weights,
    leverages,
    residual_targets,
)
from scaling.engine.linear import solve_weighted
from scaling.fits.assemble import assemble, unfitted
from scaling.fits.cells import (
    Minima,
    cell_findings,
    curves_of_sizes_enough,
    find_minima,
    fitted_losses,
    make_cells,
    one_cell,
    replicates,
)
from scaling.fits.checks import correlated, outliers
from scaling.laws.isoflop import SURFACE_NAMES, parabola, surface_design, surface_vertex
from scaling.report_text import context_text
from scaling.result import Finding, FitResult
from scaling.runs import Runs

Array = NDArray[np.float64]
ENOUGH_FOR_CASES = 8  # five cover 50 % where they say 95 %, six 80 %
FAMILY = ("tokenization", "language", "dataset")
PARABOLA_UNITS = {
    "train_bytes_opt": "bytes",
    "params_opt": "parameters",
    "bytes_per_param_opt": "bytes per parameter",
    "bits_per_byte_opt": "bits per byte",
    "curvature": "bits per byte per squared ln",
}
SURFACE_UNITS = {
    "compression_rate_opt": "bytes per token",
    "bytes_per_param_opt": "bytes per parameter",
    "bits_per_byte_opt": "bits per byte",
}


def fit_parabolas(runs: Runs, bootstrap: Bootstrap = RESIDUALS) -> tuple[FitResult, ...]:
    """Fit `L = L* + c (ln B - ln B*)^2` for every budget and rate.

    Cells of one budget exchange residuals in the bootstrap, for a curve of six sizes has too few of
    its own.

    Raises:
        InputError: no curve of a family has three sizes.
    """
    results: list[FitResult] = []
    for context, whole in runs.groups(FAMILY):
        family = curves_of_sizes_enough(whole, "isoflop")
        cells = make_cells(family, "isoflop")
        loss = family.column("bits_per_byte", "isoflop")
        point = find_minima(cells, loss[None], np.ones((1, len(loss))))
        copies = replicates(cells, loss, bootstrap, student=True)
        clouds = None if copies is None else find_minima(cells, *copies)
        for number, cell in enumerate(cells):
            findings = cell_findings((cell,), one_cell(point, number), loss)
            findings += _too_few_for_cases(len(cell.rows), bootstrap)
            if not point.bend[0, number] > 0:
                findings = [_no_minimum(one) for one in findings]
            estimates = {name: float(one[0]) for name, one in _public(point, number).items()}
            found = bool(np.isfinite(list(estimates.values())).all())
            fitted = (
                parabola(estimates, np.exp(cell.x + cell.centre))
                if found
                else fitted_losses(cell, loss)
            )
            where: dict[str, float | str] = {**context, "compute_flops": cell.compute}
            if not np.isnan(cell.rate):
                where["compression_rate"] = cell.rate
            results.append(
                assemble(
                    law="isoflop",
                    form="parabola in ln B",
                    estimates=estimates if found else {},
                    draws=_public(clouds, number) if clouds is not None and found else None,
                    observed=loss[cell.rows],
                    residuals=loss[cell.rows] - fitted,
                    parameters=3,
                    converged=found,
                    method="least squares; N* by linear interpolation in (ln B, ln N)",
                    pipeline="parabola refitted",
                    bootstrap=bootstrap,
                    runs=family,
                    inputs={"train_bytes": np.exp(cell.x + cell.centre)},
                    units=PARABOLA_UNITS,
                    context=where,
                    findings=findings,
                )
            )
    return tuple(results)


def _no_minimum(finding: Finding) -> Finding:
    """Return the finding, a failure where it says that the one curve of a fit has no minimum."""
    if finding.name != "concave parabola":
        return finding
    text = "the losses bend downwards over ln B, so there is no minimum"
    return finding.model_copy(update={"severity": "failure", "message": text})


def _too_few_for_cases(rows: int, bootstrap: Bootstrap) -> list[Finding]:
    """Return a warning where resampled cases hardly differ: a parabola must keep three sizes."""
    if bootstrap.kind != "cases" or rows >= ENOUGH_FOR_CASES:
        return []
    text = (
        f"resampling cases of {rows} runs gives intervals that are too narrow; use residuals"
        f" (--intervals residuals), or {ENOUGH_FOR_CASES} sizes"
    )
    return [Finding(name="too few cases", severity="warning", message=text)]


def _public(minima: Minima, number: int) -> dict[str, Array]:
    ln_bytes, ln_params = minima.ln_bytes[:, number], minima.ln_params[:, number]
    # A draw that is all but straight has its minimum beyond what a float holds: infinite, and said
    # by the interval's end.
    with np.errstate(over="ignore"):
        return {
            "train_bytes_opt": np.exp(ln_bytes),
            "params_opt": np.exp(ln_params),
            "bytes_per_param_opt": np.exp(ln_bytes - ln_params),
            "bits_per_byte_opt": minima.loss[:, number],
            "curvature": minima.bend[:, number],
        }


def fit_surfaces(runs: Runs, bootstrap: Bootstrap = CASES) -> tuple[FitResult, ...]:
    """Fit a paraboloid in (ln T, ln rho) for every budget (of every language and family).

    A budget of fewer than three rates, or fewer runs than coefficients, is returned unfitted.

    Raises:
        InputError: all of them are such.
    """
    law = "isoflop-surface"
    results: list[FitResult] = []
    missing: list[tuple[Runs, dict[str, float | str], InputError]] = []
    for context, part in runs.groups((*FAMILY, "compute_flops")):
        rate = part.column("compression_rate", law)
        ratio = part.column("train_bytes", law) / part.column("params", law)
        loss = part.column("bits_per_byte", law)
        try:
            _enough(runs, context_text(context), rate, ratio)
        except InputError as error:
            missing.append((part, context, error))
            continue
        results.append(_fit_surface(part, context, rate, ratio, loss, bootstrap))
    if not results:
        raise missing[0][2]
    return (*results, *(unfitted(part, law, error, where) for part, where, error in missing))


def _fit_surface(
    runs: Runs,
    context: dict[str, float | str],
    rate: Array,
    ratio: Array,
    loss: Array,
    bootstrap: Bootstrap,
) -> FitResult:
    centre = np.log(rate).mean(), np.log(ratio).mean()
    design = surface_design(np.log(rate) - centre[0], np.log(ratio) - centre[1])
    ones = np.ones(len(loss))
    coefficients = solve_weighted(design, loss, ones)
    vertex = surface_vertex(coefficients)
    estimates = {name: one[0] for name, one in _optimum(vertex[None], centre).items()}
    residuals = loss - design @ coefficients
    leverage = leverages(design)
    findings = _surface_findings(estimates, rate, ratio)
    findings += outliers(residuals, leverage, 6, runs.frame["row"].to_numpy())
    draws = None
    if bootstrap.resamples:
        targets, weights = _surface_replicates(
            rate, design @ coefficients, residuals, leverage, bootstrap
        )
        draws = _optimum(surface_vertex(solve_weighted(design, targets, weights)), centre)
        findings += correlated(draws, ("compression_rate_opt", "bytes_per_param_opt"))
    return assemble(
        law="isoflop-surface",
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
        units=SURFACE_UNITS,
        context=context,
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
    with np.errstate(over="ignore"):
        columns[0] = np.exp(columns[0] + centre[0])
        columns[1] = np.exp(columns[1] + centre[1])
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
                    name="minimum outside the grid",
                    severity="warning",
                    message=f"{name} {estimates[name]:.4g} lies outside the {what} trained, "
                    f"{values.min():.4g} to {values.max():.4g}",
                )
            )
    return findings


def _are(number: int) -> str:
    return f"is {number}" if number == 1 else f"are {number}"


def _enough(runs: Runs, where: str, rate: Array, ratio: Array) -> None:
    at = f" at {where}" if where else ""
    if len(np.unique(rate)) < 3:
        raise InputError(
            f"{runs.name}: isoflop-surface needs at least 3 compression rates{at}, "
            f"and there {_are(len(np.unique(rate)))}{runs.remedy_of_few}"
        )
    sizes = max(len(np.unique(ratio[rate == one])) for one in np.unique(rate))
    if sizes < 3:
        raise InputError(
            f"{runs.name}: isoflop-surface needs at least 3 model sizes{at}, "
            f"and there {_are(sizes)}{runs.remedy_of_few}"
        )
    if len(rate) < 7:
        raise InputError(
            f"{runs.name}: isoflop-surface has 6 coefficients and needs at least 7 runs{at}, "
            f"not {len(rate)}{runs.remedy_of_few}"
        )
