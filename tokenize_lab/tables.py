"""Rows for people: tables on a terminal, and CSV."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from rich.markup import escape
from rich.table import Table

from tokenize_lab.rates import RATES
from tokenize_lab.rows import Row

_MOST_PLACES = 200
_PLACES = ("corpus", "language", "domain", "document")


def csv_lines(rows: Iterable[Row], differing: Iterable[str] = RATES) -> Iterator[str]:
    """Yield rows as lines of CSV: an interval is two columns, a difference three; null is empty.

    Arguments:
        differing: what rows may have differences of, although the first of them has none.
    """
    text = io.StringIO()
    writer = None
    for row in rows:
        flat = _flat(row)
        if writer is None:
            differences = [
                f"{name}_difference{end}" for name in differing for end in ("", "_low", "_high")
            ]
            names = list(dict.fromkeys([*flat, *differences]))
            writer = csv.DictWriter(text, names, lineterminator="\n")
            writer.writeheader()
        writer.writerow(flat)
        yield text.getvalue()
        text.seek(0)
        text.truncate()


def _flat(row: Row) -> Row:
    flat = {k: v for k, v in row.items() if not isinstance(v, dict)}
    for name, interval in row["intervals"].items():
        flat[f"{name}_low"], flat[f"{name}_high"] = interval or (None, None)
    for name, difference in row.get("difference", {}).items():
        if isinstance(difference, dict):
            flat[f"{name}_difference"] = difference["value"]
            interval = difference["interval"] or (None, None)
            flat[f"{name}_difference_low"], flat[f"{name}_difference_high"] = interval
    return flat


def rows_tables(rows: list[Row], record: dict[str, Any]) -> list[Table]:
    """Return bytes per token by place and tokenizer, premiums likewise, and the tokenizers."""
    tables = [_matrix(rows, "bytes_per_token", "Bytes per token (half width of the 95 % interval)")]
    if any(row["premium"] not in (None, 1.0) for row in rows):
        reference = record["settings"]["reference"]
        title = (
            f"Premium (parity): tokens (bytes) over those of {escape(reference)} for the same lines"
        )
        tables.append(_matrix(rows, "premium", title, with_parity=True))
    return [*tables, _tokenizers_table(rows, record)]


def _matrix(rows: list[Row], rate: str, title: str, *, with_parity: bool = False) -> Table:
    parts = [part for part in _PLACES if part == "language" or len({row[part] for row in rows}) > 1]
    tokenizers = list(dict.fromkeys(row["tokenizer"] for row in rows))
    places: dict[tuple[str, ...], dict[str, Row]] = {}
    for row in rows:
        place = tuple(escape(row[part] or "all") for part in parts)
        places.setdefault(place, {})[row["tokenizer"]] = row
    table = Table(title=title)
    for part in parts:
        table.add_column(part, overflow="fold")
    for name in (["parity"] if with_parity else []) + tokenizers:
        table.add_column(escape(name), justify="right", overflow="fold")
    for place, own in sorted(places.items())[:_MOST_PLACES]:
        first = next(iter(own.values()))
        parity = [_cell(first, "parity", with_interval=False)] if with_parity else []
        cells = [
            _cell(own[name], rate, with_interval=not with_parity) if name in own else ""
            for name in tokenizers
        ]
        table.add_row(*place, *parity, *cells)
    if len(places) > _MOST_PLACES:
        table.caption = f"the first {_MOST_PLACES} of {len(places):,}; --json or --csv has all"
    return table


def _cell(row: Row, name: str, *, with_interval: bool) -> str:
    if row[name] is None:
        return "-"
    text = f"{row[name]:.2f}"
    interval = row["intervals"][name]
    if with_interval and interval and interval[0] != interval[1]:
        text += f" ±{(interval[1] - interval[0]) / 2:.2f}".replace("±0.", "±.")
    return text


def _tokenizers_table(rows: list[Row], record: dict[str, Any]) -> Table:
    table = Table(title="Tokenizers, over all the text")
    headers = ("tokenizer", "V", "B/token", "Gini", "exact", "UNK", "fallback", "MB/s")
    for name in headers:
        table.add_column(name, justify="left" if name == "tokenizer" else "right", overflow="fold")
    for tokenizer in record["tokenizers"]:
        own = [row for row in rows if row["tokenizer"] == tokenizer["name"]]
        speed = record["run"]["encoder_mb_per_second"][tokenizer["name"]]
        # Gini is per corpus; one number stands here only where there is one.
        ginis = {row["gini"] for row in own}
        gini = ginis.pop() if len(ginis) == 1 else None
        table.add_row(
            escape(tokenizer["name"]),
            f"{tokenizer['vocabulary_size']:,}",
            _pooled(own, "bytes_per_token", "{:.3f}"),
            "-" if gini is None else f"{gini:.3f}",
            _pooled(own, "exact_share", "{:.1%}"),
            _pooled(own, "unknown_share", "{:.1%}"),
            _pooled(own, "byte_fallback_share", "{:.1%}"),
            "cached" if speed is None else f"{speed:.1f}",
        )
    return table


def _pooled(rows: list[Row], rate: str, form: str) -> str:
    above = sum(k * row[name] for row in rows for name, k in RATES[rate].above.items())
    below = sum(k * row[name] for row in rows for name, k in RATES[rate].below.items())
    return form.format(above / below) if below else "-"
