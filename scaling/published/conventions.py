"""What moves when parameters and FLOPs are counted otherwise: the same runs by every convention.

Papers disagree on both, and their exponents with them (Porian et al. 2024, arXiv 2406.19146). The
shipped runs follow the paper's shapes, so every count of every run is known.
"""

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from scaling.engine.bootstrap import CASES
from scaling.fits.isoflop import fit_surfaces
from scaling.fits.joint import fit_joint
from scaling.fits.law1 import fit_law1
from scaling.flops import CONVENTIONS, CostContext, training_flops_per_byte
from scaling.published import tables
from scaling.read_runs import read_runs
from scaling.result import FitResult
from scaling.runs import Runs

BUDGET = 1e20  # of the surfaces


def counted_runs() -> Runs:
    """Return the shipped runs with parameters and FLOPs by every convention.

    `global_params` and `total_params` are exact, `params` those of the global module as printed;
    `compute_flops` are the published budgets, `compute_flops_NAME` what each run comes to by NAME.
    """
    runs = tables.isoflop_runs(exact_params=True)
    printed = tables.isoflop_runs().rows["global_params"]
    return replace(runs, rows=_with_flops(runs.rows.with_columns(params=printed)))


def with_counts(runs: Runs) -> Runs:
    """Return the runs with the counts of `counted_runs`, where they are the shipped ones."""
    shipped = counted_runs()
    if runs.sha256 != shipped.sha256:
        return runs
    rows = shipped.rows.filter(pl.col("row").is_in(runs.rows["row"].to_list()))
    return replace(runs, rows=rows)


def convention_fits(printed: Runs, exact: Runs) -> Iterator[tuple[str, FitResult]]:
    """Yield the laws of the shipped runs by every convention, each under a name of its own.

    Args:
        printed: the runs with their parameters as printed (`tables.isoflop_runs`).
        exact: the same with exact counts.
    """
    total = replace(exact, params_column="total_params")
    for name, params, runs in (
        ("printed", "global module, as printed", printed),
        ("global", "global module, exact", exact),
        ("total", "all modules, exact", total),
    ):
        yield f"law1-{name}", _declared(fit_law1(runs), params=params, flops="6 N B / T")
        at_budget = runs.only(runs.column("compute_flops", "isoflop-surface") == BUDGET)
        (surface,) = fit_surfaces(at_budget)
        yield f"surface-{name}", _declared(surface, params=params, flops="as published")
    bootstrap = CASES._replace(kind="residuals")
    yield "joint-published", _declared(fit_joint(exact, bootstrap=bootstrap), flops="as published")
    frame = _with_flops(exact.rows).drop("row")
    for flops in CONVENTIONS:
        counted = frame.with_columns(pl.col(f"compute_flops_{flops}").alias("compute_flops"))
        runs = replace(read_runs(counted, exact.name), sha256=exact.sha256)
        # Each run has a budget of its own here, so there are no cells to resample within, and no
        # largest budget to leave out.
        fit = fit_joint(runs, bootstrap=bootstrap).model_copy(update={"holdout": None})
        yield f"joint-{flops}", _declared(fit, flops=flops)


def _with_flops(rows: pl.DataFrame) -> pl.DataFrame:
    """Return all shipped rows with a column `compute_flops_NAME` for every convention."""
    contexts = map(CostContext, rows["compression_rate"])
    pairs = list(zip(tables.isoflop_shapes(), contexts, strict=True))
    costs = {
        name: pl.Series([training_flops_per_byte(*pair, name) for pair in pairs])
        for name in CONVENTIONS
    }
    return rows.with_columns(
        (pl.col("train_bytes") * cost).alias(f"compute_flops_{name}")
        for name, cost in costs.items()
    )


def _declared(fit: FitResult, **conventions: str) -> FitResult:
    """Return the fit with its conventions in words."""
    return fit.model_copy(update={"conventions": {**fit.conventions, **conventions}})
