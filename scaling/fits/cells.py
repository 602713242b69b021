"""Stage one of the laws of the optimum: a parabola in ln B for every budget and rate.

All replicates of a bootstrap go through it at once: the sizes of a cell never change, only the
weights or the losses do.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from scaling.engine.bootstrap import Bootstrap, case_weights, leverages, residual_targets
from scaling.engine.linear import solve_weighted
from scaling.fits.checks import ROUNDING
from scaling.laws.isoflop import parabola_design, parabola_vertex
from scaling.result import Finding
from scaling.runs import Runs

Array = NDArray[np.float64]
FEWEST_SIZES = 3  # a parabola has three coefficients
FLAT = 3.0  # rise over scatter below which a minimum is ambiguous
FEW_SIZES = 5  # below this its minimum is not to be trusted (LAWS: fewer than 5 sizes)


class Cell(NamedTuple):
    """One isoFLOP curve.

    Attributes:
        compute: budget C; nan where the table has none.
        rate: compression rate T; nan where the table has none.
        rows: [m] indices into the runs.
        centre: mean of ln B.
        x: [m] ln B less the centre.
        path: [2, m] ln B less the centre, rising, and ln N there, for interpolation.
    """

    compute: float
    rate: float
    rows: NDArray[np.int64]
    centre: float
    x: Array
    path: Array


class Minima(NamedTuple):
    """The minimum of every cell in every replicate, [R, c] each.

    Attributes:
        ln_bytes: ln B*.
        ln_params: ln N*, interpolated linearly in (ln B, ln N) and held at the grid's ends.
        loss: bits per byte there.
        bend: curvature of the parabola.
        inside: whether B* lies within the grid.
    """

    ln_bytes: Array
    ln_params: Array
    loss: Array
    bend: Array
    inside: NDArray[np.bool_]


def make_cells(runs: Runs, law: str) -> tuple[Cell, ...]:
    """Group the runs by budget and compression rate.

    Raises:
        InputError: a cell has fewer than three sizes, or a column is missing.
    """
    compute = runs.column("compute_flops", law)
    rate = (
        runs.column("compression_rate", law)
        if runs.has("compression_rate")
        else np.full(len(runs), np.nan)
    )
    data = np.log(runs.column(data_column(runs), law))
    params = np.log(runs.column("params", law))
    cells = []
    for budget, one in sorted(
        {(c, t if t == t else -1.0) for c, t in zip(compute, rate, strict=True)}
    ):
        rows = np.flatnonzero(
            (compute == budget) & ((rate == one) | (np.isnan(rate) & (one == -1)))
        )
        sizes = len(np.unique(params[rows]))
        if sizes < FEWEST_SIZES:
            where = f"C = {budget:g}" + (f", T = {one:g}" if one != -1 else "")
            raise InputError(
                f"{runs.name}: {law} needs at least {FEWEST_SIZES} model sizes at {where}, "
                f"and there {'is' if sizes == 1 else 'are'} {sizes}{runs.remedy_of_few}"
            )
        centre = float(data[rows].mean())
        order = rows[np.argsort(data[rows], kind="stable")]
        path = np.stack([data[order] - centre, params[order]])
        cells.append(
            Cell(budget, one if one != -1 else np.nan, rows, centre, data[rows] - centre, path)
        )
    return tuple(cells)


def curves_of_sizes_enough(runs: Runs, law: str) -> Runs:
    """Return the runs of the curves that a parabola can be fitted to, the others excluded by name.

    Runs too short are left out of a table, and may leave a curve of a sweep with one size or two;
    its other curves are as good as before. Where no curve has sizes enough, the runs are returned
    as they are, for `make_cells` to refuse.
    """
    parts = ["compute_flops", *(["compression_rate"] if runs.has("compression_rate") else [])]
    keys = np.stack([runs.column(name, law) for name in parts])
    _, cell = np.unique(np.nan_to_num(keys, nan=-1.0), axis=1, return_inverse=True)
    cell, params = cell.reshape(-1), runs.column("params", law)
    sizes = np.array([len(np.unique(params[cell == one])) for one in range(cell.max() + 1)])[cell]
    if (sizes >= FEWEST_SIZES).any():
        for count in sorted(set(sizes[sizes < FEWEST_SIZES].tolist()), reverse=True):
            thin = sizes == count
            noun = "size" if count == 1 else "sizes"
            runs = runs.where(~thin, f"of a curve of {count} {noun}, {FEWEST_SIZES} needed")
            sizes = sizes[~thin]
    return runs


def data_column(runs: Runs) -> str:
    """Return how the table counts data: bytes where it can, tokens where it must."""
    if not runs.has("train_bytes") and runs.has("train_tokens"):
        return "train_tokens"
    return "train_bytes"


def optima_given(runs: Runs, law: str) -> bool:
    """Whether the table holds one row per budget and rate: optima that somebody else found."""
    keys = np.stack([runs.column("compute_flops", law), runs.column("compression_rate", law)])
    return bool(np.unique(keys, axis=1).shape[1] == len(runs))


def cell_numbers(cells: tuple[Cell, ...], rows: int) -> NDArray[np.int64]:
    """Return [n] which cell each row belongs to."""
    numbers = np.full(rows, -1, np.int64)
    for number, cell in enumerate(cells):
        numbers[cell.rows] = number
    return numbers


def find_minima(cells: tuple[Cell, ...], loss: Array, weights: Array) -> Minima:
    """Fit every cell's parabola in every replicate; `loss` and `weights` are [R, n]."""
    columns = []
    for cell in cells:
        place, height, bend = parabola_vertex(
            solve_weighted(parabola_design(cell.x), loss[:, cell.rows], weights[:, cell.rows])
        )
        # A replicate whose parabola opens downwards, or is straight but for rounding, has no
        # minimum: it is nan, and dropped later.
        rise = bend * np.ptp(cell.x) ** 2
        opens = rise > ROUNDING * np.abs(loss[:, cell.rows]).max(axis=1)
        place = np.where(opens, place, np.nan)
        height = np.where(opens, height, np.nan)
        bend = np.where(opens, bend, np.minimum(bend, 0.0))
        ln_params = np.interp(place, cell.path[0], cell.path[1])
        inside = (place >= cell.path[0, 0]) & (place <= cell.path[0, -1])
        columns.append((place + cell.centre, ln_params, height, bend, inside))
    return Minima(*(np.stack(parts, axis=1) for parts in zip(*columns, strict=True)))


