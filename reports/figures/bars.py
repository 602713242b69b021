"""Stacked bars: a row for each name, parts of one whole side by side."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from reports.charts.svg import Scale, drawing, tag, tick_text

_WIDTH = 720.0
_GUTTER = 150.0
_RIGHT = 16.0
_HEAD = 40.0
_FOOT = 12.0
_ROW = 22.0
_MOST_CHARACTERS = 22


class Part(NamedTuple):
    """A part of a bar: its length, the colour of its series, and what is shown on hover."""

    value: float
    colour: int
    hint: str


def bars(
    identity: str,
    title: str,
    description: str,
    axis: str,
    rows: Sequence[tuple[str, Sequence[Part]]],
) -> Markup:
    """Return the figure.

    Arguments:
        identity: unique on the page.
        axis: name of the measure and its unit.
        rows: names and their parts, from the top; parts are of no negative value.
    """
    longest = max(sum(part.value for part in parts) for _, parts in rows)
    scale = Scale(0.0, longest * 1.02 or 1.0, _GUTTER, _WIDTH - _RIGHT)
    bottom = _HEAD + _ROW * len(rows)
    pieces = [
        tag("text", axis, class_="axis", x=(_GUTTER + _WIDTH) / 2, y=12, text_anchor="middle")
    ]
    for tick in scale.ticks(7):
        x = scale(tick)
        pieces.append(tag("line", class_="grid", x1=x, x2=x, y1=_HEAD, y2=bottom))
        pieces.append(
            tag("text", tick_text(tick), class_="tick", x=x, y=_HEAD - 7, text_anchor="middle")
        )
    for i, (name, parts) in enumerate(rows):
        top = _HEAD + _ROW * i
        pieces.append(_name(name, top + _ROW / 2))
        begin = 0.0
        for part in parts:
            left, right = scale(begin), scale(begin + part.value)
            begin += part.value
            pieces.append(
                tag(
                    "rect",
                    tag("title", part.hint),
                    class_=f"bar s{part.colour}",
                    x=left,
                    y=top + 4,
                    width=max(right - left, 0.0),
                    height=_ROW - 8,
                )
            )
    return drawing(identity, title, description, _WIDTH, bottom + _FOOT, *pieces)


def bars_key(parts: Sequence[tuple[int, str]]) -> Markup:
    """Return the key: a colour and what it stands for, each."""
    items = []
    for colour, text in parts:
        box = tag("rect", class_=f"bar s{colour}", x=1, y=2, width=12, height=10)
        picture = tag("svg", box, viewBox="0 0 14 14", width=14, height=14, aria_hidden="true")
        items.append(tag("li", picture, " ", text))
    return tag("ul", *items, class_="legend")


def _name(name: str, middle: float) -> Markup:
    shown = name if len(name) <= _MOST_CHARACTERS else name[: _MOST_CHARACTERS - 1] + "…"
    hint = (tag("title", name),) if shown != name else ()
    return tag("text", shown, *hint, class_="name", x=_GUTTER - 10, y=middle + 4, text_anchor="end")
