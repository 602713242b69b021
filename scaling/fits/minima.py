"""Stage one of the laws of the optimum: a parabola in ln B for every budget and rate.

All replicates of a bootstrap go through it at once: the sizes of a cell never change, only the
weights or the losses do.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from corpora.errors import InputError
from scaling.engine.bootstrap import (
    Bootstrap,
    case_weights,
    leverages,
    residual_targets,
    with_misfit,
)
from scaling.engine.newton import Array, solve_weighted
from scaling.engine.shared import shared_targets, two_levels
from scaling.fits.blocks import RowBlocks
from scaling.fits.findings import OUTSIDE, ROUNDING, note, warning
from scaling.laws.optimum import parabola_design, parabola_vertex
from scaling.result import Finding
from scaling.runs import Runs

FEWEST_SIZES = 3  # a parabola has three coefficients
FLAT = 3.0  # rise over scatter below which a minimum is ambiguous
SURE = 0.01  # p-value below which curves are said to be skewed
SKEW = 0.05  # of ln B*, beyond which that makes the answer doubtful
FEW_SIZES = 5  # below this its minimum is not to be trusted (LAWS: fewer than 5 sizes)
# Gaps between an end of the grid and the size next to it, by which a minimum may pass the end and
# still be called one: the parabola tells it no better. Beyond, there is none, in any law or draw.
EDGE = 0.5


class IsoflopCell(NamedTuple):
    """One isoFLOP curve.

    Attributes:
        compute: budget C; nan where the table has none.
        rate: compression rate T; nan where the table has none.
        rows: [m] indices into the runs.
        centre: mean of ln B.
        x: [m] ln B less the centre.
        path: [2, m] ln B less the centre, rising, and ln N there, for interpolation.
        reach: ln B less the centre between which a minimum is one: the grid, and half a gap more.
    """

    compute: float
    rate: float
    rows: NDArray[np.int64]
    centre: float
    x: Array
    path: Array
    reach: tuple[float, float]

    def params_at(self, x: Array) -> Array:
        """Return [...] ln N at ln B less the centre, linear beyond the grid; nan beyond reach."""
        low, high = self.reach
        at = np.where((x >= low) & (x <= high), x, np.nan)
        below = np.minimum(at - self.path[0, 0], 0) * self._slope(0, 1)
        above = np.maximum(at - self.path[0, -1], 0) * self._slope(-2, -1)
        return np.asarray(self.held_params(at) + below + above)

    def held_params(self, x: Array) -> Array:
        """Return [...] ln N at ln B less the centre, that of the last size beyond the grid."""
        return np.asarray(np.interp(x, self.path[0], self.path[1]))

    def _slope(self, one: int, other: int) -> float:
        """Return d ln N / d ln B between two of the sizes, by their place in order."""
        places, first = np.unique(self.path[0], return_index=True)
        if len(places) < 2:
            return 0.0
        sizes = self.path[1][first]
        return float((sizes[other] - sizes[one]) / (places[other] - places[one]))


class Minima(NamedTuple):
    """The minimum of every cell in every replicate, [R, c] each; nan where there is none.

    Attributes:
        ln_bytes: ln B*.
        ln_params: ln N*, interpolated linearly in (ln B, ln N), and so extended where B* lies in
            the half gap beyond the grid.
        loss: bits per byte there.
        bend: curvature of the parabola.
        inside: whether B* lies within the grid.
    """

    ln_bytes: Array
    ln_params: Array
    loss: Array
    bend: Array
    inside: NDArray[np.bool_]


class Thin(NamedTuple):
    """An isoFLOP curve of too few sizes for a parabola.

    Attributes:
        compute, rate: as in `IsoflopCell`.
        rows: [n] whether a run lies on it.
        reason: what it lacks.
    """

    compute: float
    rate: float
    rows: NDArray[np.bool_]
    reason: str


def make_cells(runs: Runs, law: str) -> tuple[tuple[IsoflopCell, ...], Runs]:
    """Group the runs by budget and compression rate; return the cells and the runs they index.

    Runs on curves of fewer than three sizes are left out, with that reason.

    Raises:
        InputError: no curve has three sizes, or a column is missing.
    """
    thin, row = thin_curves(runs, law), runs.rows["row"].to_numpy()
    if thin and np.any([curve.rows for curve in thin], axis=0).all():
        raise InputError(f"{runs.name}: {law}: {thin[0].reason}{runs.remedy_of_few}")
    for curve in thin:
        left = ~np.isin(runs.rows["row"].to_numpy(), row[curve.rows])
        runs = runs.where(left, curve.reason)
    data = np.log(runs.column(data_column(runs), law))
    params = np.log(runs.column("params", law))
    cells = []
    for compute, rate, here in _curves(runs, law):
        rows = np.flatnonzero(here)
        centre = float(data[rows].mean())
        order = rows[np.argsort(data[rows], kind="stable")]
        path = np.stack([data[order] - centre, params[order]])
        cell = IsoflopCell(compute, rate, rows, centre, data[rows] - centre, path, reach(path[0]))
        cells.append(cell)
    return tuple(cells), runs


def reach(x: Array) -> tuple[float, float]:
    """Return the ends between which a minimum is one, of the [m] rising places of the runs."""
    places = np.unique(x)
    if len(places) < 2:
        return float(x[0]), float(x[-1])
    low, high = EDGE * (places[1] - places[0]), EDGE * (places[-1] - places[-2])
    return float(places[0] - low), float(places[-1] + high)


def thin_curves(runs: Runs, law: str) -> list[Thin]:
    """Return the curves no parabola can be fitted to."""
    params = runs.column("params", law)
    thin = []
    for compute, rate, rows in _curves(runs, law):
        sizes = len(np.unique(params[rows]))
        if sizes < FEWEST_SIZES:
            reason = (
                f"a parabola needs at least {FEWEST_SIZES} model sizes at {_place(compute, rate)},"
                f" and there {'is' if sizes == 1 else 'are'} {sizes}"
            )
            thin.append(Thin(compute, rate, rows, reason))
    return thin


def _curves(runs: Runs, law: str) -> Iterator[tuple[float, float, NDArray[np.bool_]]]:
    """Yield budget, rate (nan where the table has none) and [n] the runs there, in order."""
    compute = runs.column("compute_flops", law)
    given = runs.has("compression_rate")
    rate = runs.column("compression_rate", law) if given else np.zeros(len(runs))
    for budget, ratio in np.unique(np.stack([compute, rate], axis=1), axis=0).tolist():
        yield budget, ratio if given else np.nan, (compute == budget) & (rate == ratio)


def data_column(runs: Runs) -> str:
    """Return how the table counts data: bytes where it can, tokens where it must."""
    if not runs.has("train_bytes") and runs.has("train_tokens"):
        return "train_tokens"
    return "train_bytes"


def optima_given(runs: Runs, law: str) -> bool:
    """Whether the table holds one row per budget and rate: optima that were found before."""
    keys = np.stack([runs.column("compute_flops", law), runs.column("compression_rate", law)])
    return bool(np.unique(keys, axis=1).shape[1] == len(runs))


def cell_numbers(cells: tuple[IsoflopCell, ...], rows: int) -> NDArray[np.int64]:
    """Return [n] which cell each row belongs to."""
    numbers = np.full(rows, -1, np.int64)
    for number, cell in enumerate(cells):
        numbers[cell.rows] = number
    return numbers


def find_minima(
    cells: tuple[IsoflopCell, ...], loss: Array, weights: Array | None = None
) -> Minima:
    """Fit every cell's parabola in every replicate; `loss` and `weights` are [R, n]."""
    weights = np.ones_like(loss) if weights is None else weights
    columns = []
    for cell in cells:
        place, height, bend = parabola_vertex(
            solve_weighted(parabola_design(cell.x), loss[:, cell.rows], weights[:, cell.rows])
        )
        # A replicate whose parabola opens downwards, is straight but for rounding, or has its
        # vertex beyond the sizes trained has no minimum: it is nan, and dropped later.
        rise = bend * np.ptp(cell.x) ** 2
        opens = rise > ROUNDING * np.abs(loss[:, cell.rows]).max(axis=1)
        bend = np.where(opens, bend, np.minimum(bend, 0.0))
        ln_params = cell.params_at(np.where(opens, place, np.nan))
        found = np.isfinite(ln_params)
        place = np.where(found, place, np.nan)
        height = np.where(found, height, np.nan)
        inside = (place >= cell.path[0, 0]) & (place <= cell.path[0, -1])
        columns.append((place + cell.centre, ln_params, height, bend, inside))
    return Minima(*(np.stack(parts, axis=1) for parts in zip(*columns, strict=True)))


