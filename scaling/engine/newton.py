"""Many copies of one small fitting problem at once: losses, damped Newton steps, linear solves.

One batch holds all starts of a search, or all replicates of a bootstrap. Each copy has its own
damping and leaves the batch when it has converged, so the work is a few dozen array operations
whatever the number of copies. Parameters may have bounds: one that a step would take across its
bound stops there, and stays while the objective falls towards the outside (Bertsekas 1982).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Loss(NamedTuple):
    """Huber's loss, its two sides charged apart, summed (never averaged) over the rows.

    A residual r (observed less predicted) costs `side * r^2 / 2` within `delta` of zero and
    `side * delta * (|r| - delta / 2)` beyond it, with `side` = `above` where r > 0 and `below`
    elsewhere. The sum matters: an average shrinks the objective until a quasi-Newton method stops
    early (Besiroglu et al. 2024, arXiv 2404.10102).

    Attributes:
        delta: where squares turn into absolute values; infinity for least squares.
        above: charge for a point above the curve.
        below: charge for a point below the curve.
    """

    delta: float = np.inf
    above: float = 1.0
    below: float = 1.0

    def value(self, residuals: Array, weights: Array) -> Array:
        """Return [...] the summed loss of [..., n] residuals."""
        size = np.abs(residuals)
        if np.isinf(self.delta):
            cost = 0.5 * size**2
        else:
            cost = np.where(
                size <= self.delta, 0.5 * size**2, self.delta * (size - 0.5 * self.delta)
            )
        return np.asarray(np.sum(cost * self._side(residuals) * weights, axis=-1))

    def slope(self, residuals: Array) -> Array:
        """Return [..., n] the derivative of each row's loss with respect to its residual."""
        inside = residuals if np.isinf(self.delta) else np.clip(residuals, -self.delta, self.delta)
        return np.asarray(inside * self._side(residuals))

    def curvature(self, residuals: Array) -> Array:
        """Return [..., n] the second derivative: `side` within delta, zero beyond."""
        return np.asarray((np.abs(residuals) <= self.delta) * self._side(residuals))

    def _side(self, residuals: Array) -> Array:
        if self.above == self.below == 1.0:
            return np.ones(1)
        return np.where(residuals > 0, self.above, self.below)


SQUARES = Loss()


# Of a batch, so that its Jacobian stays within the processor's cache: copies, and rows of them all.
CHUNK, ROWS_AT_ONCE = 512, 1 << 17
MOST_ITERATIONS = 2000  # a guard: what is well posed needs a few dozen
SHORTER = (0.5, 0.25, 0.0625)  # shares of a step that are tried where the whole of it overshoots


class Predictor(NamedTuple):
    """A law with its data closed over, as the engine sees it.

    Attributes:
        value: [R, p] parameters -> [R, n] predictions.
        jacobian: [R, p] -> [R, n, p] their derivatives.
        curvature: ([R, p], [R, n] s) -> [R, p, p] `sum_n s_n d2 value_n`, or None, where
            Gauss-Newton steps suffice.
        low, high: [p] bounds of the parameters, infinite where there are none; None for no bounds.
        derivatives: ([R, p], [R, n] s, [R, n] b) -> [R, p] gradient and [R, p, p] Hessian of the
            summed loss, s and b being the derivatives of each row's loss by its residual; for a law
            that has them faster than from its Jacobian.
    """

    value: Callable[[Array], Array]
    jacobian: Callable[[Array], Array]
    curvature: Callable[[Array, Array], Array] | None = None
    low: Array | None = None
    high: Array | None = None
    derivatives: Callable[[Array, Array, Array], tuple[Array, Array]] | None = None

    def within(self, theta: Array) -> Array:
        """Return [..., p] parameters, those beyond a bound moved onto it."""
        if self.low is None and self.high is None:
            return theta
        return np.asarray(np.clip(theta, self.low, self.high))

    def held(self, theta: Array, gradient: Array) -> NDArray[np.bool_]:
        """Return [R, p] which parameters are at a bound across which the objective would fall."""
        held = np.zeros(theta.shape, bool)
        if self.low is not None:
            held |= (theta <= self.low) & (gradient > 0)
        if self.high is not None:
            held |= (theta >= self.high) & (gradient < 0)
        return held


def exponential(model: Predictor) -> Predictor:
    """Return the model of L, given that of ln L with its curvature, in the same coordinates."""
    bends = model.curvature
    assert bends is not None

    def value(theta: Array) -> Array:
        return np.asarray(np.exp(model.value(theta)))

    def jacobian(theta: Array) -> Array:
        return np.asarray(value(theta)[..., None] * model.jacobian(theta))

    def curvature(theta: Array, slopes: Array) -> Array:
        scaled, along = slopes * value(theta), model.jacobian(theta)
        outer = np.swapaxes(along * scaled[..., None], -1, -2) @ along
        return np.asarray(bends(theta, scaled) + outer)

    return Predictor(value, jacobian, curvature, model.low, model.high)


