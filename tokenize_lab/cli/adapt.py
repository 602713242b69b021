"""`tokenize-lab tokenizers extend | prune`: a vocabulary changed for other languages."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corpora.cli import JsonOption
from corpora.corpus import total_bytes
from tokenize_lab.cli import complete
from tokenize_lab.cli.options import Corpora, say
from tokenize_lab.cli.reading import ReadOptions, reads_text
from tokenize_lab.progress import progress

if TYPE_CHECKING:
    from rich.table import Table

KEPT = "What is kept"
BpeSpec = Annotated[
    str,
    typer.Argument(
        metavar="SPEC",
        help="a BPE, as for measure -t, e.g. mistral:tekken",
        autocompletion=complete.tokenizers,
        show_default=False,
    ),
]
Out = Annotated[
    Path, typer.Option(help="folder for tokenizer.json and what is said of it", show_default=False)
]


class Reuse(StrEnum):
    """Which ids new tokens may have before any is appended."""

    NONE = "none"
    UNREACHABLE = "unreachable"
    UNUSED = "unused"


@reads_text()
def extend(
    spec: BpeSpec,
    corpora: Corpora,
    add: Annotated[int, typer.Option(metavar="K", min=1, help="new ids", show_default=False)],
    out: Out,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CORPUS",
            help="text whose encodings are compared; may be repeated",
            rich_help_panel=KEPT,
        ),
    ] = None,
    unchanged: Annotated[
        bool,
        typer.Option(
            "--unchanged",
            help="learn no merge that fires in the text of --keep",
            rich_help_panel=KEPT,
        ),
    ] = False,
    reuse: Annotated[
        Reuse,
        typer.Option(
            help="ids to give away before any is appended: those that no text leads to "
            "(proven), or that no text given here uses",
        ),
    ] = Reuse.NONE,
    unseen: Annotated[
        float,
        typer.Option(
            min=0,
            max=0.5,
            help="share of each language's documents that is measured, not learned from",
        ),
    ] = 0.1,
    *,
    reading: ReadOptions,
    as_json: JsonOption = False,
) -> None:
    """Extend a BPE's vocabulary: new merges after the old ones, learned on its own encoding of a
    text, inside its pieces. Old ids stay as they are.

    An old encoding changes only where a new merge fires: of the text of --keep it is counted, by
    language, how many documents change, and with --unchanged none do. --out gets a tokenizer.json
    that stock libraries load (ranks of tiktoken and tekken become merges; they are written as
    ranks.tiktoken or tekken.json, too), embedding.json (the old ids whose mean a new id's embedding
    may begin as), and bytes per token on unseen text at every number of new ids, from one pass. A
    vocabulary that falls back to bytes gets the text's characters first.

    \b
    tokenize-lab tokenizers extend mistral:tekken text:amh,mya --add 8000 --keep english.txt \\
      --unchanged --out out/extended
    tokenize-lab report out/extended
    """
    from tokenize_lab.adapt.extend import extend as run
    from tokenize_lab.adapt.extend import kept_for

    opened, kept = reading.open(corpora), reading.open(keep or [])
    with kept_for(out, spec), progress(total=total_bytes(opened)) as bars:
        extension = run(
            spec,
            opened,
            add=add,
            keep=kept,
            unchanged=unchanged,
            reuse="" if reuse is Reuse.NONE else reuse.value,
            unseen=unseen,
            progress=bars.report,
        )
        file = extension.save(out)
    say(reading.remarks([*opened, *kept]))
    say(
        f"note: {row['language']}: none of {row['read']['documents']:,} documents is held back to"
        " be measured; give more text, or --unseen 0 to measure on the text learned from"
        for row in extension.finding["languages"]
        if not row["documents"]
    )
    if reuse is not Reuse.NONE and not extension.finding["reused"]:
        say([f"note: no id is {reuse.value} and a part of no other; all {add:,} are new"])
    _deliver(extension.finding, file, extension_tables, as_json)


@reads_text()
def prune(
    spec: BpeSpec,
    corpora: Corpora,
    out: Out,
    to: Annotated[
        int | None, typer.Option(metavar="V", min=1, help="ids to be left", show_default=False)
    ] = None,
    drop: Annotated[
        int | None, typer.Option(metavar="K", min=1, help="ids to go", show_default=False)
    ] = None,
    unused: Annotated[
        bool,
        typer.Option(
            "--unused",
            help="only those that CORPUS does not use, so that its encoding stays; without --to or "
            "--drop all of them",
            rich_help_panel=KEPT,
        ),
    ] = False,
    *,
    reading: ReadOptions,
    as_json: JsonOption = False,
) -> None:
    """Prune a BPE's vocabulary: its last merges go, or with --unused only leaves of the merge tree
    that CORPUS does not use. Special tokens stay; ids close ranks in their order.

    CORPUS is the text of the languages to keep: it is encoded before and after, and documents whose
    encoding changed are counted by language. --out gets a tokenizer.json (and the form it came in,
    as extend) and ids.json: new id of each old one, and the rows of an embedding table that stay.

    \b
    tokenize-lab tokenizers prune mistral:tekken english.txt --drop 40000 --unused --out out/small
    tokenize-lab report out/small
    """
    from tokenize_lab.adapt.extend import kept_for
    from tokenize_lab.adapt.prune import prune as run

    opened = reading.open(corpora)
    with kept_for(out, spec), progress(total=total_bytes(opened)) as bars:
        pruned = run(spec, opened, to=to, drop=drop, unused=unused, progress=bars.report)
        file = pruned.save(out)
    say(reading.remarks(opened))
    _deliver(pruned.finding, file, pruning_tables, as_json)


def _deliver(finding: dict[str, Any], file: Path, tables: Any, as_json: bool) -> None:
    from corpora.output import drawn, emit, json_object

    say([f"{file} (then: tokenize-lab report {file.parent})"])
    if as_json:
        emit(json_object(finding))
    else:
        emit(drawn(tables(finding)))


STEPS = 5  # numbers of new ids shown


def extension_tables(finding: dict[str, Any]) -> "list[Table]":
    """Return what an extension gains on unseen text, and what it changes."""
    from tokenize_lab.cli.tables import text_table

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
    from tokenize_lab.cli.tables import text_table

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
    from tokenize_lab.cli.tables import text_table

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
