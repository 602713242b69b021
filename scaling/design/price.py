"""What a vocabulary makes of a budget: the loss of every language, by the laws and exact shapes.

One model of N parameters in its blocks reads B bytes, of each language its share w. With T_l bytes
per token in language l and V ids, a byte costs F_l(N, T_l, V) forward FLOPs, embedding and head as
they are, so that a budget that pays for training and, at the price p, for S bytes served says

    C_total = (3 B + p S) sum_l w_l F_l(N, T_l, V)

The laws were fitted to models of 128,000 ids. A model of other ids is, but for its head, the one
that they speak of at another budget, C_l = 3 B F_l(N, T_l, 128,000), and there Law II has its loss:

    L_l = E + [Law II(C_l, T_l) - E] valley(z_l),    z_l = ln(B / N) - ln rho*_l

Law I has the best bytes per parameter rho*, and the joint law what missing it costs: one size has
to do for all languages, and serving wants a smaller one. N is the one of least sum_l w_l L_l. For
one language, 128,000 ids and nothing served that is Law I's size and Law II's loss, to the digit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from corpora.errors import InputError
from scaling.advise.forecast import Forecast
from scaling.advise.laws import Draws
from scaling.advise.serving_case import LEAST_SHARE
from scaling.engine.newton import Array
from scaling.engine.search import halfway, least
from scaling.flops import CONTEXT_BYTES, HEAD_DIM, PAPER_VOCABULARIES, TRAINING_FACTOR
from scaling.laws import joint
from scaling.laws.optimum import law1_bytes_per_param, law2_loss
from scaling.result import beyond

LAW_VOCABULARY = PAPER_VOCABULARIES["bpe"]
WIDTH_A_LAYER = 2 * HEAD_DIM  # d = 128 L
SMALLEST_MODEL = 12.0 * WIDTH_A_LAYER**2  # one layer
_BELOW, _ABOVE = 12.0, 4.0  # in ln N, how far from Law I's size it is looked for
_FARTHEST = 40.0  # in ln rho; no run lies so far off, and no number overflows there
_SERVED_FACTORS = 2.0 ** np.arange(0, 4.01, 1 / 32)  # of T*, that serving may want


class Budget(NamedTuple):
    """What may be spent: C_total FLOPs, on training and on S served bytes at the price p."""

    compute_flops: float
    served_bytes: float = 0.0
    served_price: float = 1.0


class Priced(NamedTuple):
    """What M vocabularies make of a budget, for the estimate and every draw of the laws.

    Attributes:
        loss: [R, M] bits per byte, weighted.
        losses: [R, M, L] of each language.
        params: [R, M] N of the blocks. train_bytes: [R, M] B.
        flops_per_byte: [R, M] forward, weighted: what serving a byte costs.
        train_share: [R, M] of the budget, left for training.
    """

    loss: Array
    losses: Array
    params: Array
    train_bytes: Array
    flops_per_byte: Array
    train_share: Array


def width(params: Array) -> Array:
    """Return d of the paper's subword shape: its blocks have N = 12 L d^2, with d = 128 L."""
    return np.asarray(np.cbrt(params * WIDTH_A_LAYER / 12))


def forward_flops(params: Array, rate: Array, ids: Array | float) -> Array:
    """Return forward FLOPs per byte of the paper's subword shape, between its sizes too.

    As `scaling.flops`: looking the input up costs nothing, the head 2 V d a token.

    Args:
        params: N. rate: T, bytes per token. ids: V.
    """
    dim = width(params)
    attention = 2 * dim**2 / WIDTH_A_LAYER * (CONTEXT_BYTES / rate + 1)
    return np.asarray((2 * params + attention + 2 * ids * dim) / rate)


class _Spent(NamedTuple):
    compute_flops: Array
    budget: Budget


