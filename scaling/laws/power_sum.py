"""Laws that are sums of powers, declared as data: L = sum_k a_k prod_c x_c^(s theta).

A law names its terms: the amplitude of each, and which columns are raised to which exponents.

    L = E + A N^-alpha + B D^-beta    PowerSum((Term("E"), Term("A", {"N": "-alpha"}),
                                                Term("B", {"D": "-beta"})), exponents)

Everything else follows from that: the formula, the engine's value, Jacobian and curvature, the way
back to published coefficients, and starts (a grid over the exponents, the amplitudes solved at each
node). Logarithms are measured from their means, where amplitudes and exponents hardly correlate.

A sum whose terms are to stay positive is searched in each term's height A and slope P = A theta at
the centre instead: A exp(-theta x) = A exp(-P x / A) is the perspective of an exponential, convex
in (A, P) together, and the long valley between E, A and alpha, curved in their logarithms, is
straight. No coefficient below zero is then a bound of a coordinate, which a fit can lie on.
"""

from collections.abc import Mapping
from copy import copy
from math import comb
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaling.engine.newton import Array, Loss, Predictor, above_floor, exponential
from scaling.engine.problem import Node, Problem, grid, search
from scaling.laws.positive_sum import PositiveSum

Coefficients = Mapping[str, Any]  # a number, or an array of draws, by name
# Of the lowest loss: the least height of a term that has an exponent, and one to start from.
LEAST_SHARE, START_SHARE = 1e-9, 1e-4
MOST_SEARCHED = 2048  # rows


class Term(NamedTuple):
    """One term of a sum.

    Attributes:
        name: of its amplitude.
        powers: column -> the signed exponent it is raised to, e.g. `{"N": "-alpha"}`.
        log: a column whose logarithm is a further factor, and that factor's whole power.
    """

    name: str
    powers: Mapping[str, str] = {}
    log: tuple[str, int] = ("", 0)


