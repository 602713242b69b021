"""Options that several commands take, and say in the same words."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from corpora.errors import InputError
from tokenize_lab.cli import complete

INPUT, OUTPUT, HOW = "What is measured", "What comes out", "How it is done"

Corpora = Annotated[
    list[str],
    typer.Argument(
        metavar="CORPUS",
        autocompletion=complete.corpora,
        help="a file or folder (.txt, .jsonl, .csv, .tsv, each also .gz, .zst or .xz; .parquet), "
        "FOLDER:de,hin_Deva for some of its languages, - for standard input, a declared corpus "
        "(tokenize-lab corpora list), or hub:NAME for a Hugging Face set; as many as you like",
    ),
]
CorporaIfAny = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CORPUS",
        autocompletion=complete.corpora,
        help="text, as for measure, as many as you like; none to look at vocabularies alone",
    ),
]
CacheFolder = Annotated[
    Path, typer.Option(help="folder of counts already made", rich_help_panel=HOW)
]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="count everything afresh", rich_help_panel=HOW)
]
Jobs = Annotated[
    int,
    typer.Option(min=0, help="processes for the text; 0 for one a core", rich_help_panel=HOW),
]
RowsAsJson = Annotated[
    bool, typer.Option("--json", help="rows as strict JSON on stdout", rich_help_panel=OUTPUT)
]
RowsAsCsv = Annotated[
    bool, typer.Option("--csv", help="rows as CSV on stdout", rich_help_panel=OUTPUT)
]
Columns = Annotated[
    str,
    typer.Option(
        metavar="A,B,...",
        help="only these columns, in a table, --csv or --json",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]
Replicates = Annotated[
    int,
    typer.Option(
        min=0, max=100_000, help="bootstrap resamples; 0 for no intervals", rich_help_panel=HOW
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="of the resamples", rich_help_panel=HOW)]


def one_format(*, as_json: bool, as_csv: bool) -> None:
    """Refuse two formats at once.

    Raises:
        InputError: both are asked for.
    """
    if as_json and as_csv:
        raise InputError("--json and --csv both write to stdout; give one of them")


def say(lines: Iterable[str]) -> None:
    """Write lines for people to stderr."""
    for line in lines:
        typer.echo(line, err=True)
