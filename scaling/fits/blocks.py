"""Which rows of a table are not independent of one another: the blocks that are resampled whole."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from corpora.errors import InputError, did_you_mean
from scaling.complete import DATA, same_run
from scaling.engine.newton import Array
from scaling.engine.shared import Labels, two_levels
from scaling.fits.findings import note, warning
from scaling.result import Finding
from scaling.runs import Runs

BLOCKS = ("row", "run", "cell", "budget")
MANY = 10  # blocks of which cases can be resampled; fewer give intervals that are too narrow
FEWEST = 3
_CHECKPOINTS = 5  # rows of a run, on average, that evenly spaced data make checkpoints
_SURE = 0.01  # p-value below which residuals are said to be shared
_OF_A_BUDGET = 6  # rows that have a scatter of their own
_SHARED = 0.02  # intraclass correlation that is worth a word


class RowBlocks(NamedTuple):
    """Rows that are resampled together.

    Attributes:
        what: a block is, as `run`; empty where rows are independent.
        numbers: [n] block of each row, from 0.
        findings: why, where it was not asked for.
    """

    what: str
    numbers: Labels
    findings: tuple[Finding, ...] = ()

    @property
    def number(self) -> int:
        """How many there are."""
        return int(self.numbers.max()) + 1

    @property
    def shared(self) -> Labels | None:
        """The numbers; None where every row is by itself."""
        return self.numbers if self.what else None


def blocks_of(runs: Runs, asked: str, law: str, default: str = "row") -> RowBlocks:
    """Return the blocks asked for; where none are, checkpoints of a run, or the law's default.

    Args:
        asked: one of `BLOCKS`, or a column of the table.
        default: the law's own.

    Raises:
        InputError: the table has no such column, or all its rows are one block.
    """
    findings: tuple[Finding, ...] = ()
    what = asked or default
    if not asked and (why := _checkpoints(runs)):
        what, findings = "run", (note("checkpoints", why),)
    if what == "row":
        return RowBlocks("", np.arange(len(runs)))
    numbers = _numbers(runs, what, law)
    if int(numbers.max()) + 1 == len(runs):
        return RowBlocks("", np.arange(len(runs)), findings)
    if asked:
        _refuse_few(runs, asked, numbers)
    return RowBlocks(what, numbers, findings)


def _refuse_few(runs: Runs, asked: str, numbers: Labels) -> None:
    if (few := int(numbers.max()) + 1) < FEWEST:
        raise InputError(
            f"{runs.name}: `block={asked}`: the rows are of {few}, and resampling takes at least"
            f" {FEWEST}; name a finer one"
        )


def _numbers(runs: Runs, what: str, law: str) -> Labels:
    rows = runs.rows
    if what == "run":
        key = same_run(rows)
        if not key:
            return np.arange(len(runs))
        return _ranked(rows, key)
    if what in ("cell", "budget"):
        columns = [runs.column("compute_flops", law)]
        if what == "cell" and runs.has("compression_rate"):
            columns.append(runs.column("compression_rate", law))
        return _labels(np.stack(columns))
    if what not in rows.columns or what == "row":
        near = did_you_mean(what, (*BLOCKS, *rows.columns))
        raise InputError(
            f"{runs.name}: `block={what}`: no such column{near} ({', '.join(BLOCKS)}, or a column)"
        )
    return _ranked(rows, [what])


def budgets_of(compute: Array) -> Labels:
    """Return [n] the budget of each row, where there are rows enough to tell how noisy each is."""
    _, numbers, sizes = np.unique(compute, return_inverse=True, return_counts=True)
    return np.asarray(numbers if sizes.min() >= _OF_A_BUDGET else 0 * numbers, np.int64)


def _ranked(rows: pl.DataFrame, key: list[str]) -> Labels:
    ranks = rows.select(pl.struct(key).rank("dense").cast(pl.Int64) - 1).to_series()
    return np.asarray(ranks.to_numpy(), np.int64)


def _labels(columns: Array) -> Labels:
    return np.unique(columns, axis=1, return_inverse=True)[1].ravel().astype(np.int64)


def _checkpoints(runs: Runs) -> str:
    """Return why rows are checkpoints of fewer runs; empty where they are not.

    Rows of one `run_id` are; without it, rows of one size whose data grow by even steps, as a log
    is written (a ladder grows by factors, and curves of a budget by its own).
    """
    rows = runs.rows
    if "run_id" in rows.columns and (rows["run_id"] != "").all():
        count = rows["run_id"].n_unique()
        if count == len(runs):
            return ""
        return f"{len(runs)} rows are of {count} runs, by their run_id: whole runs are resampled"
    key, data = same_run(rows), next((name for name in DATA if name in rows.columns), None)
    if not key or data is None:
        return ""
    parts = [part[data].to_numpy() for part in rows.partition_by(key, maintain_order=True)]
    if len(parts) < FEWEST or len(runs) < _CHECKPOINTS * len(parts):
        return ""
    grown = [part for part in parts if len(part) >= _CHECKPOINTS and _even(part)]
    if sum(map(len, grown)) < 0.8 * len(runs):
        return ""
    which = f"{len(runs)} rows are of {len(parts)} sizes whose {data} grow by even steps"
    return f"{which}: taken for checkpoints of {len(parts)} runs, which are resampled whole"


def _even(data: Array) -> bool:
    """Whether most steps of rising data are alike."""
    steps = np.diff(data)
    return bool((steps > 0).all() and np.mean(np.abs(steps / np.median(steps) - 1) < 0.05) > 0.7)


def blocks_of_curves(
    runs: Runs, curves: Sequence[NDArray[np.int64]], asked: str, law: str
) -> RowBlocks:
    """Return the blocks of optima, each of a curve of runs.

    Args:
        curves: rows of each.

    Raises:
        InputError: blocks cut through curves, whose runs are fitted together.
    """
    alone = RowBlocks("", np.arange(len(curves)))
    if asked in ("", "row", "run", "cell"):
        return alone
    numbers = _numbers(runs, asked, law)
    if any(len(np.unique(numbers[rows])) > 1 for rows in curves):
        raise InputError(
            f"{runs.name}: `block={asked}`: {law} fits the runs of a curve together, and these"
            " blocks cut through curves; name one that holds whole curves, as budget"
        )
    of_curve = np.unique([numbers[rows[0]] for rows in curves], return_inverse=True)[1]
    if len(np.unique(of_curve)) == len(curves):
        return alone
    _refuse_few(runs, asked, of_curve)
    return RowBlocks(asked, np.asarray(of_curve, np.int64))


Candidates = Iterable[tuple[str, str, Labels]]


def kinds_of(runs: Runs, law: str) -> Candidates:
    """Yield what rows may share: the name of the block, how it is said, and [n] which it is."""
    if runs.has("compute_flops"):
        yield "budget", "a budget", _numbers(runs, "budget", law)
    if "compression_rate" in runs.rows.columns:
        yield "compression_rate", "a rate", _numbers(runs, "compression_rate", law)
    if runs.has("compute_flops") and runs.has("compression_rate"):
        yield "cell", "a budget and rate", _numbers(runs, "cell", law)
    if "run_id" in runs.rows.columns:
        yield "run", "a run", _numbers(runs, "run", law)


def kinds_of_optima(compute: Array, rate: Array) -> Candidates:
    """Yield what optima may share: their budget, and their rate."""
    yield "budget", "a budget", _labels(compute[None])
    yield "compression_rate", "a rate", _labels(rate[None])


def shared_noise(
    residuals: Array, jacobian: Array, kinds: Candidates, blocks: RowBlocks
) -> list[Finding]:
    """Return a finding for each kind of block that [n] residuals share.

    A warning where the intervals do not know of it: where some of its rows are resampled apart.
    """
    findings, n = [], len(residuals)
    for what, say, numbers in kinds:
        if not FEWEST <= int(numbers.max()) + 1 <= n / 2:
            continue
        share, chance = two_levels(residuals, jacobian, numbers).correlation()
        if chance >= _SURE or share < _SHARED:
            continue
        text = f"residuals of {say} move together (intraclass correlation {share:.2f})"
        if _contains(blocks.numbers, numbers):
            findings.append(note("shared residuals", f"{text}; the intervals allow for it"))
        else:
            text += f": the intervals are too narrow; resample whole ones, by block {what}"
            findings.append(warning("shared residuals", text))
    return findings


def _contains(coarse: Labels, fine: Labels) -> bool:
    """Whether every block of the second lies within one of the first."""
    return bool(np.unique(np.stack([coarse, fine]), axis=1).shape[1] == int(fine.max()) + 1)
