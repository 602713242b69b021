"""Fitting isoFLOP curves: a parabola for every budget and rate."""

from dataclasses import replace

import numpy as np

from scaling.engine.bootstrap import RESIDUALS, Bootstrap
from scaling.engine.newton import Array
from scaling.fits.assemble import assemble
from scaling.fits.findings import OUTSIDE
from scaling.fits.minima import (
    Cell,
    Minima,
    cell_findings,
    find_minima,
    fitted_losses,
    make_cells,
    one_cell,
    replicates,
    thin_curves,
)
from scaling.fits.single_stage import FAMILY, fit_each, unfitted
from scaling.laws.isoflop import parabola, place
from scaling.result import Finding, FitResult
from scaling.runs import Runs

LAW = "isoflop"
ENOUGH_FOR_CASES = 8  # five cover 50 % where they say 95 %, six 80 %
UNITS = {
    "train_bytes_opt": "bytes",
    "params_opt": "parameters",
    "bytes_per_param_opt": "bytes per parameter",
    "bits_per_byte_opt": "bits per byte",
    "curvature": "bits per byte per squared ln",
}


def fit_parabolas(runs: Runs, bootstrap: Bootstrap = RESIDUALS) -> tuple[FitResult, ...]:
    """Fit `L = L* + c (ln B - ln B*)^2` for every budget and rate.

    Cells of one budget exchange residuals in the bootstrap, for a curve of six sizes has too few of
    its own.

    Raises:
        InputError: no curve has three sizes.
    """
    return fit_each(LAW, runs.groups(FAMILY), lambda _, family: _fit_family(family, bootstrap))


def _fit_family(runs: Runs, bootstrap: Bootstrap) -> tuple[FitResult, ...]:
    results = []
    for thin in thin_curves(runs, LAW):
        where = _confined(thin.compute, thin.rate)
        reason = thin.reason + runs.remedy_of_few
        results.append(unfitted(LAW, runs.only(thin.rows), where, reason))
    cells, kept = make_cells(runs, LAW)
    loss = kept.column("bits_per_byte", LAW)
    point = find_minima(cells, loss[None], np.ones((1, len(loss))))
    copies = replicates(cells, loss, bootstrap, student=True)
    clouds = None if copies is None else find_minima(cells, *copies)
    for number, cell in enumerate(cells):
        findings = cell_findings((cell,), one_cell(point, number), loss)
        findings += _too_few_for_cases(len(cell.rows), bootstrap)
        estimates = {name: float(one[0]) for name, one in _public(point, number).items()}
        found = bool(np.isfinite(list(estimates.values())).all())
        if not found or _spans_beyond(cell, point.ln_bytes[0, number]) > 1:
            findings, found = [_no_optimum(one) for one in findings], False
        fitted = (
            parabola(estimates, np.exp(cell.x + cell.centre))
            if found
            else fitted_losses(cell, loss)
        )
        result = assemble(
            law=LAW,
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
            # A thin curve has a result of its own, and is not said again in every other.
            runs=replace(kept, excluded=runs.excluded),
            inputs={"train_bytes": np.exp(cell.x + cell.centre)},
            units=UNITS,
            findings=findings,
        )
        results.append(result.within(_confined(cell.compute, cell.rate)))
    return tuple(results)


def _confined(compute: float, rate: float) -> dict[str, float | str]:
    where: dict[str, float | str] = {"compute_flops": compute}
    return where if np.isnan(rate) else {**where, "compression_rate": rate}


_NO_OPTIMUM = {
    "concave parabola": "the losses bend downwards over ln B, so there is no minimum",
    OUTSIDE: "the losses are all but straight over ln B: the minimum lies"
    " beyond the sizes trained by more than they span, so there is no optimum",
}


def _spans_beyond(cell: Cell, ln_bytes: float) -> float:
    """Return how far B* lies beyond the sizes trained, in widths of their range in ln B."""
    x = ln_bytes - cell.centre
    return float(max(cell.x.min() - x, x - cell.x.max()) / np.ptp(cell.x))


def _no_optimum(finding: Finding) -> Finding:
    """Return the finding, a failure where it is why the one curve of a fit has no optimum."""
    text = _NO_OPTIMUM.get(finding.name)
    if text is None:
        return finding
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
    return {
        "train_bytes_opt": place(ln_bytes),
        "params_opt": place(ln_params),
        "bytes_per_param_opt": place(ln_bytes - ln_params),
        "bits_per_byte_opt": minima.loss[:, number],
        "curvature": minima.bend[:, number],
    }
