"""Corpora x tokenizers -> counts, in one pass over the text, on every core."""

import hashlib
import importlib.metadata
import math
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from corpora.bootstrap import DocumentBootstrap
from corpora.corpus import Corpus
from corpora.errors import did_you_mean
from corpora.files import written_whole
from tokenize_lab.counts.cache import COUNTING_VERSION
from tokenize_lab.counts.fields import TEXT_INDEX
from tokenize_lab.counts.plan import unshared
from tokenize_lab.counts.schema import Group, GroupCounts, merged
from tokenize_lab.progress import ReportProgress, silent
from tokenize_lab.results import Results, SampleText, sample_texts, save_results, tokenized_samples
from tokenize_lab.rows import MeasureRow, RowSettings, iterate_rows
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.workers import Counted, CountJob, counted_here, cpu_count

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
    counting: CountJob,
    *,
    by_document: bool = False,
    jobs: int | None = None,
    progress: ReportProgress = silent,
    counted: Counted | None = None,
) -> Measurement:
    """Count every corpus under every tokenizer of the counting.

    Arguments:
        corpora: with distinct names.
        counting: the tokenizers, with distinct names; what to look for; the cache.
        by_document: keep each document's counts apart. Memory then grows with their number.
        jobs: worker processes; by default one a core, and none for a small corpus.
        progress: told of each corpus, and of the bytes of text just counted.
        counted: has the batches counted and yields them in order; by default this machine does.

    Raises:
        InputError: from the corpus, or a cache that cannot be written. Counts cached until then
            are kept, as they are after an interrupt: the next run goes on from there.
    """
    begin = time.perf_counter()
    names = [tokenizer.name for tokenizer in counting.tokenizers]
    counts: dict[Group, GroupCounts] = {}
    documents_seen = dict.fromkeys((corpus.name for corpus in corpora), 0)
    places: set[tuple[str, str, str]] = set()
    digests = {corpus.name: hashlib.sha256() for corpus in corpora}
    speed = Throughput(
        encoded_bytes=dict.fromkeys(names, 0), encode_seconds=dict.fromkeys(names, 0.0)
    )
    samples: list[SampleText] = []
    encoded = from_cache = 0
    notices = dict.fromkeys(
        unshared(counting.tokenizers, counting.settings) if counting.sharing else ()
    )
    stream = ((corpus, batch) for corpus in corpora for batch in corpus.batches())
    if counted is None:
        counted = partial(counted_here, jobs=jobs or cpu_count())
    for corpus, batch, result in counted(stream, counting):
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
        progress(f"measuring {corpus.name}", size)
    speed.seconds = time.perf_counter() - begin
    hashes = {name: digest.hexdigest() for name, digest in digests.items()}
    return Measurement(counts, hashes, speed, samples, from_cache, encoded, list(notices))


# Where counts came from: enough to make them again, and to see that they are the same.


_LIBRARIES = (
    "tokenizers",
    "sentencepiece",
    "tiktoken",
    "mistral-common",
    "numpy",
    "polars",
    "regex",
)


def provenance(
    corpora: Sequence[Corpus],
    tokenizers: Sequence[Tokenizer],
    settings: dict[str, Any],
    measurement: Measurement,
    command: Sequence[str],
) -> dict[str, Any]:
    """Return the record of a measurement; everything that changes from run to run is in `run`."""
    speed = measurement.throughput
    encoders = {t.name: speed.encoder_mb_per_second(t.name) for t in tokenizers}
    return {
        "command": list(command),
        "settings": settings,
        "corpora": [
            {
                "name": corpus.name,
                "parallel": corpus.parallel,
                "sha256": measurement.corpora_sha256[corpus.name],
            }
            for corpus in corpora
        ],
        "tokenizers": [
            {
                "name": t.name,
                "spec": t.spec,
                "sha256": t.sha256,
                "vocabulary_size": t.vocabulary_size,
                "engine": t.engine,
                "lossless": t.lossless,
                "lossy_reason": t.lossy_reason,
            }
            for t in tokenizers
        ],
        "counting_version": COUNTING_VERSION,
        "versions": {
            "tokenize-lab": importlib.metadata.version("tokenize-lab"),
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in _LIBRARIES},
        },
        "run": {
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "platform": f"{sys.platform} {platform.machine()}",
            "seconds": round(speed.seconds, 3),
            "text_bytes": speed.bytes,
            "mb_per_second": speed.bytes / speed.seconds / 1e6 if speed.seconds else None,
            "encoder_mb_per_second": encoders,
            "batches_encoded": measurement.encoded,
            "batches_from_cache": measurement.from_cache,
            "notices": measurement.notices,
        },
    }


