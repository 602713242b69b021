"""The lowest place of a sum of exponentials on the capped simplex.

    minimise f(w) = sum_l v_l exp(u_l . w)   over   0 <= w <= cap, sum_j w_j = 1

f is convex, so a place where no exchange of two shares lowers it is the lowest. Newton steps stay
inside by solving their quadratic model on the feasible set (Nocedal and Wright 2006, algorithm
16.3) and are shortened until f falls.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaling.engine.newton import Array

_ROUNDS = 200
_RIDGE = 1e-10  # of the Hessian's size: with fewer languages than texts it has no full rank
_ROUNDING = 1e-12
_FLAT = 1e-10  # of f


class CappedMinimum(NamedTuple):
    """Where the search ended.

    Attributes:
        shares: [K] w.
        gap: upper bound of how far f lies above its lowest value, as a share of f.
    """

    shares: Array
    gap: float


def capped_start(caps: Array) -> Array:
    """Return [K] shares as even as their caps allow.

    Args:
        caps: [K] largest shares, which sum to 1 or more.
    """
    shares, room = np.zeros(len(caps)), 1.0
    open_ = np.ones(len(caps), bool)
    while room > _ROUNDING and open_.any():
        level = room / open_.sum()
        full = open_ & (caps - shares <= level)
        if not full.any():
            shares[open_] += level
            break
        shares[full], open_ = caps[full], open_ & ~full
        shares[open_] = 0.0
        room = 1.0 - shares.sum()
    return shares


def lowest_place(
    exponents: Array, weights: Array, caps: Array, start: Array | None = None
) -> CappedMinimum:
    """Return where `weights . exp(exponents @ w)` is lowest.

    Where texts are worth the same to every language, it is not determined how they share: then they
    keep the shares of the start.

    Args:
        exponents: [L, K] u. weights: [L] v, not negative, not all 0.
        caps: [K] largest shares, which sum to 1 or more.
        start: [K] where to begin, within the caps; the most even mixture by default.
    """
    shares = capped_start(caps) if start is None else start
    here, gradient, hessian = _derivatives(exponents, weights, shares)
    gap = np.inf
    for _ in range(_ROUNDS):
        gap = _gap(gradient, shares, caps) / here
        if gap <= _ROUNDING:
            break
        ridge = _RIDGE * max(np.trace(hessian) / len(caps), _ROUNDING * here)
        step = _quadratic(hessian + ridge * np.eye(len(caps)), gradient, -shares, caps - shares)
        promised, length = float(gradient @ step), 1.0
        trial = np.clip(shares + step, 0, caps)
        reached = _derivatives(exponents, weights, trial)
        if -promised < _FLAT * here:  # f cannot show so small a gain, its slopes can
            if _gap(reached[1], trial, caps) / reached[0] >= gap:
                break
        else:
            while reached[0] > here + 1e-4 * length * promised:
                length /= 2
                trial = np.clip(shares + length * step, 0, caps)
                reached = _derivatives(exponents, weights, trial)
        shares, (here, gradient, hessian) = trial, reached
    return CappedMinimum(np.where(shares < _ROUNDING, 0, shares), float(gap))


def _derivatives(exponents: Array, weights: Array, shares: Array) -> tuple[float, Array, Array]:
    terms = weights * np.exp(np.minimum(exponents @ shares, 700.0))
    return float(terms.sum()), terms @ exponents, (exponents.T * terms) @ exponents


def _gap(gradient: Array, shares: Array, caps: Array) -> float:
    """Return what f's tangent would fall to the lowest feasible place (Frank and Wolfe 1956)."""
    room, best = 1.0, np.zeros(len(caps))
    for j in np.argsort(gradient, kind="stable"):
        best[j] = min(caps[j], room)
        room -= best[j]
    return float(gradient @ (shares - best))


def _quadratic(hessian: Array, gradient: Array, low: Array, high: Array) -> Array:
    """Return the step d of lowest `g d + d H d / 2` with sum 0 and `low <= d <= high`."""
    step = np.zeros(len(low))
    free: NDArray[np.bool_] = (low < -_ROUNDING) & (high > _ROUNDING)
    for _ in range(20 * len(low)):
        slope = gradient + hessian @ step
        move, level = _free_move(hessian, slope, free)
        if np.abs(move).max(initial=0.0) <= _ROUNDING:
            released = _released(slope, level, step, low, high, free)
            if not released:
                break
            free[released] = True
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            room = np.where(move > 0, (high - step) / move, (low - step) / move)
        room = np.where(free & (move != 0), room, np.inf)
        first = int(np.argmin(room))
        step = step + min(1.0, float(room[first])) * move
        if room[first] <= 1:
            step[first] = high[first] if move[first] > 0 else low[first]
            free[first] = False
    return step


def _free_move(hessian: Array, slope: Array, free: NDArray[np.bool_]) -> tuple[Array, float | None]:
    """Return the step of the free ones to their lowest place, and the slope they then share."""
    move, places = np.zeros(len(slope)), np.flatnonzero(free)
    if not len(places):
        return move, None
    inverse = np.linalg.solve(
        hessian[np.ix_(places, places)], np.stack([slope[places], np.ones(len(places))], axis=1)
    )
    level = float(inverse[:, 0].sum() / inverse[:, 1].sum())
    move[places] = level * inverse[:, 1] - inverse[:, 0]
    return move, level


def _released(
    slope: Array,
    level: float | None,
    step: Array,
    low: Array,
    high: Array,
    free: NDArray[np.bool_],
) -> list[int]:
    """Return which of those at a bound to let go: what gains most by it, or two that exchange."""
    scale = 1e-13 * max(float(np.abs(slope).max()), 1e-300)
    may_rise, may_fall = ~free & (step < high), ~free & (step > low)
    up = int(np.argmin(np.where(may_rise, slope, np.inf)))
    down = int(np.argmax(np.where(may_fall, slope, -np.inf)))
    if level is None:
        both = may_rise[up] and may_fall[down] and slope[up] < slope[down] - scale
        return [up, down] if both else []
    rises = level - slope[up] if may_rise[up] else -np.inf
    falls = slope[down] - level if may_fall[down] else -np.inf
    if max(rises, falls) <= scale:
        return []
    return [up if rises >= falls else down]
