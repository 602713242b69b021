"""From prices to a choice: the best vocabulary, what each constraint costs, and the frontier."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from scaling.advise.estimate import Estimate
from scaling.advise.placement import ENGLISH
from scaling.advise.serving_case import LEAST_SHARE
from scaling.design.candidates import Candidate, CandidateCurve
from scaling.design.price import Budget, MixturePrice, Priced
from scaling.engine.newton import Array

ROUNDS = 4  # over the languages, each of which picks the size of its own vocabulary


class VocabularyOptions(NamedTuple):
    """The vocabularies to choose from.

    Attributes:
        makers: [M] of each language, or one for all: the candidates that make it.
        ids: [M, L] of the vocabulary that a language is written in.
        rates: [M, L] bytes per token.
    """

    makers: Sequence[tuple[Candidate, ...]]
    ids: Array
    rates: Array

    def __add__(self, other: object) -> "VocabularyOptions":
        assert isinstance(other, VocabularyOptions)
        return VocabularyOptions(
            [*self.makers, *other.makers],
            np.concatenate([self.ids, other.ids]),
            np.concatenate([self.rates, other.rates]),
        )

    def name(self, place: int) -> str:
        """Return what an option is called in tables."""
        sizes = dict.fromkeys(f"{int(size):,}" for size in self.ids[place])
        names = dict.fromkeys(maker.name for maker in self.makers[place])
        return f"{', '.join(names)}, {', '.join(sizes)} ids"


def shared_options(curves: Sequence[CandidateCurve]) -> VocabularyOptions:
    """Return every size of the vocabularies that all languages share."""
    found = [curve for curve in curves if not curve.candidate.language]
    makers = [(curve.candidate,) for curve in found for _ in curve.sizes]
    rates = np.concatenate([curve.rates for curve in found])
    ids = np.concatenate([np.asarray(curve.sizes, np.float64) for curve in found])
    return VocabularyOptions(makers, np.repeat(ids[:, None], rates.shape[1], axis=1), rates)


def separate_options(
    curves: Sequence[CandidateCurve],
    prices: MixturePrice,
    budget: Budget,
    max_vocab: int | None = None,
) -> VocabularyOptions:
    """Return the vocabularies of one language each that are best together, one option a kind.

    They meet in the model's size and data alone, so each language picks its size in turn.
    """
    one = prices.first(1)
    kinds: dict[tuple[str, str], dict[str, CandidateCurve]] = {}
    for curve in curves:
        if curve.candidate.language:
            kind = (curve.candidate.kind, curve.candidate.pattern)
            kinds.setdefault(kind, {})[curve.candidate.language] = curve
    found = []
    for its in kinds.values():
        ordered = [its[name] for name in prices.languages]
        usable = [
            [i for i, size in enumerate(curve.sizes) if size <= (max_vocab or size)] or [0]
            for curve in ordered
        ]
        places = [some[len(some) // 2] for some in usable]
        for _ in range(ROUNDS):
            for i, some in enumerate(usable):
                trials = [[*places[:i], j, *places[i + 1 :]] for j in some]
                priced = one.of(*_tables(ordered, trials), budget)
                places = trials[int(priced.loss[0].argmin())]
        rates, ids = _tables(ordered, [places])
        found.append(VocabularyOptions([tuple(curve.candidate for curve in ordered)], ids, rates))
    return sum(found[1:], found[0])


def _tables(
    curves: Sequence[CandidateCurve], trials: Sequence[Sequence[int]]
) -> tuple[Array, Array]:
    places = np.array(trials)
    rates = [curve.rates[places[:, i], i] for i, curve in enumerate(curves)]
    ids = [np.asarray(curve.sizes)[places[:, i]] for i, curve in enumerate(curves)]
    return np.array(rates).T, np.array(ids, np.float64).T


class Constraints(NamedTuple):
    """What a vocabulary must keep to; None for what is not asked.

    Attributes:
        max_vocab: most ids.
        max_premium: most tokens of a language over those of the reference for the same content.
    """

    max_vocab: int | None = None
    max_premium: float | None = None

    def allowed(self, options: VocabularyOptions, premiums: Array) -> dict[str, NDArray[np.bool_]]:
        """Return which options keep to each constraint that is asked, [M] by its name."""
        found: dict[str, NDArray[np.bool_]] = {}
        if self.max_vocab is not None:
            found["max_vocab"] = np.all(options.ids <= self.max_vocab, axis=1)
        if self.max_premium is not None:
            found["max_premium"] = np.all(premiums <= self.max_premium, axis=1)
        return found


class FrontierOption(NamedTuple):
    """A vocabulary that none beats in both: its place, loss, and FLOPs of serving a byte."""

    place: int
    bits_per_byte: float
    flops_per_byte: float


class Choice(NamedTuple):
    """What is best, and what it costs to keep to the constraints.

    Attributes:
        best, unconstrained: places among the options.
        loss: bits per byte of the best, weighted.
        ids: of the best, and over the draws of the laws.
        costs: of each constraint by itself, bits per byte over the best of all; of `all` of them,
            where there are several.
        frontier: from the cheapest to serve to the least loss.
    """

    best: int
    unconstrained: int
    loss: Estimate
    ids: Estimate
    costs: dict[str, Estimate]
    frontier: tuple[FrontierOption, ...]


def premiums(
    options: VocabularyOptions, languages: Sequence[str], parity: Mapping[str, float]
) -> Array:
    """Return [M, L] tokens of each language over those of the reference for the same content.

    parity_l / parity_ref * T_ref / T_l; the reference is English, or where that is not among them
    the language of least parity.
    """
    bytes_each = np.array([parity[name] for name in languages])
    tokens = bytes_each / options.rates
    reference = languages.index(ENGLISH) if ENGLISH in languages else int(bytes_each.argmin())
    return np.asarray(tokens / tokens[:, reference : reference + 1])


def choose(
    options: VocabularyOptions,
    priced: Priced,
    allowed: Mapping[str, NDArray[np.bool_]],
    premium: Array,
) -> Choice:
    """Return the best option that keeps to all constraints.

    Args:
        priced: of the options, [R, M]. allowed: [M] by constraint. premium: [M, L].

    Raises:
        InputError: no option keeps to one of them, or to all.
    """
    everything = np.isfinite(priced.loss[0])
    together = everything.copy()
    costs = {}
    unconstrained = _least(priced.loss[0], everything)
    for name, some in allowed.items():
        if not (some & everything).any():
            least = (
                f"the smallest tried has {int(options.ids.max(1).min()):,} ids"
                if name == "max_vocab"
                else f"the least that any has is {premium.max(1).min():.3g}"
            )
            raise InputError(f"`{name}`: no vocabulary keeps to it; {least}")
        together &= some
        place = _least(priced.loss[0], some & everything)
        costs[name] = _difference(priced, place, unconstrained)
    if not together.any():
        raise InputError(
            f"no vocabulary keeps to {' and '.join(f'`{n}`' for n in allowed)} together; relax one"
        )
    best = _least(priced.loss[0], together)
    if len(allowed) > 1:
        costs["all"] = _difference(priced, best, unconstrained)
    drawn = np.where(together, priced.loss, np.inf).argmin(1)
    sizes = options.ids.max(1)[np.concatenate([[best], drawn[1:]])]
    return Choice(
        best=best,
        unconstrained=unconstrained,
        loss=Estimate.of(priced.loss[:, best], "bits per byte"),
        ids=Estimate.of(sizes, "ids"),
        costs=costs,
        frontier=_frontier(priced, together),
    )


class ServedOption(NamedTuple):
    """What is best where so many bytes are served: its place, loss, FLOPs and training's share."""

    served_bytes: float
    place: int
    bits_per_byte: float
    flops_per_byte: float
    train_share: float


