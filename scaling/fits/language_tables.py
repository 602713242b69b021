"""The languages of a table: what each is called, its parity, and optima that it holds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import polars as pl

from corpora.errors import InputError
from scaling.advise.sample import embedded_parity
from scaling.engine.newton import Array
from scaling.fits.findings import note, warning
from scaling.fits.parities import Parities
from scaling.laws.languages import LOSS, RATE, RATIO
from scaling.result import Finding
from scaling.runs import Runs

LAW = "languages"
NORMAL = 1.959964  # standard errors on either side, for the 95 % intervals of a table


class OwnOptima(NamedTuple):
    """What each language's own runs tell, of m languages.

    Attributes:
        names: of the languages. others: why each further language has none of its own.
        logs: ln T*, ln rho* and ln L*, [m] each, as far as they are told.
        errors: [m, m] covariance of each; free: degrees of freedom behind it, or infinity.
        method: how they were found. findings: what is to be known of them.
    """

    names: tuple[str, ...]
    others: Mapping[str, str]
    logs: Mapping[str, Array]
    errors: Mapping[str, Array]
    free: float
    method: str
    findings: tuple[Finding, ...]


def by_language(runs: Runs) -> Runs:
    """Return a row a language, of a table whose rows are runs of several languages.

    Such a table has columns `bits_per_byte:NAME`, and may have `compression_rate:NAME`, what the
    run came to in that language, and `share:NAME`, of its text; a language that a run did not read
    has no row of it. What the table calls a mixture of texts, its `dataset`, becomes `mixture`.
    Runs of one text are left out, for one model of many languages has other optima. Another table
    is returned as it is.

    Raises:
        InputError: one of those holds what is no positive number.
    """
    head = f"{LOSS}:"
    names = [name.removeprefix(head) for name in runs.rows.columns if name.startswith(head)]
    if not names:
        return runs
    several = runs.rows.select(
        pl.any_horizontal(pl.col(f"{LOSS}:{name}").is_not_null() for name in names)
    )
    runs = runs.where(several.to_series().to_numpy(), "of one text, where others read several")
    parts = []
    for name in names:
        part = runs.rows.filter(pl.col(f"{LOSS}:{name}").is_not_null())
        if f"share:{name}" in part.columns:
            part = part.filter((pl.col(f"share:{name}") > 0).fill_null(True))
        of_name = {kind: f"{kind}:{name}" for kind in (LOSS, RATE)}
        held = {kind: column for kind, column in of_name.items() if column in part.columns}
        for column in held.values():
            values = part[column].cast(pl.Float64, strict=False)
            wrong = part.filter((~(values > 0) | values.is_infinite()).fill_null(True))
            if wrong.height:
                raise InputError(
                    f"{runs.name}: row {wrong['row'][0]}: {column} is {wrong[column][0]}, not a"
                    " positive number; fix the row"
                )
        ours = [pl.col(column).cast(pl.Float64).alias(kind) for kind, column in held.items()]
        parts.append(part.with_columns(*ours, language=pl.lit(name)))
    rows = pl.concat(parts).select(~pl.selectors.contains(":"))
    return replace(runs, rows=rows.rename({"dataset": "mixture"}, strict=False))


def language_labels(runs: Runs) -> list[str]:
    """Return [n] what each row's language is called: its code; of several texts of it, the text.

    Raises:
        InputError: the table names neither.
    """
    texts = [name for name in ("language", "dataset") if name in runs.rows.columns]
    if not texts:
        raise InputError(
            f"{runs.name}: {LAW} needs the language of each run: a column language, or dataset, or"
            " columns bits_per_byte:NAME"
        )
    keys = runs.rows.select(texts)
    if len(texts) == 1:
        return [str(name) for name in keys.to_series()]
    several = pl.col("dataset").n_unique().over("language") > 1
    return keys.select(
        pl.when(several & (pl.col("dataset") != "")).then("dataset").otherwise("language")
    ).to_series().to_list()  # fmt: skip


def given_optima(runs: Runs, labels: Sequence[str]) -> OwnOptima:
    """Return optima that a table holds, a row a language; their errors from the 95 % intervals that
    it gives as `NAME_low` and `NAME_high`.

    Raises:
        InputError: two rows are of one language, or an interval does not hold its optimum.
    """
    twice = next((name for name in labels if labels.count(name) > 1), None)
    if twice is not None:
        raise InputError(
            f"{runs.name}: {labels.count(twice)} rows of {twice}; an optimum is one row a language:"
            " keep one, or tell texts apart by a column dataset"
        )
    columns = {RATE: f"{RATE}_opt", RATIO: f"{RATIO}_opt", LOSS: f"{LOSS}_opt"}
    if f"{LOSS}_opt" not in runs.rows.columns:
        columns[LOSS] = LOSS
    columns = {name: column for name, column in columns.items() if column in runs.rows.columns}
    logs = {name: np.log(runs.column(column, LAW)) for name, column in columns.items()}
    errors = {}
    for name, column in columns.items():
        errors[name] = np.diag(_error_of(runs, column) ** 2)
    findings = []
    if not any(matrix.any() for matrix in errors.values()):
        text = (
            "the table gives no interval of an optimum (compression_rate_opt_low and _high): all"
            " that lies off the line counts as the languages' own, and nothing is drawn towards it"
        )
        findings.append(warning("no errors", text))
    method = "optima as given"
    return OwnOptima(tuple(labels), {}, logs, errors, np.inf, method, tuple(findings))


def _error_of(runs: Runs, column: str) -> Array:
    """Return [m] standard errors of ln of a column."""
    ends = [f"{column}_{side}" for side in ("low", "high")]
    if not set(ends) <= set(runs.rows.columns):
        return np.zeros(len(runs))
    low, high = (runs.rows[end].cast(pl.Float64, strict=False).to_numpy() for end in ends)
    value = runs.column(column, LAW)
    wrong = np.flatnonzero(~((low > 0) & (low <= value) & (value <= high) & np.isfinite(high)))
    if len(wrong):
        first = int(wrong[0])
        raise InputError(
            f"{runs.name}: row {runs.rows['row'][first]}: {column} {value[first]:g} has the"
            f" interval {low[first]:g} to {high[first]:g}; give two positive ends that hold it"
        )
    return np.asarray(np.log(high / low) / (2 * NORMAL))


def parities_of(
    runs: Runs, labels: Sequence[str], given: Parities | None
) -> tuple[dict[str, float], list[Finding]]:
    """Return the parity of each language of a table: that given, else its column, else the embedded
    corpus's; and a note of which are the last.

    Raises:
        InputError: nothing tells a language's parity, or its rows tell two.
    """
    found, embedded, told = {}, [], dict(given or {})
    column = runs.column("parity", "languages") if runs.has("parity") else None
    label = np.array(labels, dtype=str)
    for name in dict.fromkeys(labels):
        if name in told:
            found[name] = told[name]
            continue
        if column is not None:
            values = np.unique(column[label == name])
            if len(values) > 1:
                raise InputError(
                    f"{runs.name}: parity of {name} is {values[0]:g} in one row and"
                    f" {values[1]:g} in another; keep one"
                )
            found[name] = float(values[0])
            continue
        parity = embedded_parity(name)
        if parity is None:
            raise InputError(
                f"{runs.name}: nothing tells the parity of {name}: give `parity` {name}=X, the"
                " bytes it takes for what English says in one, or add a column parity"
            )
        found[name] = parity
        embedded.append(f"{name} {parity:.3g}")
    if not embedded:
        return found, []
    return found, [note("parity", f"of the embedded corpus: {', '.join(embedded)}")]
