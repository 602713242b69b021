"""Measures of how a tokenizer spreads its tokens: over ids, and over languages."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

RENYI_ORDERS = (1.0, 2.0, 2.5, 3.0)


def renyi_entropy(occurrences: ArrayLike, order: float) -> float:
    """Return the Renyi entropy of the id distribution in bits; order 1 is Shannon's.

    H_a = log2(sum p^a) / (1 - a). Zouhar et al. 2023, "Tokenization and the Noiseless Channel".
    """
    counts = np.asarray(occurrences, np.float64)
    p = counts[counts > 0] / counts.sum()
    if order == 1:
        return float(-(p * np.log2(p)).sum())
    return float(np.log2((p**order).sum()) / (1 - order))


def renyi_efficiency(occurrences: ArrayLike, order: float, vocabulary_size: int) -> float | None:
    """Return H_a / log2 V, or None where V < 2 or nothing was counted.

    With the declared V this is the paper's definition; with the number of ids seen, the default of
    the `tokenization-scorer` package. The two rank tokenizers differently: name which is meant.
    """
    counts = np.asarray(occurrences)
    if vocabulary_size < 2 or not counts.sum():
        return None
    return renyi_entropy(counts, order) / float(np.log2(vocabulary_size))


def zipf_slope(occurrences: ArrayLike) -> float | None:
    """Return the slope of log frequency on log rank, by least squares over ids seen twice or more.

    Minus one for Zipf's law. None for fewer than ten such ids: their ties leave no line to fit.
    """
    counts = np.sort(np.asarray(occurrences, np.float64))[::-1]
    counts = counts[counts >= 2]
    if len(counts) < 10:
        return None
    slope, _ = np.polyfit(np.log(np.arange(1, len(counts) + 1)), np.log(counts), 1)
    return float(slope)


def gini(costs: ArrayLike) -> NDArray[np.float64]:
    """Return the Gini coefficient of costs over the last axis: [..., n] -> [...].

    sum_ij |c_i - c_j| / (2 n^2 mean), the Tokenizer Fairness Gini when c are tokens per aligned
    line of n languages: 0 where every language costs the same. NaN for n < 2 or no cost.
    """
    c = np.sort(np.asarray(costs, np.float64), axis=-1)
    n = c.shape[-1]
    total = c.sum(-1)
    if n < 2:
        return np.full(total.shape, np.nan)
    # sum_ij |c_i - c_j| = 2 sum_i (2 i - n + 1) c_(i), with c sorted and i from 0.
    spread = (c * (2 * np.arange(n) - n + 1)).sum(-1)
    result = np.full(total.shape, np.nan)
    np.divide(spread, n * total, out=result, where=total > 0)
    return result


def lorenz(costs: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the Lorenz curve of [n] costs: shares of languages and of tokens, [n + 1] each."""
    c = np.sort(np.asarray(costs, np.float64))
    return np.linspace(0, 1, len(c) + 1), np.concatenate([[0.0], np.cumsum(c) / c.sum()])
