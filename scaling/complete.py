"""What a table of runs leaves to be worked out: the last rows of logs, data and compute from one
another, losses from perplexities, and budgets that are one but for the steps they end on.
"""

import math

import numpy as np
import polars as pl

from corpora.errors import InputError
from scaling.engine.newton import Array
from scaling.result import Finding, noted
from scaling.runs import KEY, LOSSES

TOLERANCE = 0.01  # budgets that agree to this are one: a run ends on a whole step
_APART = 3.0  # tolerances that lie at least between two budgets of a grid
_CURVE = 3  # runs that a parabola needs
DATA = ("train_tokens", "train_bytes", "train_characters")
_GROWS = (*DATA, "compute_flops", "steps")  # as training goes on


def last_of_logs(frame: pl.DataFrame) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Return the last row of every log, and the other rows as they are; with notes.

    A log is of one run: its rows agree in all that tells runs apart, and count different steps.
    Rows that count data as well are checkpoints of it, each a row of its own.

    Args:
        frame: with `row`, before anything was left out.
    """
    key = [name for name in KEY if name in frame.columns]
    if "steps" not in frame.columns or (key and not frame.select(key).is_duplicated().any()):
        return frame, ()
    numbered = frame.with_columns(pl.col("steps").cast(pl.Float64, strict=False).alias("__steps"))
    if not key:  # losses by step, and nothing else: one log
        numbered, key = numbered.with_columns(pl.lit(0).alias("__run")), ["__run"]
    steps = pl.col("__steps")
    log = ((pl.len() > 1) & (steps.n_unique() == pl.len()) & steps.is_not_null().all()).over(key)
    marked = numbered.with_columns(
        log.alias("__log"), (steps == steps.max().over(key)).alias("__last")
    )
    logs = marked.filter(pl.col("__log"))
    if not logs.height:
        return frame, ()
    kept = marked.filter(~pl.col("__log") | pl.col("__last"))
    runs = int(logs["__last"].sum())
    whose = "one run" if runs == 1 else f"{runs} runs"
    text = f"{logs.height} rows are logs of {whose}, by their steps: the last of each is taken"
    return kept.select(frame.columns), (noted("logs", text),)


def same_run(frame: pl.DataFrame) -> list[str]:
    """Return the columns in which rows of one run agree: `run_id`, or all but data and compute."""
    if "run_id" in frame.columns and (frame["run_id"] != "").all():
        return ["run_id"]
    return [name for name in KEY if name in frame.columns and name not in (*_GROWS, "run_id")]


def last_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the row of every run that has seen the most data: where its training ended."""
    key = same_run(frame)
    seen = next((name for name in _GROWS if name in frame.columns), None)
    if not key or seen is None:
        return frame
    return frame.filter(pl.col(seen) == pl.col(seen).max().over(key))


def complete(
    frame: pl.DataFrame, source: str, params: str
) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Return the rows with what follows from their columns, and how it was worked out.

    A perplexity is taken per token. Where a table counts no data, D = C / 6 N, and where it gives
    no compute, C = 6 N D, as is usual of models of tokens.

    Args:
        params: column of the parameter count that laws use; empty where there is none.

    Raises:
        InputError: a perplexity is not above 1.
    """
    notes = []
    present = set(frame.columns)
    if "perplexity" in present and not present & set(LOSSES):
        low = frame.filter(pl.col("perplexity") <= 1)
        if low.height:
            row, found = low["row"][0], low["perplexity"][0]
            raise InputError(
                f"{source}: row {row}: perplexity is {found:g}, and must be above 1; fix the row"
            )
        frame = frame.with_columns(pl.col("perplexity").log().alias("nats_per_token"))
        notes.append("nats_per_token are ln of the perplexity, taken to be of a token")
    if params and "compute_flops" in present and not present & set(DATA):
        tokens = pl.col("compute_flops") / (6 * pl.col(params))
        frame = frame.with_columns(tokens.alias("train_tokens"))
        notes.append(f"train_tokens are not given: taken as compute_flops / (6 {params})")
    if params and "compute_flops" not in present and "train_tokens" in present:
        compute = 6 * pl.col(params) * pl.col("train_tokens")
        frame = frame.with_columns(compute.alias("compute_flops"))
        notes.append(f"compute_flops are not given: taken as 6 {params} train_tokens")
    return frame, tuple(noted("worked out", text) for text in notes)


def merge_budgets(
    frame: pl.DataFrame, tolerance: float
) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Return the rows with budgets that agree to within the tolerance made one, and rates likewise.

    Only where they are those of a grid: groups of values that span no more than the tolerance, and
    lie at least three times as far apart. A table whose runs each have a budget of their own keeps
    them; rates are made one only where that makes curves of runs that had none.
    """
    notes = []
    for name, what in (("compute_flops", "budgets"), ("compression_rate", "compression rates")):
        values = _numbers(frame, name)
        if values is None or not tolerance:
            continue
        merged = _merged(values, tolerance)
        if merged is None or (name == "compression_rate" and not _makes_curves(frame, merged)):
            continue
        frame = frame.with_columns(pl.Series(name, merged))
        spread = float(np.max(np.abs(values / merged - 1)))
        few, many = len(np.unique(merged)), len(np.unique(values))
        notes.append(
            f"{many} values of {name} are {few} {what}, for they agree to within {spread:.2g}; with"
            " a budget tolerance of 0 each is taken as it stands"
        )
    return frame, tuple(noted("values made one", text) for text in notes)


def _numbers(frame: pl.DataFrame, name: str) -> Array | None:
    if name not in frame.columns and name == "compression_rate":
        if not {"train_bytes", "train_tokens"} <= set(frame.columns):
            return None
        return np.asarray(frame["train_bytes"].to_numpy() / frame["train_tokens"].to_numpy())
    return frame[name].to_numpy().astype(np.float64) if name in frame.columns else None


def _makes_curves(frame: pl.DataFrame, rates: Array) -> bool:
    """Whether runs of a budget lie on curves of three and more, which they did not before."""
    if "compute_flops" not in frame.columns:
        return False
    compute, before = frame["compute_flops"].to_numpy(), _numbers(frame, "compression_rate")
    assert before is not None
    thin, full = (
        np.median(np.unique(np.stack([compute, each]), axis=1, return_counts=True)[1])
        for each in (before, rates)
    )
    return bool(thin < _CURVE <= full)


def _merged(values: Array, tolerance: float) -> Array | None:
    """Return [n] one value for each group; None where each has one, or they form no groups."""
    levels, where = np.unique(values, return_inverse=True)
    gaps = np.diff(np.log(levels))
    group = np.concatenate([[0], np.cumsum(gaps > _APART * math.log1p(tolerance))])
    if group[-1] == len(levels) - 1:
        return None
    means = np.empty(group[-1] + 1)
    for number in range(len(means)):
        members = levels[group == number]
        if members[-1] > members[0] * (1 + tolerance):
            return None
        means[number] = _roundest(members)
    return np.asarray(means[group][where])


def _roundest(members: Array) -> float:
    """Return the number of fewest digits within the range of a group, near its middle."""
    middle = float(np.exp(np.mean(np.log(members))))
    for digits in range(1, 17):
        rounded = float(f"{middle:.{digits - 1}e}")
        if members[0] <= rounded <= members[-1]:
            return rounded
    return middle
