"""Serving a language out of one budget: the question in the joint law's terms, and its optimum.

Entropy patches come shorter when a byte latent model writes them itself: trained at 4 bytes a
patch, one of 1B parameters makes a global pass every 1.16 to 2.44 bytes it generates (arXiv
2605.08044, tables 3 to 10); drafting several bytes at once makes them rarer than that. With X bytes
to a pass where training has T, the global module costs T / X times as much for each byte, and the
rest costs what it did:

    F_s = F (1 + g (T / X - 1)),      g the share of the global module in F

g is that of the paper's shapes. Their depth goes in steps, and an optimum is looked for by slopes,
so its logit is taken as a quadratic in ln F and ln T, which misses them by .02 as a rule.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from scaling.advise.estimate import MOST
from scaling.advise.laws import Draws
from scaling.advise.serve import (
    Served,
    Surcharge,
    best_served,
    best_served_at,
    cheapest_served,
)
from scaling.engine.newton import Array
from scaling.engine.search import halfway
from scaling.flops import CostContext, forward_flops_per_byte, latent_share, paper_blt

# Shapes and rates over which the share of the global module is made smooth.
LAYERS, RATES = range(4, 101, 2), 2.0 ** np.arange(0, 5.01, 0.5)
FEW = 60  # draws that a search for a budget is repeated with
DRAWS = 200
LEAST_SHARE = 1e-3  # of a budget, left for training
HALVINGS = 40  # of a price


class ServedPrice(NamedTuple):
    """What a rate costs beside the best one, serving paid for, [1 + R] each.

    Attributes:
        bits_per_byte: lost at the same budget.
        multiplier: of the budget at which this rate reaches what the best reaches, with a few draws
            only; infinite where none below a million does.
    """

    bits_per_byte: Array
    multiplier: Array


@dataclass(frozen=True)
class ServingCase:
    """A budget that pays for training and for S bytes served, as the joint law sees it.

    Attributes:
        draws: [1 + R] coefficients of the joint law.
        ratios: [1 + R] `rate_ratio`, `size_ratio` and `loss_ratio` of the language over English.
        total: [1 + R] C_total.
        served_bytes, served_price: S of the language, and p.
        bytes_per_pass: X and T, bytes per global pass as a model writes and in training.
        best: what to train, in English bytes and rates.
    """

    draws: Draws
    ratios: Draws
    total: Array
    served_bytes: float
    served_price: float
    bytes_per_pass: tuple[float, float] | None
    best: Served

    @property
    def data(self) -> Array:
        """Bytes of the language per byte of English that teaches as much."""
        return data_ratio(self.ratios)

    def check(self) -> None:
        """Refuse an amount served that leaves next to nothing for training.

        Raises:
            InputError: it does.
        """
        share = self.best.train_flops[0] / self.total[0]
        if share < LEAST_SHARE:
            raise InputError(
                f"`serve_bytes` {self.served_bytes:g}: serving them leaves {share:.2g} of the"
                " budget for training; serve less, or give more"
            )

    def first(self, count: int) -> "ServingCase":
        """Return the estimate and the draws after it, `count` in all."""
        return ServingCase(
            {name: column[:count] for name, column in self.draws.items()},
            {name: column[:count] for name, column in self.ratios.items()},
            self.total[:count],
            self.served_bytes,
            self.served_price,
            self.bytes_per_pass,
            Served(*(column[:count] for column in self.best)),
        )

    def at(self, served_bytes: float, near: Served | None = None) -> Served:
        """Return what to train for another amount served out of the same budget."""
        more = _surcharge(self.ratios, self.bytes_per_pass)
        amount = served_bytes / self.data
        return best_served(self.draws, self.total, amount, self.served_price, near, more)

    def price(self, bytes_per_token: float) -> ServedPrice:
        """Return what a rate of the language costs beside the best."""
        reached = self._at_rate(bytes_per_token, self.total)
        lost = (reached.bits_per_byte - self.best.bits_per_byte) * self.ratios["loss_ratio"]
        few = self.first(1 + FEW)
        return ServedPrice(lost, few._bought_back(bytes_per_token))

    def _at_rate(self, bytes_per_token: float, total: Array) -> Served:
        rate = bytes_per_token / self.ratios["rate_ratio"]
        more = _surcharge(self.ratios, self.bytes_per_pass)
        amount = self.served_bytes / self.data
        return best_served_at(self.draws, total, amount, rate, self.served_price, more)

    def _bought_back(self, bytes_per_token: float) -> Array:
        def short(ln_multiplier: Array) -> NDArray[np.bool_]:
            reached = self._at_rate(bytes_per_token, self.total * np.exp(ln_multiplier))
            return np.asarray(reached.bits_per_byte > self.best.bits_per_byte)

        low, high = np.zeros_like(self.total), np.full_like(self.total, np.log(MOST))
        found = np.exp(halfway(short, low, high, HALVINGS))
        return np.where(short(high), np.inf, found)


def data_ratio(ratios: Draws) -> Array:
    """Return bytes of a language per byte of English that teaches as much, as for the joint B*."""
    return np.asarray(np.sqrt(ratios["rate_ratio"] * ratios["size_ratio"]))


def serving_case(
    draws: Draws,
    ratios: Draws,
    *,
    compute_flops: float,
    served_bytes: float,
    served_price: float = 1.0,
    reach: float | None = None,
    bytes_per_pass: tuple[float, float] | None = None,
) -> ServingCase:
    """Return what to train when serving is paid for, or for the least cost of a loss.

    Args:
        draws: [1 + R] coefficients of the joint law; ratios: of the language over English.
        compute_flops: C_total; not heeded where a loss is to be reached.
        reach: bits per byte of the language.
        bytes_per_pass: X and T; the same ratio is taken at every rate. None where they are equal.

    Raises:
        InputError: no budget reaches that loss.
    """
    count = min(len(draws["E"]), 1 + (DRAWS if reach is None else FEW))
    draws = {name: column[:count] for name, column in draws.items()}
    ratios = {name: column[:count] for name, column in ratios.items()}
    amount, more = served_bytes / data_ratio(ratios), _surcharge(ratios, bytes_per_pass)
    if reach is None:
        total = np.full(count, compute_flops)
        best = best_served(draws, total, amount, served_price, surcharge=more)
    else:
        goal = reach / ratios["loss_ratio"]
        total, best = cheapest_served(draws, goal, amount, served_price, more)
    return ServingCase(draws, ratios, total, served_bytes, served_price, bytes_per_pass, best)


def _surcharge(ratios: Draws, bytes_per_pass: tuple[float, float] | None) -> Surcharge | None:
    if bytes_per_pass is None:
        return None
    return surcharge(bytes_per_pass, ratios["rate_ratio"], data_ratio(ratios))


def surcharge(
    bytes_per_pass: tuple[float, float], rate_ratio: Array, data_ratio: Array
) -> Callable[[Array, Array], Array]:
    """Return the function (F, T) -> F_s / F of English FLOPs per byte and English rates, [R] each.

    Args:
        bytes_per_pass: X and T, bytes per global pass when the model writes and in training.
        rate_ratio, data_ratio: [R] rates, and bytes, of the language over English's.
    """
    written, trained = bytes_per_pass

    def over_training(flops_per_byte: Array, rate: Array) -> Array:
        share = global_share(flops_per_byte / data_ratio, rate * rate_ratio)
        return np.asarray(1 + share * (trained / written - 1))

    return over_training


def global_share(flops_per_byte: Array, rate: Array) -> Array:
    """Return the share of the global module in forward FLOPs per byte, [R]."""
    logit = _features(np.log(flops_per_byte), np.log(rate)) @ _smooth_share()
    return np.asarray(1 / (1 + np.exp(-logit)))


def _features(ln_flops: Array, ln_rate: Array) -> Array:
    x, t = np.broadcast_arrays(ln_flops - np.log(1e9), ln_rate - np.log(4))
    return np.stack([np.ones_like(x), x, t, x * x, x * t, t * t], axis=-1)


@cache
def _smooth_share() -> Array:
    """Return the coefficients of the quadratic, by least squares over the shapes."""
    table = np.array(
        [
            (forward_flops_per_byte(shape, at), at.compression_rate, latent_share(shape, at))
            for shape in map(paper_blt, LAYERS)
            for at in map(CostContext, RATES.tolist())
        ]
    )
    share = table[:, 2]
    design = _features(np.log(table[:, 0]), np.log(table[:, 1]))
    solved, *_ = np.linalg.lstsq(design, np.log(share / (1 - share)), rcond=None)
    return np.asarray(solved)
