"""Published coefficients, each with its citation, as the same type as a fit.

They stand in `data/coefficients.toml`, and those of Porian et al. in `data/porian_powers.csv`.
"""

import csv
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from corpora.bootstrap import Interval
from scaling.result import FitResult

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
