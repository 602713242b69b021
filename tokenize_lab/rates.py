"""From counts to rates. Every rate is a ratio of sums, declared in one table; and
measures of how a tokenizer spreads its tokens, over ids and over languages.

Definitions: bytes per token and parity after "Compute Optimal Tokenization" (arXiv 2605.01188);
digit grouping after Singh and Strouse (arXiv 2402.14903); STRR after arXiv 2510.09947.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tokenize_lab.counts.fields import FIELD_INDEX
from tokenize_lab.tokenizer import FloatArray, IntArray

LEAST_COMPARABLE = 0.1  # of a text, for what is measured in part of it to stand for the whole


@dataclass(frozen=True)
class Rate:
    """A ratio of two linear combinations of counts.

    Attributes:
        meaning: the definition, in words.
        above: count name to coefficient, of the numerator.
        below: the same, of the denominator.
        needs: a count that is 0 where the rate was not asked for.
        needs_spaces: null where most characters belong to scripts that write no word spaces.
        rests_on: the rate that says of how much of the text this one is; below `LEAST_COMPARABLE`
            a row has null.
    """

    meaning: str
    above: Mapping[str, int]
    below: Mapping[str, int]
    needs_spaces: bool = False
    needs: str | None = None
    rests_on: str | None = None

    def of(self, sums: IntArray | FloatArray) -> FloatArray:
        """Return the rate of [..., len(FIELDS)] counts: [...], NaN where it is not defined."""
        above = sum(k * sums[..., FIELD_INDEX[name]] for name, k in self.above.items())
        below = sum(k * sums[..., FIELD_INDEX[name]] for name, k in self.below.items())
        above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
        if self.needs_spaces:
            unspaced = sums[..., FIELD_INDEX["unspaced_characters"]]
            below = np.where(2 * unspaced > sums[..., FIELD_INDEX["characters"]], 0, below)
        if self.needs:
            below = np.where(sums[..., FIELD_INDEX[self.needs]] == 0, 0, below)
        result = np.full(above.shape, np.nan)
        np.divide(above, below, out=result, where=below != 0)
        return result


RATES = {
    "bytes_per_token": Rate(
        "compression rate T: UTF-8 bytes of the raw text / tokens", {"bytes": 1}, {"tokens": 1}
    ),
    "characters_per_token": Rate("code points / tokens", {"characters": 1}, {"tokens": 1}),
    "graphemes_per_token": Rate(
        "extended grapheme clusters / tokens; null unless they were asked for",
        {"graphemes": 1},
        {"tokens": 1},
        needs="graphemes",
    ),
    "fertility": Rate(
        "tokens / words, words by the named segmenter; null where the script writes no spaces",
        {"tokens": 1},
        {"words": 1},
        needs_spaces=True,
    ),
    "single_token_word_share": Rate(
        "STRR: share of words that are one token",
        {"single_token_words": 1},
        {"comparable_words": 1},
        needs_spaces=True,
        rests_on="comparable_word_share",
    ),
    "comparable_word_share": Rate(
        "share of words that lie in texts given back exactly: what STRR rests on",
        {"comparable_words": 1},
        {"words": 1},
        needs_spaces=True,
    ),
    "bytes_per_pretoken": Rate(
        "pre-token ceiling: bytes per piece that merges cannot cross, the most bytes per token "
        "that any vocabulary could reach behind this splitter; from an evenly spaced sample",
        {"pretoken_bytes": 1},
        {"pretokens": 1},
    ),
    "exact_share": Rate(
        "share of documents whose tokens give back exactly their bytes",
        {"exact_documents": 1},
        {"documents": 1},
    ),
    "lost_share": Rate(
        "share of the text's bytes that the tokens do not carry (unknown, dropped or changed): "
        "where it is not 0, bytes per token and premium are of text that is partly lost",
        {"lost_bytes": 1},
        {"bytes": 1},
    ),
    "comparable_share": Rate(
        "share of bytes that lie in texts given back exactly: what digit grouping and the measures "
        "of code rest on",
        {"comparable_bytes": 1},
        {"bytes": 1},
    ),
    "normalization_loss": Rate(
        "1 - bytes of tokens / bytes of text; below 0 where the tokens hold more than the text",
        {"bytes": 1, "token_bytes": -1},
        {"bytes": 1},
    ),
    "unknown_share": Rate("unknown (UNK) tokens / tokens", {"unknown_tokens": 1}, {"tokens": 1}),
    "byte_fallback_share": Rate(
        "byte-fallback tokens / tokens", {"byte_fallback_tokens": 1}, {"tokens": 1}
    ),
    "split_character_share": Rate(
        "UTF-8 integrity: tokens that start or end inside a character / tokens",
        {"split_character_tokens": 1},
        {"tokens": 1},
    ),
    "digit_grouping_f1": Rate(
        "boundaries inside numbers of 4 or more digits against groups of three from the right: F1, "
        "pooled over numbers",
        {"digit_boundaries_hit": 2},
        {"digit_boundaries": 1, "digit_boundaries_expected": 1},
        rests_on="comparable_share",
    ),
    "indentation_bytes_per_token": Rate(
        "code: bytes of indentation per token that touches it",
        {"indentation_bytes": 1},
        {"indentation_tokens": 1},
        rests_on="comparable_share",
    ),
    "operator_bytes_per_token": Rate(
        "code: bytes of operators of two or more characters per token that touches them",
        {"operator_bytes": 1},
        {"operator_tokens": 1},
        rests_on="comparable_share",
    ),
}

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


def gini(costs: ArrayLike) -> FloatArray:
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


def lorenz(costs: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the Lorenz curve of [n] costs: shares of languages and of tokens, [n + 1] each."""
    c = np.sort(np.asarray(costs, np.float64))
    return np.linspace(0, 1, len(c) + 1), np.concatenate([[0.0], np.cumsum(c) / c.sum()])
