"""A sum of positive powers as the engine sees it: value, slopes and bend of all copies at once.

What a step needs at one place, terms and their slopes, is worked out there once. Coordinates are
explained in `scaling.laws.power_sum`.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from scaling.engine.newton import Array, Predictor


class PositiveSum:
    """The engine's view of a sum of positive terms: theta = (heights A, slopes P) at the centre.

    A term is A exp(v) with v = sum_e P_e s_e / A, `s_e` being what its logarithm gains per unit of
    exponent e.

    Attributes:
        gains: of each term, exponent -> [n] s.
        rows: n. count: of the terms. size: p, of theta.
        owners: of each exponent, the term it belongs to.
        low: [p] bounds: no height below zero, and `least` of a term that has an exponent.
    """

    def __init__(
        self, gains: Sequence[Mapping[int, Array]], rows: int, size: int, least: float
    ) -> None:
        self.gains, self.rows, self.count, self.size = gains, rows, len(gains), size
        owners = {e: k for k, slopes in enumerate(gains) for e in slopes}
        assert len(owners) == sum(map(len, gains)), "an exponent is shared by terms"
        self.owners = [owners[e] for e in range(size - self.count)]
        self.low = np.zeros(size)
        self.low[self.owners] = least
        self._last: _PositiveTerms | None = None

    def of_log(self) -> Predictor:
        """Return the model of ln L."""

        def value(theta: Array) -> Array:
            return np.asarray(np.log(self._at(theta).total))

        def curvature(theta: Array, charges: Array) -> Array:
            at = self._at(theta)
            share = at.shares
            total = -np.swapaxes(share * charges[..., None], -1, -2) @ share
            return np.asarray(total + self._bend(at, charges / at.total))

        return Predictor(value, lambda theta: self._at(theta).shares, curvature, self.low)

    def of_value(self) -> Predictor:
        """Return the model of L itself, in the same coordinates."""

        def bend(theta: Array, charges: Array) -> Array:
            return self._bend(self._at(theta), charges)

        return Predictor(
            lambda theta: self._at(theta).total,
            lambda theta: self._at(theta).slopes,
            bend,
            self.low,
        )

    def exponents(self, theta: Array) -> Array:
        """Return [R, e] exponents."""
        return np.asarray(theta[:, self.count :] / theta[:, self.owners])

    def slopes(self, at: "_PositiveTerms") -> Array:
        """Return [R, n, p] d L / d theta."""
        out = np.empty((*at.total.shape, self.size))
        for k, (power, growth) in enumerate(zip(at.powers, at.growths, strict=True)):
            out[..., k] = growth * (1 - power)
            for e, slope in self.gains[k].items():
                out[..., self.count + e] = growth * slope
        return out

    def _bend(self, at: "_PositiveTerms", charges: Array) -> Array:
        """Return [R, p, p] `sum_n charges_n d2 L_n / d theta2`: each term's has rank one."""
        out = np.zeros((len(at.theta), self.size, self.size))
        for k, (power, growth) in enumerate(zip(at.powers, at.growths, strict=True)):
            if not self.gains[k]:
                continue
            weight = growth * charges / at.theta[:, [k]]
            out[:, k, k] = np.einsum("rn,rn,rn->r", weight, power, power)
            for e, slope in self.gains[k].items():
                row = self.count + e
                out[:, k, row] = out[:, row, k] = -(weight * power) @ slope
                for f, other in self.gains[k].items():
                    out[:, row, self.count + f] = weight @ (slope * other)
        return out

    def _at(self, theta: Array) -> "_PositiveTerms":
        """Return the terms at theta, those of the last call where it is the same.

        A step asks for value, Jacobian and curvature at one place, which it has tried before.
        """
        if self._last is None or not np.array_equal(self._last.theta, theta):
            self._last = _PositiveTerms(self, theta.copy())
        return self._last


class _PositiveTerms:
    """The terms of a sum at one place.

    Attributes:
        theta: [R, p]. powers, growths: of each term, v and exp(v), [R, n]; of one without an
            exponent, [R, 1]. total: [R, n] L.
    """

    def __init__(self, of: PositiveSum, theta: Array) -> None:
        self._of, self.theta = of, theta
        self.powers: list[Array] = []
        self.growths: list[Array] = []
        self.total = np.zeros((len(theta), of.rows))
        for k, slopes in enumerate(of.gains):
            power = np.zeros((len(theta), 1))
            for e, slope in slopes.items():
                power = power + (theta[:, [of.count + e]] / theta[:, [k]]) * slope
            self.powers.append(power)
            self.growths.append(np.exp(power))
            self.total += theta[:, [k]] * self.growths[k]

    @cached_property
    def slopes(self) -> Array:
        """[R, n, p] d L / d theta."""
        return self._of.slopes(self)

    @cached_property
    def shares(self) -> Array:
        """[R, n, p] d ln L / d theta."""
        return np.asarray(self._of.slopes(self) / self.total[..., None])
