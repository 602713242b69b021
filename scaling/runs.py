"""The runs table: what was trained, what it cost, what it reached."""

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from corpora.errors import InputError, did_you_mean
from scaling.engine.newton import Array
from scaling.result import Excluded, Finding

# Positive numbers, by unit. A table need not have them all; a law says which it needs.
NUMBERS: Mapping[str, str] = {
    "compute_flops": "training FLOPs",
    "compression_rate": "bytes per token",
    "train_bytes": "bytes",
    "train_tokens": "tokens",
    "unique_bytes": "bytes, each counted once however often it was trained on",
    "unique_tokens": "tokens, each counted once however often it was trained on",
    "train_characters": "characters",
    "bits_per_byte": "bits per byte",
    "nats_per_token": "nats per token",
    "perplexity": "e to the nats per token",
    "vocabulary_size": "ids",
    "embedding_dim": "channels",
    "global_params": "parameters of the global (latent) module",
    "total_params": "all parameters",
    "params": "parameters, by a convention the table does not name",
    "nonembedding_params": "parameters without embedding and head",
    "vocabulary_params": "parameters of embedding and head",
    "steps": "optimiser steps",
    "error": "share of a task's answers that are wrong",
    "parity": "bytes of the language per byte of English for the same content",
    "compression_rate_opt": "bytes per token, the best",
    "bytes_per_param_opt": "bytes per parameter, the best",
    "bits_per_byte_opt": "bits per byte, the lowest",
}

# Parameter counts, in the order in which one is chosen when the user names none.
PARAMS = ("global_params", "total_params", "nonembedding_params", "params")

# What a law may be fitted to.
LOSSES = ("bits_per_byte", "nats_per_token", "unigram_normalized_loss")

LARGEST = 1e100  # of any number: beyond it, squares are no longer numbers

# Losses that may be 0 or negative.
SIGNED: Mapping[str, str] = {
    "unigram_normalized_loss": "nats per token, less those of a unigram model"
}

TEXTS = ("tokenization", "language", "flops_convention", "dataset", "run_id", "status", "reason")

# Two rows that agree in all of these (where the table has them) are the same run twice.
KEY = (
    "tokenization", "language", "dataset", "compute_flops", "compression_rate", *PARAMS,
    "train_bytes", "train_tokens", "unique_tokens", "unique_bytes", "train_characters",
    "vocabulary_size", "seed", "run_id",
)  # fmt: skip

# How columns begin that are of one text or language each, as `share:hin_Deva`.
PER_TEXT = (
    *("share:", "bits_per_byte:", "bits_per_byte_low:", "bits_per_byte_high:", "loss:"),
    *("compression_rate:", "train_bytes:", "unique_bytes:"),
)

# What other projects call the same things.
ALIASES: Mapping[str, str] = {
    "C": "compute_flops",
    "flops": "compute_flops",
    "FLOPs": "compute_flops",
    "N": "params",
    "n": "params",
    "D": "train_tokens",
    "tokens": "train_tokens",
    "B": "train_bytes",
    "bytes": "train_bytes",
    "T": "compression_rate",
    "bytes_per_token": "compression_rate",
    "bpb": "bits_per_byte",
    "loss": "nats_per_token",
    "L": "nats_per_token",
    "ppl": "perplexity",
    "step": "steps",
}

_OTHER_NAME = "if it has another name there, say so with `columns`"
_UNKNOWN_SHOWN = 4  # columns that a message names

FINISHED = ("", "finished", "done", "completed", "ok")
FEWEST_STEPS = 300  # shorter runs are left out unless asked for: warm-up and decay fill them
TOO_SHORT = "too short"  # how the reason begins for which a run of few steps is left out


