"""Resampling: which rows each replicate sees, or what noise it adds."""

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaling.engine.newton import Array

RESAMPLING = ("cases", "residuals")
DRAWS = 1000
FEWEST_FOR_A_TREND = 20  # residuals that show whether noise follows compute
SPREAD_OF_A_LOG_SQUARE = np.pi / np.sqrt(2)  # standard deviation of ln of a normal's square
NUMERICAL = 1e-9  # of values' size: a law that misses them by less misses them by rounding
SEED = 20261121


class Bootstrap(NamedTuple):
    """How intervals are to be found.

    Attributes:
        kind: `cases` (rows resampled within each cell), `residuals` (the fitted curve plus its own
            residuals, each scaled up for its leverage and resampled), `none`, or, without
            resampling and for laws of one stage, `hessian` or `profile`.
        draws: replicates.
        seed: of numpy's PCG64.
        level: coverage aimed at.
        block: which rows are resampled together (`scaling.fits.blocks`); empty for the law's own.
    """

    kind: str = "cases"
    draws: int = DRAWS
    seed: int = SEED
    level: float = 0.95
    block: str = ""

    @property
    def resamples(self) -> bool:
        """Whether there are replicates."""
        return self.kind in RESAMPLING

    def generator(self) -> np.random.Generator:
        """Return a fresh generator, so that the same fit gives the same draws."""
        return np.random.default_rng(self.seed)

    def describe(self, pipeline: str, block: str = "") -> str:
        """Return a phrase for `FitResult.interval_method`.

        Args:
            block: what rows are resampled by; empty where each is by itself.
        """
        what = {
            "cases": f"whole {block}s resampled" if block else "cases resampled within each cell",
            "residuals": f"residuals resampled, what a {block} shares and what is left"
            if block
            else "leverage-corrected residuals resampled",
            "hessian": "sandwich of the Hessian at the optimum, Student's t",
            "profile": "profile likelihood",
        }[self.kind]
        if not self.resamples:
            return what
        return f"bootstrap, {what}, {pipeline}, {self.draws} draws, percentiles"


# Cells of six to twelve sizes are designed, not sampled: resampling their rows widens the intervals
# of the laws of the optimum until they cover 99 to 100 %; resampling residuals covers 94 to 97 %.
RESIDUALS = Bootstrap("residuals")
CASES = Bootstrap("cases")
NO_BOOTSTRAP = Bootstrap("none", 0)


def case_weights(
    cells: NDArray[np.int64], draws: int, generator: np.random.Generator, fewest: int = 1
) -> Array:
    """Return [draws, n] weights of the rows when every cell is resampled on its own.

    From m rows m - 1 are drawn and weighted by m / (m - 1): m draws would understate the variance
    by that factor, which matters in small cells (the rescaled bootstrap of Rao and Wu 1988).

    Args:
        cells: [n] number of the cell each row belongs to.
        fewest: distinct rows a cell must keep (where it has as many); draws with fewer are drawn
            again, for nothing can be fitted to them.
    """
    weights = np.empty((draws, len(cells)))
    for cell in np.unique(cells):
        rows = np.flatnonzero(cells == cell)
        weights[:, rows] = _one_cell(len(rows), draws, generator, min(fewest, len(rows)))
    return weights


def _one_cell(rows: int, draws: int, generator: np.random.Generator, fewest: int) -> Array:
    if rows == 1:
        return np.ones((draws, 1))
    taken, chance = rows - 1, np.full(rows, 1 / rows)
    fewest = min(fewest, taken)
    counts = generator.multinomial(taken, chance, size=draws)
    while True:
        poor = np.flatnonzero((counts > 0).sum(1) < fewest)
        if not len(poor):
            return np.asarray(counts * (rows / taken), np.float64)
        counts[poor] = generator.multinomial(taken, chance, size=len(poor))


def residual_targets(
    fitted: Array,
    residuals: Array,
    leverage: Array,
    strata: NDArray[np.int64],
    draws: int,
    generator: np.random.Generator,
    student: bool = True,
) -> Array:
    """Return [draws, n] fitted values plus resampled residuals.

    Each residual is divided by sqrt(1 - leverage), which makes their variances equal, and they are
    centred before resampling (Davison and Hinkley 1997, algorithm 6.1). Rows exchange residuals
    within their stratum only, because small budgets are noisier than large ones.

    Args:
        fitted, residuals, leverage, strata: [n].
        student: give the residuals of each draw their variance by the f degrees of freedom that
            their stratum has left, times f over a chi-square of f: so little is known of the noise
            behind few residuals. Percentiles are then as wide as Student's t. Not for replicates
            that a second stage judges by its own misfit.
    """
    targets = np.empty((draws, len(fitted)))
    (scales,) = generator.spawn(1)  # so that residuals are drawn the same with and without
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        scaled = residuals[rows] / np.sqrt(np.maximum(1 - leverage[rows], 1e-6))
        scaled = scaled - scaled.mean()
        chosen = generator.integers(0, len(rows), size=(draws, len(rows)))
        noise = scaled[chosen]
        free = float(np.sum(1 - leverage[rows]))
        if student and free > 1e-6 and np.any(scaled):
            variance = np.sum(residuals[rows] ** 2) / free
            widened = variance / np.mean(scaled**2) * free / scales.chisquare(free, draws)
            noise *= np.sqrt(widened)[:, None]
        targets[:, rows] = fitted[rows] + noise
    return targets


