"""What advice needs to know of a corpus: its parity, and bytes per token under a tokenizer.

The head of the corpus is enough for a price, and keeps the answer within seconds; `tokenize-lab
measure` counts all of it, with intervals.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from corpora.corpus import Corpus
from corpora.errors import InputError
from corpora.open import open_corpus
from scaling.advise.answer import Tokenized
from scaling.advise.placement import ENGLISH
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.vocab_curve.curve import token_curve
from tokenize_lab.vocab_curve.job import log_grid

EMBEDDED = "embedded"
SAMPLE_BYTES = 4 << 20


@dataclass(frozen=True)
class Sample:
    """The head of a corpus in one language.

    Attributes:
        name: of the corpus.
        texts: its first documents.
        parity: its bytes over English's for the same aligned lines; None where there are none.
    """

    name: str
    texts: Sequence[str]
    parity: float | None

    @property
    def bytes(self) -> int:
        """UTF-8 bytes of the texts."""
        return sum(len(text.encode()) for text in self.texts)


class _Lines(NamedTuple):
    texts: list[str]
    alignments: list[int]


def sample_of(spec: str, language: str) -> Sample:
    """Return the corpus's text in the language.

    A corpus whose documents do not say their language, or are all of one, is taken to be of it.

    Raises:
        InputError: it cannot be read, or holds other languages only.
    """
    corpus = open_corpus(spec)
    found = _by_language(corpus, {language, ENGLISH} if corpus.parallel else None)
    if language in found:
        own = found[language]
    elif len(found) == 1 and not corpus.parallel:
        own = next(iter(found.values()))
    else:
        held = ", ".join(sorted(found)) or "none of its lines"
        raise InputError(f"{spec}: holds no {language} ({held}); name the language it is in")
    english = found.get(ENGLISH)
    parity = _parity(own, english) if corpus.parallel and english else None
    return Sample(corpus.name, own.texts, parity)


def embedded_parity(language: str) -> float | None:
    """Return the language's parity in the embedded corpus, None where it is not there."""
    found = _by_language(open_corpus(EMBEDDED), {language, ENGLISH})
    return _parity(found[language], found[ENGLISH]) if language in found else None


def _by_language(corpus: Corpus, wanted: set[str] | None) -> dict[str, _Lines]:
    found: dict[str, _Lines] = {}
    sizes: dict[str, int] = {}
    for batch in corpus.batches():
        if wanted is not None and batch.language not in wanted:
            continue
        size = sizes.get(batch.language, 0)
        if size < SAMPLE_BYTES:
            lines = found.setdefault(batch.language, _Lines([], []))
            lines.texts.extend(batch.texts)
            first = batch.first_alignment or 0
            lines.alignments.extend(range(first, first + len(batch.texts)))
            sizes[batch.language] = size + sum(len(text.encode()) for text in batch.texts)
        elif not corpus.parallel:
            break
    return found


def _parity(own: _Lines, english: _Lines) -> float | None:
    reference = dict(zip(english.alignments, english.texts, strict=True))
    pairs = [
        (len(text.encode()), len(reference[line].encode()))
        for line, text in zip(own.alignments, own.texts, strict=True)
        if line in reference
    ]
    below = sum(size for _, size in pairs)
    return sum(size for size, _ in pairs) / below if below else None


def tokenized(sample: Sample, tokenizers: Sequence[Tokenizer]) -> list[Tokenized]:
    """Return each tokenizer's bytes per token on the sample.

    Raises:
        InputError: there is no text to tokenize.
    """
    return [
        Tokenized(tokenizer.name, _rate(sample, tokenizer), tokenizer.vocabulary_size)
        for tokenizer in tokenizers
    ]


def _rate(sample: Sample, tokenizer: Tokenizer) -> float:
    tokens = int(tokenizer.encode_batch(sample.texts).lengths.sum())
    if not tokens:
        raise InputError(f"{sample.name}: has no text to tokenize")
    return sample.bytes / tokens


def vocabulary_curve(sample: Sample, tokenizer: Tokenizer) -> list[tuple[int, float]] | None:
    """Return (vocabulary size, bytes per token) of a BPE's first merges, smallest size first.

    None for tokenizers that cannot be cut, and for no text.
    """
    try:
        curve = token_curve(tokenizer, sample.texts)
    except InputError:
        return None
    if not curve.bytes:
        return None
    first, rates = curve.first_size, curve.bytes_per_token
    sizes = log_grid(first, first + len(rates) - 1)
    return [(size, float(rates[size - first])) for size in sizes]
