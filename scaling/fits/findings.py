"""Named checks that several laws share."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from scaling.engine.newton import Array
from scaling.result import Finding

STRONG = 0.95
OUTSIDE = "minimum outside the grid"  # the finding of all laws that look for one
ROUNDING = 1e-12  # of the losses' size: differences below it are no data


def note(name: str, message: str) -> Finding:
    """Return a finding that is worth knowing."""
    return Finding(name=name, severity="note", message=message)


def warning(name: str, message: str) -> Finding:
    """Return a finding that makes the answer doubtful."""
    return Finding(name=name, severity="warning", message=message)


def failure(name: str, message: str) -> Finding:
    """Return a finding that makes the fit one not to be used."""
    return Finding(name=name, severity="failure", message=message)


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
