"""Tokens and numbers as a terminal can show them."""

from typing import Any

from rich.table import Table
from rich.text import Text

from tokenize_lab.tokenizer import quoted


def shown_token(token: dict[str, Any]) -> str:
    """Return a token of a finding, in quotes."""
    return quoted(token["text"])


def count(value: int) -> str:
    """Return `131,072`."""
    return f"{value:,}"


def columns(title: str, *headings: str) -> Table:
    """Return a table; all columns but the first are set to the right unless they hold words."""
    table = Table(title=Text(title))
    words = {
        "token",
        "comes out as",
        "why",
        "its commonest own tokens",
        "word",
        "cut by A",
        "cut by B",
    }
    for place, heading in enumerate(headings):
        left = place == 0 or heading in words
        table.add_column(heading, justify="left" if left else "right", overflow="fold")
    return table
