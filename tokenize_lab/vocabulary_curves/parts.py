"""The curves of a corpus in parts: each counted by any process, kept by its content, and added up.

A part is a run of batches. What is counted of it depends on its texts and the numbers of its
documents alone, so that the sums are the same however many processes count, and whatever of it was
counted before.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import NamedTuple

import numpy as np

from corpora.corpus import Corpus
from corpora.document import utf8_length
from tokenize_lab.ceilings import LanguageHeads
from tokenize_lab.counts.batches import content_sha256, tokenizer_key
from tokenize_lab.counts.bytes import TextBytes
from tokenize_lab.counts.cache import CountsCache
from tokenize_lab.counts.schema import MOST_UNITS
from tokenize_lab.progress import ReportProgress, silent
from tokenize_lab.tokenizer import IntArray, Tokenizer
from tokenize_lab.vocabulary_curves.curve import CurveCounter, TokenCurve, followed_on
from tokenize_lab.vocabulary_curves.following import Followed
from tokenize_lab.workers import map_here

PART_BYTES = 4 << 20
# Part of every key: raise it whenever the meaning of a curve changes.
CURVE_VERSION = 1
LanguageCurves = dict[str, TokenCurve]


class NumberedBatch(NamedTuple):
    """Texts of one language; their numbers go on from `first` over the corpus."""

    language: str
    first: int
    texts: Sequence[str]

    @property
    def bytes(self) -> int:
        """UTF-8 bytes of the texts."""
        return sum(map(utf8_length, self.texts))


Part = list[NumberedBatch]


@dataclass(frozen=True)
class CurveJob:
    """Everything that counting a part needs, sent to a worker once.

    Attributes:
        tokenizers: BPEs.
        sizes: for each, the vocabulary sizes at which units are kept for intervals.
        texts: the corpus's first, to try ways of splitting on.
        cache: where curves are kept, or None.
    """

    tokenizers: Sequence[Tokenizer]
    sizes: Sequence[Sequence[int]]
    texts: Sequence[str]
    cache: CountsCache | None


def count_curves(
    corpus: Corpus,
    tokenizers: Sequence[Tokenizer],
    sizes: Sequence[Sequence[int]],
    *,
    jobs: int = 1,
    cache: CountsCache | None = None,
    progress: ReportProgress = silent,
    heads: LanguageHeads | None = None,
) -> list[LanguageCurves]:
    """Return each tokenizer's curves by language, in the order met.

    Arguments:
        sizes: as of `CurveJob`.
        jobs: processes, as `map_here`.
        progress: told of the bytes of text just counted.
        heads: takes note of the languages' first texts.

    Raises:
        InputError: from the corpus; a tokenizer's pieces cannot be followed.
    """
    parts = _noted(parts_of(corpus), heads or LanguageHeads())
    first = next(parts, [])
    job = CurveJob(tokenizers, sizes, first[0].texts if first else (), cache)
    found: list[LanguageCurves] = [{} for _ in tokenizers]
    for size, _, curves in map_here(
        ((sum(batch.bytes for batch in part), part) for part in chain([first], parts)),
        partial(_part_counter, job),
        jobs=jobs,
        cost=lambda part: len(tokenizers) * sum(batch.bytes for batch in part),
    ):
        for into, more in zip(found, curves, strict=True):
            for language, curve in more.items():
                if language in into:
                    into[language].add(curve)
                else:
                    into[language] = curve
        progress(f"measuring {corpus.name}", size)
    return found


def _noted(parts: Iterator[Part], heads: LanguageHeads) -> Iterator[Part]:
    for part in parts:
        for batch in part:
            heads.note(batch.language, batch.texts)
        yield part


def parts_of(corpus: Corpus) -> Iterator[Part]:
    """Yield a corpus's batches in runs of about `PART_BYTES`.

    Documents are numbered over the corpus, aligned lines by their alignment.
    """
    part: Part = []
    seen = held = 0
    for batch in corpus.batches():
        number = seen if batch.first_alignment is None else batch.first_alignment
        part.append(NumberedBatch(batch.language, number, batch.texts))
        seen += len(batch.texts)
        held += part[-1].bytes
        if held >= PART_BYTES:
            yield part
            part, held = [], 0
    if part:
        yield part


def _part_counter(job: CurveJob) -> Callable[[Part], list[LanguageCurves]]:
    return PartCounter(job).count


class PartCounter:
    """Counts parts, one after the other, in one process."""

    def __init__(self, job: CurveJob) -> None:
        self._job = job
        self._followed: list[Followed | None] = [None] * len(job.tokenizers)

    def count(self, part: Part) -> list[LanguageCurves]:
        """Return each tokenizer's curves of a part by language, from the cache if they are there.

        Raises:
            InputError: a tokenizer's pieces cannot be followed; the cache cannot be written.
        """
        content = _content(part) if self._job.cache else ""
        return [self._curves(i, part, content) for i in range(len(self._followed))]

    def _curves(self, i: int, part: Part, content: str) -> LanguageCurves:
        cache, sizes = self._job.cache, np.asarray(self._job.sizes[i], np.int64)
        key = (content, f"curve {CURVE_VERSION} {sizes.tolist()}")
        tokenizer = self._job.tokenizers[i]
        name = tokenizer_key(tokenizer)
        languages = [*dict.fromkeys(batch.language for batch in part)]
        make = partial(_curves_restored, languages, tokenizer.vocabulary_size, sizes)
        stored = cache.get(make, *key, name) if cache else None
        if stored is not None:
            return stored
        followed = self._followed[i] or followed_on(tokenizer, self._job.texts)
        self._followed[i] = followed
        counter = CurveCounter(followed, sizes.tolist())
        for batch in part:
            counter.add(batch.language, batch.first, batch.texts)
        curves = counter.curves()
        if cache:
            cache.put([a for curve in curves.values() for a in _arrays(curve)], *key, name)
        return curves


def _content(part: Part) -> str:
    """Return the hash of a part: its texts, their languages and numbers."""
    digest = hashlib.sha256()
    for batch in part:
        texts = content_sha256(TextBytes.of(batch.texts))
        digest.update(f"{batch.language}\t{batch.first}\t{texts}\n".encode())
    return digest.hexdigest()


_ARRAYS = 4  # of a curve


def _arrays(curve: TokenCurve) -> list[IntArray]:
    """Return a curve as arrays: its numbers, the sizes at which tokens grow fewer and by how many,
    and its units."""
    saved = -np.diff(curve.tokens)
    steps = np.flatnonzero(saved)
    numbers = [
        *(curve.first_size, len(curve.tokens), int(curve.tokens[0])),
        *(curve.documents, curve.bytes, curve.pieces),
    ]
    return [np.asarray(numbers, np.int64), steps, saved[steps], curve.units]


def _curves_restored(
    languages: Sequence[str], last_size: int, sizes: IntArray, arrays: Sequence[IntArray]
) -> LanguageCurves:
    rows = zip(*[iter(arrays)] * _ARRAYS, strict=True)
    return {
        language: _restored(row, last_size, sizes)
        for language, row in zip(languages, rows, strict=True)
    }


def _restored(arrays: Sequence[IntArray], last_size: int, sizes: IntArray) -> TokenCurve:
    numbers, steps, saved, units = arrays
    first_size, length, most, documents, size, pieces = numbers.tolist()
    if first_size + length - 1 != last_size or (steps >= length - 1).any():
        raise ValueError("not a curve of this vocabulary")
    if units.shape != (len(units), 2 + len(sizes)) or len(units) > MOST_UNITS:
        raise ValueError("not the units of a curve at these sizes")
    fewer = np.zeros(length, np.int64)
    fewer[steps + 1] = saved
    tokens = most - np.cumsum(fewer)
    return TokenCurve(first_size, tokens, sizes, documents, size, pieces, units)
