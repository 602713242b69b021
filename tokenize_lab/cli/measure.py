"""`tokenize-lab measure`: any tokenizers on any corpora."""

import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpora.corpus import total_bytes
from corpora.errors import InputError, did_you_mean
from corpora.readers.settings import OnInvalid, Unit
from tokenize_lab.counts.fields import WordSegmenter
from tokenize_lab.progress import progress

if TYPE_CHECKING:
    from corpora.corpus import ReadCorpus
    from tokenize_lab.workers import Counted


class GroupBy(StrEnum):
    """What a row is about, beside its tokenizer and corpus."""

    LANGUAGE = "language"
    DOMAIN = "domain"
    DOCUMENT = "document"


class CountEngine(StrEnum):
    """Where batches are counted."""

    LOCAL = "local"
    RAY = "ray"


_INPUT = "What is measured"
_OUTPUT = "What comes out"
_HOW = "How it is done"
_DONE = {"replace": "bad bytes replaced", "skip": "skipped"}


def measure(
    corpora: Annotated[
        list[str],
        typer.Argument(
            metavar="CORPUS...",
            help="a file or folder (.txt, .jsonl[.gz|.zst|.xz], .parquet), the name of a declared "
            "corpus (tokenize-lab corpora list), or hub:NAME for a Hugging Face data set",
        ),
    ],
    tokenizers: Annotated[
        list[str],
        typer.Option(
            "--tokenizer",
            "-t",
            metavar="SPEC",
            rich_help_panel=_INPUT,
            help="byte, character, hf:PATH or hub name, sp:PATH, tiktoken:NAME or PATH, "
            "mistral:v1|v3|v7|tekken, or just a tokenizer's file; truncated:4096:SPEC or "
            "masked:.75:SPEC for a BPE's first merges, dropout:.1:SPEC (or .1@SEED) to leave out "
            "some at random; give -t as often as you like",
        ),
    ],
    group_by: Annotated[
        list[GroupBy],
        typer.Option(help="one row for each; may be repeated", rich_help_panel=_OUTPUT),
    ] = [GroupBy.LANGUAGE],  # noqa: B006 - typer's way of saying so; never changed
    as_json: Annotated[
        bool, typer.Option("--json", help="rows as strict JSON on stdout", rich_help_panel=_OUTPUT)
    ] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="rows as CSV on stdout", rich_help_panel=_OUTPUT)
    ] = False,
    out: Annotated[
        Path, typer.Option(help="folder for counts, samples, provenance", rich_help_panel=_OUTPUT)
    ] = Path("out/measure"),
    reference: Annotated[
        str, typer.Option(help="language of parity and premium", rich_help_panel=_OUTPUT)
    ] = "eng",
    baseline: Annotated[
        str | None,
        typer.Option(
            help="tokenizer that differences are taken to",
            rich_help_panel=_OUTPUT,
            show_default="the first",
        ),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(help="language of all the text, whatever files say", rich_help_panel=_INPUT),
    ] = None,
    domain: Annotated[
        str | None,
        typer.Option(
            help="domain of all the text; `code` adds code measures", rich_help_panel=_INPUT
        ),
    ] = None,
    text_field: Annotated[
        str, typer.Option(help="field or column that holds the text", rich_help_panel=_INPUT)
    ] = "text",
    unit: Annotated[
        Unit,
        typer.Option(
            help="what a document of a .txt file is: line or file", rich_help_panel=_INPUT
        ),
    ] = "line",
    on_invalid: Annotated[
        OnInvalid,
        typer.Option(
            help="what to do with invalid UTF-8: refuse, replace or skip", rich_help_panel=_INPUT
        ),
    ] = "refuse",
    parallel: Annotated[
        bool | None,
        typer.Option(
            help="whether a folder of xxx_Xxxx.txt files is one aligned corpus",
            show_default="by its line counts",
            rich_help_panel=_INPUT,
        ),
    ] = None,
    words: Annotated[
        WordSegmenter, typer.Option(help="how words are told apart", rich_help_panel=_HOW)
    ] = WordSegmenter.WHITESPACE,
    graphemes: Annotated[
        bool,
        typer.Option(
            "--graphemes", help="count grapheme clusters too (slower)", rich_help_panel=_HOW
        ),
    ] = False,
    replicates: Annotated[
        int,
        typer.Option(
            min=0, max=100_000, help="bootstrap resamples; 0 for no intervals", rich_help_panel=_HOW
        ),
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="of the resamples", rich_help_panel=_HOW)] = 0,
    jobs: Annotated[
        int, typer.Option(min=0, help="processes; 0 for one a core", rich_help_panel=_HOW)
    ] = 0,
    cache: Annotated[
        Path, typer.Option(help="folder of counts already made", rich_help_panel=_HOW)
    ] = Path("out/cache"),
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="count everything afresh", rich_help_panel=_HOW)
    ] = False,
    engine: Annotated[
        CountEngine, typer.Option(help="this machine, or a Ray cluster", rich_help_panel=_HOW)
    ] = CountEngine.LOCAL,
    address: Annotated[
        str | None,
        typer.Option(
            help="of the Ray cluster: auto, or HOST:PORT of its head",
            rich_help_panel=_HOW,
            show_default="one started here",
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="measure nothing; say which engine would serve each tokenizer, and why",
            rich_help_panel=_OUTPUT,
        ),
    ] = False,
) -> None:
    """Measure bytes per token, and what it does to languages: compression, fairness, fidelity,
    throughput.

    Rates are ratios of sums with 95 % bootstrap intervals over documents or aligned lines; what a
    text or tokenizer does not allow to measure is null. Counts are kept in --out (then:
    tokenize-lab report DIR) and in --cache, so a second run, or one after an interrupt, encodes
    nothing twice.

    \b
    tokenize-lab measure embedded -t byte -t mistral:v3 -t mistral:tekken
    tokenize-lab measure my_corpus.jsonl.zst -t tokenizer.json --json
    tokenize-lab measure my_corpus.jsonl -t a.json -t b.json --explain
    tokenize-lab measure parallel_folder -t hf:a.json -t sp:b.model --group-by domain
    """
    from corpora.open import open_corpus
    from corpora.output import drawn, emit, json_list
    from tokenize_lab.counts.cache import CountsCache
    from tokenize_lab.counts.text import TextSettings
    from tokenize_lab.load import load_tokenizers
    from tokenize_lab.measure import JobSettings, measure_into, remarks, rows_of
    from tokenize_lab.workers import CountJob

    if as_json and as_csv:
        raise InputError("--json and --csv both write to stdout; give one of them")
    opened = told_apart(
        corpora,
        [
            open_corpus(
                spec,
                language=language,
                domain=domain,
                text_field=text_field,
                unit=unit,
                on_invalid=on_invalid,
                parallel=parallel,
            )
            for spec in corpora
        ],
    )
    loaded = load_tokenizers(tokenizers)
    if explain:
        from tokenize_lab.cli.tables import plan_table
        from tokenize_lab.counts.plan import encoding_plans, plan_rows

        plan = plan_rows(encoding_plans(loaded, TextSettings(words, graphemes)))
        emit(json_list(plan) if as_json else drawn([plan_table(plan)]))
        return
    names = dict(zip(tokenizers, (tokenizer.name for tokenizer in loaded), strict=True))
    chosen = names.get(baseline or tokenizers[0], baseline or "")
    if chosen not in names.values():
        raise InputError(
            f"--baseline {chosen}: not one of the tokenizers"
            f"{did_you_mean(chosen, tokenizers)} ({', '.join(tokenizers)})"
        )

    settings = JobSettings(chosen, reference, tuple(g.value for g in group_by), replicates, seed)
    kept = None if no_cache else CountsCache(cache)
    counting = CountJob(loaded, TextSettings(words, graphemes), kept)
    command = ["tokenize-lab", *sys.argv[1:]]
    counted = _counted(engine, address, jobs or None)
    with progress("measuring", total_bytes(opened)) as bars:
        results = measure_into(
            out,
            opened,
            counting,
            settings,
            command,
            jobs=jobs or None,
            progress=bars.report,
            counted=counted,
        )
    for line in [
        f"counts, samples and provenance: {out} (then: tokenize-lab report {out})",
        *remarks(results, settings),
        *(
            f"{corpus.name}: {corpus.invalid.documents} documents are not valid UTF-8 "
            f"({_DONE[on_invalid]}; the first: {corpus.invalid.first})"
            for corpus in opened
            if corpus.invalid.documents
        ),
    ]:
        typer.echo(line, err=True)
    rows = rows_of(results, settings)
    if as_json:
        emit(json_list(rows))
    elif as_csv:
        from tokenize_lab.cli.tables import csv_lines

        emit(csv_lines(rows))
    else:
        from tokenize_lab.cli.tables import measure_tables

        emit(drawn(measure_tables(list(rows), results.provenance)))


def _counted(engine: CountEngine, address: str | None, cpus: int | None) -> "Counted | None":
    """Return what has batches counted, None for this machine itself."""
    if engine is CountEngine.LOCAL:
        if address is not None:
            raise InputError("--address: is for --engine ray; give both or neither")
        return None
    from functools import partial

    from tokenize_lab.ray import counted_on_ray, look_for

    look_for(address)
    return partial(counted_on_ray, address=address, cpus=cpus)


def told_apart(specs: list[str], opened: "list[ReadCorpus]") -> "list[ReadCorpus]":
    """Give corpora that share a short name their full ones."""
    for spec in specs:
        if specs.count(spec) > 1:
            raise InputError(f"corpus {spec}: given twice; give each once")
    names = [corpus.name for corpus in opened]
    return [
        corpus if names.count(corpus.name) == 1 else replace(corpus, name=spec)  # type: ignore[type-var]  # every corpus that is opened is a dataclass
        for spec, corpus in zip(specs, opened, strict=True)
    ]