def above_floor(excess: Predictor, coordinates: int) -> Predictor:
    """Return the model of ln L, L = E + exp(x), given that of x with its curvature.

    E is the first coordinate, before the [p] of x: a floor of 0 is then a bound, which a fit can
    lie on, where ln E would run away.
    """
    bends = excess.curvature
    assert bends is not None
    free = np.full(coordinates, np.inf)
    low = np.append(0.0, -free if excess.low is None else excess.low)
    high = np.append(np.inf, free if excess.high is None else excess.high)

    def value(theta: Array) -> Array:
        return np.asarray(np.log(theta[:, :1] + np.exp(excess.value(theta[:, 1:]))))

    def jacobian(theta: Array) -> Array:
        grown = np.exp(excess.value(theta[:, 1:]))[..., None]
        slopes = grown * excess.jacobian(theta[:, 1:])
        whole = np.concatenate([np.ones_like(grown), slopes], axis=-1)
        return np.asarray(whole / (theta[:, :1, None] + grown))

    def curvature(theta: Array, charges: Array) -> Array:
        grown, along = np.exp(excess.value(theta[:, 1:])), excess.jacobian(theta[:, 1:])
        share = charges * grown / (theta[:, :1] + grown)
        slopes = jacobian(theta)
        out = -np.swapaxes(slopes * charges[..., None], -1, -2) @ slopes
        out[:, 1:, 1:] += np.swapaxes(along * share[..., None], -1, -2) @ along
        out[:, 1:, 1:] += bends(theta[:, 1:], share)
        return np.asarray(out)

    return Predictor(value, jacobian, curvature, low, high)


class Minimum(NamedTuple):
    """Where each copy ended.

    Attributes:
        theta: [R, p] parameters.
        objective: [R] summed loss there.
        converged: [R] whether the step became negligible before the iterations ran out.
    """

    theta: Array
    objective: Array
    converged: NDArray[np.bool_]

    def best(self) -> "Minimum":
        """Return the copy of the lowest objective, as a batch of one."""
        lowest = int(np.argmin(np.where(np.isfinite(self.objective), self.objective, np.inf)))
        only = slice(lowest, lowest + 1)
        return Minimum(self.theta[only], self.objective[only], self.converged[only])