class NoiseTrend(NamedTuple):
    """How large residuals usually are, as an exponential of a place (Harvey 1976).

    Attributes:
        slope: of the logarithms of their squares; error: its standard error.
        centre: the place at which the scale is 1.
    """

    slope: float
    error: float
    centre: float

    def scale(self, place: Array) -> Array:
        """Return [m] how large residuals are at [m] places, beside that at the centre."""
        return np.asarray(np.exp(0.5 * self.slope * (place - self.centre)))

    def draw(self, place: Array, draws: int, generator: np.random.Generator) -> Array:
        """Return [draws, m] the same, the slope drawn from what is known of it."""
        slopes = self.slope + self.error * generator.standard_normal((draws, 1))
        return np.asarray(np.exp(0.5 * slopes * (place - self.centre)))


def noise_trend(residuals: Array, leverage: Array, place: Array) -> NoiseTrend:
    """Return how the size of residuals follows a place; no trend where they are too few to tell.

    Args:
        residuals, leverage: [n] of a fit. place: [n], as ln C.
    """
    scaled = residuals / np.sqrt(np.maximum(1 - leverage, 1e-6))
    centre = float(place.mean())
    x = place - centre
    if len(residuals) < FEWEST_FOR_A_TREND or not np.any(x) or not np.all(scaled):
        return NoiseTrend(0.0, 0.0, centre)
    slope = float(x @ np.log(scaled**2) / (x @ x))
    return NoiseTrend(slope, float(SPREAD_OF_A_LOG_SQUARE / np.sqrt(x @ x)), centre)


def with_misfit(
    copies: Array,
    residuals: Array,
    leverage: Array,
    generator: np.random.Generator,
    place: Array | None = None,
) -> tuple[Array, float]:
    """Add to each replicate of stage one what stage two's law misses beyond stage one's noise.

    Replicates of the runs only carry the noise of the runs. Where the law of the optima does not
    pass through them within that noise, its own misfit is an uncertainty too: its residuals are
    resampled, scaled to the variance that the noise leaves unexplained (none, for a true law).

    Args:
        copies: [R, m] replicates of the m optima; nan where one has none.
        residuals, leverage: [m] of stage two's point fit.
        place: [m], as ln C, along which the misfit may grow or fall (`noise_trend`).

    Returns:
        the replicates, and the share of the residual variance that is misfit.
    """
    there = np.isfinite(copies)
    counts = np.maximum(there.sum(axis=0), 1)
    middle = np.where(there, copies, 0.0).sum(axis=0) / counts
    away = np.where(there, copies - middle, 0.0)
    noise = float(np.mean((away**2).sum(axis=0) / counts))
    place = np.zeros(len(residuals)) if place is None else place
    trend = noise_trend(residuals, leverage, place)
    scaled = residuals / np.sqrt(np.maximum(1 - leverage, 1e-6))
    variance = float(np.mean((scaled - scaled.mean()) ** 2))
    scaled = scaled / trend.scale(place)
    scaled = scaled - scaled.mean()
    rounding = NUMERICAL * float(np.nanmax(np.abs(copies), initial=0.0))
    share = max(0.0, 1 - noise / variance) if variance > rounding**2 else 0.0
    chosen = generator.integers(0, len(scaled), size=copies.shape)
    scales = trend.draw(place, len(copies), generator)
    return copies + np.sqrt(share) * scales * scaled[chosen], share


def leverages(jacobian: Array) -> Array:
    """Return [n] diagonal of the hat matrix of an [n, p] design."""
    scale = np.linalg.norm(jacobian, axis=0)
    orthogonal, triangle = np.linalg.qr(jacobian / np.where(scale > 0, scale, 1))
    full = np.abs(np.diag(triangle)) > 1e-12
    return np.asarray(np.sum(orthogonal[:, full] ** 2, axis=1))


def percentiles(draws: Array, level: float) -> tuple[Array, Array]:
    """Return the ends between which `level` of [R, ...] draws lie; draws of nan are left out, and
    where all are, so are the ends."""
    tail = 50 * (1 - level)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice encountered")
        low, high = np.nanpercentile(draws, [tail, 100 - tail], axis=0)
    return low, high
