"""What a reader must know before trusting a best mixture."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from corpora.bootstrap import bounds_text
from scaling.engine.bootstrap import percentiles
from scaling.fits.findings import note, warning
from scaling.mixtures.optimum import LanguageDraws, outside_hull
from scaling.mixtures.result import MixtureArm
from scaling.result import Finding

FEW = 2.0  # runs for each coefficient of the exponential law, with fewer of which it is said
_RANKED = 0.8  # rank correlation of left-out runs, below which mixtures are hardly told apart
_PAIRS_SHOWN = 4
_IN_THE_BEST = 0.01  # share with which a text matters


def arm_findings(
    arm: MixtureArm, texts: Sequence[str], target: Mapping[str, float], form: str, level: float
) -> tuple[Finding, ...]:
    """Return the findings of an arm whose best mixture is known."""
    return (
        *_few(arm, texts),
        *_never_tried(arm, texts),
        *_constant(arm, texts),
        *_ranked(arm, form),
        *_at_caps(arm, texts),
        *_outside(arm),
        *_alike(arm, texts, target, level),
    )


def _few(arm: MixtureArm, texts: Sequence[str]) -> list[Finding]:
    coefficients, runs = len(texts) + 1, len(arm.rows)
    if runs >= FEW * coefficients:
        return []
    text = (
        f"{runs} runs for the {coefficients} coefficients that {len(texts)} texts need; train"
        f" {int(np.ceil(FEW * coefficients))} or more before a mixture is chosen by them"
    )
    return [warning("few runs", text)]


def _never_tried(arm: MixtureArm, texts: Sequence[str]) -> list[Finding]:
    never = [name for name, tried in zip(texts, arm.tried, strict=True) if not tried]
    if not never:
        return []
    text = f"in no run: {', '.join(never)}; nothing is known of them, and the best mixture has none"
    return [warning("texts never tried", text)]


def _constant(arm: MixtureArm, texts: Sequence[str]) -> list[Finding]:
    """Say which texts have one share in all runs: what they are worth shows in no difference."""
    varies = np.ptp(arm.shares, axis=0) > 1e-9
    same = [
        f"{name} ({share:.3g})"
        for name, share, varied in zip(texts, arm.shares[0], varies, strict=True)
        if share > 0 and not varied
    ]
    if not same:
        return []
    text = (
        f"the same share in every run: {', '.join(same)}; what they are worth cannot be told, and"
        " another share of them in the best mixture rests on the form alone"
    )
    return [warning("shares that never vary", text)]


def _ranked(arm: MixtureArm, form: str) -> list[Finding]:
    row = next(row for row in arm.errors if row.of == "target" and row.form == form)
    ends = f" {bounds_text(*row.interval, 3)}" if row.interval else ""
    text = f"left-out runs are ranked with a Spearman correlation of {row.rank_correlation:.3f}"
    weak = row.interval is not None and row.interval[0] < _RANKED
    hardly = ": the law hardly tells these mixtures apart" if weak else ""
    return [(warning if weak else note)("rank correlation", f"{text}{ends} ({form}){hardly}")]


def _at_caps(arm: MixtureArm, texts: Sequence[str]) -> list[Finding]:
    held = [
        f"{name} ({cap:.3g})"
        for name, share, cap in zip(texts, arm.best.shares, arm.best.caps, strict=True)
        if 0 < cap < 1 and share >= cap - 1e-9
    ]
    if not held:
        return []
    text = f"the best mixture is at the cap of {', '.join(held)}; more of it would lower the loss"
    return [note("optimum at a cap", text)]


def _outside(arm: MixtureArm) -> list[Finding]:
    distance = outside_hull(arm.best.shares, arm.shares)
    if not distance:
        return []
    text = (
        f"the best mixture lies outside what was tried, {distance:.3g} from the nearest mean of its"
        " mixtures: an extrapolation; train it, or mixtures around it"
    )
    return [warning("optimum outside what was tried", text)]


def _alike(
    arm: MixtureArm, texts: Sequence[str], target: Mapping[str, float], level: float
) -> list[Finding]:
    """Say which texts of the best mixture could be exchanged, as far as the runs tell."""
    laws = LanguageDraws(arm.regressions, target)
    if not len(laws.draws):
        return []
    worth = laws.draws[..., 1:]
    pairs = []
    for i, j in combinations(range(len(texts)), 2):
        if max(arm.best.shares[i], arm.best.shares[j]) < _IN_THE_BEST:
            continue
        low, high = percentiles(worth[..., i] - worth[..., j], level)
        if np.all((low <= 0) & (high >= 0)):
            pairs.append(f"{texts[i]} and {texts[j]}")
    if not pairs:
        return []
    more = len(pairs) - _PAIRS_SHOWN
    listed = "; ".join(pairs[:_PAIRS_SHOWN]) + (f"; and {more} more pairs" if more > 0 else "")
    text = f"the runs do not tell apart {listed}: how these share what they have is not known"
    return [warning("texts alike", text)]
