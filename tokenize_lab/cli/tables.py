"""Results for people: tables on a terminal, and CSV."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.box import HEAVY_HEAD
from rich.table import Table
from rich.text import Text

from corpora.errors import InputError, did_you_mean
from corpora.output import drawn, json_list
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
    flat = [flat_row(row) if "intervals" in row else row for row in rows]
    known = list(dict.fromkeys(name for row in flat for name in row))
    for name in wanted:
        if name not in known:
            near = did_you_mean(name, known) or f"; there are {', '.join(known)}"
            raise InputError(f"`columns`: no column {name!r}{near}")
    chosen = [{name: row.get(name) for name in wanted} for row in flat]
    if as_json:
        yield from json_list(chosen)
    elif as_csv:
        yield from _csv(chosen, wanted)
    else:
        words = [n for n in wanted if any(isinstance(row[n], str) for row in chosen)]
        cells = [[_cell(row[name]) for name in wanted] for row in chosen]
        table = text_table("", wanted, cells, left=words)
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


def measure_tables(rows: list[MeasureRow], record: dict[str, Any]) -> list[Table]:
    """Return bytes per token by place and tokenizer, premiums likewise, and the tokenizers."""
    title = "Bytes per token (half width of the 95 % interval)"
    tables = [_by_place(rows, "bytes_per_token", title)]
    if any(row["premium"] not in (None, 1.0) for row in rows):
        reference = record["settings"]["reference"]
        title = f"Premium (parity): tokens (bytes) over those of {reference} for the same lines"
        tables.append(_by_place(rows, "premium", title, with_parity=True))
    return [*tables, _tokenizers_table(rows, record)]


def _by_place(rows: list[MeasureRow], rate: str, title: str, *, with_parity: bool = False) -> Table:
    parts = [part for part in _PLACES if part == "language" or len({row[part] for row in rows}) > 1]
    tokenizers = list(dict.fromkeys(row["tokenizer"] for row in rows))
    places: dict[tuple[str, ...], dict[str, MeasureRow]] = {}
    for row in rows:
        place = tuple(row[part] or "all" for part in parts)
        places.setdefault(place, {})[row["tokenizer"]] = row
    cells = []
    for place, of_place in sorted(places.items())[:_MOST_PLACES]:
        line = list(place)
        if with_parity:
            line.append(with_half_width(next(iter(of_place.values()))["parity"], None))
        for name in tokenizers:
            row = of_place.get(name, {})
            interval = None if with_parity or not row else row["intervals"][rate]
            line.append(with_half_width(row[rate], interval) + _lost(row) if row else "")
        cells.append(line)
    more = f"the first {_MOST_PLACES} of {len(places):,}; --json or --csv has all"
    said = [more] if len(places) > _MOST_PLACES else []
    said += [_LOST] if any(row["lost_share"] for row in rows) else []
    return text_table(
        title,
        [*parts, *(["parity"] if with_parity else []), *tokenizers],
        cells,
        left=parts,
        caption=". ".join(said),
    )


def _lost(row: MeasureRow) -> str:
    share = row["lost_share"]
    return f" ({'<1%' if share < 0.01 else f'{share:.0%}'} lost)" if share else ""


def _tokenizers_table(rows: list[MeasureRow], record: dict[str, Any]) -> Table:
    cells: list[list[str]] = []
    apart: list[list[str]] = []
    for tokenizer in record["tokenizers"]:
        its_rows = [row for row in rows if row["tokenizer"] == tokenizer["name"]]
        speed = record["run"]["encoder_mb_per_second"][tokenizer["name"]]
        # Gini is per corpus; one number stands here only where there is one.
        ginis = {row["gini"] for row in its_rows}
        gini = ginis.pop() if len(ginis) == 1 else None
        loses = any(row["lost_bytes"] for row in its_rows)
        line = [
            tokenizer["name"],
            f"{tokenizer['vocabulary_size']:,}",
            _pooled(its_rows, "bytes_per_token", "{:.3f}"),
            "-" if gini is None else f"{gini:.3f}",
            _pooled(its_rows, "exact_share", "{:.1%}"),
            _pooled(its_rows, "unknown_share", "{:.1%}"),
            _pooled(its_rows, "byte_fallback_share", "{:.1%}"),
            "cached" if speed is None else f"{speed:.1f}",
        ]
        (apart if loses else cells).append([*line, _pooled(its_rows, "lost_share", "{:.1%}")])
    headings = ["tokenizer", "V", "B/token", "Gini", "exact", "UNK", "fallback", "MB/s", "lost"]
    if apart:
        return text_table(
            "Tokenizers, over all the text; those that lose some of it last, not ranked",
            headings,
            [*cells, *apart],
        )
    title = "Tokenizers, over all the text"
    return text_table(title, headings[:-1], [line[:-1] for line in cells])


def _pooled(rows: list[MeasureRow], rate: str, form: str) -> str:
    above = sum(k * row[name] for row in rows for name, k in RATES[rate].above.items())
    below = sum(k * row[name] for row in rows for name, k in RATES[rate].below.items())
    return form.format(above / below) if below else "-"


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
