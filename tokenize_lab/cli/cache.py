"""`tokenize-lab cache`: what is kept from one command to the next, and how to be rid of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpora.cli import JsonOption
from corpora.output import drawn, emit, json_object

if TYPE_CHECKING:
    from tokenize_lab.kept_files import KeptKind

app = typer.Typer(
    help="What is kept from one command to the next: see how much, be rid of it.",
    no_args_is_help=True,
)
Counts = Annotated[Path, typer.Option("--cache", help="folder of counts already made")]


@app.command()
def show(cache: Counts = Path("out/cache"), as_json: JsonOption = False) -> None:
    """Show what is kept, by kind: counts, packages fetched, what was found out of vocabularies.

    Counts take 2 GB at most, or $TOKENIZE_LAB_CACHE_BYTES; beyond it those that were made first go.

    \b
    tokenize-lab cache show
    tokenize-lab cache show --cache my/cache --json
    """
    from tokenize_lab.counts.cache import most_bytes
    from tokenize_lab.kept_files import kept_kinds

    kinds, most = kept_kinds(cache), most_bytes()
    if as_json:
        emit(json_object({"most_bytes_of_counts": most, "kinds": [k._asdict() for k in kinds]}))
        return
    _print_kinds("kept", kinds)


@app.command()
def clear(
    kinds: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KIND]...",
            help="as `cache show` calls them; none for all but the packages that were fetched",
        ),
    ] = None,
    cache: Counts = Path("out/cache"),
    as_json: JsonOption = False,
) -> None:
    """Remove what is kept; another command may run meanwhile, and makes it again.

    \b
    tokenize-lab cache clear
    tokenize-lab cache clear counts --cache my/cache
    """
    from tokenize_lab.kept_files import clear_kept

    gone = clear_kept(cache, kinds or [])
    if as_json:
        emit(json_object({"kinds": [kind._asdict() for kind in gone]}))
        return
    _print_kinds("removed", gone)


def _print_kinds(title: str, kinds: "list[KeptKind]") -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title)
    for heading in ("kind", "files", "MB", "folder"):
        table.add_column(heading, justify="right" if heading in ("files", "MB") else "left")
    for kind in kinds:
        size = f"{kind.bytes / 1e6:,.1f}"
        table.add_row(Text(kind.kind), f"{kind.files:,}", size, Text(kind.folder))
    emit(drawn([table]))
