"""Tables that sort by click and by keyboard, and scroll inside their own frame."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from reports.html import render, visible


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        heading: what stands over it.
        numeric: sorted as numbers and set to the right; else as text.
        hint: the definition, shown on hover.
    """

    heading: str
    numeric: bool = True
    hint: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell with a style of its own.

    Attributes:
        content: escaped unless it is `Markup`.
        style: a class of the style sheet.
        hint: shown on hover.
    """

    content: str | Markup
    style: str = ""
    hint: str = ""


def sortable_table(
    caption: str | Markup,
    columns: Sequence[Column],
    rows: Sequence[Sequence[str | Markup | Cell]],
    *,
    row_headers: int = 1,
    style: str = "",
) -> Markup:
    """Return a table; its first `row_headers` columns name the row.

    Without script it stands in the given order, and everything in it can be read.
    """
    for row in rows:
        assert len(row) == len(columns), (row, columns)
    body = Markup("\n").join(_row(row, columns, row_headers) for row in rows)
    return render("table.html", caption=caption, columns=columns, body=body, style=style)


def _row(row: Sequence[str | Markup | Cell], columns: Sequence[Column], row_headers: int) -> Markup:
    cells = []
    for i, (cell, column) in enumerate(zip(row, columns, strict=True)):
        own = cell if isinstance(cell, Cell) else Cell(cell)
        style = own.style if column.numeric else f"t {own.style}".strip()
        tag = Markup('th scope="row"') if i < row_headers else Markup("td")
        extra = Markup(' class="{}"').format(style) if style else Markup("")
        if own.hint:
            extra += Markup(' title="{}"').format(visible(own.hint))
        content = own.content if isinstance(own.content, Markup) else escape(visible(own.content))
        end = Markup("</th>") if i < row_headers else Markup("</td>")
        cells.append(Markup("<{}{}>{}{}").format(tag, extra, content, end))
    return Markup("<tr>{}</tr>").format(Markup("").join(cells))
