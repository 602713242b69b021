"""Comparing runs whose sums were taken in another order."""

from pathlib import Path

import numpy as np

from scaling.model.weights import WEIGHTS, read_tensors
from tests.scaling.train.runs import metrics


def close(one: Path, other: Path, tolerance: float) -> None:
    """Require the same loss of every step, and the same final weights.

    Losses are compared relatively: a batch's nats are one float32 sum, which is rounded by itself.
    """
    losses = [[line["nats_per_target"] for line in metrics(run)] for run in (one, other)]
    assert len(losses[0]) == len(losses[1]) > 0
    assert np.abs(np.array(losses[0]) / losses[1] - 1).max() < tolerance
    first, second = read_tensors(one / WEIGHTS)[0], read_tensors(other / WEIGHTS)[0]
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert float((tensor - second[name]).abs().max()) < tolerance, name
