"""The reference tables shipped with the project: figures of arXiv 2605.01188, read off its pages.

Limisiewicz et al. 2026, "Compute Optimal Tokenization". Numbers only: 311 trained models from the
vector graphics of figure 19, and tables 3, 4, 5, 6, 9 and 10. Beside them the 128 rows of tables 3
to 10 of "Fast Byte Latent Transformer" (arXiv 2605.08044): what decoders score and cost.

Published coefficients, each with its citation, as the same type as a fit.

They stand in `data/coefficients.toml`, and those of Porian et al. in `data/porian_powers.csv`.
"""

import csv
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import polars as pl

from corpora.bootstrap import Interval
from scaling.flops import BltShape, paper_blt
from scaling.read_runs import read_runs
from scaling.result import FitResult, noted
from scaling.runs import Runs

ISOFLOP = "cot_latent_english_isoflop"
OPTIMA = "cot_optimal_bpb_latent"
LANGUAGES = "cot_languages"
BLT_SHAPES = "cot_table4_blt_shapes"
SUBWORD_SHAPES = "cot_table5_subword_shapes"
BLT_SHARES = "cot_table6_blt_compute_share"
FAST_BLT = "fast_blt"
FIGURES = "figures"
TABLES = (ISOFLOP, OPTIMA, LANGUAGES, BLT_SHAPES, SUBWORD_SHAPES, BLT_SHARES, FAST_BLT, FIGURES)
LARGEST_LAYERS = 40


def path(name: str) -> Path:
    """Return where a shipped table lies."""
    assert name in TABLES, name
    return Path(str(files("scaling.published").joinpath("data", f"{name}.csv")))


@cache
def table(name: str) -> pl.DataFrame:
    """Return a shipped table as it stands."""
    return pl.read_csv(path(name), infer_schema_length=None)


@cache
def isoflop_shapes() -> tuple[BltShape, ...]:
    """Return the shape of each of the 311 models, in the order of the table.

    The printed parameter counts have two digits above 10^9 (1.3B); a shape has few neighbours.
    """
    known = [paper_blt(layers) for layers in range(1, LARGEST_LAYERS + 1)]
    printed = table(ISOFLOP)["global_params"]
    return tuple(
        min(known, key=lambda shape: abs(shape.global_params - params)) for params in printed
    )


def isoflop_runs(exact_params: bool = False) -> Runs:
    """Return the 311 byte latent models as a runs table.

    Args:
        exact_params: replace the printed `global_params` by the exact count of the shape they
            belong to, 12 L (128 L)^2, and add its `total_params`.
    """
    runs = replace(read_runs(path(ISOFLOP)), name=f"{ISOFLOP}.csv")
    if not exact_params:
        return runs
    shapes = isoflop_shapes()
    rows = runs.rows.with_columns(
        global_params=pl.Series([float(shape.global_params) for shape in shapes]),
        total_params=pl.Series([float(shape.total_params) for shape in shapes]),
    )
    text = "global_params are the exact counts of the paper's shapes, not the printed ones"
    return replace(runs, rows=rows, notes=(*runs.notes, noted("column names", text)))


def optima() -> Runs:
    """Return table 10: the lowest bits per byte of 8 budgets and 6 compression rates."""
    return replace(read_runs(path(OPTIMA)), name=f"{OPTIMA}.csv")


def decoded() -> pl.DataFrame:
    """Return the published decoders: `size`, `task`, `model`, `setting`, `score`,
    `acceptance_percent`, `decoder_nfe`, `global_nfe` and `bandwidth_gb` as printed, and besides

    length: bytes written, those of the plain model's decoder passes.
    block: k, or B; null of the plain model.
    """
    rows = table(FAST_BLT)
    plain = rows.filter(model="BLT").select("size", "task", length="decoder_nfe")
    block = pl.concat_str("model", "setting", separator=" ").str.extract(r"(?:k=|BLT-DV?-)(\d+)")
    return rows.join(plain, on=["size", "task"], how="left", maintain_order="left").with_columns(
        block=block.cast(pl.Int64)
    )


_DATA = files("scaling.published") / "data"
PORIAN = "Porian et al. 2024, Resolving Discrepancies in Compute-Optimal Scaling, arXiv 2406.19146"


def _published(
    law: str,
    form: str,
    estimates: Mapping[str, float],
    source: str,
    intervals: Mapping[str, tuple[float, float]] | None = None,
    standard_errors: Mapping[str, float] | None = None,
    **more: Any,
) -> FitResult:
    """Return an entry of the table as a fit; of a standard error, 1.96 on either side."""
    ends = {
        name: (estimates[name] - 1.96 * error, estimates[name] + 1.96 * error)
        for name, error in (standard_errors or {}).items()
    }
    given = {name: Interval(*pair) for name, pair in {**ends, **(intervals or {})}.items()}
    missing = [name for name in estimates if name not in given]
    return FitResult(
        law=law,
        form=form,
        estimates=dict(estimates),
        intervals={name: given.get(name) for name in estimates},
        method="as published",
        interval_method="as published" if given else "none",
        interval_reason=f"none published for {', '.join(missing)}" if missing else "",
        status="published",
        source=source,
        **{"n": 0, **more},
    )


def _porian() -> Iterator[tuple[tuple[str, str], FitResult]]:
    """Yield a of N* = n0 C^a, by data and setting.

    Settings stand in the order in which the paper corrects Kaplan's: as they were, head counted,
    warm-up shortened, decay matched, tuned.
    """
    for row in csv.DictReader((_DATA / "porian_powers.csv").read_text("utf-8").splitlines()):
        estimates = {"n0": float(row["n0"]), "a": float(row["a"])}
        intervals = {"a": (float(row["low"]), float(row["high"]))}
        source = f"{PORIAN}: {row['data']}, {row['setting']}"
        fit = _published("approach2", "interpolated minima", estimates, source, intervals)
        yield (row["data"], row["setting"]), fit


PORIAN_POWERS: Mapping[tuple[str, str], FitResult] = dict(_porian())
_TABLE = tomllib.loads((_DATA / "coefficients.toml").read_text("utf-8"))
PUBLISHED: Mapping[str, FitResult] = {
    **{name: _published(**entry) for name, entry in _TABLE.items()},
    **{f"porian-{'-'.join(key)}".replace(" ", "-"): law for key, law in PORIAN_POWERS.items()},
}

COT_LAW1_LATENT = PUBLISHED["cot-law1-latent"]
COT_LAW1_SUBWORD = PUBLISHED["cot-law1-subword"]
COT_LAW2_LATENT = PUBLISHED["cot-law2-latent"]
COT_LAW2_SUBWORD = PUBLISHED["cot-law2-subword"]
BESIROGLU_REFIT = PUBLISHED["besiroglu"]
GADRE_REDPAJAMA = PUBLISHED["gadre-redpajama"]
TAO_VOCABULARY = PUBLISHED["tao-vocabulary"]
MUENNIGHOFF_REPEATED = PUBLISHED["muennighoff-repeated"]
MARIN_ENVELOPE = PUBLISHED["marin-envelope"]
