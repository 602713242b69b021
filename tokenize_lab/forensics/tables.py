"""Findings for people: tables on a terminal."""

from itertools import pairwise
from typing import Any

from rich.table import Table

from tokenize_lab.cli.tables import text_table
from tokenize_lab.tokenizer import quoted, readable

REASONS = {
    "not_utf8": "bytes that are in no UTF-8 text",
    "merged_otherwise": "own bytes come out as other tokens",
    "no_neighbour": "no token completes its character beside it",
    "spelt_otherwise": "fallback byte of characters that have tokens",
    "always_cut": "every text tried was split inside it",
    "not_found": "nothing proven either way",
}
_SHOWN = 12
_LONGEST = 160  # characters of a setting


def audit_tables(audit: dict[str, Any]) -> list[Table]:
    """Return the tables of an audit, in order."""
    tables = [_vocabulary(audit), _reach(audit["reach"])]
    if audit["reach"]["unreachable"] or audit["reach"]["open"]:
        tables.append(_unreachable(audit["reach"]))
    tables.append(_scripts(audit["scripts"]))
    if audit["corpus"]:
        tables += [_usage(audit["corpus"]), _usage_by_language(audit)]
    return tables


def _vocabulary(audit: dict[str, Any]) -> Table:
    characters, merges = audit["characters"], audit["merges"]
    rows = [
        ("ids", audit["tokenizer"]["vocabulary_size"]),
        ("special, unused or empty", audit["without_bytes"]),
        ("fallback bytes", audit["ids"]["byte_fallback"]),
        ("not whole characters", sum(characters.values()) - characters["whole"]),
        ("  of these single bytes", characters["single_bytes"]),
        ("  begin inside a character", characters["begin_inside"]),
        ("  end inside a character", characters["end_inside"]),
        ("  both", characters["both"]),
        ("  no cut out of any text", characters["invalid"]),
    ]
    if merges:
        how = "merges" if merges["listed"] else "merges, recovered from ranks"
        rows += [
            (how, merges["count"]),
            ("merges that never fire (proven)", merges["never_fire"]),
            ("tokens that are parts of others", merges["parts_of_others"]),
        ]
    decoding = audit["decoding"]
    if not decoding["why"]:
        rows += [
            ("bytes as its library decodes them", decoding["shown"]),
            ("  otherwise", decoding["differing_count"]),
            ("  in no text that shows them", decoding["open_count"]),
        ]
    title = f"Vocabulary of {audit['tokenizer']['name']}"
    return text_table(title, None, [(name, f"{number:,}") for name, number in rows])


def _reach(reach: dict[str, Any]) -> Table:
    rows = [("reached: a text was found", f"{reach['reached']:,}")]
    for name, reason in REASONS.items():
        if number := reach["counts"][name]:
            proven = name not in ("always_cut", "not_found")
            certain = "unreachable, proven" if proven else "not found"
            rows.append((f"{certain}: {reason}", f"{number:,}"))
    return text_table(
        "Can every token come out of some text?",
        ("what is known", "ids"),
        rows,
        caption=f"{reach['texts_tried']:,} texts were tried",
    )


def _unreachable(reach: dict[str, Any]) -> Table:
    rows = [
        (
            str(entry["id"]),
            quoted(entry["text"]),
            " ".join(quoted(part["text"]) for part in entry["instead"] or ()),
            REASONS[entry["why"]],
        )
        for entry in [*reach["open"], *reach["unreachable"]][:_SHOWN]
    ]
    total = reach["unreachable_proven"] + reach["not_found"]
    headings = ("id", "token", "comes out as", "why")
    more = f"the first {_SHOWN} of {total:,}; --json has more"
    return text_table(
        "Tokens that no text was found for",
        headings,
        rows,
        left=headings,
        caption=more if total > _SHOWN else "",
    )


def _scripts(scripts: dict[str, int]) -> Table:
    total = sum(scripts.values())
    rows = [(name, f"{ids:,}", f"{ids / total:.1%}") for name, ids in scripts.items()]
    more = f"the first {_SHOWN} of {len(rows)}"
    return text_table(
        "Vocabulary by script",
        ("script", "ids", "share"),
        rows[:_SHOWN],
        caption=more if len(rows) > _SHOWN else "",
    )


