"""The laws, the language and the budget together, as clouds: what an answer is computed from."""

from typing import NamedTuple

import numpy as np

from scaling.advise.allocate import Allocation, allocate, default_vocabulary
from scaling.advise.answer import Estimate, Question, SecondOpinion
from scaling.advise.laws import Cloud, FamilyLaws
from scaling.advise.placement import Placement
from scaling.engine.bootstrap import CASES, SEED
from scaling.engine.newton import Array
from scaling.fits.joint import fit_joint
from scaling.laws import joint, law2
from scaling.published import tables
from scaling.result import beyond

TAIL = 0.025  # left out at either end of an interval


class Desk(NamedTuple):
    """Clouds of [1 + draws]; the first of each is the estimate.

    Attributes:
        budget: C. vocabulary: V of the family's models; None for byte latent ones.
        law1, law2: coefficients.
        rate_ratio, size_ratio, loss_ratio: T*, rho* and bits per byte of the language over those
            of the runs the laws are of; law1_rate_ratio: T* where Law I is read (Laws I and II may
            be of different languages).
        misfit: [draws + 1] what Law II misses an optimum by; 0 for the estimate.
        fitted: lowest and highest value of what Law II was fitted to.
    """

    budget: float
    vocabulary: int | None
    law1: Cloud
    law2: Cloud
    rate_ratio: Array
    size_ratio: Array
    loss_ratio: Array
    law1_rate_ratio: Array
    misfit: Array
    fitted: dict[str, tuple[float, float]]

    @property
    def best_rate(self) -> Array:
        """Return T* of the language."""
        budget = np.asarray(self.budget, np.float64)
        return law2.best_rate(self.law2, budget) * self.rate_ratio

    def loss(self, rate: Array) -> Array:
        """Return bits per byte of the language at T, the law's own misfit included."""
        budget = np.asarray(self.budget, np.float64)
        english = law2.loss(self.law2, budget, rate / self.rate_ratio)
        return self.loss_ratio * (english + self.misfit)

    def spend(self, rate: Array, vocabulary: int | None) -> Allocation:
        """Return N, B and the cost of serving at T."""
        english = rate / self.law1_rate_ratio
        return allocate(self.law1, self.budget, rate, english, self.size_ratio, vocabulary)

    def outside(self, rate: Array) -> dict[str, float]:
        """Return by what factor budget and rate leave what the laws were fitted to."""
        english = float(rate[0] / self.rate_ratio[0])
        inputs = {"compute_flops": np.array(self.budget), "compression_rate": np.array(english)}
        return beyond(inputs, self.fitted)

    def alone(self) -> "Desk":
        """Return the estimate without its draws."""
        return self._replace(
            law1={name: column[:1] for name, column in self.law1.items()},
            law2={name: column[:1] for name, column in self.law2.items()},
            rate_ratio=self.rate_ratio[:1],
            size_ratio=self.size_ratio[:1],
            loss_ratio=self.loss_ratio[:1],
            law1_rate_ratio=self.law1_rate_ratio[:1],
            misfit=self.misfit[:1],
        )


def set_out(question: Question, laws: FamilyLaws, placement: Placement) -> Desk:
    """Return the desk for a question."""
    draws = min(len(laws.cloud1["B0"]), len(laws.cloud2["E"]))
    generator = np.random.default_rng(SEED)
    rate, size, loss = placement.draw(draws - 1, generator)
    missed = np.asarray(laws.law2.residuals or (0.0,))
    misfit = np.concatenate([[0.0], generator.choice(missed, draws - 1)])
    same = np.ones(draws)
    return Desk(
        question.compute_flops,
        default_vocabulary(question.family),
        {name: column[:draws] for name, column in laws.cloud1.items()},
        {name: column[:draws] for name, column in laws.cloud2.items()},
        same if laws.own2 else rate,
        same if laws.own1 else size,
        same if laws.own2 else loss,
        same if laws.own1 else rate,
        misfit,
        dict(laws.law2.data_range),
    )


def estimate(cloud: Array, unit: str) -> Estimate:
    """Return the first as the estimate, and the middle 95 % of the rest; infinities are None.

    Without a number, without draws, or where more draws are NaN than the interval leaves out, there
    is no interval.
    """
    ends = [float(cloud[0]) if np.isfinite(cloud[0]) else None, *interval(cloud)]
    return Estimate(ends[0], ends[1], ends[2], unit)


def interval(cloud: Array) -> tuple[float | None, float | None]:
    """Return the ends of the middle 95 % of all but the first; see `estimate`."""
    draws = cloud[1:]
    if np.isnan(cloud[0]) or not len(draws) or np.isnan(draws).mean() > TAIL:
        return None, None
    low, high = np.nanpercentile(draws, [100 * TAIL, 100 - 100 * TAIL], method="nearest")
    return (
        float(low) if np.isfinite(low) else None,
        float(high) if np.isfinite(high) else None,
    )


# What the joint law says of the same question: every run in one formula, half the error.


DRAWS = 300


def joint_cloud() -> Cloud:
    """Return [1 + draws] coefficients of the joint law on the shipped runs."""
    fit = fit_joint(tables.isoflop_runs(), bootstrap=CASES._replace(draws=DRAWS))
    draws = np.asarray(fit.draws).T
    return {
        name: np.concatenate([[value], column])
        for (name, value), column in zip(fit.estimates.items(), draws, strict=True)
    }


def second_opinion(cloud: Cloud, desk: Desk) -> SecondOpinion:
    """Return T*, B* and L* of the language by the joint law.

    Its B* is of effective parameters; the language's share of rho* is applied to it as to Law I's.
    """
    n = len(cloud["E"])
    budget = np.asarray(desk.budget, np.float64)
    english = joint.best_rate(cloud, budget)
    rate = english * desk.rate_ratio[:n]
    data = joint.best_bytes(cloud, budget, english) * np.sqrt(
        desk.rate_ratio[:n] * desk.size_ratio[:n]
    )
    loss = joint.best_loss(cloud, budget, english) * desk.loss_ratio[:n]
    return SecondOpinion(
        estimate(rate, "bytes per token"),
        estimate(data, "bytes"),
        estimate(loss, "bits per byte"),
    )


def joint_price(cloud: Cloud, desk: Desk, rate: float) -> Array:
    """Return [1 + draws] bits per byte lost at a rate, by the joint law."""
    n = len(cloud["E"])
    budget = np.asarray(desk.budget, np.float64)
    english = rate / desk.rate_ratio[:n]
    best = joint.best_loss(cloud, budget, joint.best_rate(cloud, budget))
    return np.asarray((joint.best_loss(cloud, budget, english) - best) * desk.loss_ratio[:n])
