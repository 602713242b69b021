"""Runs of languages whose best rates, sizes and losses are known."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from scaling.engine.newton import Array

RATES, SIZES = (2.0, 4.0, 8.0, 16.0), (1e8, 2e8, 4e8, 8e8, 1.6e9)
AT_1 = {"compression_rate": 3.7, "bytes_per_param": 60.0, "bits_per_byte": 0.95}
SLOPE = {"compression_rate": 0.75, "bytes_per_param": 0.6, "bits_per_byte": -1.0}
BUDGET = 1e20


class PlantedLanguages(NamedTuple):
    """A table of runs, and [m] the truth of each language by y."""

    runs: pl.DataFrame
    truth: dict[str, Array]


def planted_languages(
    parity: Sequence[float],
    generator: np.random.Generator,
    tau: float = 0.1,
    noise: float = 0.0,
    rates: Sequence[float] = RATES,
    sizes: Sequence[float] = SIZES,
) -> PlantedLanguages:
    """Return runs of a language for each parity, `l0` onwards, at one budget.

    Args:
        tau: what languages have of their own, in ln y. noise: of ln bits per byte.
    """
    x = np.array(parity)
    truth = {
        name: AT_1[name] * x ** SLOPE[name] * np.exp(generator.normal(0, tau, len(x)))
        for name in AT_1
    }
    rows = []
    for index, one in enumerate(parity):
        best_rate, best_ratio, best_loss = (truth[name][index] for name in AT_1)
        for rate in rates:
            for size in sizes:
                ratio = BUDGET * rate / (6 * size**2)
                u, v = np.log(rate / best_rate), np.log(ratio / best_ratio)
                loss = best_loss * np.exp(0.03 * u**2 + 0.02 * v**2 + 0.01 * u * v)
                loss *= np.exp(noise * generator.standard_normal())
                rows.append((f"l{index}", one, BUDGET, rate, size, ratio * size, loss))
    names = ("language", "parity", "compute_flops", "compression_rate", "global_params")
    return PlantedLanguages(
        pl.DataFrame(rows, [*names, "train_bytes", "bits_per_byte"], orient="row"), truth
    )
