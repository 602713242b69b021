"""Heat map that is its own table: colours to look at, values to read, columns to sort."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from reports.charts.svg import HEAT_STEPS, heat_step, tag
from reports.html import Column, TableCell, sortable_table
from reports.numbers import UNMEASURED


class Heat(NamedTuple):
    """A cell: its value, or None where unmeasured; the value as text; a hint with the interval."""

    value: float | None
    text: str
    hint: str


def heat_map(
    caption: str,
    corner: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str | Markup, Sequence[Heat]]],
    ends: tuple[str, str],
    *,
    log: bool = False,
) -> Markup:
    """Return the map and its scale.

    Arguments:
        corner: heading of the column of row names.
        columns: headings of the others.
        rows: names, and a cell for each column.
        ends: what the dark and the bright end of the scale mean.
        log: whether equal ratios, rather than equal differences, are equally far in colour.
    """
    scale = math.log if log else float
    known = [scale(cell.value) for _, cells in rows for cell in cells if cell.value is not None]

    def cell_of(heat: Heat) -> TableCell:
        if heat.value is None:
            return TableCell(UNMEASURED, "none", heat.hint)
        step = heat_step(scale(heat.value), min(known), max(known))
        return TableCell(heat.text, f"h{step}", heat.hint)

    table = sortable_table(
        caption,
        [Column(corner, numeric=False), *map(Column, columns)],
        [[name, *map(cell_of, cells)] for name, cells in rows],
        style="heat",
    )
    return _key(ends) + table if known else table


def _key(ends: tuple[str, str]) -> Markup:
    steps = [tag("i", class_=f"h{i}") for i in range(HEAT_STEPS)]
    bar = tag("span", *steps, class_="ramp", aria_hidden="true")
    return tag("p", ends[0], " ", bar, " ", ends[1], class_="key")