def _usage(corpus: dict[str, Any]) -> Table:
    parts = corpus["never_used_parts_of_others"]
    rows = [
        ("ids used", f"{corpus['used']:,}"),
        ("ids used once", f"{corpus['used_once']:,}"),
        ("ids never used", f"{corpus['never_used']:,}"),
        ("  though reachable", f"{corpus['never_used_reachable']:,}"),
        ("  of these parts of longer tokens", "-" if parts is None else f"{parts:,}"),
        ("tokens that are not whole characters", f"{corpus['not_whole_character_tokens']:,}"),
        ("never used, first ids", _token_list(corpus["unused"][:_SHOWN])),
    ]
    return text_table(f"Use on {corpus['bytes']:,} bytes, {corpus['tokens']:,} tokens", None, rows)


def _usage_by_language(audit: dict[str, Any]) -> Table:
    size = audit["tokenizer"]["vocabulary_size"]
    rows = [
        (
            row["language"],
            f"{row['bytes']:,}",
            f"{row['used_ids'] / size:.2%}",
            f"{row['exclusive_ids'] / size:.2%}",
            f"{row['main_ids'] / size:.2%}",
            _token_list(row["examples"][:5]),
        )
        for row in audit["corpus"]["languages"]
    ]
    examples = "its commonest own tokens"
    return text_table(
        "Whose tokens: shares of the vocabulary that each language uses",
        ("language", "bytes", "used", "no other uses", "mainly its own", examples),
        rows,
        left=[examples],
    )


def _token_list(tokens: list[dict[str, Any]]) -> str:
    return " ".join(quoted(token["text"]) for token in tokens)


def diff_tables(finding: dict[str, Any]) -> list[Table]:
    """Return the tables of a comparison, in order; A and B are the two, as given."""
    tables = [_settings(finding), _both_vocabularies(finding["vocabulary"])]
    if finding["vocabulary"]["moves"]:
        tables.append(_moves(finding["vocabulary"]["moves"]))
    if finding["text"]:
        tables.append(_cuts_by_language(finding["text"]))
        if finding["text"]["words"]:
            tables.append(_words(finding["text"]))
    return tables


def _settings(finding: dict[str, Any]) -> Table:
    a, b = (tokenizer["name"] for tokenizer in finding["tokenizers"])
    rows = [
        (row["setting"], _setting(row["a"]), "the same" if row["same"] else _setting(row["b"]))
        for row in finding["settings"]
    ]
    headings = ("", f"A: {a}", f"B: {b}")
    return text_table("What is done to a text", headings, rows, left=headings)


def _setting(value: str) -> str:
    shown = quoted(value) if value else "nothing"
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def _both_vocabularies(found: dict[str, Any]) -> Table:
    rows = [
        ("tokens", *(f"{size:,}" for size in found["sizes"])),
        ("shared", *[f"{found['shared']:,}"] * 2),
        ("own", *(f"{number:,}" for number in found["own"])),
    ]
    for side, scripts in enumerate(found["scripts"]):
        for script, number in list(scripts.items())[:5]:
            cells = ["", ""]
            cells[side] = f"{number:,}"
            rows.append((f"own of {'AB'[side]}: {script}", *cells))
    correlation = found["rank_correlation"]
    return text_table(
        "Vocabularies, by raw bytes",
        ("", "A", "B"),
        rows,
        caption=f"shared: {_share(found['shared_share'])} of all; same id: {found['same_id']:,}; "
        f"correlation of ranks: {'-' if correlation is None else f'{correlation:.3f}'}",
    )


def _moves(moves: list[dict[str, Any]]) -> Table:
    return text_table(
        "Shared tokens that moved farthest",
        ("token", "rank in A", "rank in B"),
        [(quoted(move["text"]), *(f"{r:,}" for r in move["ranks"])) for move in moves[:_SHOWN]],
    )


