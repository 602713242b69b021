"""`tokenize-lab scaling reproduce`: published figures beside what the project makes of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpora.cli import JsonOption
from corpora.output import drawn, emit
from scaling.cli.options import YES_OR_NO, output_option, print_json

if TYPE_CHECKING:
    from scaling.published.figure import PublishedFigure


def reproduce(
    runs: Annotated[
        Path | None,
        typer.Option(help="folder of other projects' published runs; without it, what is shipped"),
    ] = None,
    draws: Annotated[int, typer.Option(min=20, max=100_000, help="bootstrap replicates")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="of the draws")] = 20261121,
    out: Annotated[Path | None, output_option(help="folder for reproduce.json")] = None,
    as_json: JsonOption = False,
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


_LEGEND = (
    "agrees: ours rounds to the digits published, stays under a bar, or differs as random draws"
    " do; context: of other data or another method, so no agreement is expected; in theirs: the"
    " interval published holds our figure; in ours: our 95 % interval holds the published one"
)


def _print_figures(figures: "Sequence[PublishedFigure]") -> None:
    """Print a section for each group, notes below."""
    from rich.text import Text

    from tokenize_lab.cli.tables import text_table

    headings = ("figure", "published", "ours", "difference", "agrees", "in theirs", "in ours")
    rows, group = [], ""
    for figure in figures:
        if figure.group != group:
            group = figure.group
            rows.append([group, *[""] * 6])
        rows.append(
            [
                f"  {figure.name}",
                figure.published,
                f"{figure.reproduced:.6g}",
                f"{figure.difference:+.2g}",
                "context" if figure.judged == "context" else YES_OR_NO[figure.agrees],
                YES_OR_NO[figure.in_published_interval],
                YES_OR_NO[figure.in_interval],
            ]
        )
    filled = [column for column in range(len(headings)) if any(row[column] for row in rows)]
    names = [headings[column] for column in filled]
    rows = [[row[column] for column in filled] for row in rows]
    table = text_table("", names, rows, left=headings[4:], lines=False)
    notes = dict.fromkeys(f"{figure.group}: {figure.note}" for figure in figures if figure.note)
    emit(drawn([table, *(Text(note, style="dim") for note in (_LEGEND, *notes))]))