def minimise(
    model: Predictor,
    target: Array,
    weights: Array,
    start: Array,
    loss: Loss,
    iterations: int = MOST_ITERATIONS,
    tolerance: float = 1e-13,
) -> Minimum:
    """Minimise the summed loss of `target - model.value(theta)` from each start, within bounds.

    Args:
        target: [n] or [R, n] observations.
        weights: [n] or [R, n] multiplicities of the rows.
        start: [R, p].
        tolerance: a copy has converged when its step promises to lower the objective by less than
            this fraction of it.
    """
    copies = len(start)
    chunk = min(CHUNK, max(1, ROWS_AT_ONCE // target.shape[-1]))
    target = np.broadcast_to(target, (copies, target.shape[-1]))
    weights = np.broadcast_to(weights, (copies, weights.shape[-1]))
    parts = [
        _minimise_chunk(
            model, target[rows], weights[rows], start[rows], loss, iterations, tolerance
        )
        for rows in (slice(at, at + chunk) for at in range(0, copies, chunk))
    ]
    return Minimum(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _minimise_chunk(
    model: Predictor,
    target: Array,
    weights: Array,
    start: Array,
    loss: Loss,
    iterations: int,
    tolerance: float,
) -> Minimum:
    theta = np.array(model.within(start), np.float64)

    def tried(rows: NDArray[np.int64], at: Array) -> tuple[Array, Array]:
        with np.errstate(all="ignore"):  # a wild trial may overflow; it is then refused
            left = target[rows] - model.value(at)
            return left, loss.value(left, weights[rows])

    residuals, objective = tried(np.arange(len(theta)), theta)
    damping = np.full(len(theta), 1e-3)
    done = ~np.isfinite(objective)
    failed = done.copy()
    for _ in range(iterations):
        live = np.flatnonzero(~done)
        if not len(live):
            break
        here = theta[live]
        gradient, hessian = _derivatives(model, residuals[live], weights[live], here, loss)
        _hold(model.held(here, gradient), gradient, hessian)
        step, promise = _step(gradient, hessian, damping[live])
        trial = model.within(here - step)
        missed, reached = tried(live, trial)
        whole = better = reached < objective[live]
        for share in SHORTER:
            # Losses with kinks bend within a step: along it, less may be more.
            over = np.flatnonzero(~better)
            if not len(over):
                break
            trial[over] = model.within(here[over] - share * step[over])
            missed[over], reached[over] = tried(live[over], trial[over])
            better = reached < objective[live]
        theta[live[better]], residuals[live[better]] = trial[better], missed[better]
        drop = np.where(better, objective[live] - reached, 0.0)
        objective[live] -= drop
        change = np.where(whole, 0.2, np.where(better, 1.0, 16.0))
        damping[live] = np.clip(damping[live] * change, 1e-15, 1e12)
        small = promise <= tolerance * np.maximum(objective[live], 1e-300)
        stuck = damping[live] >= 1e11
        done[live[small | stuck]] = True
    return Minimum(theta, objective, done & ~failed)


def _hold(held: NDArray[np.bool_], gradient: Array, hessian: Array) -> None:
    """Take parameters that are held at their bound out of [R, p] and [R, p, p], in place."""
    if held.any():
        gradient[held] = 0.0
        hessian[held] = 0.0
        np.swapaxes(hessian, -1, -2)[held] = 0.0
        np.einsum("rpp->rp", hessian)[held] = 1.0


def _derivatives(
    model: Predictor, residuals: Array, weights: Array, theta: Array, loss: Loss
) -> tuple[Array, Array]:
    slope = loss.slope(residuals) * weights
    bend = loss.curvature(residuals) * weights
    if model.derivatives is not None:
        return model.derivatives(theta, slope, bend)
    jacobian = model.jacobian(theta)
    gradient = -np.einsum("rn,rnp->rp", slope, jacobian)
    hessian = np.swapaxes(jacobian * bend[..., None], -1, -2) @ jacobian
    if model.curvature is not None:
        hessian = hessian - model.curvature(theta, slope)
    return gradient, hessian


def _step(gradient: Array, hessian: Array, damping: Array) -> tuple[Array, Array]:
    """Return the damped step and the drop it promises; saddles are turned into descents.

    Parameters are scaled by the size of their own curvature, and negative eigenvalues are replaced
    by their absolute values (Dauphin et al. 2014, arXiv 1406.2572), so the step always descends.
    """
    scale = np.sqrt(np.abs(np.einsum("rpp->rp", hessian)))
    scale = np.where(scale > 1e-12 * scale.max(-1, keepdims=True), scale, 1.0)
    values, vectors = np.linalg.eigh(hessian / (scale[:, :, None] * scale[:, None, :]))
    size = np.maximum(np.abs(values), 1e-14) + damping[:, None]
    along = np.einsum("rpq,rp->rq", vectors, gradient / scale) / size
    step = np.einsum("rpq,rq->rp", vectors, along) / scale
    promise = 0.5 * np.einsum("rp,rp->r", step, gradient)
    return step, promise


def solve_weighted(design: Array, target: Array, weights: Array) -> Array:
    """Return the coefficients that minimise `sum w (y - X b)^2` for each problem of a batch.

    A bootstrap replicate is the same rows with other weights, so a thousand replicates are one
    batch of small normal equations instead of a thousand calls.

    Columns are scaled to unit length before the normal equations are formed, and the solution is
    refined once on its own residuals, which gives back the digits that squaring the condition
    number costs.

    Args:
        design: [..., n, m] X; leading axes broadcast against those of the others.
        target: [..., n] y.
        weights: [..., n] w, not negative.

    Returns:
        [..., m] coefficients; rows of NaN where the weighted design has not full rank.
    """
    scale = np.sqrt(np.einsum("...ni,...n,...ni->...i", design, weights, design))
    scale = np.where(scale > 0, scale, 1.0)
    unit = design / scale[..., None, :]
    weighted = np.swapaxes(unit * weights[..., None], -1, -2)
    normal = weighted @ unit
    identity = np.eye(normal.shape[-1])
    lost = ~np.isfinite(normal).all(axis=(-2, -1))
    safe = np.where(lost[..., None, None], identity, normal)
    lost |= ~(_reciprocal_condition(safe) > 1e-13)
    safe = np.where(lost[..., None, None], identity, safe)
    solution = np.linalg.solve(safe, weighted @ target[..., None])
    residual = target[..., None] - unit @ solution
    solution = solution + np.linalg.solve(safe, weighted @ residual)
    coefficients: Array = np.where(lost[..., None], np.nan, solution[..., 0] / scale)
    return coefficients


def _reciprocal_condition(normal: Array) -> Array:
    values = np.linalg.eigvalsh(normal)
    return np.asarray(values[..., 0] / np.maximum(values[..., -1], 1e-300))