class PowerSum(NamedTuple):
    """A sum of powers.

    Attributes:
        terms: in the order of the amplitudes among the coefficients.
        exponents: name -> the values that the search for starts tries; they follow the amplitudes.
        negated: amplitudes that are published with their sign changed.
    """

    terms: tuple[Term, ...]
    exponents: Mapping[str, Array]
    negated: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The coefficients: amplitudes, then exponents."""
        return (*(term.name for term in self.terms), *self.exponents)

    def value(self, p: Coefficients, **columns: Array) -> Array:
        """Return L at the columns; coefficients and columns broadcast."""
        total: Any = 0.0
        for term in self.terms:
            product = -p[term.name] if term.name in self.negated else p[term.name]
            for column, power in term.powers.items():
                product = product * columns[column] ** _signed(p, power)
            if term.log[1]:
                product = product * np.log(columns[term.log[0]]) ** term.log[1]
            total = total + product
        return np.asarray(total)

    def problem(
        self, columns: Mapping[str, Array], loss: Array, charge: Loss, keep: int
    ) -> tuple[Problem, Array]:
        """Return the engine's problem, amplitudes free in sign, and at most `keep` starts.

        Args:
            columns: [n] each; loss: [n] observations.
            charge: how a residual is charged.
        """
        data = _Centred(self, columns)
        count = len(self.terms)

        def value(theta: Array) -> Array:
            design = data.design(theta[:, count:])
            return np.asarray(np.einsum("rnk,rk->rn", design, theta[:, :count]))

        def jacobian(theta: Array) -> Array:
            design = data.design(theta[:, count:])
            out = np.zeros((*design.shape[:2], len(self.names)))
            out[..., :count] = design
            for k, slopes in enumerate(data.slopes):
                for e, slope in slopes.items():
                    out[..., count + e] += theta[:, [k]] * design[..., k] * slope
            return out

        def public(theta: Array) -> dict[str, Array]:
            raw = theta[:, :count] * np.exp(-theta[:, count:] @ data.shifts.T)
            return self._published(raw, theta[:, count:], data.means)

        nodes = self._nodes(data, loss, charge, keep, relative=False)
        starts = np.concatenate([nodes.linear, nodes.exponents], axis=1)
        return Problem(Predictor(value, jacobian), loss, charge, self.names, public), starts

    def log_problem(
        self, columns: Mapping[str, Array], loss: Array, charge: Loss, keep: int, *, relative: bool
    ) -> tuple[Problem, Array]:
        """Return the same with logarithms of the amplitudes, for exponents that terms share.

        The first term is the floor, a constant that may be 0.

        Args:
            relative: residuals are differences of ln L instead of L.
        """
        data = _Centred(self, columns)
        count = len(self.terms)
        above = _LogSum(_Centred(self._replace(terms=self.terms[1:]), columns), count - 1)
        model = above_floor(above.of_log(), len(self.names) - 1)

        def public(theta: Array) -> dict[str, Array]:
            with np.errstate(over="ignore"):
                raw = np.exp(theta[:, 1:count] - theta[:, count:] @ data.shifts[1:].T)
            amplitudes = np.concatenate([theta[:, :1], raw], axis=1)
            return self._published(amplitudes, theta[:, count:], data.means)

        nodes = self._nodes(data, loss, charge, keep, relative)
        # A negative amplitude has no logarithm; such a node starts from a small positive one.
        heights = np.maximum(nodes.linear, START_SHARE * float(loss.min()))
        logs = np.concatenate([heights[:, :1], np.log(heights[:, 1:])], axis=1)
        starts = np.concatenate([logs, nodes.exponents], axis=1)
        if relative:
            return Problem(model, np.log(loss), charge, self.names, public), starts
        return Problem(exponential(model), loss, charge, self.names, public), starts

    def positive_problem(
        self, columns: Mapping[str, Array], loss: Array, charge: Loss, keep: int, *, relative: bool
    ) -> tuple[Problem, Array]:
        """Return the same with no amplitude below zero, nor an exponent of the other sign.

        Each exponent belongs to one term.

        Args:
            relative: residuals are differences of ln L instead of L.
        """
        data = _Centred(self, columns)
        count = len(self.terms)
        least = LEAST_SHARE * float(loss.min())
        model = PositiveSum(data.slopes, len(loss), len(self.names), least)

        def public(theta: Array) -> dict[str, Array]:
            exponents = model.exponents(theta)
            with np.errstate(over="ignore"):
                raw = theta[:, :count] * np.exp(-exponents @ data.shifts.T)
            return self._published(raw, exponents, data.means)

        nodes = self._nodes(data, loss, charge, keep, relative)
        # A node may want an amplitude below zero; it starts from a small one.
        heights = np.maximum(nodes.linear, START_SHARE * float(loss.min()))
        starts = np.concatenate([heights, nodes.exponents * heights[:, model.owners]], axis=1)
        target = np.log(loss) if relative else loss
        predictor = model.of_log() if relative else model.of_value()
        return Problem(predictor, target, charge, self.names, public), starts

    def _nodes(
        self, data: "_Centred", loss: Array, charge: Loss, keep: int, relative: bool
    ) -> Node:
        """Return the best nodes of the grid of exponents; they need not know a sharp kink, nor all
        rows of a large table, of which some are taken evenly from the lowest loss to the highest.
        """
        eased = charge._replace(delta=max(charge.delta, 1e-3))
        if len(loss) > MOST_SEARCHED:
            rows = np.argsort(loss, kind="stable")[:: -(-len(loss) // MOST_SEARCHED)]
            data, loss = data.of_rows(rows), loss[rows]
        nodes, ones = grid(list(self.exponents.values())), np.ones(len(loss))
        return search(data.design, loss, ones, nodes, eased, keep, relative=relative)

    def _published(
        self, amplitudes: Array, exponents: Array, means: Mapping[str, float]
    ) -> dict[str, Array]:
        """Return the coefficients, [R] each; what is left to undo is the centring of `log`."""
        published = {}
        for index, term in enumerate(self.terms):
            value = amplitudes[:, index]
            for other, higher in enumerate(self.terms):
                column, order = higher.log
                # (ln x - m)^k, multiplied out, has a part in every lower power of ln x.
                if order > term.log[1] and not term.powers and term.log[0] in ("", column):
                    part = comb(order, term.log[1]) * (-means[column]) ** (order - term.log[1])
                    value = value + part * amplitudes[:, other]
            published[term.name] = -value if term.name in self.negated else value
        return published | dict(zip(self.exponents, exponents.T, strict=True))


def _signed(p: Coefficients, power: str) -> Any:
    return -p[power[1:]] if power.startswith("-") else p[power]


class _Centred:
    """The logarithms of a law's columns, measured from their means.

    Attributes:
        means: of the logarithm of each column.
        slopes: of each term, exponent -> [n] what it adds to the logarithm of the term, per unit.
        shifts: [k, e] the same at the means.
        factors: [n, k] of the terms that have a logarithm for a factor; 1 elsewhere.
    """

    def __init__(self, law: PowerSum, columns: Mapping[str, Array]) -> None:
        logs = {name: np.log(column) for name, column in columns.items()}
        self.means = {name: float(log.mean()) for name, log in logs.items()}
        centred = {name: log - self.means[name] for name, log in logs.items()}
        names = list(law.exponents)
        self.slopes: list[dict[int, Array]] = []
        self.shifts = np.zeros((len(law.terms), len(names)))
        self.factors = np.ones((len(next(iter(logs.values()))), len(law.terms)))
        for k, term in enumerate(law.terms):
            slopes: dict[int, Array] = {}
            for column, power in term.powers.items():
                e, sign = names.index(power.lstrip("-")), -1.0 if power.startswith("-") else 1.0
                slopes[e] = slopes.get(e, 0.0) + sign * centred[column]
                self.shifts[k, e] += sign * self.means[column]
            self.slopes.append(slopes)
            if term.log[1]:
                self.factors[:, k] = centred[term.log[0]] ** term.log[1]

    def of_rows(self, rows: NDArray[np.int64]) -> "_Centred":
        """Return these rows, measured from the same means."""
        some = copy(self)
        some.slopes = [{e: slope[rows] for e, slope in of.items()} for of in self.slopes]
        some.factors = self.factors[rows]
        return some

    def design(self, exponents: Array) -> Array:
        """Return [R, n, k] columns whose weighted sum is L, at [R, e] exponents."""
        return np.exp(self.logs(np.zeros((1, len(self.slopes))), exponents)) * self.factors

    def logs(self, levels: Array, exponents: Array) -> Array:
        """Return [R, n, k] logarithms of the terms, from those of [R, k] amplitudes."""
        out = np.empty((len(exponents), *self.factors.shape))
        for k, slopes in enumerate(self.slopes):
            total = levels[:, [k]]
            for e, slope in slopes.items():
                total = total + exponents[:, [e]] * slope
            out[..., k] = total
        return out


class _LogSum:
    """The engine's view of a sum of positive terms, theta = (ln amplitudes, exponents)."""

    def __init__(self, data: _Centred, count: int) -> None:
        self.data, self.count, self.size = data, count, count + data.shifts.shape[1]

    def of_log(self) -> Predictor:
        """Return the model of ln L."""
        return Predictor(self.log_value, self.log_jacobian, self.log_curvature)

    def log_value(self, theta: Array) -> Array:
        """Return [R, n] ln L."""
        return np.asarray(np.logaddexp.reduce(self._logs(theta), axis=-1))

    def log_jacobian(self, theta: Array) -> Array:
        """Return [R, n, p] d ln L / d theta: each term's share of L, times its own slope."""
        share = self._shares(theta)
        out = np.zeros((*share.shape[:2], self.size))
        out[..., : self.count] = share
        for k, slopes in enumerate(self.data.slopes):
            for e, slope in slopes.items():
                out[..., self.count + e] += slope * share[..., k]
        return out

    def log_curvature(self, theta: Array, slopes: Array) -> Array:
        """Return [R, p, p] `sum_n s_n d2 ln L_n / d theta2` (the Hessian of a log-sum-exp)."""
        jacobian = self.log_jacobian(theta)
        total = -np.swapaxes(jacobian * slopes[..., None], -1, -2) @ jacobian
        return np.asarray(total + self._products(self._shares(theta) * slopes[..., None]))

    def _logs(self, theta: Array) -> Array:
        return self.data.logs(theta[:, : self.count], theta[:, self.count :])

    def _shares(self, theta: Array) -> Array:
        logs = self._logs(theta)
        size = np.exp(logs - logs.max(-1, keepdims=True))
        return np.asarray(size / size.sum(-1, keepdims=True))

    def _products(self, weights: Array) -> Array:
        """Return [R, p, p] `sum_nk weights_nk v_nk v_nk'`, v being each term's own gradient."""
        out = np.zeros((len(weights), self.size, self.size))
        for k, slopes in enumerate(self.data.slopes):
            weight = weights[..., k]
            out[:, k, k] = weight.sum(-1)
            for e, slope in slopes.items():
                row = self.count + e
                out[:, k, row] = out[:, row, k] = weight @ slope
                for f, other in slopes.items():
                    out[:, row, self.count + f] += weight @ (slope * other)
        return out