def fitted_losses(cell: IsoflopCell, loss: Array) -> Array:
    """Return what the parabola gives for a curve's runs, whichever way it opens."""
    design = parabola_design(cell.x)
    fitted: Array = design @ solve_weighted(design, loss[cell.rows], np.ones(len(cell.rows)))
    return fitted


def fitted_curves(cells: tuple[IsoflopCell, ...], loss: Array) -> tuple[Array, Array]:
    """Return [n] what their parabolas give for the runs of all curves, and [n] their leverages."""
    fitted, leverage = np.empty(len(loss)), np.empty(len(loss))
    for cell in cells:
        fitted[cell.rows] = fitted_losses(cell, loss)
        leverage[cell.rows] = leverages(parabola_design(cell.x))
    return fitted, leverage


def with_law_misfit(
    cells: tuple[IsoflopCell, ...],
    minima: Minima,
    found: NDArray[np.bool_],
    missed: Array,
    design: Array,
    bootstrap: Bootstrap,
    blocks: RowBlocks,
    placed: Array,
) -> tuple[Minima, float]:
    """Return replicates that also miss the law as their minima do, and the share of that.

    A minimum that moves along its isoFLOP curve takes the model size with it. Where minima share a
    block, what they miss the law by is all that is resampled, by what a block shares and the rest.

    Args:
        minima: [R, c] each; found: [c] which cells the law was fitted to.
        missed: [m] ln B* of those less the law's; design: [m, p] of its fit; placed: [m] the law's.
    """
    generator = bootstrap.generator()
    if blocks.shared is not None:
        levels, whole = two_levels(missed, design, blocks.numbers), np.zeros(len(missed), np.int64)
        moved = shared_targets(placed, levels, whole, bootstrap.draws, generator)
        share = 0.0
    else:
        place = np.log([cell.compute for cell, kept in zip(cells, found, strict=True) if kept])
        leverage, copies = leverages(design), minima.ln_bytes[:, found]
        moved, share = with_misfit(copies, missed, leverage, generator, place)
    ln_bytes = np.full(minima.ln_bytes.shape, np.nan)
    ln_bytes[:, found] = moved
    ln_params = np.stack(
        [cell.params_at(ln_bytes[:, number] - cell.centre) for number, cell in enumerate(cells)],
        axis=1,
    )
    ln_bytes = np.where(np.isfinite(ln_params), ln_bytes, np.nan)
    return minima._replace(ln_bytes=ln_bytes, ln_params=ln_params), share


