"""How the next unit is chosen, and how units that were guessed are judged by what is right.

Guesses are judged by rejection (Leviathan et al. 2023, arXiv 2211.17192): a guess drawn with
probability q is kept with probability min(1, p / q), and what replaces it is drawn in proportion to
max(0, p - q). Then text has the distribution that it has without guesses. Greedily that comes to
keeping guesses while they are the likeliest unit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError

Weights = NDArray[np.float64]


@dataclass(frozen=True)
class Sampling:
    """How the next unit is chosen.

    Attributes:
        temperature: logits are divided by it; 0 takes the likeliest unit, the first of equals.
        top_p: only the likeliest units that together have this probability are drawn from.
        top_k: only so many of the likeliest are drawn from; None for all.
        seed: of the draws; the same seed gives the same text.

    Raises:
        InputError: a value is out of range.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < np.inf:
            raise InputError(f"`temperature` {self.temperature}: must be 0 or more, and finite")
        if not 0 < self.top_p <= 1:
            raise InputError(f"`top_p` {self.top_p}: must be above 0 and at most 1")
        if self.top_k is not None and self.top_k < 1:
            raise InputError(f"`top_k` {self.top_k}: must be 1 or more")
        if self.seed < 0:
            raise InputError(f"`seed` {self.seed}: must be 0 or more")


def probabilities(logits: NDArray[np.floating], sampling: Sampling) -> Weights:
    """Return [..., V] what each unit is drawn with; at temperature 0 the likeliest with 1.

    Units at minus infinity are never drawn. Top-k is applied before top-p.

    Args:
        logits: [..., V].

    Raises:
        InputError: there are others that are not finite.
    """
    if np.isnan(logits).any() or (logits == np.inf).any():
        raise InputError("the model's logits are not finite: it has diverged; train it again")
    if sampling.temperature == 0:
        out = np.zeros(logits.shape)
        np.put_along_axis(out, np.argmax(logits, axis=-1, keepdims=True), 1.0, axis=-1)
        return out
    shifted = (logits - logits.max(axis=-1, keepdims=True)).astype(np.float64)
    with np.errstate(over="ignore"):  # of a temperature near 0
        weights: Weights = np.exp(shifted / sampling.temperature)
    order = np.argsort(-weights, axis=-1, kind="stable")
    if sampling.top_k is not None:
        np.put_along_axis(weights, order[..., sampling.top_k :], 0.0, axis=-1)
    weights /= weights.sum(axis=-1, keepdims=True)
    if sampling.top_p < 1:
        # Kept: every unit that those before it do not suffice without; always the likeliest.
        ordered = np.take_along_axis(weights, order, axis=-1)
        before = np.cumsum(ordered, axis=-1) - ordered
        np.put_along_axis(weights, order, np.where(before >= sampling.top_p, 0, ordered), axis=-1)
        weights /= weights.sum(axis=-1, keepdims=True)
    return weights


def drawn(weights_V: Weights, random: np.random.Generator) -> int:
    """Return a unit drawn in proportion to [V] weights, of which some must be above 0.

    Where one unit has them all, nothing random is used up.
    """
    likeliest = int(np.argmax(weights_V))
    if weights_V[likeliest] == weights_V.sum():
        return likeliest
    cumulative = np.cumsum(weights_V)
    # Drawn below the whole sum: the last place with a probability is the farthest.
    return int(np.searchsorted(cumulative, random.random() * cumulative[-1], side="right"))


def judged(
    guesses: Sequence[int], guessed_KV: Weights, right_KV: Weights, random: np.random.Generator
) -> tuple[int, int]:
    """Return how many guesses are kept, and the unit that follows those.

    Args:
        guesses: k units. guessed_KV: [k, V] what each was drawn with.
        right_KV: [k + 1, V] what each should be drawn with, if those before it are kept, and the
            unit after all of them.
    """
    for place, unit in enumerate(guesses):
        p, q = right_KV[place], guessed_KV[place]
        if p[unit] < q[unit] and random.random() * q[unit] >= p[unit]:
            return place, drawn(np.maximum(p - q, 0), random)
    return len(guesses), drawn(right_KV[len(guesses)], random)
