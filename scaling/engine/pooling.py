"""A line through estimates of several groups, each of which may lie off it: partial pooling.

    y_l = x_l' beta + u_l + e_l,   u_l ~ N(0, tau^2),   e ~ N(0, s V)

V is what is known of the estimates' own errors, and s ~ f / chi-square(f) how well that is known
(f the degrees of freedom behind it). tau maximises the restricted likelihood (Patterson and
Thompson 1971), and each group's value is its best linear unbiased prediction: its own estimate,
drawn towards the line the more, the larger its error beside tau.

Draws are what is left open. Those of the line have Student's t intervals of m - q degrees, scaled
by how far the groups lie off it (Knapp and Hartung 2003): exact where there are no errors, and
where there is nothing but errors of one size. Those of tau follow its restricted likelihood, and
those of the groups what they are given tau and a line; few groups tell little of tau, and its draws
hold that. Its prior is 1 / sqrt(tau^2 + s^2), s^2 being the harmonic mean of the errors: flat where
errors hide tau (Gelman 2006), and where there are none that of a standard deviation.

All is done along the eigenvectors of V, where errors are independent.
"""

from typing import NamedTuple

import numpy as np

from scaling.engine.newton import Array
from scaling.engine.search import least

SPARE = 2  # groups beyond the line's coefficients: with fewer, nothing bounds tau from above
_NODES = 161  # of a grid of tau, finer towards 0
_AT_ONCE = 1000  # draws of tau, for memory
_TOP = 30.0  # times the scatter about the line, beyond which tau is not looked for


class PooledGroups(NamedTuple):
    """The estimate of a pooled line.

    Attributes:
        line: [q] beta. tau: standard deviation between groups.
        groups: [m] values, drawn towards the line.
        weights: [m] of each group's own estimate in its value; the rest is the line's and the
            others'.
    """

    line: Array
    tau: float
    groups: Array
    weights: Array


class PooledDraws(NamedTuple):
    """Draws: [R, q] of the line, [R] of tau, [R, m] of the groups."""

    line: Array
    tau: Array
    groups: Array


class _Rotated(NamedTuple):
    """The estimates along the eigenvectors of their errors: back [m, m], [m], [m, q] and [m].

    Attributes:
        top: the largest tau looked for. usual: s^2 of its prior.
    """

    back: Array
    y: Array
    x: Array
    errors: Array
    top: float
    usual: float


def pool(y: Array, x: Array, errors: Array) -> PooledGroups:
    """Return the line and the groups at the tau of the largest restricted likelihood.

    Args:
        y: [m] estimates. x: [m, q] design, of full rank with m > q. errors: [m, m] covariance V.
    """
    turned = _rotated(y, x, errors)
    tau = _restricted_tau(turned)
    variance = turned.errors + max(tau**2, _tiny(turned))
    line, _, _ = _line(turned, variance)
    share = tau**2 / variance
    residuals = turned.y - turned.x @ line
    groups = x @ line + turned.back @ (share * residuals)
    weights = np.einsum("ij,j,ij->i", turned.back, share, turned.back)
    return PooledGroups(line, tau, groups, weights)


def draw_pooled(
    y: Array, x: Array, errors: Array, free: float, draws: int, generator: np.random.Generator
) -> PooledDraws:
    """Return draws of the same.

    Args:
        y, x, errors: as `pool` takes them, with m of at least q + `SPARE`.
        free: f; infinity where the errors are known.
    """
    turned = _rotated(y, x, errors)
    scale = free / generator.chisquare(free, draws) if np.isfinite(free) else np.ones(draws)
    parts = np.split(scale, range(_AT_ONCE, draws, _AT_ONCE))
    tau = np.concatenate([_drawn_taus(turned, part, generator) for part in parts])
    between = np.maximum(tau**2, _tiny(turned))[:, None]
    spent = scale[:, None] * turned.errors
    line, covariance, _ = _line(turned, spent + between)
    given_tau = line + _spread(covariance, generator)
    share = between / (spent + between)
    at = given_tau @ turned.x.T
    noise = np.sqrt(share * spent) * generator.standard_normal(at.shape)
    along = at + share * (turned.y - at) + noise
    return PooledDraws(_drawn_lines(turned, draws, generator), tau, along @ turned.back.T)


