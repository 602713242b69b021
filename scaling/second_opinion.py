"""What the joint law says of the same question: every run in one formula, half the error."""

import numpy as np
from numpy.typing import NDArray

from scaling.advice import SecondOpinion
from scaling.desk import Desk, estimate
from scaling.engine.bootstrap import CASES
from scaling.family_laws import Cloud
from scaling.fits.joint import fit_joint
from scaling.laws import joint
from scaling.published import tables

Array = NDArray[np.float64]
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
