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
    values = [cell.value for _, cells in rows for cell in cells if cell.value is not None]
    if log:
        assert all(value > 0 for value in values)
    low, high = _spread(values, log)

    def cell_of(heat: Heat) -> TableCell:
        if heat.value is None:
            return TableCell(UNMEASURED, "none", heat.hint)
        return TableCell(
            heat.text, f"h{heat_step(_spread_one(heat.value, log), low, high)}", heat.hint
        )

    table = sortable_table(
        caption,
        [Column(corner, numeric=False), *map(Column, columns)],
        [[name, *map(cell_of, cells)] for name, cells in rows],
        style="heat",
    )
    return _key(ends) + table if values else table


def _spread_one(value: float, log: bool) -> float:
    return math.log(value) if log else value


def _spread(values: Sequence[float], log: bool) -> tuple[float, float]:
    if not values:
        return 0.0, 1.0
    return _spread_one(min(values), log), _spread_one(max(values), log)


def _key(ends: tuple[str, str]) -> Markup:
    steps = [tag("i", class_=f"h{i}") for i in range(HEAT_STEPS)]
    bar = tag("span", *steps, class_="ramp", aria_hidden="true")
    return tag("p", ends[0], " ", bar, " ", ends[1], class_="key")