def _drawn_lines(turned: _Rotated, draws: int, generator: np.random.Generator) -> Array:
    """Return [R, q] of the line at the tau of the largest likelihood."""
    variance = turned.errors + max(_restricted_tau(turned) ** 2, _tiny(turned))
    line, covariance, _ = _line(turned, variance)
    off = float(np.sum((turned.y - turned.x @ line) ** 2 / variance))
    scales = off / generator.chisquare(len(turned.y) - len(line), draws)
    return np.asarray(
        line + np.sqrt(scales)[:, None] * _spread(np.array([covariance]), generator, draws)
    )


def _spread(covariance: Array, generator: np.random.Generator, draws: int = 0) -> Array:
    """Return [R, q] normal draws of [R, q, q] covariances, or `draws` of a single one."""
    root = np.linalg.cholesky(covariance)
    count, q = max(draws, len(covariance)), covariance.shape[-1]
    return np.asarray(
        np.einsum(
            "rij,rj->ri",
            np.broadcast_to(root, (count, q, q)),
            generator.standard_normal((count, q)),
        )
    )


def _drawn_taus(turned: _Rotated, scale: Array, generator: np.random.Generator) -> Array:
    """Return a tau for each of [R] scales of the errors, by its restricted likelihood there."""
    grid = turned.top * np.linspace(0, 1, _NODES) ** 3
    spent = scale[:, None, None] * turned.errors
    heights = _line(turned, spent + np.maximum(grid[:, None] ** 2, _tiny(turned)))[2]
    heights = heights - 0.5 * np.log(grid**2 + scale[:, None] * turned.usual)
    middles = (heights[:, 1:] + heights[:, :-1]) / 2
    mass = np.exp(middles - middles.max(axis=1, keepdims=True)) * np.diff(grid)
    climbed = np.cumsum(mass, axis=1) / mass.sum(axis=1, keepdims=True)
    chance = generator.random(len(scale))
    cell = np.minimum((climbed < chance[:, None]).sum(axis=1), _NODES - 2)
    return np.asarray(grid[cell] + generator.random(len(scale)) * np.diff(grid)[cell])


def _rotated(y: Array, x: Array, errors: Array) -> _Rotated:
    values, back = np.linalg.eigh(errors)
    values = np.maximum(values, 0.0)
    residuals = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    scatter = np.sqrt(float(residuals @ residuals) / (len(y) - x.shape[1]))
    top = _TOP * max(scatter, float(np.sqrt(values.max())), 1e-9)
    usual = 1 / float(np.mean(1 / np.maximum(values, 1e-12 * top**2)))
    return _Rotated(back, back.T @ y, back.T @ x, values, top, usual)


def _tiny(turned: _Rotated) -> float:
    """Return a variance that is none, so that nothing is divided by it."""
    return float((1e-7 * turned.top) ** 2)


def _line(turned: _Rotated, variance: Array) -> tuple[Array, Array, Array]:
    """Return [..., q] beta, [..., q, q] its covariance and [...] the restricted log likelihood.

    Args:
        variance: [..., m] of each rotated estimate.
    """
    weights, q = 1 / variance, turned.x.shape[1]
    products = (turned.x[:, :, None] * turned.x[:, None, :]).reshape(-1, q * q)
    information = (weights @ products).reshape(*weights.shape[:-1], q, q)
    covariance: Array = np.asarray(np.linalg.inv(information), np.float64)
    moments = weights @ (turned.x * turned.y[:, None])
    line = (covariance @ moments[..., None])[..., 0]
    residuals = turned.y - line @ turned.x.T
    height = np.log(variance) + weights * residuals**2
    volume = np.log(np.linalg.det(information))
    return line, covariance, np.asarray(-0.5 * (height.sum(axis=-1) + volume))


def _restricted_tau(turned: _Rotated) -> float:
    def fall(tau: Array) -> Array:
        between = np.maximum(tau**2, _tiny(turned))
        return -_line(turned, turned.errors + between[..., None])[2]

    grid = turned.top * np.linspace(0, 1, _NODES) ** 3
    best = int(np.argmin(fall(grid)))
    ends = grid[[max(best - 1, 0), min(best + 1, _NODES - 1)]]
    tau = float(least(fall, ends[:1], ends[1:])[0])
    at_zero, here = fall(np.array([0.0, tau]))
    return 0.0 if at_zero <= here else tau