@dataclass(frozen=True)
class MixturePrice:
    """The laws, the languages and their weights.

    Attributes:
        languages: codes. weights: [L], of any sum of one.
        ahead: of each language, [R] draws of Laws I and II with its ratios.
        valley: [R] coefficients of the joint law.
    """

    languages: Sequence[str]
    weights: Array
    ahead: Sequence[Forecast]
    valley: Draws

    def first(self, count: int) -> "MixturePrice":
        """Return the estimate and the draws after it, `count` in all, or as many as there are."""
        count = min(count, len(self.valley["E"]), *(len(each.best_rate) for each in self.ahead))
        some = {name: column[:count] for name, column in self.valley.items()}
        return MixturePrice(
            self.languages, self.weights, [each.first(count) for each in self.ahead], some
        )

    def wanted(self, budget: Budget) -> dict[str, float]:
        """Return the rate of lowest loss of each language, were ids free of cost.

        Law II's T* at the whole budget; where bytes are served, as many times that for every
        language as is best for all.
        """
        rates = np.array([float(each.best_rate[0]) for each in self.ahead])
        if budget.served_bytes:
            factors = _SERVED_FACTORS[:, None] * rates
            free = np.zeros(len(factors))
            rates = factors[int(self.first(1).of(factors, free, budget).loss[0].argmin())]
        return dict(zip(self.languages, rates.tolist(), strict=True))

    def of(self, rates: Array, ids: Array, budget: Budget, times: float | Array = 1.0) -> Priced:
        """Return what vocabularies make of a budget.

        Args:
            rates: [M, L] bytes per token. ids: [M] or [M, L] ids of each.
            times: [M], as many times the budget for each; or one number.
        """
        count = len(self.valley["E"])
        spent = _Spent(budget.compute_flops * np.asarray(times, np.float64), budget)
        rates = np.asarray(rates, np.float64)[None]
        ids = np.asarray(ids, np.float64).reshape(len(ids), -1)[None]
        centre = self._sizes(count, rates)
        low = np.maximum(centre - _BELOW, np.log(SMALLEST_MODEL))
        size = least(lambda x: self._at(x, rates, ids, spent).loss, low, centre + _ABOVE)
        return self._at(size, rates, ids, spent)

    def _sizes(self, count: int, rates: Array) -> Array:
        """Return [R, M] ln N of Law I, the languages' weighted: where the search begins."""
        total = np.zeros((count, rates.shape[1]))
        for i, (weight, each) in enumerate(zip(self.weights, self.ahead, strict=True)):
            middle = np.exp(np.log(rates[0, :, i]).mean())
            size = each.allocate(np.full(count, middle), LAW_VOCABULARY).params
            total += weight * np.log(size)[:, None]
        return total

    def _at(self, ln_params: Array, rates: Array, ids: Array, spent: _Spent) -> Priced:
        params = np.exp(ln_params)[..., None]
        cost = forward_flops(params, rates, ids)
        mean = (cost * self.weights).sum(-1)
        served = spent.budget.served_price * spent.budget.served_bytes / TRAINING_FACTOR
        bought = spent.compute_flops / (TRAINING_FACTOR * mean)
        data = bought - served
        share = data / bought
        possible = share > 0
        data = np.where(possible, data, 1.0)  # any number: the loss there is infinite
        law_flops = TRAINING_FACTOR * data[..., None] * forward_flops(params, rates, LAW_VOCABULARY)
        losses = np.stack(
            [
                self._loss(each, law_flops[..., i], params[..., 0], data, rates[..., i])
                for i, each in enumerate(self.ahead)
            ],
            axis=-1,
        )
        losses = np.where(possible[..., None], losses, np.inf)
        loss = (losses * self.weights).sum(-1)
        return Priced(loss, losses, params[..., 0], data, mean, share)

    def _loss(
        self, ahead: Forecast, flops: Array, params: Array, data: Array, rate: Array
    ) -> Array:
        laws = {name: column[:, None] for name, column in ahead.draws.items()}
        english = law2_loss(laws, flops, rate / laws["rate_ratio"])
        valley = self._valley(flops, _missed(laws, params, data, rate))
        floor = laws["E"]
        return np.asarray(
            laws["loss_ratio"] * (floor + (english - floor) * valley + laws["misfit"])
        )

    def _valley(self, flops: Array, missed: Array) -> Array:
        """Return by how much what is left to learn grows off the best bytes per parameter."""
        laws = {name: column[:, None] for name, column in self.valley.items()}
        rate = np.ones_like(flops)
        best = joint.best_loss(laws, flops, rate) - laws["E"]
        data = joint.best_bytes(laws, flops, rate) * np.exp(missed / 2)
        return np.asarray((joint.loss(laws, flops, rate, data) - laws["E"]) / best)

    def outside(
        self, priced: Priced, place: int, rates: Array, fitted: Mapping[str, tuple[float, float]]
    ) -> dict[str, dict[str, float]]:
        """Return by what factor each language leaves the runs of the laws, where it does.

        Args:
            priced: of all options. place: of one. rates: [L] bytes per token of that one.
            fitted: lowest and highest of budget, T, and bytes per effective parameter, in the
                terms of English.
        """
        params, data = priced.params[:1, place], priced.train_bytes[:1, place]
        valley = {name: column[:1] for name, column in self.valley.items()}
        found = {}
        for name, each, rate in zip(self.languages, self.ahead, rates, strict=True):
            laws = {key: column[:1] for key, column in each.draws.items()}
            flops = TRAINING_FACTOR * data * forward_flops(params, rate, LAW_VOCABULARY)
            english = rate / laws["rate_ratio"]
            ratio = joint.best_ratio(valley, flops, english)
            inputs = {
                "compute_flops": flops,
                "compression_rate": english,
                "bytes per effective parameter": ratio
                * np.exp(_missed(laws, params, data, np.asarray(rate))),
            }
            if left := beyond(inputs, fitted):
                found[name] = left
        return found


def _missed(laws: Draws, params: Array, data: Array, rate: Array) -> Array:
    """Return z, how far bytes per parameter lie from Law I's best of the language, in ln."""
    english = rate / laws["law1_rate_ratio"]
    best = laws["size_ratio"] * law1_bytes_per_param(laws, 6 * params * data / rate, english)
    return np.asarray(np.clip(np.log(data / params) - np.log(best), -_FARTHEST, _FARTHEST))


def check_left(priced: Priced, budget: Budget) -> None:
    """Refuse a budget of which serving leaves next to nothing.

    Raises:
        InputError: less than `LEAST_SHARE` is left for training, whatever the vocabulary.
    """
    share = float(priced.train_share[0].max())
    if share < LEAST_SHARE:
        raise InputError(
            f"`serve_bytes` {budget.served_bytes:g}: serving them leaves {max(share, 0):.2g} of the"
            " budget for training; serve less, or give more"
        )


MOST_MULTIPLIER = 1e3
_HALVINGS = 24  # to 5e-7 of the budget


def multiplier(
    prices: MixturePrice, rates: Array, ids: Array, budget: Budget, goal: float
) -> Array:
    """Return [M] times the budget at which vocabularies reach a loss; infinite beyond a thousand.

    Args:
        rates, ids: as of `MixturePrice.of`. goal: bits per byte, weighted.
    """
    one = prices.first(1)
    low, high = np.full(len(rates), -1.0), np.full(len(rates), np.log(MOST_MULTIPLIER))

    def loss(ln_factor: Array) -> Array:
        return np.asarray(one.of(rates, ids, budget, np.exp(ln_factor)).loss[0])

    found = np.exp(halfway(lambda x: loss(x) > goal, low, high, _HALVINGS))
    return np.where(loss(high) > goal, np.inf, found)
