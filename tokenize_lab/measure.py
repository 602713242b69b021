"""Corpora x tokenizers -> counts, in one pass over the text, on every core."""

import hashlib
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from corpora.corpus import Corpus
from tokenize_lab.batch_work import Workbench
from tokenize_lab.counts import Group, GroupCounts
from tokenize_lab.fields import TEXT_INDEX
from tokenize_lab.local_engine import Counted, counted_here
from tokenize_lab.samples import SampleText, sample_texts

# Of a corpus with more languages and domains than this, the later ones have no samples.
_MOST_SAMPLED = 200


@dataclass
class Throughput:
    """How fast it went. Never part of the counts: times differ from run to run.

    Attributes:
        bytes: UTF-8 bytes of text read.
        seconds: of the whole measurement, by the clock.
        encoded_bytes: by tokenizer, bytes that its encoder ran on (not those the cache answered).
        encode_seconds: by tokenizer, seconds in that encoder, summed over processes.
    """

    bytes: int = 0
    seconds: float = 0.0
    encoded_bytes: dict[str, int] = field(default_factory=dict)
    encode_seconds: dict[str, float] = field(default_factory=dict)

    def encoder_mb_per_second(self, tokenizer: str) -> float | None:
        """Return the encoder's speed on one core, MB/s; None where the cache answered all."""
        seconds = self.encode_seconds.get(tokenizer, 0.0)
        return self.encoded_bytes[tokenizer] / seconds / 1e6 if seconds > 0 else None


@dataclass(frozen=True)
class Measurement:
    """What measuring gives.

    Attributes:
        counts: by group, in the order met.
        tokenizers: as given.
        corpora_sha256: by corpus, of its texts, languages and domains in the order of its batches.
        throughput: how fast it went.
        samples: heads of the first documents of each corpus, language and domain.
        from_cache: (tokenizer, batch) pairs that the cache answered.
        encoded: pairs that were encoded.
        notices: what a person should know, a line each.
    """

    counts: dict[Group, GroupCounts]
    corpora_sha256: dict[str, str]
    throughput: Throughput
    samples: list[SampleText]
    from_cache: int
    encoded: int
    notices: list[str]


def measure(
    corpora: Sequence[Corpus],
    workbench: Workbench,
    *,
    by_document: bool = False,
    jobs: int | None = None,
    progress: Callable[[Corpus, int], None] | None = None,
    counted: Counted | None = None,
) -> Measurement:
    """Count every corpus under every tokenizer of the workbench.

    Arguments:
        corpora: with distinct names.
        workbench: the tokenizers, with distinct names; what to look for; the cache.
        by_document: keep each document's counts apart. Memory then grows with their number.
        jobs: worker processes; by default one a core, and none for a small corpus.
        progress: called with the corpus and the bytes of text just counted.
        counted: has the batches counted and yields them in order; by default this machine does.

    Raises:
        InputError: from the corpus, or a cache that cannot be written. Counts cached until then
            are kept, as they are after an interrupt: the next run goes on from there.
    """
    begin = time.perf_counter()
    names = [tokenizer.name for tokenizer in workbench.tokenizers]
    counts: dict[Group, GroupCounts] = {}
    documents_seen = dict.fromkeys((corpus.name for corpus in corpora), 0)
    places: set[tuple[str, str, str]] = set()
    digests = {corpus.name: hashlib.sha256() for corpus in corpora}
    speed = Throughput(
        encoded_bytes=dict.fromkeys(names, 0), encode_seconds=dict.fromkeys(names, 0.0)
    )
    samples: list[SampleText] = []
    encoded = from_cache = 0
    notices: dict[str, None] = {}
    stream = ((corpus, batch) for corpus in corpora for batch in corpus.batches())
    if counted is None:
        counted = partial(counted_here, jobs=jobs or os.cpu_count() or 1)
    for corpus, batch, result in counted(stream, workbench):
        notices.update(dict.fromkeys(result.notices))
        size = int(result.text[:, TEXT_INDEX["bytes"]].sum())
        digests[corpus.name].update(
            f"{batch.language}\t{batch.domain}\t{result.content_sha256}\n".encode()
        )
        place = (corpus.name, batch.language, batch.domain)
        if place not in places and len(places) < _MOST_SAMPLED:
            samples += sample_texts(corpus.name, batch)
        places.add(place)
        first = documents_seen[corpus.name]
        documents_seen[corpus.name] += len(batch.texts)
        if batch.first_alignment is not None:
            first = batch.first_alignment
        for i, name in enumerate(names):
            table = np.concatenate([result.text, result.tokens[i].per_text], axis=1)
            if by_document:
                prefix = "" if batch.first_alignment is not None else f"{batch.source}:"
                for document, row in zip(batch.document_ids, table, strict=True):
                    group = Group(name, *place, prefix + document)
                    if group not in counts:
                        counts[group] = GroupCounts(aligned=batch.first_alignment is not None)
                    counts[group].add(0, row[None])
            else:
                into = counts.setdefault(Group(name, *place, None), GroupCounts())
                into.aligned = into.aligned and batch.first_alignment is not None
                into.add(first, table)
                into.histogram.add(result.tokens[i].ids, result.tokens[i].occurrences)
            if math.isnan(result.encode_seconds[i]):
                from_cache += 1
            else:
                encoded += 1
                speed.encoded_bytes[name] += size
                speed.encode_seconds[name] += result.encode_seconds[i]
        speed.bytes += size
        if progress:
            progress(corpus, size)
    speed.seconds = time.perf_counter() - begin
    hashes = {name: digest.hexdigest() for name, digest in digests.items()}
    return Measurement(counts, hashes, speed, samples, from_cache, encoded, list(notices))
