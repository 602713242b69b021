"""Parity-aware BPE (Foroutan et al. 2025, arXiv 2508.04796): every merge helps the worst-off.

Plain BPE takes the pair that is most frequent in all the text, so languages with much text, or much
alike, are served first. Here each merge is the most frequent pair of the language that at present
takes the most tokens for the aligned lines: the largest cost is what is made small. The merge then
holds in all languages, and encoding is plain BPE.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import regex

from corpora.document import utf8_length
from corpora.errors import InputError
from tokenize_lab.merges.learner import MergeLearner, Pair
from tokenize_lab.patterns import pattern_named
from tokenize_lab.rates import gini
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.training.engines import byte_order, spelt, untrained_json, written
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.text import TrainingText


class AlignedWords(NamedTuple):
    """Distinct words, and how often each language has them.

    Attributes:
        languages: names, sorted.
        lines: aligned lines, the same ones in every language.
        words: UTF-8 bytes of each distinct word, in order of first occurrence.
        counts: for each word, (number of the language, occurrences) pairs.
    """

    languages: list[str]
    lines: int
    words: list[bytes]
    counts: list[list[tuple[int, int]]]


def aligned_words(text: TrainingText, pattern: str) -> AlignedWords:
    """Split every language's lines by a pattern and count the pieces.

    Raises:
        InputError: the corpus is not aligned, has one language, or some language lacks lines.
    """
    name = text.corpus.name
    if not text.corpus.parallel:
        raise InputError(
            f"{name}: not an aligned corpus; parity is between translations of the same lines, "
            "such as a folder of eng_Latn.txt, hin_Deva.txt, ... of equally many lines"
        )
    split = regex.compile(pattern).findall if pattern else lambda line: [line]
    found: dict[str, Counter[str]] = {}
    lines: dict[str, set[int]] = {}
    for batch in text.corpus.batches():
        assert batch.first_alignment is not None
        words = found.setdefault(batch.language, Counter())
        for line in batch.texts:
            words.update(filter(None, split(line)))
        numbers = range(batch.first_alignment, batch.first_alignment + len(batch.texts))
        lines.setdefault(batch.language, set()).update(numbers)
        text.progress("counting words", sum(map(utf8_length, batch.texts)))
    languages = sorted(found)
    if len(languages) < 2:
        raise InputError(f"{name}: only {languages[0]}; parity takes two languages or more")
    fullest = max(languages, key=lambda language: len(lines[language]))
    for language in languages:
        if lines[language] != lines[fullest]:
            missing = min(lines[fullest] ^ lines[language])
            raise InputError(
                f"{name}: {language} and {fullest} do not have the same lines (line {missing}); "
                "leave out the lines that one language lacks"
            )
    counts: dict[str, list[tuple[int, int]]] = {}
    for number, language in enumerate(languages):
        for word, times in found.pop(language).items():
            counts.setdefault(word, []).append((number, times))
    distinct = [word.encode("utf-8") for word in counts]
    return AlignedWords(languages, len(lines[fullest]), distinct, list(counts.values()))


def train_parity_bpe(text: TrainingText, settings: TrainSettings) -> bytes:
    """Return the tokenizer.json of a byte-level BPE whose merges even out tokens per line.

    Ties between pairs go to the one of lower ids, those between languages to the first by name.

    Raises:
        InputError: the corpus is not aligned.
    """
    learner = ParityLearner(aligned_words(text, pattern_named(settings.pattern)))
    text.progress("learning merges", 0)
    merges = list(learner.merges(settings.vocab_size))
    vocab = {spelt(token): token_id for token_id, token in enumerate(learner.tokens)}
    content = untrained_json(settings)
    content["model"]["vocab"] = vocab
    content["model"]["merges"] = [
        [spelt(learner.tokens[left]), spelt(learner.tokens[right])] for left, right in merges
    ]
    return written(content)


class ParityLearner:
    """Merges words' bytes, each time for the language that is worst off.

    Attributes:
        tokens: bytes of every id.
    """

    def __init__(self, text: AlignedWords) -> None:
        """Begin with bytes."""
        order = byte_order()
        ids = {byte: token_id for token_id, byte in enumerate(order)}
        self.tokens = [bytes([byte]) for byte in order]
        self._ids = {token: token_id for token_id, token in enumerate(self.tokens)}
        words = [[ids[byte] for byte in word] for word in text.words]
        self._learner = MergeLearner(words, text.counts, len(text.languages))

    @property
    def costs(self) -> list[int]:
        """Tokens of each language at present."""
        return self._learner.costs

    def merges(self, vocab_size: int) -> Iterator[Pair]:
        """Yield merges until there are so many ids, or no pair is left."""
        while len(self.tokens) < vocab_size:
            pair = self._next()
            if pair is None:
                return
            made = self.tokens[pair[0]] + self.tokens[pair[1]]
            if made not in self._ids:  # now and then two pairs make one token
                self._ids[made] = len(self.tokens)
                self.tokens.append(made)
            self._learner.merge(pair, self._ids[made])
            yield pair

    def _next(self) -> Pair | None:
        """Return the best pair of the language worst off, or of the next where it has none."""
        for language in sorted(range(len(self.costs)), key=lambda n: (-self.costs[n], n)):
            best = self._learner.best(language)
            if best is not None:
                return best[0]
        return None


class LanguageCost(NamedTuple):
    """One language's aligned lines under two tokenizers.

    Attributes:
        bytes: UTF-8 bytes of its lines.
        tokens, plain_tokens: with parity-aware merges, and with plain BPE.
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
    """Both tokenizers on each language, sorted; of equal lines, so tokens compare as they are."""

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
        text.progress("comparing with plain BPE", size)
    return Parity(dict(sorted(sums.items())))
