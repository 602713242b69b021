"""Whether the best mixture moves with the tokenizer: the optima of two arms, resampled together."""

from itertools import combinations

import numpy as np

from corpora.bootstrap import bounds_text
from scaling.engine.newton import Array
from scaling.mixtures.optimum import LanguageDraws, share_intervals
from scaling.mixtures.result import ArmsApart, MixtureArm, MixtureLaw, shown, spread


def arms_apart(law: MixtureLaw) -> tuple[ArmsApart, ...]:
    """Return each pair of arms side by side.

    Replicates resample mixtures, the same ones in every arm, so differences are of pairs. Intervals
    of the K differences share the error among them (Bonferroni): they hold together.
    """
    return tuple(_pair(law, *pair) for pair in combinations(law.arms, 2))


def _pair(law: MixtureLaw, first: MixtureArm, second: MixtureArm) -> ArmsApart:
    texts = len(law.texts)
    drawn = first.best.draws - second.best.draws if len(first.best.draws) else np.empty((0, texts))
    together = 1 - (1 - law.level) / texts
    intervals = share_intervals(drawn, together, texts)
    moves = None if not len(drawn) else any(0.0 not in ends for ends in intervals if ends)
    difference = np.subtract(first.best.shares, second.best.shares)
    for_first = spread(*_cost(law, first, second), law.level)
    for_second = spread(*_cost(law, second, first), law.level)
    return ArmsApart(
        first=first.name,
        second=second.name,
        differences=tuple(difference.tolist()),
        intervals=intervals,
        moves=moves,
        cost_for_first=for_first.value,
        cost_for_first_interval=for_first.interval,
        cost_for_second=for_second.value,
        cost_for_second_interval=for_second.interval,
    )


def _cost(law: MixtureLaw, arm: MixtureArm, other: MixtureArm) -> tuple[float, Array]:
    """Return what another arm's best mixture adds to an arm's loss, and [R] the same of draws."""
    laws = LanguageDraws(arm.regressions, law.target)
    theirs, ours = np.array(other.best.shares), np.array(arm.best.shares)
    point = laws.losses(laws.point, theirs) - laws.losses(laws.point, ours)
    drawn = [
        (laws.losses(theta, away) - laws.losses(theta, home)) @ laws.weights
        for theta, away, home in zip(laws.draws, other.best.draws, arm.best.draws, strict=True)
    ]
    return max(0.0, float(point @ laws.weights)), np.array(drawn)


def apart_lines(law: MixtureLaw, apart: ArmsApart) -> list[str]:
    """Return what is known of two arms, in lines."""
    moved = [
        f"{text} {difference:+.3g} {bounds_text(*ends, 3)}"
        for text, difference, ends in zip(
            law.texts, apart.differences, apart.intervals, strict=True
        )
        if ends is not None and 0.0 not in ends
    ]
    if apart.moves is None:
        verdict = "no bootstrap was run, so whether the best mixture moves is not known"
    elif apart.moves:
        verdict = f"the best mixture moves: {', '.join(moved)}"
    else:
        verdict = "no best share differs by more than its interval: the best mixture may be one"
    return [
        f"{apart.first} beside {apart.second}: {verdict}",
        f"  {apart.second}'s mixture costs {apart.first}"
        f" {shown(apart.cost_for_first, apart.cost_for_first_interval)}; {apart.first}'s costs"
        f" {apart.second} {shown(apart.cost_for_second, apart.cost_for_second_interval)}"
        f" ({law.unit})",
    ]
