"""Corpora x tokenizers -> counts, in one pass over the text, on every core."""

import hashlib
import importlib.metadata
import math
import platform
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from corpora.arguments import flag, one_of, whole, word
from corpora.corpus import Corpus
from corpora.document import Batch
from corpora.errors import InputError, did_you_mean
from corpora.locks import being_written
from tokenize_lab.backends.swift import release_engines
from tokenize_lab.ceilings import LanguageHeads, ceiling_lines
from tokenize_lab.counts.batches import COUNTING_VERSION, CountJob
from tokenize_lab.counts.cache import CountsCache
from tokenize_lab.counts.documents import CountsByDocument, DocumentPlace
from tokenize_lab.counts.fields import TEXT_INDEX, TextSettings, WordSegmenter
from tokenize_lab.counts.schema import Group, GroupCounts
from tokenize_lab.counts.sharing import unshared
from tokenize_lab.counts.tokens import TokenCounts
from tokenize_lab.progress import ReportProgress, silent
from tokenize_lab.provenance import MOST_REPLICATES
from tokenize_lab.results import Results, sample_texts, tokenized_samples
from tokenize_lab.tokenizer import IntArray, Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizers
from tokenize_lab.workers import CountBatches, count_here

GROUPS = ("language", "domain", "document")
# Of a corpus with more languages and domains than this, the later ones have no samples.
_MOST_SAMPLED = 200
_MANY_UNITS = 256  # a group of fewer takes little memory as it is
_MOST_WIDE = 64  # groups that are added to without being made wide again each time
_LIBRARIES = (
    *("tokenizers", "sentencepiece", "tiktoken", "mistral-common", "numpy", "polars", "regex"),
)


def measure(
    corpora: Sequence[Corpus],
    tokenizers: Sequence[object],
    *,
    baseline: str | None = None,
    reference: str = "eng",
    group_by: Sequence[str] = ("language",),
    words: str = WordSegmenter.WHITESPACE,
    graphemes: bool = False,
    replicates: int = 1000,
    seed: int = 0,
    jobs: int = 1,
    cache: Path | None = None,
    progress: ReportProgress = silent,
    count_batches: CountBatches | None = None,
    out: Path | None = None,
    command: Sequence[str] = (),
) -> Results:
    """Measure bytes per token, and what it does to languages.

    Arguments:
        corpora: text, under distinct names.
        tokenizers: specs, or objects, as `load_tokenizers` takes them.
        baseline: name or spec of the tokenizer that differences are taken to; by default the first.
        reference: language of parity and premium, or how its code begins.
        group_by: one row for each `language`, `domain`, `document`. Documents kept apart take
            memory that grows with their number.
        words: how words are told apart: `whitespace` or `uax29`.
        graphemes: whether grapheme clusters are counted too, which is slower.
        replicates: bootstrap resamples for the intervals; 0 for none.
        seed: of the resamples.
        jobs: processes; 1 for this one alone, 0 for one a core. A script that asks for more must
            have its own work under `if __name__ == "__main__":`, as `multiprocessing` says.
        cache: folder of counts already made, so that the same text is not encoded twice.
        progress: told of each corpus, and of the bytes of text just counted.
        count_batches: has the batches counted, on a cluster say; by default this machine does.
        out: folder to save the results in, which is seen to be writable before the text is read.
        command: to be kept in the record.

    Raises:
        InputError: from a corpus or tokenizer; names that are not distinct; an unknown word;
            a folder that cannot be written, or that another process is writing to.
    """
    for part in group_by:
        one_of("group_by", part, GROUPS)
    one_of("words", words, WordSegmenter)
    word("reference", reference)
    flag("graphemes", graphemes)
    whole("replicates", replicates, 0, MOST_REPLICATES)
    whole("seed", seed, 0)
    whole("jobs", jobs, 0)
    loaded = load_tokenizers(tokenizers)
    for name, times in Counter(corpus.name for corpus in corpora).items():
        if times > 1:
            raise InputError(f"{times} corpora are named {name}; give each a name of its own")
    settings = {
        "word_segmenter": str(words),
        "graphemes": bool(graphemes),
        "baseline": _baseline(loaded, baseline),
        "reference": reference,
        "group_by": list(group_by),
        "replicates": int(replicates),
        "seed": int(seed),
    }
    looked_for = TextSettings(WordSegmenter(words), graphemes)
    counting = CountJob(loaded, looked_for, None if cache is None else CountsCache(cache))
    with nullcontext() if out is None else being_written(out):
        counts = count_corpora(
            corpora,
            counting,
            by_document="document" in group_by,
            jobs=jobs,
            progress=progress,
            count_batches=count_batches,
        )
        record = provenance(corpora, loaded, settings, counts, command)
        results = Results(counts.counts, record, tokenized_samples(counts.samples, loaded))
        if out is not None:
            results.save(out)
    return results


def _baseline(tokenizers: Sequence[Tokenizer], asked: str | None) -> str:
    """Return the name of the tokenizer asked for by name or spec; of the first by default."""
    for tokenizer in tokenizers:
        if asked in (None, tokenizer.name, tokenizer.spec):
            return tokenizer.name
    specs = [tokenizer.spec for tokenizer in tokenizers]
    raise InputError(
        f"`baseline={asked}`: not one of the tokenizers"
        f"{did_you_mean(str(asked), specs)} ({', '.join(specs)})"
    )


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


