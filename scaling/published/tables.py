"""The reference tables shipped with the project: figures of arXiv 2605.01188, read off its pages.

Limisiewicz et al. 2026, "Compute Optimal Tokenization". Numbers only: 311 trained models from the
vector graphics of figure 19, and tables 3, 4, 5, 6, 9 and 10.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from scaling.engine.bootstrap import NO_BOOTSTRAP
from scaling.engine.newton import Array, solve_weighted
from scaling.fits.minima import find_minima, make_cells
from scaling.fits.surface import fit_surfaces
from scaling.flops import CONVENTIONS, BltShape, Setting, paper_blt, training_flops_per_byte
from scaling.published import tables
from scaling.read_runs import read_runs
from scaling.runs import Runs

ISOFLOP = "cot_latent_english_isoflop"
OPTIMA = "cot_optimal_bpb_latent"
LANGUAGES = "cot_languages"
BLT_SHAPES = "cot_table4_blt_shapes"
SUBWORD_SHAPES = "cot_table5_subword_shapes"
BLT_SHARES = "cot_table6_blt_compute_share"
TABLES = (ISOFLOP, OPTIMA, LANGUAGES, BLT_SHAPES, SUBWORD_SHAPES, BLT_SHARES)
LARGEST_LAYERS = 40


def path(name: str) -> Path:
    """Return where a shipped table lies."""
    assert name in TABLES, name
    return Path(str(files("scaling.published").joinpath("data", f"{name}.csv")))


@cache
def table(name: str) -> pl.DataFrame:
    """Return a shipped table as it stands."""
    return pl.read_csv(path(name), infer_schema_length=None)


def isoflop_runs(exact_params: bool = False) -> Runs:
    """Return the 311 byte latent models as a runs table.

    Args:
        exact_params: replace the printed `global_params`, which have two digits above 10^9 (1.3B),
            by the exact count of the shape they belong to, 12 L (128 L)^2.
    """
    runs = replace(read_runs(path(ISOFLOP)), name=f"{ISOFLOP}.csv")
    if not exact_params:
        return runs
    sizes = [paper_blt(layers).global_params for layers in range(1, LARGEST_LAYERS + 1)]
    printed = runs.rows["global_params"].to_list()
    exact = [float(min(sizes, key=lambda size: abs(size - one))) for one in printed]
    frame = runs.rows.with_columns(pl.Series("global_params", exact))
    note = "global_params are the exact counts of the paper's shapes, not the printed ones"
    return replace(runs, rows=frame, notes=(*runs.notes, note))


def optima() -> Runs:
    """Return table 10: the lowest bits per byte of 8 budgets and 6 compression rates."""
    return replace(read_runs(path(OPTIMA)), name=f"{OPTIMA}.csv")


# Convention sensitivity: the same runs under each way of counting parameters and FLOPs.
#
# Papers disagree on both, and their exponents with them (Porian et al. 2024). The shipped runs
# follow the paper's shapes, so every count of every run is known, and one table shows what moves.


BUDGET = 1e20
LARGEST_LAYERS = 40
PARAMS: Mapping[str, str] = {
    "global, as printed": "global_params",
    "global": "exact_params",
    "total": "total_params",
}


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
    exact = tables.isoflop_runs(exact_params=True)
    by_size = {shape.global_params: shape for shape in map(paper_blt, range(1, LARGEST_LAYERS + 1))}
    shapes = [by_size[int(one)] for one in exact.column("params", "sensitivity")]
    columns = {
        "global_params": tables.isoflop_runs().column("params", "sensitivity"),
        "exact_params": exact.column("params", "sensitivity"),
        "total_params": np.array([float(shape.total_params) for shape in shapes]),
    }
    rows = []
    for params, column in PARAMS.items():
        runs = _counted(exact, columns[column])
        compute = runs.column("compute_flops", "sensitivity")
        (surface,) = fit_surfaces(runs.only(compute == BUDGET), NO_BOOTSTRAP)
        optimum = surface.estimates
        for flops in CONVENTIONS:
            (n_compute, n_rate), (b_compute, b_rate) = _exponents(runs, shapes, flops)
            rows.append(
                Sensitivity(
                    params,
                    flops,
                    n_compute,
                    b_compute,
                    n_rate,
                    b_rate,
                    optimum["compression_rate_opt"],
                    optimum["bytes_per_param_opt"],
                )
            )
    return tuple(rows)


def _counted(runs: Runs, params: Array) -> Runs:
    """Return the runs with another parameter count."""
    frame = runs.rows.with_columns(global_params=params)
    return Runs(frame, runs.name, runs.sha256, "global_params")


def _exponents(
    runs: Runs, shapes: list[BltShape], flops: str
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the exponents of compute and rate in N* and in B*."""
    cells, _ = make_cells(runs, "sensitivity")  # no published curve is left out
    loss = runs.column("bits_per_byte", "sensitivity")
    data = np.log(runs.column("train_bytes", "sensitivity"))
    minima = find_minima(cells, loss[None], np.ones((1, len(loss))))
    ln_compute = []
    for number, cell in enumerate(cells):
        setting = Setting(cell.rate)
        costs = np.log([training_flops_per_byte(shapes[row], setting, flops) for row in cell.rows])
        order = np.argsort(data[cell.rows])
        place = minima.ln_bytes[0, number]
        ln_compute.append(np.interp(place, data[cell.rows][order], costs[order]) + place)
    x, t = np.array(ln_compute), np.log([cell.rate for cell in cells])
    design = np.stack([np.ones_like(x), x - x.mean(), t], axis=1)
    ones = np.ones(len(x))
    fits = [solve_weighted(design, y[0], ones) for y in (minima.ln_params, minima.ln_bytes)]
    return (float(fits[0][1]), float(fits[0][2])), (float(fits[1][1]), float(fits[1][2]))
