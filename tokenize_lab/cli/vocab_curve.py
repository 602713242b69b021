"""`tokenize-lab vocab-curve`: bytes per token at every vocabulary size, from one pass."""

from pathlib import Path
from typing import Annotated

import typer

from corpora.errors import InputError, as_options
from tokenize_lab.cli import complete
from tokenize_lab.cli.options import (
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
from tokenize_lab.progress import progress


@reads_text("language")
def vocab_curve(
    corpora: Corpora,
    tokenizers: Annotated[
        list[str],
        typer.Option(
            "--tokenizer",
            "-t",
            metavar="[NAME=]SPEC",
            autocompletion=complete.tokenizers,
            help="a BPE, as for measure: a tokenizer.json, a tiktoken encoding, mistral:tekken; "
            "may be repeated",
        ),
    ],
    at: Annotated[
        list[int] | None,
        typer.Option(
            metavar="V",
            help="a vocabulary size to show; may be repeated",
            show_default="a quarter of an octave apart",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    every: Annotated[
        bool,
        typer.Option(
            "--every",
            help="every size there is; those between the default ones have no interval",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    as_json: RowsAsJson = False,
    as_csv: RowsAsCsv = False,
    columns: Columns = "",
    out: Annotated[
        Path, typer.Option(help="folder for vocab_curve.json", rich_help_panel=OUTPUT)
    ] = Path("out/vocab-curve"),
    *,
    reading: ReadOptions,
    replicates: Replicates = 1000,
    seed: Seed = 0,
    jobs: Jobs = 0,
    cache: CacheFolder = Path("out/cache"),
    no_cache: NoCache = False,
) -> None:
    """Show bytes per token at every vocabulary size a BPE can be cut to, for each language.

    The text is read once, whatever the number of sizes: the counts are those of encoding with the
    tokenizer's first merges only (-t truncated:V:SPEC), to the token. Sizes count special tokens
    and the alphabet. Several corpora are read as one. Intervals are a bootstrap over documents or
    aligned lines. What was counted is kept in --cache, so that a second run counts nothing twice.

    \b
    tokenize-lab vocab-curve my_text.jsonl -t tokenizer.json
    tokenize-lab vocab-curve embedded -t mistral:tekken --at 8192 --at 32768
    tokenize-lab report out/vocab-curve
    """
    from corpora.corpus import joined
    from corpora.locks import being_written
    from corpora.output import command_line, drawn, emit, json_list
    from tokenize_lab.cli.tables import chosen_rows, csv_lines, curve_tables
    from tokenize_lab.vocabulary_curves.job import vocab_curve

    one_format(as_json=as_json, as_csv=as_csv)
    if at and every:
        raise InputError("--every shows every size, those of --at among them; give one of them")
    opened = reading.open(corpora)
    text = joined(opened)
    with being_written(out), progress("measuring", text.size_bytes) as bars:
        curves = vocab_curve(
            text,
            tokenizers,
            at=at or (),
            replicates=replicates,
            seed=seed,
            jobs=jobs,
            cache=None if no_cache else cache,
            progress=bars.report,
        )
        path = curves.save(out, command_line())
    say([f"curves: {path} (then: tokenize-lab report {out})"])
    say([as_options(line, {"at": "--at"}) for line in curves.remarks()])
    say(reading.remarks(opened))
    if columns:
        rows = curves.rows(every=every)
        emit(chosen_rows(rows, columns, as_json=as_json, as_csv=as_csv))
    elif as_json:
        emit(json_list(curves.rows(every=every)))
    elif as_csv:
        emit(csv_lines(curves.rows(every=every), differing=()))
    else:
        emit(drawn(curve_tables([list(rows) for rows in curves.rows_by_curve(every=every)])))
