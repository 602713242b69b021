"""Results for people: tables on a terminal, and CSV."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.box import HEAVY_HEAD
from rich.table import Table
from rich.text import Text

from corpora.errors import InputError, did_you_mean
from corpora.output import drawn, json_list
from tokenize_lab.counts.fields import FIELDS
from tokenize_lab.rates import RATES
from tokenize_lab.rows import MeasureRow, flat_row

_MOST_PLACES = 200
_PLACES = ("corpus", "language", "domain", "document")
_LOST = "lost: share of the text's bytes that no token carries, which is no compression"
_MOST_SIZES = 6  # columns of a table of vocabulary sizes


def text_table(
    title: str,
    headings: Sequence[str] | None,
    rows: Iterable[Sequence[str]],
    *,
    left: Iterable[str] = (),
    caption: str = "",
    lines: bool = True,
) -> Table:
    """Return a table of plain text; nothing in it is read as rich's markup.

    Arguments:
        headings: of the columns; None for two columns of names and values.
        rows: the cells.
        left: headings of columns that hold words; the first always does, the others hold numbers.
        lines: whether lines are drawn.
    """
    table = Table(
        title=Text(title) if title else None,
        caption=Text(caption) if caption else None,
        title_justify="center" if lines else "left",
        show_header=headings is not None,
        box=HEAVY_HEAD if lines else None,
        pad_edge=lines,
    )
    words = {*left, *(headings or ("", ""))[: 1 if headings else 2]}
    for heading in headings or ("", ""):
        justify = "left" if heading in words else "right"
        table.add_column(Text(heading), justify=justify, overflow="fold")  # type: ignore[arg-type]
    for cells in rows:
        table.add_row(*map(Text, cells))
    return table


def with_half_width(value: float | None, interval: Sequence[float] | None, digits: int = 2) -> str:
    """Return `4.25 ±.03`, half the width of the interval, or `-` for no value."""
    if value is None:
        return "-"
    text = f"{value:.{digits}f}"
    if interval and interval[0] != interval[1]:
        text += f" ±{(interval[1] - interval[0]) / 2:.2f}".replace("±0.", "±.")
    return text


def chosen_rows(
    rows: Iterable[MeasureRow], columns: str, *, as_json: bool, as_csv: bool
) -> Iterator[str]:
    """Yield some columns of rows as JSON, as CSV or as a table.

    Arguments:
        columns: names with commas between them, as CSV has them: the ends of an interval are
            `bytes_per_token_low` and `bytes_per_token_high`.

    Raises:
        InputError: no row has a column of that name.
    """
    wanted = list(dict.fromkeys(filter(None, (name.strip() for name in columns.split(",")))))
    if not wanted:
        raise InputError("`columns`: none is named; give names with commas, as language,bytes")
    known: dict[str, None] = {}
    kept = []  # as tuples: there may be a million rows
    for row in rows:
        flat = flat_row(row) if "intervals" in row else row
        known.update(dict.fromkeys(flat))
        kept.append(tuple(flat.get(name) for name in wanted))
    for name in wanted:
        if name not in known:
            near = did_you_mean(name, known) or f"; there are {', '.join(known)}"
            raise InputError(f"`columns`: no column {name!r}{near}")
    chosen = (dict(zip(wanted, values, strict=True)) for values in kept)
    if as_json:
        yield from json_list(chosen)
    elif as_csv:
        yield from _csv(chosen, wanted)
    else:
        words = [
            name
            for name, column in zip(wanted, zip(*kept, strict=True), strict=bool(kept))
            if any(isinstance(value, str) for value in column)
        ]
        table = text_table("", wanted, ([*map(_cell, values)] for values in kept), left=words)
        table.columns[0].justify = "left" if wanted[0] in words else "right"
        yield from drawn([table])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def csv_lines(rows: Iterable[MeasureRow], differing: Iterable[str] = RATES) -> Iterator[str]:
    """Yield rows as lines of CSV: an interval is two columns, a difference three; null is empty.

    Arguments:
        differing: what rows may have differences of, although the first of them has none.
    """
    first = True
    names: list[str] = []
    for row in rows:
        cells = flat_row(row)
        if first:
            differences = [
                f"{name}_difference{end}" for name in differing for end in ("", "_low", "_high")
            ]
            names = list(dict.fromkeys([*cells, *differences]))
        yield from _csv([cells], names, heading=first)
        first = False


def _csv(
    rows: Iterable[MeasureRow], names: Sequence[str], *, heading: bool = True
) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    if heading:
        writer.writeheader()
    for row in rows:
        writer.writerow(row)
        yield text.getvalue()
        text.seek(0)
        text.truncate()


def measure_tables(rows: Iterable[MeasureRow], record: dict[str, Any]) -> list[Table]:
    """Return bytes per token by place and tokenizer, premiums likewise, and the tokenizers."""
    told = _Told()
    for row in rows:
        told.add(row)
    title = "Bytes per token (half width of the 95 % interval)"
    tables = [_by_place(told, "bytes_per_token", title)]
    if told.premiums:
        reference = record["settings"]["reference"]
        title = f"Premium (parity): tokens (bytes) over those of {reference} for the same lines"
        tables.append(_by_place(told, "premium", title, with_parity=True))
    return [*tables, _tokenizers_table(told, record)]


class _Told:
    """What tables show of rows, which may be too many to be kept.

    Attributes:
        places: of the first in order, the rows by tokenizer.
        seen: by part of a place, values of it, two at the most.
        rows, sums, ginis: by tokenizer, how many rows, their counts, and what Gini they have.
        premiums, lost: whether a row has them.
    """

    def __init__(self) -> None:
        self.places: dict[tuple[str, ...], dict[str, MeasureRow]] = {}
        self.seen: dict[str, set[str | None]] = {part: set() for part in _PLACES}
        self.rows: Counter[str] = Counter()
        self.sums: dict[str, Counter[str]] = {}
        self.ginis: dict[str, set[float | None]] = {}
        self.premiums = self.lost = False

    def add(self, row: MeasureRow) -> None:
        """Take note of a row."""
        name = row["tokenizer"]
        of_place = self.places.setdefault(tuple(row[part] or "all" for part in _PLACES), {})
        of_place[name] = {
            **{kept: row[kept] for kept in ("bytes_per_token", "premium", "parity", "lost_share")},
            "interval": row["intervals"]["bytes_per_token"],
        }
        if len(self.places) > 4 * _MOST_PLACES:
            self.places = dict(sorted(self.places.items())[:_MOST_PLACES])
        for part, values in self.seen.items():
            if len(values) < 2:
                values.add(row[part])
        self.rows[name] += 1
        sums = self.sums.setdefault(name, Counter())
        for field in FIELDS:
            sums[field] += row[field]
        self.ginis.setdefault(name, set()).add(row["gini"])
        self.premiums |= row["premium"] not in (None, 1.0)
        self.lost |= bool(row["lost_share"])

    def pooled(self, tokenizer: str, rate: str, form: str) -> str:
        """Return a tokenizer's rate over all rows."""
        sums = self.sums.get(tokenizer, Counter())
        above = sum(k * sums[name] for name, k in RATES[rate].above.items())
        below = sum(k * sums[name] for name, k in RATES[rate].below.items())
        return form.format(above / below) if below else "-"