def _cuts_by_language(text: dict[str, Any]) -> Table:
    rows = [
        (
            row["language"],
            f"{row['bytes']:,}",
            _share(row["same_document_share"]),
            _share(row["same_byte_share"]),
            _share(row["shared_boundary_share"]),
            "-" if row["tokens_b_over_a"] is None else f"{row['tokens_b_over_a']:.3f}",
        )
        for row in [*text["languages"], {"language": "all", **text["all"]}]
    ]
    left_out = text["all"]["documents_not_compared"]
    lost = " and ".join(_share(share) for share in text["all"]["lost_share"])
    why = (
        f"{left_out:,} documents that one does not give back are compared where tokens of both "
        f"lie in them; compared: {_share(text['all']['compared_share'])} of all bytes; lost by A "
        f"and B: {lost}"
    )
    return text_table(
        "How text is cut",
        ("language", "bytes", "same documents", "same bytes", "shared cuts", "tokens B / A"),
        rows,
        caption=why if left_out else "",
    )


def _words(text: dict[str, Any]) -> Table:
    rows = []
    for word in text["words"][:_SHOWN]:
        raw = bytes.fromhex(word["hex"])
        rows.append(
            (
                quoted(word["text"]),
                f"{word['count']:,}",
                _parts(raw, word["a"]),
                _parts(raw, word["b"]),
                f"{word['tokens_saved_by_a']:+,}",
            )
        )
    return text_table(
        "Words cut differently, where most tokens are at stake",
        ("word", "times", "cut by A", "cut by B", "saved by A"),
        rows,
        left=("cut by A", "cut by B"),
        caption=f"of {text['words_cut_differently']:,} words cut differently",
    )


def _parts(raw: bytes, cuts: list[int]) -> str:
    return " ".join(quoted(readable(raw[i:j])) for i, j in pairwise([0, *cuts, len(raw)]))


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def mixture_tables(finding: dict[str, Any]) -> list[Table]:
    """Return the table of a mixture's shares."""
    rows = [
        (
            row["language"],
            f"{row['share']:.2%}",
            f"{row['interval'][0]:.2%} to {row['interval'][1]:.2%}" if row["interval"] else "-",
            f"{row['bytes']:,} bytes",
        )
        for row in finding["languages"]
    ]
    table = text_table(
        f"What {finding['tokenizer']['name']} was trained on, by the order of its merges",
        ("language", "share of bytes", "95 %", "our text"),
        rows,
        caption=f"slack {finding['slack_share']:.1%} of the merged pairs' frequency. Shares are of "
        "these languages alone; intervals are of our sample, not of the trainer's kind of text.",
    )
    covered = text_table(
        "What the text covers",
        None,
        [
            ("merges read", f"{finding['merges']:,}"),
            ("  met in the text", f"{finding['merges_met'] / finding['merges']:.1%}"),
            ("distinct pieces", f"{finding['distinct_words']:,}"),
            ("  their share of its bytes", f"{finding['words_share']:.1%}"),
            ("constraints looked at", f"{finding['constraints']:,}"),
            ("  least slack found to within", f"{finding['gap']:.2%}"),
        ],
    )
    return [covered, table]


def check_tables(finding: dict[str, Any]) -> list[Table]:
    """Return how far a library agrees with what is counted, and where it first does not."""
    documents = finding["documents"]
    rows = [
        ("documents", f"{documents:,}"),
        ("the same ids", f"{finding['same_ids']:,}"),
        ("given back exactly, as counted", f"{finding['exact']:,}"),
        ("given back exactly by the library", f"{finding['library_exact']:,}"),
        ("documents that differ", f"{finding['differing']:,}"),
    ]
    name, engine = finding["tokenizer"]["name"], finding["tokenizer"]["engine"]
    tables = [text_table(f"{name} beside its own library ({engine})", None, rows)]
    for found, title in (
        (finding["differences"], "First differences"),
        (finding["changed"], "First documents that neither gives back"),
    ):
        if found:
            headings = ("document", "what", "text", "counted here", "the library")
            tables.append(text_table(title, headings, map(_checked, found), left=headings))
    return tables


def _checked(found: dict[str, Any]) -> tuple[str, ...]:
    document = f"{found['corpus']}, {found['language']}, {found['document']}"
    sides = (found["ours"], found["library"])
    if found["what"] == "ids":
        ours, theirs = (" ".join(f"{t['id']} {quoted(t['text'])}" for t in side) for side in sides)
    else:
        ours, theirs = (quoted(side) for side in sides)
    what = f"{found['what']}, from {found['place']}"
    return document, what, quoted(found["text"]), ours, theirs
