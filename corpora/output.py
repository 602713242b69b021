"""Results on standard output, where another program may read them, or nobody can."""

import codecs
import json
import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from corpora.errors import InputError, sanitize

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_UNFOLDED = 10_000  # columns of a file or a pipe: nothing in them needs folding
_PROSE = 24  # a column of words with a longer cell is prose, which may be folded between words


def command_line() -> list[str]:
    """Return this process's words as a result keeps them: a name in them may not be UTF-8."""
    return ["tokenize-lab", *map(sanitize, sys.argv[1:])]


def emit(parts: Iterable[str]) -> bool:
    """Write the parts to standard output, and return whether somebody still reads it.

    A reader that has gone (`| head`) is no mistake: the rest is left unsaid.

    Raises:
        InputError: standard output is closed, or its disk is full.
    """
    if sys.stdout is None:
        raise InputError("standard output is closed; leave it open, or send it to /dev/null")
    try:
        for part in parts:
            sys.stdout.write(part)
        sys.stdout.flush()
    except BrokenPipeError:
        silence()
        return False
    except OSError as error:
        silence()
        raise InputError(f"standard output cannot be written ({error.strerror})") from error
    return True


def json_list(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield a list of rows as strict JSON, row by row."""
    separator = "[\n"
    for row in rows:
        yield separator + _dumps(row)
        separator = ",\n"
    yield "\n]\n" if separator == ",\n" else "[]\n"


def json_object(value: Any) -> Iterator[str]:
    """Yield one value as strict JSON, no NaN and no Infinity, indented for people."""
    yield _dumps(value, indent=1)
    yield "\n"


def drawn(parts: "Iterable[RenderableType]", *, stderr: bool = False) -> Iterator[str]:
    """Yield rich's tables and text as they look on the terminal that stdout (or stderr) is, or on
    plain paper.

    For `emit`, since what rich itself prints ends in a traceback where nobody reads. Tables that
    are too wide for the terminal are split; see `fitted`. Paper is as wide as need be.
    """
    # Yielded, not returned: rich ends a capture with an empty write, and a full disk refuses that
    # one, too, so `emit` has to be around it.
    from rich.console import Console
    from rich.table import Table

    console = Console(stderr=stderr)
    if not console.is_terminal:
        console.width = _UNFOLDED
    fitting: list[RenderableType] = []
    for part in parts:
        fitting += fitted(part, console) if isinstance(part, Table) else [part]
    # Of a name that is wider than the terminal nothing is cut off: the terminal goes on below.
    widths = [_width(part, console) for part in fitting if isinstance(part, Table)]
    console.width = max(console.width, *widths, 0)
    with console.capture() as capture:
        console.print(*fitting, sep="\n")
    yield capture.get()


def fitted(table: "Table", console: "Console") -> "list[Table]":
    """Return the table as one or more that are no wider than the console.

    No name, number or code is broken: headings and prose are folded between words; where that is
    not enough, columns move to further tables that begin with the same names, or a table of numbers
    is turned, if that makes fewer of them; and where not even one column has room beside the names,
    every row is a table of its own.
    """
    places = list(range(len(table.columns)))
    if _width(table, console) <= console.width:
        return [table]
    if (folded := _folded(table, places, console)) is not None:
        return [folded]
    parts = _split(table, places, console)
    numbers = all(column.justify == "right" for column in table.columns[1:])
    if numbers and len(parts) > 2:
        turned = _turned(table)
        places = list(range(len(turned.columns)))
        folded = _folded(turned, places, console)
        other = [folded] if folded is not None else _split(turned, places, console)
        parts = other if other and (not parts or len(other) < len(parts)) else parts
    return parts or _records(table, console)


def _split(table: "Table", places: list[int], console: "Console") -> "list[Table]":
    """Return tables of some of the columns, each beginning with the names; none if none fit."""
    words = [place for place in places if table.columns[place].justify == "left"]
    lead = [place for place in places if words[: place + 1] == places[: place + 1]]
    while len(lead) > 1 and _width(_part(table, lead), console) > console.width / 2:
        lead.pop()
    groups: list[list[int]] = []
    for place in places[len(lead) :]:
        if groups and _folded(table, [*lead, *groups[-1], place], console) is not None:
            groups[-1].append(place)
        else:
            groups.append([place])
    folds = [_folded(table, [*lead, *group], console) for group in groups]
    parts = [part for part in folds if part is not None]
    if len(parts) < len(folds):
        return []
    for number, part in enumerate(parts, start=1):
        if table.title:
            part.title = f"{table.title} ({number} of {len(parts)})"
        part.caption = table.caption if number == len(parts) else None
    return parts


def _folded(table: "Table", places: list[int], console: "Console") -> "Table | None":
    """Return those columns, folded between words to fit; None where they do not fit."""
    least, wanted = [], []
    for place in places:
        column = table.columns[place]
        sizes = [_measured(cell, console) for cell in column.cells] or [(0, 0)]
        word, line = (max(ends) for ends in zip(*sizes, strict=True))
        heading, whole_heading = _measured(column.header, console)
        is_prose = column.justify == "left" and line > _PROSE
        least.append(max(heading, word if is_prose else line))
        wanted.append(max(whole_heading, line))
    part = _part(table, places)
    excess = _width(part, console) - console.width
    while excess > 0:
        spare = [have - need for have, need in zip(wanted, least, strict=True)]
        if not any(spare):
            return None
        # The widest of those that can give way does, so that none is narrow without need.
        widest = max((w, place) for place, w in enumerate(wanted) if spare[place])[1]
        wanted[widest] -= 1
        excess -= 1
    for column, width in zip(part.columns, wanted, strict=True):
        column.width = width
    return part


def _turned(table: "Table") -> "Table":
    """Return the table with a row for each column of numbers."""
    from rich.table import Table

    names, *columns = table.columns
    turned = Table(title=table.title, caption=table.caption, box=table.box)
    turned.add_column("")
    for name in names.cells:
        turned.add_column(name, justify="right")
    for column in columns:
        turned.add_row(column.header, *column.cells)
    return turned


def _records(table: "Table", console: "Console") -> "list[Table]":
    """Return a table of names and values for every row."""
    from rich.table import Table

    headings = [column.header for column in table.columns]
    parts = []
    for cells in zip(*(column.cells for column in table.columns), strict=True):
        part = Table(show_header=False, box=table.box, pad_edge=table.pad_edge)
        for heading, cell in zip(headings, cells, strict=True):
            part.add_row(heading, cell)
        values = max(_measured(cell, console)[0] for cell in cells)
        names = max(_measured(heading, console)[1] for heading in headings)
        wanted = max(_measured(cell, console)[1] for cell in cells)
        spare = _width(part, console) - console.width
        part.columns[0].width = names
        part.columns[1].width = max(values, wanted - max(spare, 0))
        parts.append(part)
    for part in parts[:1]:
        part.title = table.title
    for part in parts[-1:]:
        part.caption = table.caption
    return parts


def _part(table: "Table", places: list[int]) -> "Table":
    """Return a table of some of the columns."""
    from rich.table import Table

    part = Table(
        title=table.title,
        caption=table.caption,
        title_justify=table.title_justify,
        show_header=table.show_header,
        box=table.box,
        pad_edge=table.pad_edge,
    )
    columns = [table.columns[place] for place in places]
    for column in columns:
        part.add_column(column.header, justify=column.justify, overflow=column.overflow)
    for cells in zip(*(column.cells for column in columns), strict=True):
        part.add_row(*cells)
    return part


def _width(part: "RenderableType", console: "Console") -> int:
    return _measured(part, console)[1]


def _measured(part: "RenderableType", console: "Console") -> tuple[int, int]:
    """Return the columns of the longest word and of the longest line."""
    from rich.measure import Measurement

    unfolded = console.options.update(width=_UNFOLDED)
    return Measurement.get(console, unfolded, part)


def _dumps(value: Any, indent: int | None = None) -> str:
    # Where stdout has no sign for a letter, JSON has an escape; stdout's own would not be JSON.
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    plain = codecs.lookup(encoding).name == "utf-8"
    return json.dumps(value, ensure_ascii=not plain, allow_nan=False, indent=indent)


def silence() -> None:
    """Send to nobody what is still buffered: it would be tried once more when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
