"""The laws, the language and the budget together, as draws: what an answer is computed from.

Beside Laws I and II, the joint law says the same: every run in one formula, with half the error.
"""

from dataclasses import dataclass, replace

import numpy as np

from scaling.advise.allocate import Allocation, Price, allocate, price
from scaling.advise.answer import JointLawForecast
from scaling.advise.estimate import Estimate
from scaling.advise.laws import Draws, FamilyLaws
from scaling.advise.placement import Placement
from scaling.engine.bootstrap import SEED
from scaling.engine.newton import Array
from scaling.flops import PAPER_VOCABULARIES
from scaling.laws import joint
from scaling.laws.optimum import best_rate, law2_loss
from scaling.result import beyond


@dataclass(frozen=True)
class Forecast:
    """What a budget reaches in a language, for the estimate and for every draw.

    Attributes:
        compute_flops: the budget C.
        vocabulary_size: V of the family's models; None for byte latent ones.
        draws: [1 + draws] each, the first the estimate: the coefficients of Laws I and II by name;
            `rate_ratio`, `size_ratio` and `loss_ratio`, T*, rho* and bits per byte of the language
            over those of the runs the laws are of; `law1_rate_ratio`, T* where Law I is read (the
            laws may be of different languages); `misfit`, what Law II misses an optimum by, 0 for
            the estimate.
        fitted: lowest and highest value of what Law II was fitted to.
    """

    compute_flops: float
    vocabulary_size: int | None
    draws: Draws
    fitted: dict[str, tuple[float, float]]

    @property
    def _budget(self) -> Array:
        return np.asarray(self.compute_flops, np.float64)

    @property
    def best_rate(self) -> Array:
        """T* of the language, bytes per token."""
        return best_rate(self.draws, self._budget) * self.draws["rate_ratio"]

    def loss(self, rate: Array) -> Array:
        """Return bits per byte of the language at T, the law's own misfit included."""
        english = law2_loss(self.draws, self._budget, rate / self.draws["rate_ratio"])
        return self.draws["loss_ratio"] * (english + self.draws["misfit"])

    def price(self, rate: Array) -> Price:
        """Return what training at T instead of T* costs."""
        english_rate = rate / self.draws["rate_ratio"]
        return price(self.draws, self.compute_flops, english_rate, self.draws["loss_ratio"])

    def allocate(self, rate: Array, vocabulary_size: int | None) -> Allocation:
        """Return N, B and the cost of serving at T."""
        english_rate = rate / self.draws["law1_rate_ratio"]
        ratio = self.draws["size_ratio"]
        return allocate(self.draws, self.compute_flops, rate, english_rate, ratio, vocabulary_size)

    def outside(self, rate: Array) -> dict[str, float]:
        """Return by what factor budget and rate leave what the laws were fitted to."""
        english_rate = np.array(rate[0] / self.draws["rate_ratio"][0])
        inputs = {"compute_flops": self._budget, "compression_rate": english_rate}
        return beyond(inputs, self.fitted)

    def first(self, count: int) -> "Forecast":
        """Return the estimate and the draws after it, `count` in all: 1 for the estimate alone."""
        return replace(self, draws={name: column[:count] for name, column in self.draws.items()})


def forecast(compute_flops: float, laws: FamilyLaws, placement: Placement) -> Forecast:
    """Return what a budget reaches in a language, by the laws of a family of models."""
    of_language1, of_language2 = laws.law1.of_language, laws.law2.of_language
    coefficients = {**laws.law1.draws, **laws.law2.draws}
    count = min(len(column) for column in coefficients.values())
    generator = np.random.default_rng(SEED)
    rate, size, loss = placement.draw(count - 1, generator)
    missed = np.asarray(laws.law2.fit.residuals or (0.0,))
    same = np.ones(count)
    ratios = {
        "rate_ratio": same if of_language2 else rate,
        "size_ratio": same if of_language1 else size,
        "loss_ratio": same if of_language2 else loss,
        "law1_rate_ratio": same if of_language1 else rate,
        "misfit": np.concatenate([[0.0], generator.choice(missed, count - 1)]),
    }
    vocabulary_size = None if laws.family == "latent" else PAPER_VOCABULARIES["bpe"]
    draws, fitted = {**coefficients, **ratios}, dict(laws.law2.fit.data_range)
    return Forecast(compute_flops, vocabulary_size, draws, fitted).first(count)


def joint_law_forecast(draws: Draws, by_two_laws: Forecast) -> JointLawForecast:
    """Return T*, B* and L* of the language by the joint law.

    Its B* is of effective parameters; the language's share of rho* is applied to it as to Law I's.

    Args:
        draws: of the joint law's coefficients. by_two_laws: the budget, and the language's ratios.
    """
    budget = np.asarray(by_two_laws.compute_flops, np.float64)
    ratios = by_two_laws.first(len(draws["E"])).draws
    english_rate = best_rate(draws, budget)
    data = joint.best_bytes(draws, budget, english_rate)
    loss = joint.best_loss(draws, budget, english_rate)
    size_ratio = np.sqrt(ratios["rate_ratio"] * ratios["size_ratio"])
    return JointLawForecast(
        Estimate.of(english_rate * ratios["rate_ratio"], "bytes per token"),
        Estimate.of(data * size_ratio, "bytes"),
        Estimate.of(loss * ratios["loss_ratio"], "bits per byte"),
    )


def joint_law_price(draws: Draws, by_two_laws: Forecast, rate: float) -> Array:
    """Return [1 + draws] bits per byte lost at a rate, by the joint law."""
    budget = np.asarray(by_two_laws.compute_flops, np.float64)
    ratios = by_two_laws.first(len(draws["E"])).draws
    best = joint.best_loss(draws, budget, best_rate(draws, budget))
    reached = joint.best_loss(draws, budget, rate / ratios["rate_ratio"])
    return np.asarray((reached - best) * ratios["loss_ratio"])
