"""Vocabularies extended or pruned, as tables on a terminal."""

from typing import TYPE_CHECKING, Any

from tokenize_lab.cli.tables import text_table

if TYPE_CHECKING:
    from rich.table import Table


STEPS = 5  # numbers of new ids shown


def extension_tables(finding: dict[str, Any]) -> "list[Table]":
    """Return what an extension gains on unseen text, and what it changes."""
    added = finding["added"]
    steps = sorted({round(added * step / STEPS) for step in range(STEPS + 1)})
    rows = [
        [
            row["language"],
            *(f"{row['bytes'] / row['tokens'][k]:.3f}" if row["tokens"][k] else "" for k in steps),
            f"{row['tokens'][0] / row['tokens'][-1]:.2f} x" if row["tokens"][-1] else "",
        ]
        for row in finding["languages"]
    ]
    reused = f", {len(finding['reused']):,} of them reused" if finding["reused"] else ""
    text = "unseen documents" if finding["unseen"] else "the text learned from"
    gains = text_table(
        f"Bytes per token with so many new ids{reused}, on {text}",
        ["language", *(f"{k:,}" for k in steps), "gain"],
        rows,
    )
    return [gains, *_kept_tables(finding)]


def pruning_tables(finding: dict[str, Any]) -> "list[Table]":
    """Return what a pruned vocabulary lost, and what it changes."""
    before, after = (finding[t]["vocabulary_size"] for t in ("tokenizer", "pruned"))
    sizes = text_table(
        f"Ids of {finding['tokenizer']['name']}",
        None,
        [
            ("before", f"{before:,}"),
            ("gone", f"{finding['dropped']:,} ({finding['dropped'] / before:.1%})"),
            ("left", f"{after:,}"),
        ],
    )
    return [sizes, *_kept_tables(finding)]


def _kept_tables(finding: dict[str, Any]) -> "list[Table]":
    if not finding["kept"]:
        return []
    rows = [
        [
            row["language"],
            f"{row['texts']:,}",
            f"{row['changed']:,}",
            f"{row['tokens_before']:,}",
            f"{row['tokens_after']:,}",
        ]
        for row in finding["kept"]
    ]
    headings = ["language", "documents", "changed", "tokens before", "after"]
    return [text_table("Encodings of the text kept", headings, rows)]
