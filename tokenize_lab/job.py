"""A whole measurement: corpora and tokenizers in, a folder of results out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from corpora.corpus import Corpus
from corpora.errors import did_you_mean
from corpora.files import written_whole
from tokenize_lab.batch_work import Workbench
from tokenize_lab.bootstrap import Bootstrap
from tokenize_lab.counts import merged
from tokenize_lab.local_engine import Counted
from tokenize_lab.measure import measure
from tokenize_lab.provenance import provenance
from tokenize_lab.results import Results, save_results
from tokenize_lab.rows import Row, RowSettings, iterate_rows
from tokenize_lab.samples import tokenized_samples


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
    workbench: Workbench,
    settings: JobSettings,
    command: Sequence[str],
    *,
    jobs: int | None = None,
    progress: Callable[[Corpus, int], None] | None = None,
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
        corpora, workbench, by_document=by_document, jobs=jobs, progress=progress, counted=counted
    )
    looked_for = workbench.settings
    record = provenance(
        corpora,
        workbench.tokenizers,
        {
            "word_segmenter": looked_for.segmenter.value,
            "graphemes": looked_for.graphemes,
            **asdict(settings),
            "group_by": list(settings.group_by),
        },
        measurement,
        command,
    )
    samples = tokenized_samples(measurement.samples, workbench.tokenizers)
    results = Results(measurement.counts, record, samples)
    save_results(out, results)
    return results


def rows_of(results: Results, settings: JobSettings) -> Iterator[Row]:
    """Yield the rows of a measurement, grouped as asked."""
    record = results.provenance
    return iterate_rows(
        merged(results.counts, settings.group_by),
        RowSettings(
            {t["name"]: t["vocabulary_size"] for t in record["tokenizers"]},
            record["settings"]["word_segmenter"],
            settings.reference,
            settings.baseline,
            Bootstrap(settings.replicates, settings.seed) if settings.replicates else None,
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
