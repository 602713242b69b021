"""What moves when parameters and FLOPs are counted otherwise: a law by every convention of a table.

Papers disagree on both, and their exponents with them (Porian et al. 2024, arXiv 2406.19146). A
table that counts its runs in several ways has several columns: parameters by each of
`scaling.runs.PARAMS`, and FLOPs as `compute_flops` and `compute_flops_NAME`, as records of runs do.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from corpora.bootstrap import Interval
from corpora.errors import InputError
from scaling.engine.newton import solve_weighted
from scaling.fits.assemble import FAMILY, FitContext
from scaling.fits.fit import fit
from scaling.fits.minima import find_minima, make_cells
from scaling.laws.registry import LAWS, law_named
from scaling.runs import PARAMS, Runs

_FLOPS = "compute_flops"


class Recount(NamedTuple):
    """A law under one pair of conventions.

    Attributes:
        params, flops: the columns that count them.
        context: what the fit is confined to, such as a budget.
        estimates, intervals: of the coefficients.
        why: what stands in the way of the fit; empty where there is one.
    """

    params: str
    flops: str
    context: FitContext
    estimates: Mapping[str, float]
    intervals: Mapping[str, Interval | None]
    why: str = ""


def by_conventions(runs: Runs, law: str, **options: Any) -> tuple[Recount, ...]:
    """Fit the law by every count of parameters and of FLOPs that the table has and the law uses.

    Laws of curves of one budget keep the budgets the runs were trained at. For Law I, the compute
    at each minimum is then counted anew, and the exponents of compute and rate are given.

    Args:
        options: of `scaling.fits.fit.fit`.

    Raises:
        InputError: the law is unknown, or cannot be fitted as the table counts by default.
    """
    declared = law_named(law)
    table = runs.rows.columns
    params = [name for name in PARAMS if name in table and "params" in declared.columns]
    params = params or [runs.params_column or "none"]
    flops = [name for name in table if name == _FLOPS or name.startswith(f"{_FLOPS}_")]
    if _FLOPS not in declared.columns or (declared.by_budget and law != "law1"):
        flops = flops[:1]
    rows = [
        row
        for name in params
        for row in _fitted(replace(runs, params_column=name), law, _FLOPS, options)
    ]
    for column in flops:
        if law == "law1":
            rows += [
                _law1_exponents(replace(part, params_column=name), column, context)
                for context, part in runs.groups(FAMILY)
                for name in params
            ]
        elif column != _FLOPS:
            counted = runs.rows.with_columns(pl.col(column).alias(_FLOPS))
            # Each run has a budget of its own then: there are no cells to resample within.
            residuals = {**options, "intervals": options.get("intervals") or "residuals"}
            rows += _fitted(replace(runs, rows=counted), law, column, residuals)
    if all(row.why for row in rows):
        raise InputError(rows[0].why)
    return tuple(rows)


def _fitted(runs: Runs, law: str, flops: str, options: Mapping[str, Any]) -> Iterator[Recount]:
    params = runs.params_column if "params" in LAWS[law].columns else "none"
    try:
        for result in fit(runs, law, **options):
            yield Recount(params, flops, result.context, result.estimates, result.intervals)
    except InputError as error:
        yield Recount(params, flops, {}, {}, {}, str(error))


def _law1_exponents(runs: Runs, flops: str, context: FitContext) -> Recount:
    """Return the exponents of compute and rate in N* and B*; they need not sum to one."""
    try:
        cells, kept = make_cells(runs, "law1")
        loss = kept.column("bits_per_byte", "law1")
        data, spent = (np.log(kept.column(name, "law1")) for name in ("train_bytes", flops))
        minima = find_minima(cells, loss[None])
        ln_compute = []
        for number, cell in enumerate(cells):
            rows = cell.rows[np.argsort(data[cell.rows])]
            place = minima.ln_bytes[0, number]
            ln_compute.append(np.interp(place, data[rows], (spent - data)[rows]) + place)
    except InputError as error:
        return Recount(runs.params_column, flops, context, {}, {}, str(error))
    found = np.isfinite(minima.ln_bytes[0])
    x = np.array(ln_compute)[found]
    t = np.log([cell.rate for cell in cells])[found]
    design = np.stack([np.ones_like(x), x - x.mean(), t], axis=1)
    estimates = {}
    for name, values in (("params", minima.ln_params), ("bytes", minima.ln_bytes)):
        plane = solve_weighted(design, values[0][found], np.ones(len(x)))
        estimates[f"{name}_exponent"] = float(plane[1])
        estimates[f"{name}_rate_exponent"] = float(plane[2])
    return Recount(runs.params_column, flops, context, estimates, dict.fromkeys(estimates))