def fitted_losses(cell: Cell, loss: Array) -> Array:
    """Return what the parabola gives for a curve's runs, whichever way it opens."""
    design = parabola_design(cell.x)
    fitted: Array = design @ solve_weighted(design, loss[cell.rows], np.ones(len(cell.rows)))
    return fitted


def along(cells: tuple[Cell, ...], minima: Minima, ln_bytes: Array) -> Minima:
    """Return the minima moved to other places on their own isoFLOP curves; `ln_bytes` is [R, c]."""
    ln_params = [
        np.interp(ln_bytes[:, number] - cell.centre, cell.path[0], cell.path[1])
        for number, cell in enumerate(cells)
    ]
    return minima._replace(ln_bytes=ln_bytes, ln_params=np.stack(ln_params, axis=1))


def replicates(
    cells: tuple[Cell, ...], loss: Array, bootstrap: Bootstrap, *, student: bool
) -> tuple[Array, Array] | None:
    """Return [R, n] losses and weights of the replicates; None where none are wanted.

    Args:
        student: widen for few residuals (`residual_targets`), where no second stage follows.
    """
    if not bootstrap.resamples:
        return None
    generator = bootstrap.generator()
    n, draws = len(loss), bootstrap.draws
    if bootstrap.kind == "cases":
        # One more distinct size than coefficients: an exact fit of resampled points is no estimate.
        weights = case_weights(cell_numbers(cells, n), draws, generator, FEWEST_SIZES + 1)
        return np.broadcast_to(loss, (draws, n)), weights
    fitted, leverage = np.empty(n), np.empty(n)
    for cell in cells:
        fitted[cell.rows] = fitted_losses(cell, loss)
        leverage[cell.rows] = leverages(parabola_design(cell.x))
    _, strata = np.unique([cell.compute for cell in cells], return_inverse=True)
    budget = strata[cell_numbers(cells, n)]
    targets = residual_targets(fitted, loss - fitted, leverage, budget, draws, generator, student)
    return targets, np.ones((draws, n))


def one_cell(minima: Minima, number: int) -> Minima:
    """Return the minima of a single cell, [R, 1] each."""
    only = slice(number, number + 1)
    return Minima(
        minima.ln_bytes[:, only],
        minima.ln_params[:, only],
        minima.loss[:, only],
        minima.bend[:, only],
        minima.inside[:, only],
    )


def cell_findings(cells: tuple[Cell, ...], minima: Minima, loss: Array) -> list[Finding]:
    """Return the named checks of the point fit (replicate 0 of `minima`) to [n] losses."""
    found = list(zip(cells, minima.bend[0], minima.inside[0], strict=True))
    flat = [
        _where(cell)
        for number, cell in enumerate(cells)
        if _is_flat(cell, minima, number, loss[cell.rows])
    ]
    checks = (
        (
            "few sizes",
            f"fewer than {FEW_SIZES} sizes at",
            [_where(cell) for cell in cells if len(np.unique(cell.path[1])) < FEW_SIZES],
        ),
        (
            "concave parabola",
            "no minimum, and so left out, at",
            [_where(cell) for cell, bend, _ in found if not bend > 0],
        ),
        (
            "minimum outside the grid",
            "the best size lies beyond those trained at",
            [_where(cell) for cell, bend, inside in found if bend > 0 and not inside],
        ),
        ("flat minimum", "the curve rises by less than its own noise explains at", flat),
    )
    return [
        Finding(name=name, severity="warning", message=f"{what} {'; '.join(where)}")
        for name, what, where in checks
        if where
    ]


def _is_flat(cell: Cell, minima: Minima, number: int, loss: Array) -> bool:
    """Whether the curve's rise over its grid is under three times the scatter about it."""
    bend, spare = float(minima.bend[0, number]), len(loss) - FEWEST_SIZES
    if not bend > 0 or spare < 1:
        return False
    away = (cell.x + cell.centre - minima.ln_bytes[0, number]) ** 2
    scatter = float(np.sum((loss - minima.loss[0, number] - bend * away) ** 2) / spare)
    return bend * float(away.max()) < FLAT * float(np.sqrt(scatter))


def _where(cell: Cell) -> str:
    rate = "" if np.isnan(cell.rate) else f" T = {cell.rate:g}"
    return f"C = {cell.compute:g}{rate}"
