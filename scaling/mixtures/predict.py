"""What a mixture law says of the mixtures of a table."""

from os import PathLike
from pathlib import Path

import numpy as np
import polars as pl

from corpora.arguments import path
from corpora.errors import InputError, did_you_mean, is_file
from scaling.load_table import LoadedTable, RunsSource, load_table
from scaling.mixtures.regressions import rank_correlation
from scaling.mixtures.result import MixtureLaw, read_mixture
from scaling.mixtures.results import MixtureFits
from scaling.mixtures.table import ARM_COLUMNS, LOSS_COLUMNS, SHARE, shares_of

PREDICTED = "predicted"


def mixture_law(fit: object) -> MixtureLaw | None:
    """Return the mixture law that is given: itself, its fits, or its file; None of another law.

    Raises:
        InputError: its file is damaged.
    """
    if isinstance(fit, MixtureLaw):
        return fit
    fits = getattr(fit, "fits", fit)  # as `tl.fit` hands them on
    if isinstance(fits, MixtureFits):
        return fits.mixture
    if isinstance(fit, str | PathLike) and is_file(path("fit", fit)):
        return read_mixture(Path(fit))
    return None


def predict_table(law: MixtureLaw, source: RunsSource | LoadedTable, arm: str = "") -> pl.DataFrame:
    """Return the table with a column `predicted`: the target's loss at each row's shares.

    Args:
        source: a table with a column `share:NAME` of every text of the fit.
        arm: whose runs predict, of a fit of several tokenizers; by default each row's own, by its
            column `tokenizer` or `tokenization`.

    Raises:
        InputError: a text is missing or unknown, shares that do not sum to 1, or an unknown arm.
    """
    table = source if isinstance(source, LoadedTable) else load_table(source)
    texts, shares = shares_of(table.frame, table.name)
    for text in texts:
        if text not in law.texts:
            raise InputError(
                f"{table.name}: the fit knows no text {text!r}{did_you_mean(text, law.texts)}"
                f" (it is of {', '.join(law.texts)})"
            )
    missing = [text for text in law.texts if text not in texts]
    if missing:
        raise InputError(
            f"{table.name}: no column {SHARE}{missing[0]}; give the share of every text of the fit,"
            " 0 where it is not in the mixture"
        )
    ordered = shares[:, [texts.index(text) for text in law.texts]]
    values = np.empty(len(ordered))
    names = np.array(_arms_of_rows(law, table, arm), dtype=object)
    for name in dict.fromkeys(names.tolist()):
        there = names == name
        values[there] = law.arm(name).value(law.form, law.target, ordered[there])
    return table.frame.with_columns(pl.Series(PREDICTED, values))


def prediction_errors(law: MixtureLaw, table: pl.DataFrame) -> dict[str, float]:
    """Return how far a predicted table's losses lie from its predictions; nothing without losses.

    Returns:
        `rmse` and `rank_correlation`, Spearman's.
    """
    prefix = next((p for p, unit in LOSS_COLUMNS.items() if unit == law.unit), "")
    names = [name for name, weight in law.target.items() if weight]
    if any(f"{prefix}{name}" not in table.columns for name in names):
        return {}
    losses = table.select(pl.col([f"{prefix}{name}" for name in names]).cast(pl.Float64)).to_numpy()
    weights = np.array([law.target[name] for name in names])
    observed, predicted = losses @ (weights / weights.sum()), table[PREDICTED].to_numpy()
    if not np.isfinite(observed).all() or len(observed) < 2:
        return {}
    return {
        "rmse": float(np.sqrt(np.mean((observed - predicted) ** 2))),
        "rank_correlation": float(rank_correlation(np.stack([observed, predicted])[:, None])[0]),
    }


def _arms_of_rows(law: MixtureLaw, table: LoadedTable, arm: str) -> list[str]:
    rows = table.frame.height
    if arm or len(law.arms) == 1:
        return [law.arm(arm).name] * rows
    known = [each.name for each in law.arms]
    for column in ARM_COLUMNS:
        if column in table.frame.columns:
            names = table.frame[column].cast(pl.String).fill_null("").to_list()
            if all(name in known for name in names):
                return names
    raise InputError(
        f"{table.name}: the fit is of several tokenizers, and no column says which; name one with"
        f" `arm` ({', '.join(known)})"
    )
