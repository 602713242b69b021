"""Text whose entropy rate is known exactly, to test compression and scaling against the truth.

As corpora: `synthetic:markov` and `synthetic:zipf`, with settings after another colon, as
`synthetic:markov:order=1,bytes=1e7`.

A Markov source of order k over single bytes has the entropy rate sum_s pi(s) H(P[s]), with pi the
stationary distribution of its states (Cover and Thomas, Elements of Information Theory, 2nd ed.,
theorem 4.2.4). A source of independent words, each followed by a space, emits a renewal process
whose rate is the words' entropy over their mean length in bytes, space included: no word contains
a space, so the words can be told apart in the bytes.
"""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from corpora.document import SYNTHETIC, Batch, Numbers
from corpora.errors import InputError, did_you_mean
from corpora.readers.settings import InvalidText

NO_LANGUAGE = "zxx"  # ISO 639-3's code for "no linguistic content"

_DOCUMENTS_AT_ONCE = 512
_MOST_STATES = 1 << 20


@dataclass(frozen=True)
class MarkovSource:
    """A random Markov chain of order `order` over the letters of `alphabet`, fixed by its seed.

    Each document starts in the stationary distribution. Rows of the transition matrix are drawn
    from a symmetric Dirichlet distribution: the smaller `concentration`, the lower the entropy.

    Attributes:
        order: how many letters the next one depends on, 1 or more.
        alphabet: distinct ASCII characters.
        concentration: of the Dirichlet distribution, above 0.
        seed: of the chain and of everything drawn from it. document_bytes: of a document.

    Raises:
        ValueError: an attribute is out of range, or the chain would have over a million states.
    """

    title: ClassVar[str] = "letters of a random Markov chain, of a known entropy rate"

    order: int = 2
    alphabet: str = "abcdefghijklmnopqrstuvwxyz "
    concentration: float = 0.2
    seed: int = 0
    document_bytes: int = 1000

    def __post_init__(self) -> None:
        if self.order < 1 or self.concentration <= 0 or self.document_bytes < self.order:
            raise ValueError("order and concentration must be positive, documents no shorter")
        if not self.alphabet.isascii() or len(set(self.alphabet)) != len(self.alphabet):
            raise ValueError("the alphabet must be distinct ASCII characters")
        if len(self.alphabet) ** self.order > _MOST_STATES:
            raise ValueError(f"more than {_MOST_STATES} states; lower order or alphabet")

    @cached_property
    def transitions(self) -> NDArray[np.float64]:
        """[states, letters] probability of the next letter, after the last `order` letters."""
        letters = len(self.alphabet)
        rng = np.random.default_rng([self.seed, 0])
        rows = rng.dirichlet([self.concentration] * letters, size=letters**self.order)
        rows = rows + 1e-6  # every letter can follow: the chain has one stationary distribution
        return np.asarray(rows / rows.sum(axis=1, keepdims=True))

    @cached_property
    def stationary(self) -> NDArray[np.float64]:
        """[states] the stationary distribution, by power iteration to rounding error."""
        letters = len(self.alphabet)
        states = np.full(letters**self.order, 1.0 / letters**self.order)
        for _ in range(100_000):
            # The oldest letter is forgotten (summed out), the newest becomes the last.
            joint = (states[:, None] * self.transitions).reshape(letters, -1, letters)
            after: NDArray[np.float64] = joint.sum(axis=0).reshape(-1)
            after /= after.sum()
            if np.abs(after - states).sum() < 1e-14:
                return after
            states = after
        raise AssertionError("power iteration did not converge")

    @cached_property
    def entropy_rate(self) -> float:
        """Bits per byte, exact."""
        return float(self.stationary @ _entropy(self.transitions))

    @property
    def mean_bytes(self) -> float:
        """Bytes of a document."""
        return float(self.document_bytes)

    @cached_property
    def _cumulated(self) -> NDArray[np.float64]:
        return np.asarray(np.cumsum(self.transitions, axis=1)[:, :-1])

    def texts(self, count: int, part: int = 0) -> list[str]:
        """Return `count` documents of `document_bytes`; other parts are independent of this one."""
        letters, order = len(self.alphabet), self.order
        rng = np.random.default_rng([self.seed, 1, part])
        states = np.minimum(
            np.searchsorted(np.cumsum(self.stationary), rng.random(count)), letters**order - 1
        )
        drawn = np.empty((count, self.document_bytes), dtype=np.uint8)
        for k in range(order):
            drawn[:, k] = states // letters ** (order - 1 - k) % letters
        cumulated = self._cumulated
        for k in range(order, self.document_bytes):
            letter = (cumulated[states] < rng.random((count, 1))).sum(axis=1)
            drawn[:, k] = letter
            states = states % letters ** (order - 1) * letters + letter
        codes = np.frombuffer(self.alphabet.encode("ascii"), dtype=np.uint8)
        return [row.tobytes().decode("ascii") for row in codes[drawn]]


