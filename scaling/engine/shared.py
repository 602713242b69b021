"""Noise that rows of a block share: replicates of it for a bootstrap, and whether there is any.

Rows are seldom independent: checkpoints of one run share its seed, runs of one budget its schedule.
What a block shares does not average out within it, so the intervals of rows resampled one by one
are too narrow. Either whole blocks are resampled as cases, which takes many of them; or residuals
are split into their mean over each block and what is left within it, and each part is resampled by
itself, as for data of two levels (Davison and Hinkley 1997, 3.8). Six blocks are enough for that,
where the law leaves their means degrees of freedom.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from scaling.engine.newton import Array

Labels = NDArray[np.int64]
_FEWEST_OF_A_STRATUM = 6  # blocks that exchange their means with none but one another
_LEAST_SEEN = 0.1  # share of a variance that is made up for: with less, a block alone tells it


class TwoLevels(NamedTuple):
    """Residuals of [n] rows in m blocks, by their means and what is left within.

    Attributes:
        blocks: [n] block of each row; sizes: [m] rows of each.
        means: [m] of the residuals; within: [n] what is left.
        room_between: [m] 1 - leverage of each block's mean; their sum is what its means leave free.
        room_within: [n] the same of the rows within their block.
    """

    blocks: Labels
    sizes: Array
    means: Array
    within: Array
    room_between: Array
    room_within: Array

    @property
    def free_between(self) -> float:
        """Degrees of freedom that the law leaves to the means of blocks."""
        return float(self.room_between.sum())

    @property
    def free_within(self) -> float:
        """Degrees of freedom left within blocks."""
        return float(self.room_within.sum())

    def correlation(self) -> tuple[float, float]:
        """Return the intraclass correlation of the residuals, and the p-value of there being none.

        One-way analysis of variance, each level by the degrees of freedom that the law leaves it.
        """
        if min(self.free_between, self.free_within) < 0.5:
            return 0.0, 1.0
        between = float(np.sum(self.sizes * self.means**2)) / self.free_between
        inside = float(np.sum(self.within**2)) / self.free_within
        if not between > 0 or not inside > 0:
            return 0.0, 1.0
        n, m = len(self.blocks), len(self.sizes)
        usual = (n - float(np.sum(self.sizes**2)) / n) / (m - 1)
        chance = fdtrc(self.free_between, self.free_within, between / inside)
        return (between - inside) / (between + (usual - 1) * inside), float(chance)


def two_levels(residuals: Array, jacobian: Array, blocks: Labels) -> TwoLevels:
    """Split [n] residuals of a fit with an [n, p] Jacobian by the [n] blocks, numbered from 0."""
    scale = np.linalg.norm(jacobian, axis=0)
    basis, triangle = np.linalg.qr(jacobian / np.where(scale > 0, scale, 1))
    basis = basis[:, np.abs(np.diag(triangle)) > 1e-12]
    sizes = np.bincount(blocks).astype(np.float64)
    sums = np.zeros((len(sizes), basis.shape[1]))
    np.add.at(sums, blocks, basis)
    leverage_between = np.sum(sums**2, axis=1) / sizes
    leverage = np.sum(basis**2, axis=1) - (leverage_between / sizes)[blocks]
    means = np.bincount(blocks, residuals) / sizes
    return TwoLevels(
        blocks=blocks,
        sizes=sizes,
        means=means,
        within=residuals - means[blocks],
        room_between=np.clip(1 - leverage_between, 0, 1),
        room_within=np.clip(1 - 1 / sizes[blocks] - leverage, 0, 1),
    )


def widened_for_blocks(
    moved: Array, jacobian: Array, blocks: Labels, generator: np.random.Generator
) -> Array:
    """Return [R, n] what draws of whole blocks predict beyond the estimate, as wide as so few
    blocks ask for.

    Residuals of a block are smaller than its noise, the more of a coefficient rests on it: draws
    have the share 1 - sum_g G_g^2 of the variance, G_g being the blocks' parts of the information
    (which add up to 1). They are stretched by its root (after Bell and McCaffrey 2002), and given
    the tails of Student's t for one degree of freedom less than there are blocks.

    Args:
        moved: [R, n] predictions of the draws less those of the estimate.
        jacobian: [n, p] at the estimate; blocks: [n], from 0.
    """
    scale = np.linalg.norm(jacobian, axis=0)
    basis, triangle = np.linalg.qr(jacobian / np.where(scale > 0, scale, 1))
    basis = basis[:, np.abs(np.diag(triangle)) > 1e-12]
    p, free = basis.shape[1], int(blocks.max())
    parts = np.zeros((free + 1, p, p))
    np.add.at(parts, blocks, basis[:, :, None] * basis[:, None, :])
    seen, axes = np.linalg.eigh(np.eye(p) - np.einsum("gij,gjk->ik", parts, parts))
    more = (axes * (1 / np.sqrt(np.maximum(seen, _LEAST_SEEN)) - 1)) @ axes.T
    tails = np.sqrt(free / generator.chisquare(free, (len(moved), 1)))
    return np.asarray(tails * (moved + (moved @ basis) @ more @ basis.T))


def shared_targets(
    fitted: Array,
    levels: TwoLevels,
    strata: Labels,
    draws: int,
    generator: np.random.Generator,
) -> Array:
    """Return [draws, n] fitted values plus resampled means of blocks and resampled rest.

    Every part is scaled up for its leverage, centred, and given the variance that its degrees of
    freedom leave open, as `residual_targets` does of rows.

    Args:
        fitted: [n]. strata: [n] rows that exchange what is left within; blocks that lie within a
            stratum of six and more exchange their means there only.
    """
    blocks, sizes = levels.blocks, levels.sizes
    means = levels.means * np.sqrt(sizes)  # of one variance where rows are independent
    between = _resampled(
        means, levels.room_between, _block_strata(strata, blocks), draws, generator
    )
    within = _resampled(levels.within, levels.room_within, strata, draws, generator)
    order = np.argsort(blocks, kind="stable")
    starts = np.searchsorted(blocks[order], np.arange(len(sizes)))
    left = np.add.reduceat(within[:, order], starts, axis=1) / sizes
    return np.asarray(fitted + (between / np.sqrt(sizes) - left)[:, blocks] + within)


def _block_strata(strata: Labels, blocks: Labels) -> Labels:
    """Return [m] the stratum of each block; one for all where blocks or strata are too few."""
    pairs = np.unique(np.stack([blocks, strata]), axis=1)
    of_block = pairs[1]
    if len(of_block) > len(np.unique(blocks)):
        return np.zeros(len(np.unique(blocks)), np.int64)
    if np.unique(of_block, return_counts=True)[1].min() < _FEWEST_OF_A_STRATUM:
        return np.zeros(len(of_block), np.int64)
    return np.asarray(of_block)


def _resampled(
    values: Array, room: Array, strata: Labels, draws: int, generator: np.random.Generator
) -> Array:
    """Return [draws, n] values drawn from those of their stratum."""
    out = np.zeros((draws, len(values)))
    (scales,) = generator.spawn(1)
    for stratum in np.unique(strata):
        rows = np.flatnonzero((strata == stratum) & (room > 1e-6))
        everyone, free = np.flatnonzero(strata == stratum), float(room[strata == stratum].sum())
        if free < 1e-6 or not len(rows):
            continue
        scaled = values[rows] / np.sqrt(room[rows])
        scaled = scaled - scaled.mean()
        spread = float(np.mean(scaled**2))
        if not spread > 0:
            continue
        variance = float(np.sum(values[everyone] ** 2)) / free
        widened = variance / spread * free / scales.chisquare(free, draws)
        chosen = generator.integers(0, len(rows), size=(draws, len(everyone)))
        out[:, everyone] = scaled[chosen] * np.sqrt(widened)[:, None]
    return out
