"""Nothing that comes in can act."""

import pytest
from markupsafe import Markup

from reports.html import (
    Column,
    TableCell,
    attributes,
    csp_hash,
    listed,
    sortable_table,
    together,
    visible,
)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a\0b", "a␀b"),
        ("\x7f\x1b", "␡␛"),
        ("\u202eabc\u2066", "‹202E›abc‹2066›"),
        ("\ud800", "‹D800›"),
        ("\u2028", "‹2028›"),
        ("\u200d\u200c\u200f ok", "\u200d\u200c\u200f ok"),  # joiners and marks are text
        ("नमस्ते 👩‍👩‍👧", "नमस्ते 👩‍👩‍👧"),
    ],
)
def test_visible(raw: str, shown: str) -> None:
    assert visible(raw) == shown


def test_attributes_are_escaped() -> None:
    shown = attributes(class_="a", aria_label='"><script>', width=3, title=None)
    assert shown == ' class="a" aria-label="&#34;&gt;&lt;script&gt;" width="3"'


def test_the_policy_names_the_very_script() -> None:
    # The example of the specification (Content Security Policy Level 3, 6.7.3.3).
    expected = "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='"
    assert csp_hash("alert('Hello, world.');") == expected


def test_table_cells_are_escaped_unless_markup() -> None:
    table = sortable_table(
        "a <caption>",
        [Column("<b>", numeric=False), Column("n", hint='"h"')],
        [["<i>", Markup("<small>1</small>")], ["x", TableCell("<u>", "h3", "<t>")]],
    )
    assert '<th scope="row" class="t">&lt;i&gt;</th><td><small>1</small></td>' in table
    assert '<td class="h3" title="&lt;t&gt;">&lt;u&gt;</td>' in table
    assert "a &lt;caption&gt;" in table and "<b>" not in table


def test_lists_of_names() -> None:
    a, b = Markup("a"), Markup("b")
    assert listed([a, b]) == "a and b"
    assert listed([Markup(letter) for letter in "abcdefg"]) == "a, b, c, d and 3 others"
    said = together({"<x>": a, "y": b, "z": a})
    assert said == [
        ("<b><bdi>&lt;x&gt;</bdi></b> and <b><bdi>z</bdi></b>", a), ("<b><bdi>y</bdi></b>", b),
    ]  # fmt: skip
