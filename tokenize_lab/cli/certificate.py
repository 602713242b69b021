"""`tokenize-lab tokenizers bytes`: the bytes of every id, and who counts them wrong."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corpora.cli import JsonOption
from corpora.corpus import total_bytes
from corpora.errors import InputError
from tokenize_lab.cli.forensics import Spec
from tokenize_lab.cli.options import say
from tokenize_lab.cli.reading import ReadOptions, reads_text
from tokenize_lab.progress import progress

if TYPE_CHECKING:
    from rich.table import Table

BPB = "Bits per byte"
_CLASSES = {
    "replacement_character": "U+FFFD counted for part of a character",
    "byte_fallback_mark": "a mark of fallback bytes counted as text",
    "space_twice": "the space before a word counted twice",
    "space_mark": "the mark of a space counted as three bytes",
    "space_left_out": "the space before a word not counted",
    "special_as_text": "a special token counted as text",
    "prefix": "the space put before a text counted as its own",
    "normalisation": "the text changed before it was encoded",
    "other": "other",
}


@reads_text(without=("language_field",))
def byte_certificate(
    spec: Spec,
    out: Annotated[
        Path | None, typer.Option(help=".npz for the bytes of every id", show_default=False)
    ] = None,
    corpus: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CORPUS", help="text to add them up on; may be repeated", show_default=False
        ),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(help="another's .npz: base_bytes, token_bytes, ...", show_default=False),
    ] = None,
    nats: Annotated[
        float | None,
        typer.Option(
            help="a model's loss on the text, nats per token",
            show_default=False,
            rich_help_panel=BPB,
        ),
    ] = None,
    total: Annotated[
        bool,
        typer.Option("--total", help="--nats is the sum over the text", rich_help_panel=BPB),
    ] = False,
    *,
    reading: ReadOptions,
    as_json: JsonOption = False,
) -> None:
    """Certify the bytes of every id, which bits per byte rest on.

    --out gets plain arrays (numpy.load reads them without pickle): count, bytes, offsets, special,
    byte_fallback, the tokenizer's prefix, and the triple base_bytes, has_leading_space,
    is_boundary_token. On a --corpus the sum over its tokens stands beside the text's own bytes, by
    this table, by decoding each token alone (the usual mistake) and by the table of --check; where
    they differ, it is said by what kind of mistake, and which tokens make it. With --nats a loss
    becomes bits per byte by each of them. Line ends between documents are not counted (--unit file
    counts a file whole).

    \b
    tokenize-lab tokenizers bytes mistral:v3 --out out/bytes.npz
    tokenize-lab tokenizers bytes mistral:v3 --corpus val.txt --check theirs.npz --nats 2.31
    """
    from corpora.output import drawn, emit, json_object
    from tokenize_lab.forensics.byte_certificate import certificate
    from tokenize_lab.forensics.byte_table import read_byte_table, write_byte_table
    from tokenize_lab.tokenizer_spec import load_tokenizer

    if out is None and not corpus and check is None:
        raise InputError("--out, --corpus or --check: give one; there is nothing to be done else")
    tokenizer = load_tokenizer(spec)
    theirs = None if check is None else read_byte_table(check, tokenizer.vocabulary_size)
    opened = reading.open(corpus or [])
    with progress(total=total_bytes(opened)) as bars:
        finding = certificate(
            tokenizer, opened, theirs=theirs, nats=nats, total=total, progress=bars.report
        )
    say(reading.remarks(opened, by_language=False))
    if out is not None:
        say([f"{write_byte_table(tokenizer, out)}: {tokenizer.vocabulary_size:,} ids"])
    emit(json_object(finding) if as_json else drawn(_tables(finding)))


def _tables(finding: dict[str, Any]) -> "list[Table]":
    from tokenize_lab.cli.tables import text_table

    text = finding["text"]
    heads = ["counted by", "ids wrong"]
    if text:
        heads += ["bytes", "off", *(["bits per byte"] if finding["nats"] else [])]
    rows = []
    for way in finding["ways"]:
        row = [way["name"], f"{sum(way['ids'].values()):,}"]
        if text:
            row += [f"{way['bytes']:,}", f"{way['off']:+,}" if way["off"] else "0"]
        if text and finding["nats"]:
            row.append("" if way["bits_per_byte"] is None else f"{way['bits_per_byte']:.4f}")
        rows.append(row)
    if text:
        known = finding["bits_per_byte"]
        own = [f"{text['bytes']:,}", "", *([f"{known:.4f}"] if known else [])]
        rows.insert(0, ["the text itself", "", *own])
    title = f"Bytes of {finding['tokenizer']['name']}"
    if text:
        title += f": {text['documents']:,} documents, {text['tokens']:,} tokens"
    tables = [text_table(title, heads, rows)]
    faults = [
        [
            way["name"],
            _CLASSES[kind],
            f"{way['ids'].get(kind, 0):,}",
            *([f"{way['classes'].get(kind, 0):+,}"] if text else []),
            _examples(way, kind),
        ]
        for way in finding["ways"]
        for kind in {**way["classes"], **way["ids"]}
    ]
    if faults:
        columns = ["counted by", "mistake", "ids", *(["bytes"] if text else []), "such as"]
        tables.append(text_table("What is wrong", columns, faults, left=["mistake", "such as"]))
    return tables


def _examples(way: dict[str, Any], kind: str) -> str:
    from tokenize_lab.tokenizer import quoted

    found = [token for token in way["tokens"] if token["class"] == kind][:2]
    return "; ".join(
        f"{token['id']} {quoted(token['text'])}: {token['counted']} for {token['bytes']}"
        for token in found
    )
