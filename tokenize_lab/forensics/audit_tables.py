"""An audit for people: tables on a terminal."""

from typing import Any

from rich.table import Table
from rich.text import Text

from tokenize_lab.forensics.shown import columns, count, shown_token

SHOWN = 12
REASONS = {
    "not_utf8": "bytes that are in no UTF-8 text",
    "merged_otherwise": "own bytes come out as other tokens",
    "no_neighbour": "no token completes its character beside it",
    "spelt_otherwise": "fallback byte of characters that have tokens",
    "always_cut": "every text tried was split inside it",
    "not_found": "nothing proven either way",
}


def audit_tables(audit: dict[str, Any]) -> list[Table]:
    """Return the tables, in order."""
    tables = [_vocabulary(audit), _reach(audit)]
    if audit["reach"]["unreachable"] or audit["reach"]["open"]:
        tables.append(_unreachable(audit))
    tables.append(_scripts(audit))
    if audit["corpus"]:
        tables += [_usage(audit), _languages(audit)]
    return tables


def _vocabulary(audit: dict[str, Any]) -> Table:
    table = Table(title=Text(f"Vocabulary of {audit['tokenizer']['name']}"), show_header=False)
    ids, characters, merges = audit["ids"], audit["characters"], audit["merges"]
    broken = sum(characters.values()) - characters["whole"]
    rows = [
        ("ids", count(audit["tokenizer"]["vocabulary_size"])),
        ("special, unused or empty", count(audit["without_bytes"])),
        ("fallback bytes", count(ids["byte_fallback"])),
        ("not whole characters", count(broken)),
        ("  of these single bytes", count(characters["single_bytes"])),
        ("  begin inside a character", count(characters["begin_inside"])),
        ("  end inside a character", count(characters["end_inside"])),
        ("  both", count(characters["both"])),
        ("  no cut out of any text", count(characters["invalid"])),
    ]
    if merges:
        how = "merges" if merges["listed"] else "merges, recovered from ranks"
        rows += [
            (how, count(merges["count"])),
            ("merges that never fire (proven)", count(merges["never_fire"])),
            ("tokens that are parts of others", count(merges["parts_of_others"])),
        ]
    for name, value in rows:
        table.add_row(name, value)
    return table


def _reach(audit: dict[str, Any]) -> Table:
    table = columns("Can every token come out of some text?", "what is known", "ids")
    reach = audit["reach"]
    table.add_row("reached: a text was found", count(reach["reached"]))
    for name, reason in REASONS.items():
        if number := reach["counts"][name]:
            certain = (
                "unreachable, proven" if name not in ("always_cut", "not_found") else "not found"
            )
            table.add_row(f"{certain}: {reason}", count(number))
    table.caption = f"{count(reach['texts_tried'])} texts were tried"
    return table


def _unreachable(audit: dict[str, Any]) -> Table:
    reach = audit["reach"]
    listed = [*reach["open"], *reach["unreachable"]]
    table = columns("Tokens that no text was found for", "id", "token", "comes out as", "why")
    for one in listed[:SHOWN]:
        instead = " ".join(shown_token(part) for part in one["instead"] or ())
        table.add_row(str(one["id"]), Text(shown_token(one)), Text(instead), REASONS[one["why"]])
    total = reach["unreachable_proven"] + reach["not_found"]
    if total > SHOWN:
        table.caption = f"the first {SHOWN} of {count(total)}; --json has more"
    return table


def _scripts(audit: dict[str, Any]) -> Table:
    table = columns("Vocabulary by script", "script", "ids", "share")
    total = sum(audit["scripts"].values())
    for name, number in list(audit["scripts"].items())[:SHOWN]:
        table.add_row(name, count(number), f"{number / total:.1%}")
    if len(audit["scripts"]) > SHOWN:
        table.caption = f"the first {SHOWN} of {len(audit['scripts'])}"
    return table


def _usage(audit: dict[str, Any]) -> Table:
    corpus = audit["corpus"]
    title = f"Use on {count(corpus['bytes'])} bytes, {count(corpus['tokens'])} tokens"
    table = Table(title=title, show_header=False)
    parts = corpus["never_used_parts_of_others"]
    rows = [
        ("ids used", count(corpus["used"])),
        ("ids used once", count(corpus["used_once"])),
        ("ids never used", count(corpus["never_used"])),
        ("  though reachable", count(corpus["never_used_reachable"])),
        ("  of these parts of longer tokens", "-" if parts is None else count(parts)),
        ("tokens that are not whole characters", count(corpus["not_whole_character_tokens"])),
    ]
    for name, value in rows:
        table.add_row(name, value)
    first = " ".join(shown_token(one) for one in corpus["unused"][:SHOWN])
    table.add_row("never used, first ids", Text(first))
    return table


def _languages(audit: dict[str, Any]) -> Table:
    corpus, size = audit["corpus"], audit["tokenizer"]["vocabulary_size"]
    table = columns(
        "Whose tokens: shares of the vocabulary that each language uses",
        "language",
        "bytes",
        "used",
        "no other uses",
        "mainly its own",
        "its commonest own tokens",
    )
    for row in corpus["languages"]:
        examples = " ".join(shown_token(one) for one in row["examples"][:5])
        table.add_row(
            Text(row["language"]),
            count(row["bytes"]),
            f"{row['used_ids'] / size:.2%}",
            f"{row['exclusive_ids'] / size:.2%}",
            f"{row['main_ids'] / size:.2%}",
            Text(examples),
        )
    return table
