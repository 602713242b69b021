"""Published figures beside ours."""

from markupsafe import Markup

from reports.laws.material import Laws
from reports.laws.text import ends_text, significant
from reports.numbers import plural
from reports.section import Section, absent
from reports.table import Cell, Column, sortable_table
from scaling.golden_row import Row
from scaling.reproduce import summary

_JUDGED = {
    "digits": "to its digits",
    "scatter": "within random draws",
    "bar": "stays under",
    "context": "for context",
}


def reproduced(laws: Laws) -> Section:
    """Show every published figure whose data are here, ours, and whether they agree."""
    title = "Published figures reproduced"
    if not laws.reproduced:
        note = absent("Not run: tokenize-lab scaling reproduce --out DIR/laws writes the table.")
        return Section("laws-reproduced", title, note)
    agree, judged = summary(laws.reproduced)
    differ = [one for one in laws.reproduced if one.agrees is False]
    body = Markup("<p>{}</p>").format(
        f"{agree} of {plural(judged, 'figure')} agree as they should: published figures are judged "
        "by the digits they were printed with, ends of intervals by what random draws differ by, "
        "and bars must not be passed. Figures for context come from other data or another method, "
        "so no agreement is expected; there the interval says how far apart the two are."
    )
    if differ:
        names = "; ".join(f"{one.group}, {one.name}" for one in differ)
        body += Markup("<p>Not in agreement: {}.</p>").format(names)
    table = sortable_table(
        "Published figures, ours, and whether the published lies in our interval",
        [
            Column("source", numeric=False),
            Column("figure", numeric=False),
            Column("published"),
            Column("ours"),
            Column("difference"),
            Column("agrees", numeric=False),
            Column("in our interval", numeric=False),
            Column("note", numeric=False),
        ],
        [_row(one) for one in laws.reproduced],
        row_headers=2,
        style="tall",
    )
    return Section("laws-reproduced", title, body + table)


def _row(one: Row) -> list[str | Markup | Cell]:
    return [
        one.group,
        one.name,
        one.published.replace("-", "\u2212"),
        f"{one.ours:g}" if one.ours == int(one.ours) else significant(one.ours, 4),
        significant(one.difference, 2),
        Cell(_agrees(one), "no" if one.agrees is False else "", _JUDGED[one.judged]),
        Cell(
            _yes(one.in_ours),
            hint="" if one.interval is None else ends_text(one.interval.low, one.interval.high, 4),
        ),
        one.note,
    ]


def _agrees(one: Row) -> str:
    return "context" if one.judged == "context" else _yes(one.agrees)


def _yes(one: bool | None) -> str:
    return "–" if one is None else "yes" if one else "no"