SERVED = 10.0 ** np.arange(10.0, 15.1, 0.5)  # bytes


def over_serving(
    options: VocabularyOptions,
    prices: MixturePrice,
    budget: Budget,
    allowed: Mapping[str, NDArray[np.bool_]],
) -> list[ServedOption]:
    """Return what the same budget has made where other amounts are served, while some is left."""
    one, found = prices.first(1), []
    kept = np.all([np.ones(len(options.ids), np.bool_), *allowed.values()], axis=0)
    for served in (0.0, *SERVED.tolist()):
        priced = one.of(options.rates, options.ids, budget._replace(served_bytes=served))
        place = _least(priced.loss[0], kept)
        if priced.train_share[0, place] < LEAST_SHARE:
            break
        found.append(
            ServedOption(
                served,
                place,
                float(priced.loss[0, place]),
                float(priced.flops_per_byte[0, place]),
                float(priced.train_share[0, place]),
            )
        )
    return found


def _least(loss: Array, among: NDArray[np.bool_]) -> int:
    return int(np.where(among, loss, np.inf).argmin())


def _difference(priced: Priced, place: int, other: int) -> Estimate:
    return Estimate.of(priced.loss[:, place] - priced.loss[:, other], "bits per byte")


def _frontier(priced: Priced, among: NDArray[np.bool_]) -> tuple[FrontierOption, ...]:
    loss, flops = priced.loss[0], priced.flops_per_byte[0]
    found: list[FrontierOption] = []
    for place in sorted(np.flatnonzero(among).tolist(), key=lambda i: (flops[i], loss[i])):
        if not found or loss[place] < found[-1].bits_per_byte:
            found.append(FrontierOption(place, float(loss[place]), float(flops[place])))
    return tuple(found)
