"""How the scaling commands print: strict JSON, or tables for people."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from corpora.output import drawn, emit, json_object

if TYPE_CHECKING:
    from scaling.golden_row import Row

HOW, OUTPUT = "How", "Output"
AsJson = Annotated[
    bool, typer.Option("--json", help="strict JSON on stdout", rich_help_panel=OUTPUT)
]

_MARKS = {True: "yes", False: "no", None: ""}


def print_json(value: Any) -> None:
    """Write strict JSON to stdout: no NaN, no Infinity."""
    emit(json_object(value))


def shown(value: Any) -> str:
    """Return a number, or a mapping of numbers, for people."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {shown(one)}" for name, one in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


def print_rows(rows: "tuple[Row, ...]") -> None:
    """Print published figures beside ours, a section for each group, notes below."""
    from rich.table import Table
    from rich.text import Text

    table = Table("figure", "published", "ours", "agrees", "in theirs", "in ours", box=None)
    group = ""
    for one in rows:
        if one.group != group:
            group = one.group
            table.add_row(f"[bold]{group}[/bold]")
        table.add_row(
            f"  {one.name}",
            one.published,
            f"{one.ours:.6g}",
            _MARKS[one.agrees],
            _MARKS[one.in_theirs],
            _MARKS[one.in_ours],
        )
    notes = dict.fromkeys(f"{one.group}: {one.note}" for one in rows if one.note)
    emit(drawn([table, *(Text(note, style="dim") for note in notes)]))
