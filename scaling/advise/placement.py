"""Where a language lies beside English: measured, or by its parity.

The shipped laws are of English runs. Other languages were trained at one budget (1e20), which gives
their best rate, bytes per parameter and bits per byte there; what is assumed is that these keep
their ratio to English at other budgets. A language that was never trained is placed by its parity,
the bytes it needs for what English says in one: the ratios of the trained languages are regressed
on it, and the answer is an analogy with the wider interval of such a regression.
"""

import math
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from corpora.errors import InputError, did_you_mean
from corpora.languages import same_languages
from scaling.engine.newton import Array
from scaling.fits.isoflop import fit_surfaces
from scaling.published import tables

ENGLISH = "eng_Latn"
BUDGET = 1e20  # at which the languages were trained
COLUMNS = ("compression_rate_opt", "bytes_per_param_opt", "bits_per_byte")
LEAST_PARITY, MOST_PARITY = 0.01, 100.0


class Placement(NamedTuple):
    """A language's ratios to English, and how sure they are.

    Attributes:
        language: its code.
        basis: `runs` (the laws are of its own), `measured` (trained at 1e20) or `analogy` (by
            parity); of a fit over languages, `pooled` (it is one of them) or `line` (by parity).
        parity: bytes per byte of English for the same content; None where not needed.
        rate, ratio, loss: T*, rho* and bits per byte over English's.
        spread: standard deviations of the logarithms of the three.
        freedom: degrees of freedom of those; None where they are not from a regression.
        note: what is assumed, in one sentence.
        beyond: that its parity lies beyond those of the trained languages; empty where it does not.
    """

    language: str
    basis: str
    parity: float | None
    rate: float = 1.0
    ratio: float = 1.0
    loss: float = 1.0
    spread: tuple[float, float, float] = (0.0, 0.0, 0.0)
    freedom: int | None = None
    note: str = ""
    beyond: str = ""

    def draw(self, draws: int, generator: np.random.Generator) -> tuple[Array, Array, Array]:
        """Return [1 + draws] of rate, ratio and loss; the first of each is the estimate."""

        def drawn(centre: float, spread: float) -> Array:
            free = self.freedom
            noise = generator.standard_t(free, draws) if free else generator.standard_normal(draws)
            return centre * np.exp(spread * np.concatenate([[0.0], noise]))

        rate, ratio, loss = map(drawn, (self.rate, self.ratio, self.loss), self.spread)
        return rate, ratio, loss


def trained(language: str, note: str, parity: float | None = None) -> Placement:
    """Return the place of a language whose own runs the laws are of."""
    return Placement(language, "runs", parity, note=note)


def trained_code(language: str) -> str | None:
    """Return the code under which a language was trained, of it or of any name of it (`hi`)."""
    codes: list[str] = tables.table(tables.LANGUAGES)["language"].to_list()
    same = (code for code in codes if language == code[:3] or same_languages(language, [code]))
    return next(same, None)


def check_parity(parity: float | None) -> None:
    """Refuse a parity that no language can have.

    Raises:
        InputError: it is below `LEAST_PARITY`, above `MOST_PARITY` or no number.
    """
    if parity is not None and not LEAST_PARITY <= parity <= MOST_PARITY:
        raise InputError(
            f"`parity` {parity:g}: bytes per byte of English, {LEAST_PARITY:g} to {MOST_PARITY:g}"
        )


def place_language(
    language: str, parity: float | None = None, setting: str = "monolingual"
) -> Placement:
    """Return where a language lies.

    Args:
        language: its code.
        parity: measured bytes per English byte; overrules the table's for an analogy.
        setting: `monolingual`, or `joint` for one model of many languages.

    Raises:
        InputError: the language was not trained and no parity is given, or it cannot be.
    """
    languages = tables.table(tables.LANGUAGES)
    rows = {row["language"]: row for row in languages.filter(setting=setting).iter_rows(named=True)}
    if not rows:
        raise InputError(f"`setting` {setting!r} is unknown: monolingual or joint")
    check_parity(parity)
    if language == ENGLISH and setting == "monolingual":
        return trained(language, "the laws are of English runs", 1.0)
    # One model of many languages is placed against English on its own, where the laws are.
    base = next(languages.filter(language=ENGLISH, setting="monolingual").iter_rows(named=True))
    if language in rows:
        rate, ratio, loss = (rows[language][name] / base[name] for name in COLUMNS)
        spread, parity = _anchor_spread(), rows[language]["parity"]
        at = f"was trained at {BUDGET:g} FLOPs"
        note = f"{language} {at}; its ratios to English there are assumed at every budget"
        return Placement(language, "measured", parity, rate, ratio, loss, spread, note=note)
    if parity is None:
        near = did_you_mean(language, rows)
        raise InputError(
            f"`language` {language!r} has no runs{near} ({', '.join(rows)}); give `parity`, the "
            "bytes it needs per byte of English, or a corpus that is parallel to English"
        )
    return _by_analogy(language, parity, rows, base)


def _by_analogy(
    language: str, parity: float, rows: Mapping[str, dict[str, Any]], base: dict[str, Any]
) -> Placement:
    english = rows[ENGLISH]
    others = [row for name, row in rows.items() if name != ENGLISH]
    x = np.log([row["parity"] for row in others])
    ratios, spreads = [], []
    for name in COLUMNS:
        y = np.log([row[name] / english[name] for row in others])
        slope, spread_at = _through_origin(x, y, math.log(parity))
        ratios.append(math.exp(slope * math.log(parity)) * english[name] / base[name])
        spreads.append(spread_at)
    by = f"an analogy with {len(others)} trained languages by its parity {parity:.3g}"
    note, freedom = f"{language} has no runs: {by}", len(others) - 1
    (rate, ratio, loss), (at_rate, at_size, at_loss) = ratios, spreads
    spread = (at_rate, at_size, at_loss)
    known = [row["parity"] for row in rows.values()]
    beyond = "" if min(known) <= parity <= max(known) else (
        f"parity {parity:.3g} lies beyond the trained languages, {min(known):g} to {max(known):g}:"
        f" where {language} stands is an extrapolation of an analogy"
    )  # fmt: skip
    return Placement(language, "analogy", parity, rate, ratio, loss, spread, freedom, note, beyond)


def _through_origin(x: Array, y: Array, at: float) -> tuple[float, float]:
    """Return the slope of y = k x (English lies at 0, 0), and the standard error of a new y."""
    squares = float(x @ x)
    slope = float(x @ y) / squares
    residuals = y - slope * x
    variance = float(residuals @ residuals) / (len(x) - 1)
    return slope, math.sqrt(variance * (1 + at**2 / squares))


@cache
def _anchor_spread() -> tuple[float, float, float]:
    """Return the standard deviation of ln T*, ln rho* and ln L* of one trained language.

    That of the English surface at the budget at which the languages were trained.
    """
    runs = tables.isoflop_runs()
    (fit,) = fit_surfaces(runs.only(runs.column("compute_flops", "advise") == BUDGET))
    columns = dict(zip(fit.estimates, np.asarray(fit.draws).T, strict=True))
    names = ("compression_rate_opt", "bytes_per_param_opt", "bits_per_byte_opt")
    rate, size, loss = (float(np.log(columns[name]).std()) for name in names)
    return rate, size, loss
