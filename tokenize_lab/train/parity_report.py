"""What parity-aware merges give each language, and cost it, beside plain BPE of the same size."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from corpora.document import utf8_length
from tokenize_lab.distribution import gini
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.train.text import TrainingText


class LanguageCost(NamedTuple):
    """One language's aligned lines under two tokenizers.

    Attributes:
        bytes: UTF-8 bytes of its lines.
        tokens: with parity-aware merges.
        plain_tokens: with plain BPE.
    """

    bytes: int
    tokens: int
    plain_tokens: int

    @property
    def rate(self) -> float:
        """Bytes per token with parity-aware merges."""
        return self.bytes / self.tokens

    @property
    def plain_rate(self) -> float:
        """Bytes per token with plain BPE."""
        return self.bytes / self.plain_tokens


@dataclass(frozen=True)
class Parity:
    """Both tokenizers on the training text; equal lines, so tokens compare as they are.

    Attributes:
        languages: by name, sorted.
    """

    languages: dict[str, LanguageCost]

    def gini(self, plain: bool = False) -> float:
        """Gini coefficient of tokens per line over the languages, 0 where all pay the same."""
        return float(gini(self._tokens(plain)))

    def spread(self, plain: bool = False) -> float:
        """Tokens per line of the language that takes the most, over those of the least."""
        tokens = self._tokens(plain)
        return float(tokens.max() / tokens.min())

    def _tokens(self, plain: bool) -> np.ndarray[Any, np.dtype[np.float64]]:
        costs = self.languages.values()
        return np.array([cost.plain_tokens if plain else cost.tokens for cost in costs], np.float64)

    def as_json(self) -> dict[str, Any]:
        """Return what is written to the card."""
        return {
            "gini": self.gini(),
            "gini_plain_bpe": self.gini(plain=True),
            "most_over_least_tokens": self.spread(),
            "most_over_least_tokens_plain_bpe": self.spread(plain=True),
            "languages": {
                language: {
                    **cost._asdict(),
                    "bytes_per_token": cost.rate,
                    "bytes_per_token_plain_bpe": cost.plain_rate,
                }
                for language, cost in self.languages.items()
            },
        }


def parity_of(text: TrainingText, tokenizer: Tokenizer, plain: Tokenizer) -> Parity:
    """Encode an aligned corpus with both tokenizers."""
    sums: dict[str, LanguageCost] = {}
    for batch in text.corpus.batches():
        size = sum(map(utf8_length, batch.texts))
        before = sums.get(batch.language, LanguageCost(0, 0, 0))
        sums[batch.language] = LanguageCost(
            before.bytes + size,
            before.tokens + len(tokenizer.encode_batch(batch.texts).ids),
            before.plain_tokens + len(plain.encode_batch(batch.texts).ids),
        )
        text.tell("comparing with plain BPE", size)
    return Parity(dict(sorted(sums.items())))
