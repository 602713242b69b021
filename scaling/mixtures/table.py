"""A table of runs as a mixture law reads it: shares of texts, losses of languages, and arms.

Columns: `share:TEXT`, a row of which sums to 1; `bits_per_byte:LANGUAGE` or `loss:LANGUAGE`; and,
where there are, `unique_bytes:TEXT`, the size of a text, and `train_bytes`, what a run read.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from corpora.arguments import real, refused
from corpora.errors import InputError, did_you_mean
from scaling.engine.newton import Array
from scaling.fits.arms import arms_of
from scaling.fits.findings import vary
from scaling.runs import LARGEST, Runs

SHARE, SIZE = "share:", "unique_bytes:"
LOSS_COLUMNS = {"bits_per_byte:": "bits per byte", "loss:": "loss"}
ARM_COLUMNS = ("tokenizer", "tokenization")
ROUNDED = 0.01  # by which a row of rounded shares may miss 1; it is then scaled to it
_HEAVIEST = 1e12  # of a language; sums of weights are then numbers
SAME_BUDGET = 1.25


class MixtureRuns(NamedTuple):
    """Runs of mixtures.

    Attributes:
        texts, languages: K and L names.
        shares: [n, K], rows that sum to 1. losses: [n, L]. unit: of the losses.
        arms: [n] of which tokenizer or patcher. rows: [n] numbers in the table.
        mixtures: [n] number of the mixture, the same for runs of the same shares.
        text_bytes: of each text, those that are known. train_bytes: read by a run, if known.
    """

    texts: tuple[str, ...]
    languages: tuple[str, ...]
    shares: Array
    losses: Array
    unit: str
    arms: NDArray[np.str_]
    rows: NDArray[np.int64]
    mixtures: NDArray[np.int64]
    text_bytes: dict[str, float]
    train_bytes: float | None


def mixture_runs(runs: Runs) -> MixtureRuns:
    """Return the columns of a table that a mixture law reads.

    Raises:
        InputError: no shares or losses, a number that cannot be, shares that do not sum to 1,
            losses that do not vary, or several budgets.
    """
    frame, name = runs.rows, runs.name
    texts, shares = shares_of(frame, name)
    kinds = [p for p in LOSS_COLUMNS if any(column.startswith(p) for column in frame.columns)]
    if len(kinds) > 1:
        raise InputError(
            f"{name}: has columns {' and '.join(f'{p}LANGUAGE' for p in kinds)}, which are of two"
            " units; keep those of one"
        )
    if not kinds:
        raise InputError(
            f"{name}: a mixture law needs a column bits_per_byte:LANGUAGE or loss:LANGUAGE, which"
            " the table lacks"
        )
    (prefix,) = kinds
    languages, losses = _numbers(frame, name, prefix, positive=True)
    for language, values in zip(languages, losses.T, strict=True):
        if len(values) > 1 and not vary(values):
            raise InputError(
                f"{name}: {prefix}{language} is {values[0]:g} in every row, so nothing can be"
                " learnt; see how the table was made"
            )
    _, mixtures = np.unique(np.round(shares, 9), axis=0, return_inverse=True)
    mixtures = np.asarray(mixtures.reshape(-1), np.int64)
    known = [column for column in frame.columns if not frame[column].null_count()]
    sizes, values = _numbers(frame.select(known), name, SIZE, positive=True)
    _one_budget(runs)
    return MixtureRuns(
        texts,
        languages,
        shares,
        losses,
        LOSS_COLUMNS[prefix],
        _arms(runs, mixtures),
        frame["row"].to_numpy().astype(np.int64),
        mixtures,
        {text: float(np.median(size)) for text, size in zip(sizes, values.T, strict=True)},
        float(np.median(runs.column("train_bytes", "mixture")))
        if runs.has("train_bytes")
        else None,
    )


def of_mixtures(runs: Runs) -> Runs:
    """Return the runs that have shares; those of one text alone, in the same sweep, have none."""
    shares = runs.rows.select(f"^{SHARE}.*$")
    if not shares.width:
        return runs
    return runs.where(~shares.select(pl.all_horizontal(pl.all().is_null())).to_series().to_numpy(),
                      "no shares of texts")  # fmt: skip


def shares_of(frame: pl.DataFrame, name: str) -> tuple[tuple[str, ...], Array]:
    """Return the names of the texts of a table, and [n, K] their shares, scaled to sum to 1.

    Args:
        name: of the table, for messages.

    Raises:
        InputError: fewer than two texts, a share outside [0, 1], or a row that does not sum to 1.
    """
    texts, shares = _numbers(frame, name, SHARE)
    if len(texts) < 2:
        raise InputError(
            f"{name}: a mixture law needs columns share:NAME of two texts or more, and there"
            f" {'is' if len(texts) == 1 else 'are'} {len(texts)}"
        )
    numbers = _row_numbers(frame)
    wrong = np.argwhere((shares < 0) | (shares > 1 + ROUNDED))
    if len(wrong):
        row, text = wrong[0]
        raise InputError(
            f"{name}: row {numbers[row]}: share:{texts[text]} is {shares[row, text]:g}; a share"
            " lies between 0 and 1"
        )
    sums = shares.sum(axis=1)
    off = np.flatnonzero(np.abs(sums - 1) > ROUNDED)
    if len(off):
        raise InputError(
            f"{name}: row {numbers[off[0]]}: shares sum to {sums[off[0]]:.4g}, not 1"
            + (f" ({len(off)} rows in all)" if len(off) > 1 else "")
            + "; give the share of every text"
        )
    return texts, np.asarray(shares / sums[:, None])


def language_weights(
    given: str | Mapping[str, float] | None, languages: Sequence[str], argument: str
) -> dict[str, float]:
    """Return the weights asked for: `NAME`, `NAME,NAME`, `NAME=2,NAME` or a mapping; each 1 where
    none is given.

    Args:
        languages: those there are.
        argument: what messages call it.

    Raises:
        InputError: an unknown language, or weights that are negative, no numbers or all 0.
    """
    if given is None or given == "":
        return dict.fromkeys(languages, 1.0)
    pairs: Mapping[str, object]
    if isinstance(given, str):
        pairs = {given: 1.0} if given in languages else _parsed(given, argument)
    elif isinstance(given, Mapping):
        pairs = given
    else:
        raise refused(argument, given, "a language, or a mapping of languages to weights")
    for name in pairs:
        if name not in languages:
            raise InputError(
                f"`{argument}`: no language {name!r}{did_you_mean(name, languages)}"
                f" (there is {', '.join(languages)})"
            )
    weights = {name: real(argument, value) for name, value in pairs.items()}
    for name, weight in weights.items():
        if weight < 0:
            raise InputError(f"`{argument}`: {name} has weight {weight:g}; give 0 or more")
        if weight > _HEAVIEST:
            raise InputError(
                f"`{argument}`: {name} has weight {weight:g}; give at most {_HEAVIEST:g}"
            )
    if not any(weights.values()):
        raise InputError(f"`{argument}`: every weight is 0; give one above 0")
    return weights


def _parsed(text: str, argument: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = part.rpartition("=") if "=" in part else (part, "", "1")
        if name.strip() in weights:
            raise InputError(f"`{argument}`: {name.strip()} is named twice; give one weight")
        try:
            weights[name.strip()] = float(value)
        except ValueError as error:
            raise InputError(
                f"`{argument}`: {part.strip()!r} is not NAME or NAME=WEIGHT, as hin=2"
            ) from error
    return weights


def _numbers(
    frame: pl.DataFrame, name: str, prefix: str, positive: bool = False
) -> tuple[tuple[str, ...], Array]:
    """Return what follows the prefix in the names of columns, and [n, columns] their numbers."""
    columns = [column for column in frame.columns if column.startswith(prefix)]
    if not columns:
        return (), np.empty((frame.height, 0))
    if prefix in columns:
        raise InputError(f"{name}: a column {prefix!r} names nothing after the colon; name it")
    values = frame.select(pl.col(columns).cast(pl.Float64, strict=False)).to_numpy()
    outside = ~(np.abs(values) <= LARGEST)
    if positive:
        outside |= ~(values >= 1 / LARGEST)
    bad = np.argwhere(outside)
    if len(bad):
        row, column = bad[0]
        found = frame[columns[column]][int(row)]
        needed = f"a positive number to {LARGEST:g}" if positive else "a finite number"
        raise InputError(
            f"{name}: row {_row_numbers(frame)[row]}: {columns[column]} is"
            f" {'empty' if found is None else found}, not {needed}; fix the row, or give it a"
            " status with a reason"
        )
    return tuple(column.removeprefix(prefix) for column in columns), np.asarray(values, np.float64)


def _row_numbers(frame: pl.DataFrame) -> NDArray[np.int64]:
    if "row" in frame.columns:
        return frame["row"].to_numpy().astype(np.int64)
    return np.arange(1, frame.height + 1, dtype=np.int64)


def _one_budget(runs: Runs) -> None:
    if not runs.has("compute_flops"):
        return
    compute = runs.column("compute_flops", "mixture")
    if compute.max() > SAME_BUDGET * compute.min():
        known = ", ".join(f"{budget:g}" for budget in np.unique(compute)[:4])
        raise InputError(
            f"{runs.name}: runs of several budgets ({known}), and a mixture law is of one; choose"
            " it with `budget`"
        )


def _arms(runs: Runs, mixtures: NDArray[np.int64]) -> NDArray[np.str_]:
    """Return [n] the tokenizer of each run, or its tokenization where no column says more.

    One tokenization at several compression rates is several arms if the same mixture was trained at
    more than one of them; else its rate follows from the mixture.
    """
    frame = runs.rows
    names = np.array(frame["tokenization"].to_list() if "tokenization" in frame.columns else
                     [""] * len(runs), dtype=object)  # fmt: skip
    if "tokenizer" in frame.columns:
        said = frame["tokenizer"].cast(pl.String).fill_null("").to_list()
        names = np.array([of or name for of, name in zip(said, names, strict=True)], dtype=object)
    labels = names.copy()
    for name in dict.fromkeys(names.tolist()):
        there = np.asarray(names == name, np.bool_)
        if len(np.unique(mixtures[there])) == there.sum():
            continue
        split = arms_of(runs.only(there))
        pairs = {(int(m), str(arm)) for m, arm in zip(mixtures[there], split, strict=True)}
        if len(pairs) > len(np.unique(mixtures[there])):
            labels[there] = split
    return labels.astype(str)