@dataclass(frozen=True)
class ZipfSource:
    """Independent words, the r-th most frequent with probability proportional to r ** -exponent.

    Frequent words are short; each is followed by one space.

    Attributes:
        vocabulary: number of distinct words, at most 100,000.
        exponent: of Zipf's law; 1 is near to natural language, 0 makes all words equally likely.
        seed: of the words and of everything drawn from them.
        document_words: words of a document.

    Raises:
        ValueError: an attribute is out of range.
    """

    title: ClassVar[str] = "words drawn by Zipf's law, of a known entropy rate"

    vocabulary: int = 5000
    exponent: float = 1.0
    seed: int = 0
    document_words: int = 200

    def __post_init__(self) -> None:
        if not 1 <= self.vocabulary <= 100_000 or self.exponent < 0 or self.document_words < 1:
            raise ValueError("vocabulary must be 1 to 100,000, exponent and words not negative")

    @cached_property
    def words(self) -> list[str]:
        """The distinct words, most frequent first, each with the space that follows it."""
        rng = np.random.default_rng([self.seed, 0])
        words: dict[str, None] = {}
        for rank in range(1, self.vocabulary + 1):
            # At least five times as many words of this length exist as are asked for.
            length = max(2, int(np.ceil(np.log(rank + 1) / np.log(5))))
            word = ""
            while not word or word in words:
                word = bytes(rng.integers(97, 123, size=length, dtype=np.uint8)).decode() + " "
            words[word] = None
        return list(words)

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """[vocabulary] of the words."""
        weights = np.arange(1, self.vocabulary + 1, dtype=np.float64) ** -self.exponent
        return np.asarray(weights / weights.sum())

    @cached_property
    def entropy_rate(self) -> float:
        """Bits per byte, exact."""
        return float(_entropy(self.probabilities)) * self.document_words / self.mean_bytes

    @property
    def mean_bytes(self) -> float:
        """Bytes of a document, on average."""
        lengths = np.array([len(word) for word in self.words])
        return float(self.probabilities @ lengths) * self.document_words

    def texts(self, count: int, part: int = 0) -> list[str]:
        """Return `count` documents of `document_words`; other parts are independent of this one."""
        rng = np.random.default_rng([self.seed, 1, part])
        cumulated = np.cumsum(self.probabilities)[:-1]
        ranks = np.searchsorted(cumulated, rng.random((count, self.document_words)), side="right")
        return ["".join([self.words[rank] for rank in row]) for row in ranks.tolist()]


@dataclass(frozen=True)
class SyntheticCorpus:
    """Documents drawn from a source, made as they are read; every pass yields the same.

    Attributes:
        source: where they are drawn from; its `entropy_rate` is the corpus's.
        documents: how many.
        language, domain: what all of them are said to be.
    """

    name: str
    source: MarkovSource | ZipfSource
    documents: int
    language: str = NO_LANGUAGE
    domain: str = "synthetic"
    parallel: bool = field(default=False, init=False)
    invalid: InvalidText = field(default_factory=InvalidText, init=False)  # ASCII is valid

    @property
    def size_bytes(self) -> int:
        """Bytes of all documents, about."""
        return round(self.documents * self.source.mean_bytes)

    def batches(self) -> Iterator[Batch]:
        """Yield the documents, named by their number."""
        for part, first in enumerate(range(0, self.documents, _DOCUMENTS_AT_ONCE)):
            count = min(_DOCUMENTS_AT_ONCE, self.documents - first)
            # Always a whole part, so that the first documents do not depend on how many follow.
            texts = self.source.texts(_DOCUMENTS_AT_ONCE, part)[:count]
            numbers = Numbers(first + 1, count)
            yield Batch(texts, self.language, self.domain, self.name, numbers)


SOURCES: dict[str, type[MarkovSource] | type[ZipfSource]] = {
    "markov": MarkovSource,
    "zipf": ZipfSource,
}
_BYTES = 1_000_000  # of a corpus, where the spec does not say


def synthetic_corpus(
    spec: str, language: str | None = None, domain: str | None = None
) -> SyntheticCorpus:
    """Return the corpus that a spec describes, and log its entropy rate.

    Args:
        spec: `synthetic:markov` or `synthetic:zipf`, then optionally `:KEY=NUMBER,...`: any number
            among the source's attributes, and `bytes`, how much text.

    Raises:
        InputError: there is no such source or setting, or a number is out of range.
    """
    kind, _, given = spec.removeprefix(SYNTHETIC).partition(":")
    if kind not in SOURCES:
        raise InputError(
            f"{spec}: no source {kind!r}{did_you_mean(kind, SOURCES)} ({', '.join(SOURCES)})"
        )
    defaults = {f.name: f.default for f in fields(SOURCES[kind]) if f.name != "alphabet"}
    defaults["bytes"] = _BYTES
    chosen: dict[str, Any] = {}
    for setting in filter(None, given.split(",")):
        key, _, written = setting.partition("=")
        if key not in defaults:
            known = ", ".join(defaults)
            raise InputError(f"{spec}: no setting {key!r}{did_you_mean(key, defaults)} ({known})")
        is_whole = isinstance(defaults[key], int)
        try:
            number = float(written)
            chosen[key] = int(number) if is_whole else number
        except (ValueError, OverflowError):
            number = math.nan
        if not 0 <= number < math.inf or chosen[key] != number:
            what = "a whole number" if is_whole else "a number"
            raise InputError(f"{spec}: {key} is {written!r}; it must be {what}, 0 or more")
    size = chosen.pop("bytes", _BYTES)
    try:
        source = SOURCES[kind](**chosen)
        documents = max(1, round(size / source.mean_bytes))
    except ValueError as error:
        raise InputError(f"{spec}: {error}") from error
    logging.getLogger("corpora").info(
        "%s: entropy rate %.4f bits per byte, exactly", spec, source.entropy_rate
    )
    named = {key: value for key, value in (("language", language), ("domain", domain)) if value}
    return SyntheticCorpus(spec, source, documents, **named)


def _entropy(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the entropy in bits along the last axis; 0 log 0 is 0."""
    logs = np.log2(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
    return np.asarray(-(probabilities * logs).sum(axis=-1))
