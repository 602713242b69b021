"""Fitting Law I: parabolas, then a plane through ln B* over ln C and ln T."""

import numpy as np
from numpy.typing import NDArray

from scaling.engine.bootstrap import RESIDUALS, Bootstrap
from scaling.engine.newton import Array, solve_weighted
from scaling.fits.assemble import (
    assemble,
    few_left,
    few_minima,
    finite,
    first,
    goodness,
    held_out,
    need,
    provenance,
    tried_on,
)
from scaling.fits.blocks import blocks_of_curves, kinds_of_optima, shared_noise
from scaling.fits.findings import correlated, misfit
from scaling.fits.minima import (
    IsoflopCell,
    Minima,
    cell_findings,
    find_minima,
    make_cells,
    replicates,
    with_law_misfit,
)
from scaling.laws.optimum import law1_train_bytes
from scaling.laws.registry import DEFAULTS, LAWS, Options
from scaling.result import FitResult, HoldOut
from scaling.runs import Runs

LAW = "law1"
COEFFICIENTS = 3  # N0 follows from B0
FEWEST_MINIMA = COEFFICIENTS + 1


def fit_law1(
    runs: Runs, options: Options = DEFAULTS, bootstrap: Bootstrap = RESIDUALS
) -> FitResult:
    """Fit `B* = B0 C^alpha T^beta` to the minima, C being 6 N* B* / T of each minimum.

    N* follows from it: its exponents are 1 - alpha and 1 - beta, and N0 is 1 / (6 B0). Curves
    without a minimum among their sizes are left out; with fewer than four others, of two budgets
    and two rates, nothing is fitted.

    Raises:
        InputError: the table has fewer than four curves of three sizes, two budgets, or two rates.
    """
    cells, runs = make_cells(runs, LAW)
    rates = np.array([cell.rate for cell in cells])
    need(
        runs,
        LAW,
        (runs.column("compute_flops", LAW), 2, "compute budgets"),
        (runs.column("compression_rate", LAW), 2, "compression rates"),
        (len(cells), FEWEST_MINIMA, "isoFLOP curves"),
    )
    loss = runs.column("bits_per_byte", LAW)
    point = find_minima(cells, loss[None])
    found = np.isfinite(point.ln_bytes[0])
    findings = cell_findings(cells, point, loss)
    budgets = np.array([cell.compute for cell in cells])
    for labels, least, what in (
        (np.arange(len(cells)), FEWEST_MINIMA, "isoFLOP curves"),
        (budgets, 2, "compute budgets"),
        (rates, 2, "compression rates"),
    ):
        if len(np.unique(labels[found])) < least:
            return few_minima(runs, LAW, labels, found, least, what, findings)
    estimates = first(_plane(point, cells))
    ln_latent, observed = _ln_latent(point, cells)[0], point.ln_bytes[0]
    plane = estimates["alpha"] * ln_latent + estimates["beta"] * np.log(rates)
    residuals = (observed - np.log(estimates["B0"]) - plane)[found]
    curves = [cell.rows for cell, inside in zip(cells, found, strict=True) if inside]
    blocks = blocks_of_curves(runs, curves, bootstrap.block, LAW)
    design = np.stack([np.ones(found.sum()), ln_latent[found], np.log(rates)[found]], axis=-1)
    kinds = kinds_of_optima(np.array([cell.compute for cell in cells])[found], rates[found])
    findings += shared_noise(residuals, design, kinds, blocks)
    holdout, no_holdout = tried_on(_holdout(cells, point, found))
    findings += no_holdout
    draws = None
    copies = replicates(cells, loss, bootstrap, student=False)
    if copies is not None:
        minima, share = with_law_misfit(
            cells,
            find_minima(cells, *copies),
            found,
            residuals,
            design,
            bootstrap,
            blocks,
            observed[found] - residuals,
        )
        draws = _plane(minima, cells)
        findings += misfit(share, LAW) + correlated(draws, ("alpha", "beta"))
    rates, ln_latent, observed = rates[found], ln_latent[found], observed[found]
    fit = FitResult(
        law=LAW,
        form="latent compute",
        estimates=finite(estimates),
        method="parabola in ln B per cell; least squares of ln B* on ln C and ln T",
        status="converged" if np.isfinite(list(estimates.values())).all() else "not converged",
        units=LAWS[LAW].units,
        holdout=holdout,
        findings=tuple(findings),
        **goodness(observed, residuals, COEFFICIENTS),
        **provenance(
            runs,
            {"latent_flops": np.exp(ln_latent), "compression_rate": rates},
            {"compute": "6 N B / T of the latent module"},
        ),
    )
    return assemble(
        fit, runs, COEFFICIENTS, bootstrap, draws, "both stages repeated", block=blocks.what
    )


