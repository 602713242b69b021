"""What moves when parameters and FLOPs are counted otherwise: the same runs by every convention.

Papers disagree on both, and their exponents with them (Porian et al. 2024, arXiv 2406.19146). The
shipped runs follow the paper's shapes, so every count of every run is known.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from scaling.engine.bootstrap import CASES, NO_BOOTSTRAP, Bootstrap
from scaling.engine.newton import solve_weighted
from scaling.fits.isoflop import fit_surfaces
from scaling.fits.joint import fit_joint
from scaling.fits.law1 import fit_law1
from scaling.fits.minima import find_minima, make_cells
from scaling.flops import CONVENTIONS, BltShape, CostContext, training_flops_per_byte
from scaling.published import tables
from scaling.read_runs import read_runs
from scaling.result import FitResult
from scaling.runs import Runs

BUDGET = 1e20
PARAMS = ("global, as printed", "global", "total")


class Sensitivity(NamedTuple):
    """The laws of the optimum under one pair of conventions.

    Attributes:
        params, flops: the conventions.
        params_exponent, bytes_exponent: of C in N* and B*, at fixed T; they need not sum to one.
        params_rate_exponent, bytes_rate_exponent: of T in them, at fixed C.
        compression_rate_opt, bytes_per_param_opt: of the surface at a nominal budget of 1e20.
    """

    params: str
    flops: str
    params_exponent: float
    bytes_exponent: float
    params_rate_exponent: float
    bytes_rate_exponent: float
    compression_rate_opt: float
    bytes_per_param_opt: float


def convention_sensitivity() -> tuple[Sensitivity, ...]:
    """Return the table for the shipped runs.

    Compute is counted anew by each FLOPs convention at every minimum; the isoFLOP curves stay those
    of the budgets the runs were trained at.
    """
    exact, shapes = tables.isoflop_runs(exact_params=True), tables.isoflop_shapes()
    rows = []
    for params, runs in _by_params(tables.isoflop_runs(), exact).items():
        optimum = _surface(runs).estimates
        for flops in CONVENTIONS:
            (n_compute, n_rate), (b_compute, b_rate) = _exponents(runs, shapes, flops)
            rows.append(
                Sensitivity(
                    params,
                    flops,
                    params_exponent=n_compute,
                    bytes_exponent=b_compute,
                    params_rate_exponent=n_rate,
                    bytes_rate_exponent=b_rate,
                    compression_rate_opt=optimum["compression_rate_opt"],
                    bytes_per_param_opt=optimum["bytes_per_param_opt"],
                )
            )
    return tuple(rows)


def convention_fits(printed: Runs, exact: Runs) -> Iterator[tuple[str, FitResult]]:
    """Yield the laws of the shipped runs by every convention, each under a name of its own.

    Args:
        printed: the runs with their parameters as printed (`tables.isoflop_runs`).
        exact: the same with exact counts.
    """
    words = ("global module, as printed", "global module, exact", "all modules, exact")
    names = ("printed", "global", "total")
    by_params = _by_params(printed, exact).values()
    for name, params, runs in zip(names, words, by_params, strict=True):
        yield f"law1-{name}", _declared(fit_law1(runs), params=params, flops="6 N B / T")
        surface = _declared(_surface(runs, CASES), params=params, flops="as published")
        yield f"surface-{name}", surface
    bootstrap = CASES._replace(kind="residuals")
    yield "joint-published", _declared(fit_joint(exact, bootstrap=bootstrap), flops="as published")
    frame = exact.rows.drop("row")
    for flops in CONVENTIONS:
        costs = [
            training_flops_per_byte(shape, CostContext(rate), flops)
            for shape, rate in zip(
                tables.isoflop_shapes(), frame["compression_rate"].to_list(), strict=True
            )
        ]
        counted = frame.with_columns(compute_flops=frame["train_bytes"] * np.array(costs))
        runs = replace(read_runs(counted, exact.name), sha256=exact.sha256)
        # Each run has a budget of its own here, so there are no cells to resample within, and no
        # largest budget to leave out.
        fit = fit_joint(runs, bootstrap=bootstrap).model_copy(update={"holdout": None})
        yield f"joint-{flops}", _declared(fit, flops=flops)


def _by_params(printed: Runs, exact: Runs) -> Mapping[str, Runs]:
    counted = (printed, exact, replace(exact, params_column="total_params"))
    return dict(zip(PARAMS, counted, strict=True))


def _surface(runs: Runs, bootstrap: Bootstrap = NO_BOOTSTRAP) -> FitResult:
    at_budget = runs.only(runs.column("compute_flops", "isoflop-surface") == BUDGET)
    (surface,) = fit_surfaces(at_budget, bootstrap=bootstrap)
    return surface


def _declared(fit: FitResult, **conventions: str) -> FitResult:
    """Return the fit with its conventions in words."""
    return fit.model_copy(update={"conventions": {**fit.conventions, **conventions}})


def _exponents(
    runs: Runs, shapes: tuple[BltShape, ...], flops: str
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the exponents of compute and rate in N* and in B*."""
    cells, _ = make_cells(runs, "sensitivity")  # no published curve is left out
    loss = runs.column("bits_per_byte", "sensitivity")
    data = np.log(runs.column("train_bytes", "sensitivity"))
    minima = find_minima(cells, loss[None], np.ones((1, len(loss))))
    ln_compute = []
    for number, cell in enumerate(cells):
        setting = CostContext(cell.rate)
        costs = np.log([training_flops_per_byte(shapes[row], setting, flops) for row in cell.rows])
        order = np.argsort(data[cell.rows])
        place = minima.ln_bytes[0, number]
        ln_compute.append(np.interp(place, data[cell.rows][order], costs[order]) + place)
    x, t = np.array(ln_compute), np.log([cell.rate for cell in cells])
    design = np.stack([np.ones_like(x), x - x.mean(), t], axis=1)
    ones = np.ones(len(x))
    fits = [solve_weighted(design, y[0], ones) for y in (minima.ln_params, minima.ln_bytes)]
    return (float(fits[0][1]), float(fits[0][2])), (float(fits[1][1]), float(fits[1][2]))
