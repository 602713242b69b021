"""Curves for people: tables on a terminal."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from tokenize_lab.vocab_curve.job import Row

_MOST_COLUMNS = 6


def curves_tables(curves: Sequence[Sequence[Row]]) -> list[Table]:
    """Return a table of each tokenizer.

    Args:
        curves: the rows of each curve, ascending in vocabulary size.
    """
    of_tokenizers: dict[str, list[Sequence[Row]]] = {}
    for rows in curves:
        of_tokenizers.setdefault(rows[0]["tokenizer"], []).append(rows)
    return [
        _alone(own[0]) if len(own) == 1 else _side_by_side(own) for own in of_tokenizers.values()
    ]


def _alone(rows: Sequence[Row]) -> Table:
    first = rows[0]
    table = Table(title=escape(f"{first['tokenizer']} on {first['corpus']}, {first['language']}"))
    for name in ("V", "tokens", "bytes per token", "gained per 1,000 ids", "of ceiling"):
        table.add_column(name, justify="right")
    for row in rows:
        gain, ceiling = row["marginal_bytes_per_token"], row["bytes_per_pretoken"]
        rate = row["bytes_per_token"]
        table.add_row(
            f"{row['vocabulary_size']:,}",
            f"{row['tokens']:,}",
            _with_interval(row),
            "" if gain is None else f"{1000 * gain:.4f}",
            "-" if rate is None or not ceiling else f"{rate / ceiling:.1%}",
        )
    table.caption = _ceiling(first)
    return table


def _side_by_side(curves: Sequence[Sequence[Row]]) -> Table:
    first = curves[0][0]
    table = Table(title=escape(f"Bytes per token by V: {first['tokenizer']} on {first['corpus']}"))
    table.add_column("language", no_wrap=True)
    sizes = [row["vocabulary_size"] for row in curves[0]]
    step = -(-(len(sizes) - 1) // (_MOST_COLUMNS - 1)) or 1
    shown = sorted({*range(len(sizes) - 1, -1, -step), len(sizes) - 1})
    for place in shown:
        table.add_column(f"{sizes[place]:,}", justify="right")
    table.add_column("ceiling", justify="right")
    for rows in sorted(curves, key=lambda rows: str(rows[0]["language"])):
        ceiling = rows[0]["bytes_per_pretoken"]
        table.add_row(
            escape(str(rows[0]["language"])),
            *(_with_interval(rows[place]) for place in shown),
            "-" if ceiling is None else f"{ceiling:.2f}",
        )
    return table


def _with_interval(row: Row) -> str:
    if row["bytes_per_token"] is None:
        return "-"
    text = f"{row['bytes_per_token']:.3f}"
    interval = row["intervals"]["bytes_per_token"]
    if interval and interval[0] != interval[1]:
        text += f" ±{(interval[1] - interval[0]) / 2:.2f}".replace("±0.", "±.")
    return text


def _ceiling(row: Row) -> str:
    if row["bytes_per_pretoken"] is None:
        return ""
    return f"ceiling: {row['bytes_per_pretoken']:.3f} bytes per piece that merges cannot cross"