def _by_place(told: _Told, rate: str, title: str, *, with_parity: bool = False) -> Table:
    kept = [i for i, part in enumerate(_PLACES) if part == "language" or len(told.seen[part]) > 1]
    parts = [_PLACES[i] for i in kept]
    cells = []
    for place, of_place in sorted(told.places.items())[:_MOST_PLACES]:
        line = [place[i] for i in kept]
        if with_parity:
            line.append(with_half_width(next(iter(of_place.values()))["parity"], None))
        for name in told.rows:
            row = of_place.get(name)
            interval = None if with_parity or not row else row["interval"]
            line.append(with_half_width(row[rate], interval) + _lost(row) if row else "")
        cells.append(line)
    places = max(told.rows.values(), default=0)  # a row each
    more = f"the first {_MOST_PLACES} of {places:,}; --json or --csv has all"
    said = [more] if places > _MOST_PLACES else []
    said += [_LOST] if told.lost else []
    return text_table(
        title,
        [*parts, *(["parity"] if with_parity else []), *told.rows],
        cells,
        left=parts,
        caption=". ".join(said),
    )


def _lost(row: MeasureRow) -> str:
    share = row["lost_share"]
    return f" ({'<1%' if share < 0.01 else f'{share:.0%}'} lost)" if share else ""