def replicates(
    cells: tuple[IsoflopCell, ...], loss: Array, bootstrap: Bootstrap, *, student: bool
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
    fitted, leverage = fitted_curves(cells, loss)
    _, strata = np.unique([cell.compute for cell in cells], return_inverse=True)
    budget = strata[cell_numbers(cells, n)]
    targets = residual_targets(fitted, loss - fitted, leverage, budget, draws, generator, student)
    return targets, np.ones((draws, n))


def one_cell(minima: Minima, number: int) -> Minima:
    """Return the minima of a single cell, [R, 1] each."""
    only = slice(number, number + 1)
    return Minima._make(column[:, only] for column in minima)


def cell_findings(cells: tuple[IsoflopCell, ...], minima: Minima, loss: Array) -> list[Finding]:
    """Return the named checks of the point fit (replicate 0 of `minima`) to [n] losses."""
    found = list(zip(cells, minima.bend[0], minima.inside[0], minima.loss[0], strict=True))
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
            [_where(cell) for cell, bend, _, _ in found if not bend > 0],
        ),
        (
            OUTSIDE,
            "the best size lies beyond those trained, and so is left out, at",
            [_where(cell) for cell, bend, _, loss in found if bend > 0 and np.isnan(loss)],
        ),
        (
            OUTSIDE,
            f"the best size lies beyond those trained, by less than {EDGE:g} of a step, at",
            [
                _where(cell)
                for cell, bend, inside, loss in found
                if bend > 0 and not inside and np.isfinite(loss)
            ],
        ),
        ("flat minimum", "the curve rises by less than its own noise explains at", flat),
    )
    said = [warning(name, f"{what} {'; '.join(where)}") for name, what, where in checks if where]
    return said + skewed(cells, minima, loss)


