"""Inferred shares for people."""

from typing import Any

from rich.table import Table
from rich.text import Text

from tokenize_lab.forensics.shown import columns, count


def mixture_tables(finding: dict[str, Any]) -> list[Table]:
    """Return the table of shares."""
    name = finding["tokenizer"]["name"]
    table = columns(
        f"What {name} was trained on, by the order of its merges",
        "language",
        "share of bytes",
        "95 %",
        "our text",
    )
    for row in finding["languages"]:
        ends = row["interval"]
        table.add_row(
            Text(row["language"]),
            f"{row['share']:.2%}",
            f"{ends[0]:.2%} to {ends[1]:.2%}" if ends else "-",
            f"{count(row['bytes'])} bytes",
        )
    table.caption = (
        f"{count(finding['merges_met'])} of {count(finding['merges'])} merges met in the text; "
        f"slack {finding['slack_share']:.1%} of the merged pairs' frequency. Shares are among "
        "these languages alone; intervals are of our sample, not of the trainer's kind of text."
    )
    return [table]
