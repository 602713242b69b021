"""Variable projection: given the exponents of a law, the rest of it is linear.

So a coarse grid over the exponents, with the linear part solved exactly at each node, shows every
basin of the objective; a few Newton steps from the best nodes then finish. This replaces thousands
of random starts (Golub and Pereyra 1973).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaling.engine.linear import solve_weighted
from scaling.engine.loss import Loss

Array = NDArray[np.float64]


class Node(NamedTuple):
    """Grid nodes in order of objective, best first.

    Attributes:
        exponents: [K, k].
        linear: [K, m] coefficients solved at each node.
        objective: [K] loss there.
    """

    exponents: Array
    linear: Array
    objective: Array


def grid(axes: Sequence[Array]) -> Array:
    """Return [G, k] every combination of the axes' values."""
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=-1)


def search(
    design: Callable[[Array], Array],
    target: Array,
    weights: Array,
    nodes: Array,
    loss: Loss,
    keep: int,
    relative: bool = False,
    passes: int = 8,
) -> Node:
    """Solve the linear part at every node and return the best `keep` of them.

    A robust loss is reached by reweighting (`passes` times); only starts are wanted, so it need not
    converge.

    Args:
        design: [G, k] exponents -> [G, n, m] columns whose weighted sum predicts the target.
        target: [n]; weights: [n].
        nodes: [G, k].
        relative: residuals are divided by the target, which for small ones is the difference of
            logarithms.
    """
    columns = design(nodes)
    if relative:
        columns = columns / target[:, None]
        target = np.ones_like(target)
    charge = np.broadcast_to(weights, columns.shape[:2])
    linear = solve_weighted(columns, target, charge)
    robust = np.isfinite(loss.delta) or loss.above != loss.below
    for _ in range(passes if robust else 0):
        residuals = target - np.einsum("gnm,gm->gn", columns, linear)
        bend = np.abs(loss.slope(residuals)) / np.maximum(np.abs(residuals), 1e-12)
        linear = solve_weighted(columns, target, weights * bend)
    residuals = target - np.einsum("gnm,gm->gn", columns, linear)
    objective = loss.value(residuals, weights)
    objective = np.where(np.isfinite(objective), objective, np.inf)
    best = np.argsort(objective, kind="stable")[:keep]
    return Node(nodes[best], linear[best], objective[best])
