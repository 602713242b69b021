"""Named checks that several laws share."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from scaling.result import Finding

Array = NDArray[np.float64]
STRONG = 0.95
OUTLIER_SHIFT = 3.0


def correlated(draws: Mapping[str, Array], names: Sequence[str]) -> list[Finding]:
    """Return a finding for each pair of coefficients whose draws move as one."""
    findings = []
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            pair = np.stack([draws[one], draws[other]])
            pair = pair[:, np.isfinite(pair).all(axis=0)]
            if pair.shape[1] < 20 or (pair.std(axis=1) == 0).any():
                continue
            r = float(np.corrcoef(pair)[0, 1])
            if abs(r) > STRONG:
                findings.append(
                    Finding(
                        name="correlated coefficients",
                        severity="warning",
                        message=f"{one} and {other} move together (r = {r:.3f}): "
                        "trust their joint prediction, not either alone",
                    )
                )
    return findings


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
    return [
        Finding(
            name="outliers",
            severity="warning",
            message=f"leaving out row {listed} would shift the fit "
            f"(largest Cook's distance {distance.max():.2g})",
        )
    ]


def misfit(share: float, law: str) -> list[Finding]:
    """Return a finding where a law misses the optima by more than the runs' noise explains."""
    if share < 0.5:
        return []
    return [
        Finding(
            name="misfit",
            severity="note",
            message=f"{share:.0%} of the variance of {law}'s residuals is not noise of the "
            "runs but the form itself; the intervals include it",
        )
    ]


def starts_agree(share: float, starts: int) -> list[Finding]:
    """Return a finding where few of the starts of a search reached its best minimum."""
    if share >= 0.5:
        return []
    return [
        Finding(
            name="starts disagree",
            severity="warning",
            message=f"{share:.0%} of {starts} starts reached the best minimum; "
            "the objective has several",
        )
    ]
