"""From counts to rates. Every rate is a ratio of sums, declared in one table.

Definitions: bytes per token and parity after "Compute Optimal Tokenization" (arXiv 2605.01188);
digit grouping after Singh and Strouse (arXiv 2402.14903); STRR after arXiv 2510.09947.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tokenize_lab.fields import FIELD_INDEX


@dataclass(frozen=True)
class Rate:
    """A ratio of two linear combinations of counts.

    Attributes:
        meaning: the definition, in words.
        above: count name to coefficient, of the numerator.
        below: the same, of the denominator.
        needs: a count that is 0 where the rate was not asked for.
        needs_spaces: null where most characters belong to scripts that write no word spaces.
    """

    meaning: str
    above: Mapping[str, int]
    below: Mapping[str, int]
    needs_spaces: bool = False
    needs: str | None = None

    def of(self, sums: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
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
        "extended grapheme clusters / tokens; null unless --graphemes was given",
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
    "normalization_loss": Rate(
        "share of bytes that the tokens do not carry: 1 - bytes of tokens / bytes of text",
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
    ),
    "indentation_bytes_per_token": Rate(
        "code: bytes of indentation per token that touches it",
        {"indentation_bytes": 1},
        {"indentation_tokens": 1},
    ),
    "operator_bytes_per_token": Rate(
        "code: bytes of operators of two or more characters per token that touches them",
        {"operator_bytes": 1},
        {"operator_tokens": 1},
    ),
}