@dataclass
class CorpusCounts:
    """The counts of corpora under tokenizers.

    Attributes:
        counts: by group, in the order met.
        corpora_sha256: by corpus, of its texts, languages and domains in the order of its batches.
        throughput: how fast it went.
        samples: heads of the first documents of each corpus, language and domain.
        from_cache: (tokenizer, batch) pairs that the cache answered.
        encoded: pairs that were encoded.
        notices: what a person should know, a line each.
    """

    counts: Mapping[Group, GroupCounts] = field(default_factory=dict)
    corpora_sha256: dict[str, str] = field(default_factory=dict)
    throughput: Throughput = field(default_factory=Throughput)
    samples: list[dict[str, Any]] = field(default_factory=list)
    from_cache: int = 0
    encoded: int = 0
    notices: list[str] = field(default_factory=list)
    _wide: dict[Group, GroupCounts] = field(default_factory=dict)

    def add(
        self, group: Group, first: int, table: IntArray, tokens: TokenCounts, *, aligned: bool
    ) -> None:
        """Add a tokenizer's counts of a batch; groups that came before many others are kept in
        fewer bytes."""
        assert isinstance(self.counts, dict)
        into = self.counts.setdefault(group, GroupCounts())
        into.aligned = into.aligned and aligned
        into.add(first, table)
        into.histogram.add(tokens.ids, tokens.occurrences)
        self._wide[group] = into
        if len(self._wide) > _MOST_WIDE:
            self.make_narrow()

    def make_narrow(self) -> None:
        """Keep all groups of many units in few bytes."""
        for part in self._wide.values():
            if part.size >= _MANY_UNITS:
                part.kept = part.narrow
        self._wide.clear()

    def note_speed(self, names: Sequence[str], size: int, seconds: Sequence[float]) -> None:
        """Add a batch's bytes, and the seconds that each tokenizer took for it; NaN if cached."""
        speed = self.throughput
        speed.bytes += size
        for name, taken in zip(names, seconds, strict=True):
            if math.isnan(taken):
                self.from_cache += 1
                continue
            self.encoded += 1
            speed.encoded_bytes[name] = speed.encoded_bytes.get(name, 0) + size
            speed.encode_seconds[name] = speed.encode_seconds.get(name, 0.0) + taken


def count_corpora(
    corpora: Sequence[Corpus],
    counting: CountJob,
    *,
    by_document: bool = False,
    jobs: int = 1,
    progress: ReportProgress = silent,
    count_batches: CountBatches | None = None,
) -> CorpusCounts:
    """Count every corpus under every tokenizer, as `measure` says.

    Raises:
        InputError: from a corpus, or a cache that cannot be written. Counts cached until then are
            kept, as they are after an interrupt: the next run goes on from there.
    """
    begin = time.perf_counter()
    names = [tokenizer.name for tokenizer in counting.tokenizers]
    apart = CountsByDocument()
    found = CorpusCounts(apart if by_document else {})
    documents = dict.fromkeys((corpus.name for corpus in corpora), 0)
    places: set[tuple[str, str, str]] = set()
    digests = {corpus.name: hashlib.sha256() for corpus in corpora}
    notices = unshared(counting.tokenizers, counting.settings) if counting.sharing else []
    heads = LanguageHeads()
    stream = ((corpus, batch) for corpus in corpora for batch in corpus.batches())
    if count_batches is None:
        count_batches = partial(count_here, jobs=jobs)
    for corpus, batch, result in count_batches(stream, counting):
        notices += result.notices
        digests[corpus.name].update(
            f"{batch.language}\t{batch.domain}\t{result.content_sha256}\n".encode()
        )
        place = (corpus.name, batch.language, batch.domain)
        if place not in places and len(places) < _MOST_SAMPLED:
            found.samples += sample_texts(corpus.name, batch)
        places.add(place)
        heads.note(batch.language, batch.texts)
        aligned = batch.first_alignment is not None
        first = documents[corpus.name] if batch.first_alignment is None else batch.first_alignment
        named = _named_apart(corpus.name, batch) if by_document else None
        documents[corpus.name] += len(batch.texts)
        for name, tokens in zip(names, result.tokens, strict=True):
            table = np.concatenate([result.text, tokens.per_text], axis=1)
            if named is None:
                found.add(Group(name, *place, None), first, table, tokens, aligned=aligned)
            else:
                apart.add(name, *named, table)
        size = int(result.text[:, TEXT_INDEX["bytes"]].sum())
        found.note_speed(names, size, result.encode_seconds)
        progress(f"measuring {corpus.name}", size)
    found.make_narrow()
    release_engines()
    found.throughput.seconds = time.perf_counter() - begin
    found.corpora_sha256 = {name: digest.hexdigest() for name, digest in digests.items()}
    found.notices = [*dict.fromkeys(notices), *ceiling_lines(counting.tokenizers, heads)]
    return found


def _named_apart(corpus: str, batch: Batch) -> tuple[DocumentPlace, Sequence[str]]:
    """Return where a batch's documents are from, and their names there: of aligned ones those that
    translations share, of others with their source."""
    aligned = batch.first_alignment is not None
    place = DocumentPlace(corpus, batch.language, batch.domain, aligned)
    if aligned:
        return place, batch.document_ids
    return place, [f"{batch.source}:{document}" for document in batch.document_ids]


def provenance(
    corpora: Sequence[Corpus],
    tokenizers: Sequence[Tokenizer],
    settings: dict[str, Any],
    counts: CorpusCounts,
    command: Sequence[str],
) -> dict[str, Any]:
    """Return the record of a measurement; everything that changes from run to run is in `run`."""
    speed = counts.throughput
    encoders = {t.name: speed.encoder_mb_per_second(t.name) for t in tokenizers}
    return {
        "command": list(command),
        "settings": settings,
        "corpora": [
            {
                "name": corpus.name,
                "parallel": corpus.parallel,
                "sha256": counts.corpora_sha256[corpus.name],
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
                "remark": getattr(t, "remark", ""),
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
            "batches_encoded": counts.encoded,
            "batches_from_cache": counts.from_cache,
            "notices": counts.notices,
        },
    }
