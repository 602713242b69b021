"""`tokenize-lab scaling reproduce`: published figures beside what the project makes of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpora.output import drawn, emit
from scaling.cli.options import OUTPUT, AsJson, print_json

if TYPE_CHECKING:
    from scaling.published.figure import PublishedFigure


def reproduce(
    runs: Annotated[
        Path | None,
        typer.Option(help="folder of other projects' published runs; without it, what is shipped"),
    ] = None,
    draws: Annotated[int, typer.Option(min=20, help="bootstrap replicates")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="of the draws")] = 20261121,
    out: Annotated[
        Path | None, typer.Option(help="folder for reproduce.json", rich_help_panel=OUTPUT)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Set published figures beside ours: difference, digits, and whose interval holds whose.

    \b
    tokenize-lab scaling reproduce
    tokenize-lab scaling reproduce --runs published_runs --json
    """
    from corpora.files import write_json
    from scaling.engine.bootstrap import Bootstrap
    from scaling.published.reproduce import reproduce as run
    from scaling.published.reproduce import summary

    figures = run(runs, Bootstrap(draws=draws, seed=seed))
    agree, judged = summary(figures)
    listed = [figure.to_json() for figure in figures]
    if out is not None:
        write_json(out / "reproduce.json", listed)
    if as_json:
        print_json(listed)
    else:
        _print_figures(figures)
    typer.echo(f"{agree} of {judged} figures agree as they should", err=True)


_MARKS = {True: "yes", False: "no", None: ""}
_NUMBERS = ("published", "ours", "difference")
_LEGEND = (
    "agrees: ours rounds to the digits published, stays under a bar, or differs as random draws"
    " do; context: of other data or another method, so no agreement is expected; in theirs: the"
    " interval published holds our figure; in ours: our 95 % interval holds the published one"
)


def _print_figures(figures: "Sequence[PublishedFigure]") -> None:
    """Print a section for each group, notes below."""
    from rich.table import Table
    from rich.text import Text

    columns = {
        "figure": [f"  {figure.name}" for figure in figures],
        "published": [figure.published for figure in figures],
        "ours": [f"{figure.reproduced:.6g}" for figure in figures],
        "difference": [f"{figure.difference:+.2g}" for figure in figures],
        "agrees": [
            "context" if figure.judged == "context" else _MARKS[figure.agrees] for figure in figures
        ],
        "in theirs": [_MARKS[figure.in_published_interval] for figure in figures],
        "in ours": [_MARKS[figure.in_interval] for figure in figures],
    }
    columns = {name: cells for name, cells in columns.items() if any(cells)}
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in _NUMBERS else "left")
    group = ""
    for figure, *cells in zip(figures, *columns.values(), strict=True):
        if figure.group != group:
            group = figure.group
            table.add_row(f"[bold]{group}[/bold]")
        table.add_row(*cells)
    notes = dict.fromkeys(f"{figure.group}: {figure.note}" for figure in figures if figure.note)
    emit(drawn([table, *(Text(note, style="dim") for note in (_LEGEND, *notes))]))
