"""Two tokenizers for people: tables on a terminal."""

from itertools import pairwise
from typing import Any

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tokenize_lab.forensics.shown import columns, count, shown_token
from tokenize_lab.tokenizer import quoted, readable

SHOWN = 15
_LONGEST = 160  # characters of a setting


def diff_tables(finding: dict[str, Any]) -> list[Table]:
    """Return the tables, in order; A and B are the two, as given."""
    tables = [_settings(finding), _vocabulary(finding)]
    if finding["vocabulary"]["moves"]:
        tables.append(_moves(finding))
    if finding["text"]:
        tables.append(_languages(finding))
        if finding["text"]["words"]:
            tables.append(_words(finding))
    return tables


def _settings(finding: dict[str, Any]) -> Table:
    a, b = (one["name"] for one in finding["tokenizers"])
    names = (escape(f"A: {a}"), escape(f"B: {b}"))
    table = Table("", *names, title="What is done to a text")
    for row in finding["settings"]:
        values = [_setting(row[side]) for side in "ab"]
        if row["same"]:
            values[1] = "the same"
        table.add_row(row["setting"], Text(values[0]), Text(values[1]))
    return table


def _setting(value: str) -> str:
    shown = quoted(value) if value else "nothing"
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def _vocabulary(finding: dict[str, Any]) -> Table:
    table = columns("Vocabularies, by raw bytes", "", "A", "B")
    found = finding["vocabulary"]
    table.add_row("tokens", *map(count, found["sizes"]))
    table.add_row("shared", *[count(found["shared"])] * 2)
    table.add_row("own", *map(count, found["own"]))
    correlation = found["rank_correlation"]
    said = "-" if correlation is None else f"{correlation:.3f}"
    shared = found["shared_share"]
    table.caption = (
        f"shared: {'-' if shared is None else f'{shared:.1%}'} of all; same id: "
        f"{count(found['same_id'])}; correlation of ranks: {said}"
    )
    for side, own in enumerate(found["scripts"]):
        for script, number in list(own.items())[:5]:
            cells = ["", ""]
            cells[side] = count(number)
            table.add_row(f"own of {'AB'[side]}: {script}", *cells)
    return table


def _moves(finding: dict[str, Any]) -> Table:
    table = columns("Shared tokens that moved farthest", "token", "rank in A", "rank in B")
    for one in finding["vocabulary"]["moves"][:SHOWN]:
        table.add_row(Text(shown_token(one)), *map(count, one["ranks"]))
    return table


def _languages(finding: dict[str, Any]) -> Table:
    headings = ("language", "bytes", "same documents", "same bytes", "shared cuts", "tokens B / A")
    table = columns("How text is cut", *headings)
    text = finding["text"]
    for row in [*text["languages"], {"language": "all", **text["all"]}]:
        table.add_row(
            Text(row["language"]),
            count(row["bytes"]),
            _share(row["same_document_share"]),
            _share(row["same_byte_share"]),
            _share(row["shared_boundary_share"]),
            "-" if row["tokens_b_over_a"] is None else f"{row['tokens_b_over_a']:.3f}",
        )
    if left := text["all"]["documents_not_compared"]:
        table.caption = f"{count(left)} documents that one does not give back are left out"
    return table


def _words(finding: dict[str, Any]) -> Table:
    text = finding["text"]
    table = columns(
        "Words cut differently, where most tokens are at stake",
        *("word", "times", "cut by A", "cut by B", "saved by A"),
    )
    for row in text["words"][:SHOWN]:
        raw = bytes.fromhex(row["hex"])
        cuts = (" ".join(_parts(raw, row[side])) for side in "ab")
        table.add_row(
            Text(quoted(row["text"])),
            count(row["count"]),
            *map(Text, cuts),
            f"{row['tokens_saved_by_a']:+,}",
        )
    table.caption = f"of {count(text['words_cut_differently'])} words cut differently"
    return table


def _parts(raw: bytes, cuts: list[int]) -> list[str]:
    return [quoted(readable(raw[i:j])) for i, j in pairwise([0, *cuts, len(raw)])]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
