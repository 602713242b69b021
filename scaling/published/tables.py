"""The reference tables shipped with the project: figures of arXiv 2605.01188, read off its pages.

Limisiewicz et al. 2026, "Compute Optimal Tokenization". Numbers only: 311 trained models from the
vector graphics of figure 19, and tables 3, 4, 5, 6, 9 and 10.
"""

from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path

import polars as pl

from scaling.flops import BltShape, paper_blt
from scaling.read_runs import read_runs
from scaling.runs import Runs

ISOFLOP = "cot_latent_english_isoflop"
OPTIMA = "cot_optimal_bpb_latent"
LANGUAGES = "cot_languages"
BLT_SHAPES = "cot_table4_blt_shapes"
SUBWORD_SHAPES = "cot_table5_subword_shapes"
BLT_SHARES = "cot_table6_blt_compute_share"
FIGURES = "figures"
TABLES = (ISOFLOP, OPTIMA, LANGUAGES, BLT_SHAPES, SUBWORD_SHAPES, BLT_SHARES, FIGURES)
LARGEST_LAYERS = 40


def path(name: str) -> Path:
    """Return where a shipped table lies."""
    assert name in TABLES, name
    return Path(str(files("scaling.published").joinpath("data", f"{name}.csv")))


@cache
def table(name: str) -> pl.DataFrame:
    """Return a shipped table as it stands."""
    return pl.read_csv(path(name), infer_schema_length=None)


@cache
def isoflop_shapes() -> tuple[BltShape, ...]:
    """Return the shape of each of the 311 models, in the order of the table.

    The printed parameter counts have two digits above 10^9 (1.3B); a shape has few neighbours.
    """
    known = [paper_blt(layers) for layers in range(1, LARGEST_LAYERS + 1)]
    printed = table(ISOFLOP)["global_params"]
    return tuple(
        min(known, key=lambda shape: abs(shape.global_params - params)) for params in printed
    )


def isoflop_runs(exact_params: bool = False) -> Runs:
    """Return the 311 byte latent models as a runs table.

    Args:
        exact_params: replace the printed `global_params` by the exact count of the shape they
            belong to, 12 L (128 L)^2, and add its `total_params`.
    """
    runs = replace(read_runs(path(ISOFLOP)), name=f"{ISOFLOP}.csv")
    if not exact_params:
        return runs
    shapes = isoflop_shapes()
    rows = runs.rows.with_columns(
        global_params=pl.Series([float(shape.global_params) for shape in shapes]),
        total_params=pl.Series([float(shape.total_params) for shape in shapes]),
    )
    note = "global_params are the exact counts of the paper's shapes, not the printed ones"
    return replace(runs, rows=rows, notes=(*runs.notes, note))


def optima() -> Runs:
    """Return table 10: the lowest bits per byte of 8 budgets and 6 compression rates."""
    return replace(read_runs(path(OPTIMA)), name=f"{OPTIMA}.csv")
