"""Named checks that several laws share, and what runs do not bound: an interval with one end.

A coefficient may have a limit at which it stops to matter: a floor of nothing, an exponent of 0, an
epoch worth as much as the first. A fit or a draw that ends there says that the runs hold no more.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.bootstrap import Interval
from corpora.errors import InputError
from scaling.engine.newton import Array
from scaling.result import Finding, FitResult, noted

STRONG = 0.95
OUTSIDE = "minimum outside the grid"  # the finding of all laws that look for one
ROUNDING = 1e-12  # of the losses' size: differences below it are no data

note = noted  # beside its sisters


def warning(name: str, message: str) -> Finding:
    """Return a finding that makes the answer doubtful."""
    return Finding(name=name, severity="warning", message=message)


def failure(name: str, message: str) -> Finding:
    """Return a finding that makes the fit one not to be used."""
    return Finding(name=name, severity="failure", message=message)


def unusable(fit: FitResult) -> str:
    """Return why a fit is not to be used; nothing where it may be."""
    failed = [finding.message for finding in fit.findings if finding.severity == "failure"]
    return "" if fit.ok else "; ".join([fit.status, *failed])


def check_usable(name: str, fit: FitResult) -> None:
    """Refuse a fit, given as `name`, that is not to be used.

    Raises:
        InputError: it is not.
    """
    if why := unusable(fit):
        raise InputError(f"`{name}`: not to be used: {why}")


def correlated(draws: Mapping[str, Array], names: Sequence[str]) -> list[Finding]:
    """Return a finding of the coefficients whose draws move as one, in groups; none of others.

    Their ranks are correlated (Spearman): optima and amplitudes range over decades, and a single
    draw far out would be all that the correlation of their values is made of.
    """
    groups: dict[str, list[str]] = {name: [name] for name in names}
    largest: dict[str, float] = {}
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            pair = np.stack([draws[first], draws[second]])
            pair = pair[:, np.isfinite(pair).all(axis=0)]
            if pair.shape[1] < 20 or (np.ptp(pair, axis=1) == 0).any():
                continue
            r = float(np.corrcoef(pair.argsort(axis=1).argsort(axis=1))[0, 1])
            if abs(r) <= STRONG:
                continue
            joined = groups[first]
            if joined is not groups[second]:
                joined += groups[second]
                groups |= dict.fromkeys(groups[second], joined)
            for name in (first, second):
                largest[name] = max(r, largest.get(name, 0.0), key=abs)
    said = []
    for group in {id(group): group for group in groups.values() if len(group) > 1}.values():
        named = sorted(group, key=list(names).index)
        r = max((largest[name] for name in named), key=abs)
        most = "rank correlation" if len(named) == 2 else "rank correlation up to"
        said.append(f"{', '.join(named[:-1])} and {named[-1]} move together ({most} {r:.3f})")
    if not said:
        return []
    text = f"{'; '.join(said)}: trust their joint prediction, not any of them alone"
    return [warning("correlated coefficients", text)]


def outliers(
    residuals: Array, leverage: Array, parameters: int, rows: NDArray[np.int64]
) -> list[Finding]:
    """Return a finding naming rows whose removal would shift the fit (Cook's distance).

    Args:
        residuals, leverage: [n] of the fit; rows: [n] their row numbers.
        parameters: free coefficients.
    """
    n = len(residuals)
    if n <= parameters + 2:
        return []
    variance = float(residuals @ residuals) / (n - parameters)
    if variance <= 0:
        return []
    room = np.maximum(1 - leverage, 1e-9)
    distance = residuals**2 * leverage / (parameters * variance * room**2)
    student = residuals / np.sqrt(variance * room)
    far = np.flatnonzero((distance > 1) | (np.abs(student) > 5))
    if not len(far):
        return []
    worst = far[np.argsort(-distance[far])][:5]
    listed = ", ".join(str(int(rows[i])) for i in worst)
    text = f"leaving out row {listed} would shift the fit "
    return [warning("outliers", f"{text}(largest Cook's distance {distance.max():.2g})")]


def misfit(share: float, law: str) -> list[Finding]:
    """Return a finding where a law misses the optima by more than the runs' noise explains."""
    if share < 0.5:
        return []
    text = f"{share:.0%} of the variance of {law}'s residuals is not noise of the "
    return [note("misfit", f"{text}runs but the form itself; the intervals include it")]


def starts_agree(share: float, starts: int) -> list[Finding]:
    """Return a finding where few of the starts of a search reached its best minimum."""
    if share >= 0.5:
        return []
    text = f"{share:.0%} of {starts} starts reached the best minimum; the objective has several"
    return [warning("starts disagree", text)]


def vary(loss: Array) -> bool:
    """Whether losses differ by more than rounding."""
    return float(np.ptp(loss)) > ROUNDING * float(np.abs(loss).max())


def upside_down(estimates: dict[str, float], loss: Array) -> list[Finding]:
    """Return failures of Law II or the joint law whose shape has no optimum to report.

    Args:
        estimates: coefficients; those a form lacks are not judged. Where there is a failure, T0 is
            taken out, without which nothing can predict an optimum that is none.
        loss: [n] losses fitted.
    """
    if not vary(loss):
        estimates.pop("T0", None)
        return [failure("constant losses", "the losses do not vary, so nothing can be learnt")]
    found = []
    if not np.isfinite(list(estimates.values())).all():
        found.append(failure("not found", "a coefficient grew beyond every number"))
    if not estimates["L0"] > 0:
        text = f"L0 = {estimates['L0']:.4g}: the loss does not fall towards a floor"
        found.append(failure("loss does not fall", text))
    for name in ("F", "K"):
        if name in estimates and not estimates[name] > 0:
            text = (
                f"{name} = {estimates[name]:.4g}: the loss has no minimum in the compression rate"
            )
            found.append(failure("no minimum in T", text))
    if found:
        estimates.pop("T0", None)
    return found


def beyond_rates(compute: Array, rate: Array, best: Array) -> list[Finding]:
    """Return a warning where the best rate lies outside the rates that were trained.

    Args:
        compute, rate: [n] of the optima fitted.
        best: [n] T*(C) of the law at their budgets.
    """
    outside = (best < rate.min()) | (best > rate.max())
    if not outside.any():
        return []
    where = ", ".join(
        f"T* = {value:.4g} at C = {budget:g}"
        for budget, value in sorted(set(zip(compute[outside], best[outside], strict=True)))
    )
    text = f"train rates beyond {rate.min():g} to {rate.max():g} bytes per token: {where}"
    return [warning(OUTSIDE, text)]


NOT_BOUNDED = "coefficient not bounded"  # the finding of all laws
UNKNOWN = "not bounded by these runs: "
NEAR = 1e-9  # of a limit, where a coefficient counts as at it
# Scatter of ln y about a power of x, of its own, below which the two are one variable: the terms of
# D = 20 N, rounded to a percent over two decades, are still not told apart.
TIED = 0.02


class Limit(NamedTuple):
    """Where a positive coefficient stops to matter, or to be told.

    Attributes:
        runs: which runs would keep it off the limit.
        high, low: the limits. At the upper one the interval is open, at the lower one it goes to 0.
        may: whether an interval that reaches one leaves the fit a bounded one.
    """

    runs: str
    high: float = np.inf
    low: float = 0.0
    may: bool = False

    def reached(self, value: float) -> bool:
        """Whether a value is at a limit."""
        return self.below(value) or self.above(value)

    def below(self, value: float) -> bool:
        """Whether a value is at the limit below."""
        return value <= self.low * (1 + NEAR)

    def above(self, value: float) -> bool:
        """Whether a value is at the limit above."""
        return value >= self.high * (1 - NEAR)


Limits = Mapping[str, Limit]
NO_LIMITS: Limits = {}


class Open(NamedTuple):
    """What the runs leave open.

    Attributes:
        findings: that say so.
        ends: of each coefficient concerned, its interval, or None where it has none.
    """

    findings: list[Finding]
    ends: Mapping[str, tuple[float, float] | None]

    def join(self, other: "Open") -> "Open":
        """Return both."""
        return Open([*self.findings, *other.findings], {**self.ends, **other.ends})


NOTHING_OPEN = Open([], {})


def opened(name: str, interval: Interval | None, limits: Limits) -> Interval | None:
    """Return the interval, open where it reaches a limit; none where it reaches both."""
    if interval is None or name not in limits:
        return interval
    low, high = interval
    limit = limits[name]
    if limit.above(low) or (limit.low > 0 and limit.below(high)):
        return None  # all ran to the limit, which says nothing of how near to it the end may lie
    low = 0.0 if limit.below(low) else low
    high = float("inf") if limit.above(high) else high
    return None if low <= 0 and np.isinf(high) else Interval(low, high)


def at_a_limit(estimates: Mapping[str, float], limits: Limits) -> list[Finding]:
    """Return a finding for each coefficient that the fit itself has at a limit."""
    found = []
    for name, limit in limits.items():
        value = estimates.get(name)
        if value is None or not limit.reached(value):
            continue
        if limit.above(value):
            text = f"{name} grows without end: these runs do not bound it from above"
            found.append(failure(NOT_BOUNDED, f"{text}; {limit.runs} would"))
        else:
            text = f"{name} is 0, its limit: these runs do not bound it from below"
            found.append(warning(NOT_BOUNDED, f"{text}; {limit.runs} would"))
    return found


def open_intervals(
    estimates: Mapping[str, float], ends: Mapping[str, tuple[float, float]], limits: Limits
) -> list[Finding]:
    """Return a finding for each coefficient, not itself at a limit, whose interval reaches one."""
    found = []
    for name, limit in limits.items():
        if name not in estimates or limit.reached(estimates[name]):
            continue
        low, high = ends[name]
        sides = ["below"] * bool(limit.below(low)) + ["above"] * bool(limit.above(high))
        if sides:
            text = f"these runs do not bound {name} from {' or '.join(sides)}; {limit.runs} would"
            found.append(warning(NOT_BOUNDED, text))
    return found


def through_zero(
    draws: Mapping[str, Array] | None,
    ends: Mapping[str, tuple[float, float]] | None,
    exponents: Mapping[str, tuple[str, ...]],
    level: float,
) -> Open:
    """Return what an exponent leaves open whose interval passes through 0.

    Its term is a constant there, which no run tells from the floor: the amplitude and the floor
    have no interval, and that of the exponent stops at 0.

    Args:
        draws: [R] of each coefficient; ends: intervals found without draws.
        exponents: name -> the amplitudes, and the floor, that are confounded then.
    """
    findings, found = [], dict[str, tuple[float, float] | None]()
    for name, others in exponents.items():
        if draws is not None:
            # Draws are lost where the exponent runs to 0, and the amplitude beyond all numbers.
            cloud = np.where(np.isfinite(draws[name]), draws[name], 0.0)
            low, high = np.percentile(cloud, [50 * (1 - level), 50 * (1 + level)]).tolist()
        elif ends is not None:
            low, high = ends[name]
        else:
            continue
        if not low <= 0 <= high:
            continue
        found |= dict.fromkeys(others)
        found[name] = (0.0, high) if high > -low else (low, 0.0)
        text = (
            f"the interval of {name} passes through 0, where its term is a constant: these runs do"
            f" not bound {', '.join((name, *others))}; runs further apart in what its term"
            " depends on would"
        )
        findings.append(warning(NOT_BOUNDED, text))
    return Open(findings, found)


def proportional(one: str, x: Array, other: str, y: Array, names: tuple[str, ...]) -> Open:
    """Return what two terms leave open where the one's [n] column is a power of the other's."""
    u, v = np.log(x) - np.log(x).mean(), np.log(y) - np.log(y).mean()
    slope = float(u @ v) / float(u @ u)
    if float(np.std(v - slope * u)) > TIED * float(np.std(v)):
        return NOTHING_OPEN
    ratio = float(np.exp(np.mean(np.log(y) - np.log(x))))
    by = f"{ratio:.2g} {one}" if abs(slope - 1) < TIED else f"{one}^{slope:.2f} times a constant"
    text = (
        f"{other} is {by} in every run, so that the two terms cannot be told apart: these runs do"
        f" not bound {', '.join(names)}; runs of one {one} at several {other} would"
    )
    return Open([failure(NOT_BOUNDED, text)], dict.fromkeys(names))


def with_open_ends(
    fit: FitResult,
    least: Mapping[str, tuple[float, float]],
    left_open: Open,
    limits: Limits = NO_LIMITS,
) -> FitResult:
    """Return the fit with what its runs leave open said, and the intervals there are of it.

    Args:
        least: intervals open above, of coefficients that grow without end.
    """
    changed = {
        name: pair and Interval(*pair)
        for name, pair in {**least, **left_open.ends}.items()
        if name in fit.estimates
    }
    intervals = {**fit.intervals, **changed}
    unknown = [name for name in fit.estimates if intervals.get(name) is None]
    reason = fit.interval_reason
    if not reason or reason.startswith(UNKNOWN):
        reason = f"{UNKNOWN}{', '.join(unknown)}" if unknown else ""
    reaching = [
        name
        for name, limit in limits.items()
        if (ends := intervals.get(name)) is not None
        and not limit.may
        and (np.isinf(ends.high) or limit.below(ends.low))
    ]
    status = fit.status
    if status == "converged" and (left_open.findings or reaching):
        status = "not bounded"
    return fit.model_copy(
        update={
            "intervals": intervals,
            "interval_reason": reason,
            "status": status,
            "findings": (*fit.findings, *left_open.findings),
        }
    )