def _holdout(
    cells: tuple[IsoflopCell, ...], point: Minima, found: NDArray[np.bool_]
) -> HoldOut | str:
    """Leave out the largest budget, predict its ln B* from the others."""
    budgets = np.array([cell.compute for cell in cells])
    rates = np.array([cell.rate for cell in cells])
    left_out = found & (budgets == budgets.max())
    rest = found & ~left_out
    if len(np.unique(budgets[rest])) < 2 or rest.sum() < FEWEST_MINIMA or not left_out.any():
        left = f"{len(np.unique(budgets[rest]))} budgets and {int(rest.sum())} minima"
        return few_left(budgets.max(), left)
    kept = point._replace(ln_bytes=np.where(rest, point.ln_bytes, np.nan))
    p = first(_plane(kept, cells))
    compute = np.exp(_ln_latent(point, cells)[0, left_out])
    predicted = np.log(law1_train_bytes(p, compute, rates[left_out]))
    rule = f"compute_flops = {budgets.max():g} left out; error of ln B*"
    found_out = held_out(rule, point.ln_bytes[0, left_out], predicted)
    return found_out or "a fit to the smaller budgets predicts no number for the largest"


def _plane(minima: Minima, cells: tuple[IsoflopCell, ...]) -> dict[str, Array]:
    """Return [R] coefficients of the plane through each replicate's minima, where it has enough."""
    found = np.isfinite(minima.ln_bytes)
    found &= found.sum(axis=1, keepdims=True) >= FEWEST_MINIMA
    ln_latent = np.where(found, _ln_latent(minima, cells), 0.0)
    ln_bytes = np.where(found, minima.ln_bytes, 0.0)
    weights = found.astype(np.float64)
    centre = ln_latent.sum(axis=1, keepdims=True) / np.maximum(found.sum(axis=1, keepdims=True), 1)
    ln_rate = np.broadcast_to(np.log([cell.rate for cell in cells]), ln_latent.shape)
    design = np.stack([np.ones_like(ln_latent), ln_latent - centre, ln_rate], axis=-1)
    level, alpha, beta = np.moveaxis(solve_weighted(design, ln_bytes, weights), -1, 0)
    ln_b0 = level - alpha * centre[:, 0]
    # Where a draw leaves alpha open, B0 lies beyond what a float holds.
    with np.errstate(over="ignore"):
        return {
            "B0": np.exp(ln_b0),
            "alpha": alpha,
            "beta": beta,
            "N0": np.exp(-np.log(6) - ln_b0),
        }


def _ln_latent(minima: Minima, cells: tuple[IsoflopCell, ...]) -> Array:
    """Return [R, c] ln of 6 N* B* / T. In the half gap beyond the last size N* is that of the last,
    as in the published fit of 36 minima, one of which lies there."""
    columns = [
        np.log(6 / cell.rate) + cell.held_params(ln_bytes - cell.centre) + ln_bytes
        for cell, ln_bytes in zip(cells, minima.ln_bytes.T, strict=True)
    ]
    return np.stack(columns, axis=1)
