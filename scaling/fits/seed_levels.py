"""What the runs of one seed share: a level of their own.

A seed draws the order of the text besides the first weights, so short runs of one seed have read
the same part of it, and all end higher or lower than those of another: by more than sizes and rates
differ. Where the seeds trained different sizes, a fit without their levels would take that for what
a size is worth; in any case it would take it for noise.
"""

import numpy as np
import polars as pl

from scaling.engine.newton import Array
from scaling.fits.findings import note
from scaling.result import Finding
from scaling.runs import Runs

_MOST_SEEDS = 64  # with levels; more of them are rather the numbers of runs
Seeds = np.ndarray[tuple[int], np.dtype[np.str_]]


def seeds_of(runs: Runs) -> Seeds | None:
    """Return [n] the seed of each run; None where the table does not say."""
    if "seed" not in runs.rows.columns:
        return None
    return np.array(runs.rows["seed"].cast(pl.String).fill_null("").to_list(), str)


def seed_contrasts(runs: Runs, design: Array) -> Array:
    """Return [n, seeds - 1] columns by which seeds differ; those of one run of each seed sum to 0.

    So a level in [n, p] `design` stays what it was: that of the mean seed. There are no columns
    where a seed has a single run, where there are more seeds than anyone repeats a grid with, or
    where they cannot be told from what the design has.
    """
    none, seeds = np.empty((len(design), 0)), seeds_of(runs)
    if seeds is None:
        return none
    _, number, counts = np.unique(seeds, return_inverse=True, return_counts=True)
    if counts.min() < 2 or len(counts) > _MOST_SEEDS:
        return none
    each = np.eye(len(counts))[number]
    contrasts = each[:, :-1] - each[:, -1:]
    both = np.concatenate([design, contrasts], axis=1)
    if len(both) <= both.shape[1] or np.linalg.matrix_rank(both) < both.shape[1]:
        return none
    return contrasts


def seed_finding(contrasts: Array, differences: Array, loss: str) -> list[Finding]:
    """Return a note on the levels of seeds, if they have any.

    Args:
        contrasts: [n, seeds - 1], of `seed_contrasts`.
        differences: [seeds - 1] their coefficients, in the unit of the loss.
        loss: name of the estimate that is the mean seed's.
    """
    if not contrasts.shape[1]:
        return []
    levels = np.append(differences, -differences.sum())
    text = f"each of the {len(levels)} seeds has a level of its own, {np.ptp(levels):.3g} apart at"
    text += f" most; {loss} is that of the mean seed"
    return [note("seeds", text)]
