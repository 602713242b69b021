"""Which tokens a corpus uses, and which of them only some of its languages use."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from corpora.corpus import Corpus
from tokenize_lab.counts.batches import CountJob
from tokenize_lab.counts.cache import CountsCache
from tokenize_lab.counts.fields import FIELD_INDEX, TextSettings
from tokenize_lab.measurement import count_corpora
from tokenize_lab.progress import ReportProgress, silent
from tokenize_lab.tokenizer import IntArray, Tokenizer

MAINLY = 0.9  # of a token's occurrences per byte of each language


@dataclass(frozen=True)
class Usage:
    """How often each language uses each token.

    Attributes:
        languages: in alphabetical order.
        counts: [languages, V] int64.
        bytes: [languages] int64, UTF-8 bytes of text.
        corpora_sha256: by corpus, of its content.
        notices: what a person should know, a line each.
    """

    languages: Sequence[str]
    counts: IntArray
    bytes: IntArray
    corpora_sha256: dict[str, str]
    notices: Sequence[str] = ()

    @property
    def total(self) -> IntArray:
        """[V] int64, occurrences in all the text."""
        return np.asarray(self.counts.sum(0))


def count_usage(
    tokenizer: Tokenizer,
    corpora: Sequence[Corpus],
    *,
    cache: Path | None = None,
    jobs: int = 1,
    progress: ReportProgress = silent,
) -> Usage:
    """Encode the corpora and count every token by language.

    Raises:
        InputError: from the corpora, or a cache that cannot be written.
    """
    counting = CountJob([tokenizer], TextSettings(), None if cache is None else CountsCache(cache))
    measured = count_corpora(corpora, counting, jobs=jobs, progress=progress)
    languages = sorted({str(group.language) for group in measured.counts})
    place = {language: i for i, language in enumerate(languages)}
    counts = np.zeros((len(languages), tokenizer.vocabulary_size), np.int64)
    sizes = np.zeros(len(languages), np.int64)
    for group, part in measured.counts.items():
        row = place[str(group.language)]
        histogram = part.histogram.settle()
        counts[row, histogram.ids] += histogram.occurrences
        sizes[row] += part.total[FIELD_INDEX["bytes"]]
    hashes = dict(measured.corpora_sha256)
    return Usage(languages, counts, sizes, hashes, measured.notices)


def language_rows(usage: Usage) -> list[dict[str, Any]]:
    """Return one row for each language: what it uses of the vocabulary, and what it shares.

    `exclusive_ids` occur in no other language of the corpus; `main_ids` have at least `MAINLY` of
    their rate (occurrences per byte) there, so that a name quoted once elsewhere does not count;
    `ids_for_90_percent` is how many ids the commonest nine tenths of its tokens take. All depend on
    how much text there is of each language.
    """
    used = usage.counts > 0
    spread = used.sum(0)
    rate = usage.counts / np.maximum(usage.bytes, 1)[:, None]
    all_rates = rate.sum(0)
    rows = []
    for i, language in enumerate(usage.languages):
        used_here = used[i]
        tokens = int(usage.counts[i].sum())
        ordered = np.sort(usage.counts[i][used_here])[::-1].cumsum()
        rows.append(
            {
                "language": language,
                "bytes": int(usage.bytes[i]),
                "tokens": tokens,
                "used_ids": int(used_here.sum()),
                "exclusive_ids": int((used_here & (spread == 1)).sum()),
                "main_ids": int((used_here & (rate[i] >= MAINLY * all_rates)).sum()),
                "shared_by_all_ids": int((used_here & (spread == len(usage.languages))).sum()),
                "ids_for_90_percent": int(np.searchsorted(ordered, 0.9 * tokens) + 1)
                if tokens
                else 0,
            }
        )
    return rows


def sharing(usage: Usage) -> list[int]:
    """Return how many ids occur in exactly 0, 1, 2, ... languages."""
    spread = (usage.counts > 0).sum(0)
    numbers: list[int] = np.bincount(spread, minlength=len(usage.languages) + 1).tolist()
    return numbers