# A whole measurement: corpora and tokenizers in, a folder of results out.


@dataclass(frozen=True)
class JobSettings:
    """What rows are made of the counts; kept in the record, so that reports make the same.

    Attributes:
        baseline: name of the tokenizer that differences are taken to.
        reference: language of parity and premium, or how its code begins.
        group_by: `language`, `domain`, `document`: one row for each.
        replicates: bootstrap resamples; 0 for no intervals.
        seed: of the resamples.
    """

    baseline: str
    reference: str = "eng"
    group_by: tuple[str, ...] = ("language",)
    replicates: int = 1000
    seed: int = 0


def measure_into(
    out: Path,
    corpora: Sequence[Corpus],
    counting: CountJob,
    settings: JobSettings,
    command: Sequence[str],
    *,
    jobs: int | None = None,
    progress: ReportProgress = silent,
    counted: Counted | None = None,
) -> Results:
    """Measure the corpora and write the results to `out`; see `measure` for the rest.

    Raises:
        InputError: as `measure`; or `out` cannot be written, which is found out first.
    """
    with written_whole(out / ".writable") as probe:
        assert probe.exists()
    (out / ".writable").unlink()
    by_document = "document" in settings.group_by
    measurement = measure(
        corpora, counting, by_document=by_document, jobs=jobs, progress=progress, counted=counted
    )
    looked_for = counting.settings
    record = provenance(
        corpora,
        counting.tokenizers,
        {
            "word_segmenter": looked_for.segmenter.value,
            "graphemes": looked_for.graphemes,
            **asdict(settings),
            "group_by": list(settings.group_by),
        },
        measurement,
        command,
    )
    samples = tokenized_samples(measurement.samples, counting.tokenizers)
    results = Results(measurement.counts, record, samples)
    save_results(out, results)
    return results


def rows_of(results: Results, settings: JobSettings) -> Iterator[MeasureRow]:
    """Yield the rows of a measurement, grouped as asked."""
    record = results.provenance
    return iterate_rows(
        merged(results.counts, settings.group_by),
        RowSettings(
            {t["name"]: t["vocabulary_size"] for t in record["tokenizers"]},
            record["settings"]["word_segmenter"],
            settings.reference,
            settings.baseline,
            DocumentBootstrap(settings.replicates, settings.seed) if settings.replicates else None,
        ),
    )


def remarks(results: Results, settings: JobSettings) -> list[str]:
    """Return what a person should know beside the rows, a line each."""
    record = results.provenance
    run = record["run"]
    lines = []
    if not run["batches_encoded"]:
        lines.append("every count came from the cache; nothing was encoded")
    elif run["batches_from_cache"]:
        total = run["batches_encoded"] + run["batches_from_cache"]
        lines.append(f"{run['batches_from_cache']} of {total} batches came from the cache")
    lines += run.get("notices", [])
    lines += [
        f"{tokenizer['name']} is lossy: {tokenizer['lossy_reason']}"
        for tokenizer in record["tokenizers"]
        if not tokenizer["lossless"]
    ]
    aligned = {g.language for g, part in results.counts.items() if part.aligned and g.language}
    if len(aligned) > 1 and not any(code.startswith(settings.reference) for code in aligned):
        near = did_you_mean(settings.reference, aligned) or f" ({', '.join(sorted(aligned)[:8])})"
        lines.append(
            f"no language begins with --reference {settings.reference}: no parity, no premium{near}"
        )
    return lines