def _tokenizers_table(told: _Told, record: dict[str, Any]) -> Table:
    cells: list[list[str]] = []
    apart: list[list[str]] = []
    for tokenizer in record["tokenizers"]:
        name = tokenizer["name"]
        speed = record["run"]["encoder_mb_per_second"][name]
        # Gini is per corpus; one number stands here only where there is one.
        ginis = [*told.ginis.get(name, ())]
        gini = ginis[0] if len(ginis) == 1 else None
        line = [
            name,
            f"{tokenizer['vocabulary_size']:,}",
            told.pooled(name, "bytes_per_token", "{:.3f}"),
            "-" if gini is None else f"{gini:.3f}",
            told.pooled(name, "exact_share", "{:.1%}"),
            told.pooled(name, "unknown_share", "{:.1%}"),
            told.pooled(name, "byte_fallback_share", "{:.1%}"),
            "cached" if speed is None else f"{speed:.1f}",
        ]
        loses = told.sums.get(name, Counter())["lost_bytes"]
        (apart if loses else cells).append([*line, told.pooled(name, "lost_share", "{:.1%}")])
    headings = ["tokenizer", "V", "B/token", "Gini", "exact", "UNK", "fallback", "MB/s", "lost"]
    if apart:
        return text_table(
            "Tokenizers, over all the text; those that lose some of it last, not ranked",
            headings,
            [*cells, *apart],
        )
    title = "Tokenizers, over all the text"
    return text_table(title, headings[:-1], [line[:-1] for line in cells])


def curve_tables(curves: Sequence[Sequence[MeasureRow]]) -> list[Table]:
    """Return a table of each tokenizer's vocabulary curves.

    Arguments:
        curves: the rows of each curve, ascending in vocabulary size.
    """
    of_tokenizers: dict[str, list[Sequence[MeasureRow]]] = {}
    for rows in curves:
        of_tokenizers.setdefault(rows[0]["tokenizer"], []).append(rows)
    return [
        _one_language(its_curves[0]) if len(its_curves) == 1 else _languages(its_curves)
        for its_curves in of_tokenizers.values()
    ]


def _one_language(rows: Sequence[MeasureRow]) -> Table:
    first = rows[0]
    ceiling = first["bytes_per_pretoken"]
    cells = []
    for row in rows:
        gain, rate = row["marginal_bytes_per_token"], row["bytes_per_token"]
        cells.append(
            (
                f"{row['vocabulary_size']:,}",
                "-" if row["tokens"] is None else f"{row['tokens']:,}",
                _curve_rate(row),
                "" if gain is None else f"{1000 * gain:.4f}",
                "-" if rate is None or not ceiling else f"{rate / ceiling:.1%}",
            )
        )
    table = text_table(
        f"{first['tokenizer']} on {first['corpus']}, {first['language']}",
        ("V", "tokens", "bytes per token", "gained per 1,000 ids", "of ceiling"),
        cells,
        caption=""
        if ceiling is None
        else f"ceiling: {ceiling:.3f} bytes per piece that merges cannot cross",
    )
    table.columns[0].justify = "right"
    return table


def _languages(curves: Sequence[Sequence[MeasureRow]]) -> Table:
    first = curves[0][0]
    sizes = [row["vocabulary_size"] for row in curves[0]]
    step = -(-(len(sizes) - 1) // (_MOST_SIZES - 1)) or 1
    shown = sorted({*range(len(sizes) - 1, -1, -step), len(sizes) - 1})
    cells = []
    for rows in sorted(curves, key=lambda rows: str(rows[0]["language"])):
        ceiling = rows[0]["bytes_per_pretoken"]
        cells.append(
            (
                str(rows[0]["language"]),
                *(_curve_rate(rows[place]) for place in shown),
                "-" if ceiling is None else f"{ceiling:.2f}",
            )
        )
    table = text_table(
        f"Bytes per token by V: {first['tokenizer']} on {first['corpus']}",
        ("language", *(f"{sizes[place]:,}" for place in shown), "ceiling"),
        cells,
    )
    table.columns[0].no_wrap = True
    return table


def _curve_rate(row: MeasureRow) -> str:
    return with_half_width(row["bytes_per_token"], row["intervals"]["bytes_per_token"], 3)


def plan_table(plan: Sequence[dict[str, Any]]) -> Table:
    """Return how each tokenizer would be counted, two lines each."""
    cells = []
    for row in plan:
        by = " + ".join(name if len(name) <= 16 else "own pattern" for name in row["splits_by"])
        how = f"chunks ({row['cut_rule']})" if row["shared"] else "whole texts"
        cells.append((row["tokenizer"], row["encoder"], by or "-", how, row["reason"]))
        cells.append(("", "", "", "", f"encoder: {row['encoder_reason']}"))
    headings = ("tokenizer", "encoder", "splits by", "counts", "why")
    return text_table("", headings, cells, left=headings, lines=False)