@dataclass(frozen=True, repr=False)
class Runs:
    """Validated rows, with what they mean declared.

    Attributes:
        rows: one row per run; `row` counts from 1 below the header of the table.
        name: of the table, for messages and results. sha256: of its bytes.
        params_column: which parameter count laws use.
        flops_convention: what `compute_flops` counts, or `undeclared`.
        excluded: rows left out, with reasons.
        notes: how the table was read, where it left something open.
    """

    rows: pl.DataFrame
    name: str
    sha256: str
    params_column: str = ""
    flops_convention: str = "undeclared"
    excluded: tuple[Excluded, ...] = ()
    notes: tuple[Finding, ...] = ()

    def __len__(self) -> int:
        return self.rows.height

    def __repr__(self) -> str:
        text = f"{len(self)} runs"
        if "compute_flops" in self.rows.columns:
            budgets = self.rows["compute_flops"].unique().sort().to_list()
            text += f", {budgets[0]:g} to {budgets[-1]:g} FLOPs" if budgets else ""
        losses = [name for name in LOSSES if name in self.rows.columns]
        text += f", {losses[0]}" if losses else ""
        text += f", {len(self.excluded)} left out" if self.excluded else ""
        return f"Runs({self.name}: {text})"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self))}</p>{self.rows._repr_html_()}"

    def frame(self) -> pl.DataFrame:
        """Return the rows that are fitted, one a run; `row` is where the table held it."""
        return self.rows

    def has(self, column: str) -> bool:
        """Whether every row holds the column, or it can be derived for every row."""
        return self._derived(column) is not None

    def column(self, column: str, law: str) -> Array:
        """Return one number per row, in the column's unit, derived from others where it must be.

        Args:
            column: one of `NUMBERS` or `SIGNED`, or `params` for the chosen parameter count.
            law: who asks, for the message.

        Raises:
            InputError: the table has no such column and nothing it could be derived from.
        """
        values = self._derived(column)
        if values is None:
            raise InputError(f"{self.name}: {law} needs {column}{self._remedy(column)}")
        return values

    def where(self, keep: NDArray[np.bool_], reason: str) -> "Runs":
        """Return the runs for which `keep` holds, the others excluded for `reason`."""
        gone = self.rows["row"].to_numpy()[~keep]
        excluded = tuple(Excluded(row=int(row), reason=reason) for row in gone)
        return replace(self.only(keep), excluded=self.excluded + excluded)

    def only(self, keep: NDArray[np.bool_]) -> "Runs":
        """Return the runs for which `keep` holds; the others are simply another table's."""
        return replace(self, rows=self.rows.filter(pl.Series(keep)))

    def groups(self, columns: Sequence[str]) -> Iterator[tuple[dict[str, float | str], "Runs"]]:
        """Yield the table's parts that agree in the columns it has of these, in sorted order."""
        present = [name for name in columns if name in self.rows.columns]
        if not present:
            yield {}, self
            return
        ordered = self.rows.sort(*present, maintain_order=True)
        for key, part in ordered.group_by(present, maintain_order=True):
            yield dict(zip(present, key, strict=True)), replace(self, rows=part)

    def conventions(self) -> dict[str, str]:
        """Return the conventions a result should name."""
        return {"params": self.params_column or "none", "flops": self.flops_convention}

    @property
    def unknown(self) -> tuple[str, ...]:
        """The table's columns whose meaning is not known, and which no law reads."""
        known = {*NUMBERS, *SIGNED, *TEXTS, *KEY, "row"}
        return tuple(
            name for name in self.rows.columns if name not in known and not is_per_text(name)
        )

    @property
    def remedy_of_few(self) -> str:
        """What to do where there are too few runs, to end a message with."""
        short = sum(gone.reason.startswith(TOO_SHORT) for gone in self.excluded)
        if not short:
            return "; train more"
        were = "run is" if short == 1 else "runs are"
        return f"; train more (of the whole table {short} {were} too short, kept by `keep_short`)"

    def _derived(self, column: str) -> Array | None:
        if column == "params":
            column = self.params_column
        if column in self.rows.columns:
            return self.rows[column].to_numpy().astype(np.float64)
        for target, formula, parts in _DERIVATIONS:
            if target == column and all(part in self.rows.columns for part in parts):
                return formula(*(self.rows[part].to_numpy().astype(np.float64) for part in parts))
        return None

    def _remedy(self, column: str) -> str:
        if column == "bits_per_byte" and "nats_per_token" in self.rows.columns:
            return (
                ", and the table gives nats per token without a compression rate: "
                "add compression_rate (bytes per token), or train_bytes and train_tokens"
            )
        if column in ("compression_rate", "train_bytes") and "train_tokens" in self.rows.columns:
            return (
                ", and the table counts tokens without a compression rate: "
                "add compression_rate (bytes per token) or train_bytes"
            )
        if column == "params":
            if not self.unknown:
                return f": add one of {', '.join(PARAMS)}"
            what = ", and no column holds the parameter count"
        else:
            unit = NUMBERS.get(column) or SIGNED.get(column, "")
            what = f" ({unit}), which the table lacks"
        near = did_you_mean(column, self.unknown)  # those that are known hold something else
        if not self.unknown:
            return f"{what}{near}; {_OTHER_NAME}"
        listed = named_columns(self.unknown)
        if len(self.unknown) > 1:
            return f"{what} ({listed} are not known){near}; {_OTHER_NAME}"
        pair = f"`columns` {column}={self.unknown[0]}"
        return f"{what} ({listed} is not known); if that is what it holds, say so with {pair}"


def is_per_text(column: str) -> bool:
    """Whether a column is of one text or language of a mixture."""
    return column.startswith(PER_TEXT)


def named_columns(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = len(names) - _UNKNOWN_SHOWN
    return ", ".join(names[:_UNKNOWN_SHOWN]) + (f" and {more} more" if more > 0 else "")


def bits_per_byte(nats_per_token: Array, compression_rate: Array) -> Array:
    """Return bits per byte from nats per token and bytes per token."""
    return nats_per_token / (math.log(2) * compression_rate)


_DERIVATIONS = (
    ("compression_rate", lambda b, t: b / t, ("train_bytes", "train_tokens")),
    ("train_tokens", lambda b, t: b / t, ("train_bytes", "compression_rate")),
    ("train_bytes", lambda d, t: d * t, ("train_tokens", "compression_rate")),
    ("bits_per_byte", bits_per_byte, ("nats_per_token", "compression_rate")),
    (
        "bits_per_byte",
        lambda nats, b, d: bits_per_byte(nats, b / d),
        ("nats_per_token", "train_bytes", "train_tokens"),
    ),
    ("nats_per_token", lambda bpb, t: bpb * math.log(2) * t, ("bits_per_byte", "compression_rate")),
    (
        "nats_per_token",
        lambda bits, b, d: bits * math.log(2) * b / d,
        ("bits_per_byte", "train_bytes", "train_tokens"),
    ),
)