def skewed(cells: tuple[IsoflopCell, ...], minima: Minima, loss: Array) -> list[Finding]:
    """Return a finding where the curves have a cubic term, with what it does to their minima.

    Too large a model loses by another law than too small a one, so the wider the grid, the more a
    parabola is drawn to the steeper side. The cubic terms of all curves are judged by one F test.
    """
    squares = cubes = free = 0.0
    moves, heights = [], []
    for number, cell in enumerate(cells):
        losses, size = loss[cell.rows], len(np.unique(cell.x))
        if size < FEWEST_SIZES + 2 or not minima.bend[0, number] > 0:
            continue
        scale = np.ptp(cell.x) / 2
        cubic = np.polynomial.Polynomial.fit(cell.x, losses, 3)
        squares += float(np.sum((losses - fitted_losses(cell, loss)) ** 2))
        cubes += float(np.sum((losses - cubic(cell.x)) ** 2))
        free += len(losses) - 4
        fine = np.linspace(cell.x.min(), cell.x.max(), 1001)
        lowest = int(np.argmin(cubic(fine)))
        place = float(minima.ln_bytes[0, number]) - cell.centre
        if 0 < lowest < len(fine) - 1 and abs(place) < 2 * scale:
            moves.append(float(fine[lowest]) - place)
            heights.append(float(cubic(fine[lowest])) - float(minima.loss[0, number]))
    tested = len(moves)
    if not tested or squares <= len(loss) * (ROUNDING * float(np.abs(loss).max())) ** 2:
        return []
    ratio = max(squares - cubes, 0.0) / tested / max(cubes / free, 1e-300)
    if fdtrc(tested, free, ratio) >= SURE:
        return []
    move, height = float(np.median(moves)), float(np.median(heights))
    where = f" (median of {tested} curves)" if tested > 1 else ""
    text = f"a cubic term is there: with it the best amount of data moves by {np.expm1(move):+.1%}"
    text += f" and the lowest loss by {height:+.2g}{where}; train sizes nearer the minimum"
    return [(warning if abs(move) > SKEW else note)("skewed curves", text)]


def _is_flat(cell: IsoflopCell, minima: Minima, number: int, loss: Array) -> bool:
    """Whether the curve's rise over its grid is under three times the scatter about it."""
    bend, spare = float(minima.bend[0, number]), len(loss) - FEWEST_SIZES
    if not bend > 0 or spare < 1:
        return False
    away = (cell.x + cell.centre - minima.ln_bytes[0, number]) ** 2
    scatter = float(np.sum((loss - minima.loss[0, number] - bend * away) ** 2) / spare)
    return bend * float(away.max()) < FLAT * float(np.sqrt(scatter))


def _where(cell: IsoflopCell) -> str:
    return _place(cell.compute, cell.rate)


def _place(compute: float, rate: float) -> str:
    return f"C = {compute:g}" + ("" if np.isnan(rate) else f", T = {rate:g}")
