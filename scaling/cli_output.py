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
_NUMBERS = ("published", "ours", "difference")
_LEGEND = (
    "agrees: ours rounds to the digits published, stays under a bar, or differs as random draws"
    " do; context: of other data or another method, so no agreement is expected; in theirs: the"
    " interval published holds our figure; in ours: our 95 % interval holds the published one"
)


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

    columns = {
        "figure": [f"  {one.name}" for one in rows],
        "published": [one.published for one in rows],
        "ours": [f"{one.ours:.6g}" for one in rows],
        "difference": [f"{one.difference:+.2g}" for one in rows],
        "agrees": ["context" if one.judged == "context" else _MARKS[one.agrees] for one in rows],
        "in theirs": [_MARKS[one.in_theirs] for one in rows],
        "in ours": [_MARKS[one.in_ours] for one in rows],
    }
    columns = {name: cells for name, cells in columns.items() if any(cells)}
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in _NUMBERS else "left")
    group = ""
    for one, *cells in zip(rows, *columns.values(), strict=True):
        if one.group != group:
            group = one.group
            table.add_row(f"[bold]{group}[/bold]")
        table.add_row(*cells)
    notes = dict.fromkeys(f"{one.group}: {one.note}" for one in rows if one.note)
    emit(drawn([table, *(Text(note, style="dim") for note in (_LEGEND, *notes))]))
