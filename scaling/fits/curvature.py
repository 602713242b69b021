"""Where the Hessian's intervals and the bootstrap's part, the reader is told."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from scaling.engine.intervals import from_hessian
from scaling.engine.problem import Problem
from scaling.result import Finding

Array = NDArray[np.float64]
ILL = 1e8
APART = 1.5


def disagreement(problem: Problem, theta: Array, draws: Mapping[str, Array]) -> list[Finding]:
    """Return findings where the Hessian is ill-conditioned or its intervals are off by half.

    Args:
        theta: [1, p] optimum; draws: [R] of each public coefficient.
    """
    curvature = from_hessian(problem, theta)
    findings = []
    if curvature.condition > ILL:
        findings.append(
            Finding(
                name="ill-conditioned Hessian",
                severity="warning",
                message=f"condition number {curvature.condition:.1e}: "
                "some combination of coefficients is not determined by these runs",
            )
        )
    parts = []
    for index, name in enumerate(problem.names):
        cloud = draws[name][np.isfinite(draws[name])]
        if len(cloud) < 20:
            continue
        low, high = np.percentile(cloud, [2.5, 97.5])
        width = curvature.high[index] - curvature.low[index]
        if width <= 0 or high <= low:
            continue
        ratio = (high - low) / width
        if not 1 / APART < ratio < APART:
            parts.append(f"{name} {ratio:.2g}")
    if parts:
        findings.append(
            Finding(
                name="intervals disagree",
                severity="note",
                message="width of the bootstrap's interval over the Hessian's: " + ", ".join(parts),
            )
        )
    return findings
