"""`tokenize-lab tokenizers`: train one, look at one; forensics has its own commands."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corpora.cli import JsonOption
from corpora.errors import InputError, as_options
from corpora.files import piped_text
from tokenize_lab.cli import complete
from tokenize_lab.cli.adapt import extend, prune
from tokenize_lab.cli.certificate import byte_certificate
from tokenize_lab.cli.forensics import audit, check, diff, mixture
from tokenize_lab.cli.options import (
    Columns,
    Corpora,
    RowsAsCsv,
    RowsAsJson,
    one_format,
    say,
)
from tokenize_lab.cli.reading import ReadOptions, reads_text
from tokenize_lab.progress import progress

if TYPE_CHECKING:
    from rich.table import Table

    from tokenize_lab.training.parity_bpe import Parity

LOSSY_IS_NOT_LOST = (
    "Text that has none of this comes back whole all the same: measure says of each text how much "
    "does (exact_share)."
)

_MOST_ROWS = 2_000  # tokens in a table for people: a row takes a millisecond

app = typer.Typer(
    help="Tokenizers: train, look at one, at every token, at two.", no_args_is_help=True
)


@app.command()
@reads_text()
def train(
    corpora: Corpora,
    kind: Annotated[
        str,
        typer.Option(
            help="bpe, unigram, wordpiece, character, superbpe or parity-bpe",
            autocompletion=complete.kinds,
        ),
    ],
    out: Annotated[Path, typer.Option(help="folder for the tokenizer and its card.json")],
    vocab_size: Annotated[
        int | None, typer.Option(help="ids, the 256 bytes included", show_default=False)
    ] = None,
    target_compression: Annotated[
        float | None,
        typer.Option(
            help="instead of --vocab-size: bytes per token to reach on CORPUS, within 1 %; bpe, "
            "superbpe (finds --stage-split too) and parity-bpe",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            help="huggingface or sentencepiece; both train unigram", show_default="by kind"
        ),
    ] = "",
    pattern: Annotated[
        str,
        typer.Option(
            help="how text is split before merging: gpt2, gpt4, gpt4o, llama3, qwen2, tekken, "
            "whitespace or none; the file of gpt4 or whitespace is one that gigatoken refuses",
            show_default="gpt4o, which keeps vowel signs with their letters",
        ),
    ] = "",
    seed: Annotated[int, typer.Option(help="of what an engine draws")] = 0,
    stage_split: Annotated[
        float,
        typer.Option(
            help="superbpe: ids of the first stage, or below 1 their share", show_default=".5"
        ),
    ] = 0,
    superword_words: Annotated[
        int, typer.Option(help="superbpe: the most words a token may span", show_default="4")
    ] = 0,
    *,
    reading: ReadOptions,
    as_json: JsonOption = False,
) -> None:
    """Train a tokenizer: the same corpus and settings give the same file, to the byte.

    All are lossless but WordPiece, which drops white space. SuperBPE's later merges go across
    white space: more bytes per token from the same number of ids. Parity-aware BPE takes an aligned
    corpus, and each of its merges serves the language that takes the most tokens for the same
    lines; what that gives and costs each language is shown beside plain BPE.

    --target-compression trains once, at 131,072 ids (superbpe 32,768), counts tokens at every size
    in one pass, and cuts the vocabulary where it reaches the target.

    Several corpora are read as one. The trainers see to cores themselves, so there is no --jobs.

    \b
    tokenize-lab tokenizers train --kind bpe --vocab-size 4096 embedded --out out/bpe
    tokenize-lab tokenizers train --kind superbpe --target-compression 4 my.jsonl --out out/super
    tokenize-lab measure embedded -t out/bpe
    """
    from corpora.corpus import joined
    from corpora.output import drawn, emit, json_object
    from tokenize_lab.training.settings import train_settings
    from tokenize_lab.training.train import train_tokenizer

    settings = train_settings(
        kind,
        vocab_size,
        target_compression,
        engine=engine,
        pattern=pattern,
        seed=seed,
        stage_split=stage_split,
        superword_words=superword_words,
    )
    opened = reading.open(corpora)
    text = joined(opened)
    with progress(total=text.size_bytes) as bars:
        path, card = train_tokenizer(text, settings, out, bars.report)
    say(reading.remarks(opened, by_language=kind == "parity-bpe"))
    for warning in card.warnings:
        typer.echo(f"warning: {as_options(warning, {'vocab_size': '--vocab-size'})}", err=True)
    if as_json:
        emit(json_object({"path": str(path), **card.as_json()}))
        return
    rate = "" if card.bytes_per_token is None else f"{card.bytes_per_token:.3f} bytes per token, "
    emit([f"{path}: {card.vocabulary_size} ids, {rate}lossless: {_lossless(card)}\n"])
    if card.parity:
        emit(drawn([_parity_table(card.parity)]))
        for name, value, plain in (
            ("Gini of tokens per line", card.parity.gini(), card.parity.gini(plain=True)),
            ("most tokens over least", card.parity.spread(), card.parity.spread(plain=True)),
        ):
            emit([f"{name}: {value:.3f} (plain BPE {plain:.3f})\n"])


@app.command()
def show(
    spec: Annotated[
        str,
        typer.Argument(
            help="as for measure -t, e.g. mistral:v3 or out/bpe",
            autocompletion=complete.tokenizers,
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Show what a tokenizer is: engine, size, whether text survives it, its longest tokens.

    The bytes of every id are compared with what its own library decodes it to in running text;
    --json names each id that differs, or that no whole text can hold.
    """
    from corpora.output import drawn, emit, json_object
    from tokenize_lab.backends.running_text import bytes_proof
    from tokenize_lab.tokenizer import describe
    from tokenize_lab.tokenizer_spec import load_tokenizer

    with progress() as bars:
        bars.report("loading", 0)
        tokenizer = load_tokenizer(spec)
        bars.report("decoding every id", 0)
        proof = bytes_proof(tokenizer)
    facts = describe(tokenizer)
    if as_json:
        emit(json_object({**facts, "decoding": proof.as_json(tokenizer.token_bytes)}))
        return
    emit(drawn(_tables(facts, proof.summary(tokenizer.token_bytes))))


@app.command()
def encode(
    spec: Annotated[
        str,
        typer.Argument(
            help="as for measure -t, e.g. mistral:v3 or out/bpe",
            autocompletion=complete.tokenizers,
        ),
    ],
    text: Annotated[str, typer.Argument(help="text, in quotes; - reads standard input")],
    columns: Columns = "",
    as_csv: RowsAsCsv = False,
    as_json: RowsAsJson = False,
) -> None:
    """Encode a text and show every token: its id, bytes, and the piece of text it lies in.

    \b
    tokenize-lab tokenizers encode mistral:tekken "How many bytes?"
    tokenize-lab tokenizers encode mistral:v3 - --columns id --csv < text.txt
    """
    from corpora.output import drawn, emit, json_list
    from tokenize_lab.cli.tables import chosen_rows, text_table
    from tokenize_lab.encode import encoded_tokens
    from tokenize_lab.tokenizer_spec import load_tokenizer

    one_format(as_json=as_json, as_csv=as_csv)
    text = piped_text() if text == "-" else text
    if not text or any("\ud800" <= c <= "\udfff" for c in text):
        raise InputError("`text`: " + ("not UTF-8" if text else "is empty; give some in quotes"))
    tokenizer = load_tokenizer(spec)
    rows = encoded_tokens(tokenizer, text)
    if (columns or as_csv) and rows:
        emit(chosen_rows(rows, columns or ",".join(rows[0]), as_json=as_json, as_csv=as_csv))
        return
    if as_json:
        emit(json_list(rows))
        return
    cells = [
        [str(row["id"]), "" if row["piece"] is None else str(row["piece"]), row["text"], row["hex"]]
        for row in rows[:_MOST_ROWS]
    ]
    pieces = any(row["piece"] is not None for row in rows)
    headings = ["id", "piece", "token", "bytes"]
    keep = [n for n in range(4) if n != 1 or pieces]
    table = text_table(
        tokenizer.name,
        [headings[n] for n in keep],
        [[line[n] for n in keep] for line in cells],
        left=["token", "bytes"],
    )
    table.columns[0].justify = "right"
    size = len(text.encode())
    emit(drawn([table]))
    given = "".join(row["hex"].replace(" ", "") for row in rows)
    exact = "" if given == text.encode().hex() else "; the tokens do not give the text back"
    if len(rows) > _MOST_ROWS:
        emit([f"the first {_MOST_ROWS:,} are shown; --json and --csv have all\n"])
    emit([f"{len(rows)} tokens, {size} bytes, {size / max(len(rows), 1):.3f} a token{exact}\n"])


app.command()(audit)
app.command()(diff)
app.command()(check)
app.command()(mixture)
app.command()(extend)
app.command()(prune)
app.command("bytes")(byte_certificate)


def _tables(facts: dict[str, Any], decoding: str) -> "list[Table]":
    from rich.table import Table
    from rich.text import Text

    from tokenize_lab.tokenizer import quoted

    about = Table(title=Text(facts["name"]), show_header=False)
    kinds = ", ".join(
        f"{count} {kind.replace('_', ' ')}" for kind, count in facts["ids_by_kind"].items() if count
    )
    broken = facts["share_not_whole_characters"]
    mean = facts["mean_bytes_per_id"]
    for name, value in (
        ("engine", facts["engine"]),
        ("vocabulary size", f"{facts['vocabulary_size']:,} ({kinds})"),
        ("lossless", "yes" if facts["lossless"] else f"no: {facts['lossy_reason']}"),
        *(() if facts["lossless"] else (("", LOSSY_IS_NOT_LOST),)),
        *((("remark", facts["remark"]),) if facts["remark"] else ()),
        ("bytes of ids", decoding),
        ("put before every text", repr(facts["prefix"]) if facts["prefix"] else "nothing"),
        ("bytes per id, mean", "unknown" if mean is None else f"{mean:.2f}"),
        ("not whole characters", "unknown" if broken is None else f"{broken:.1%} of ids"),
        ("sha256", facts["sha256"]),
    ):
        about.add_row(name, Text(value))
    tokens = Table("id", "bytes", "token", title="Longest tokens")
    for token in facts["longest_tokens"]:
        tokens.add_row(str(token["id"]), str(token["bytes"]), Text(quoted(token["text"])))
    return [about, tokens]


def _parity_table(parity: "Parity") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Bytes per token beside plain BPE of as many ids")
    table.add_column("language")
    for name in ("plain BPE", "parity-aware", "change"):
        table.add_column(name, justify="right")
    for language, cost in parity.languages.items():
        change = f"{cost.rate / cost.plain_rate - 1:+.1%}"
        table.add_row(Text(language), f"{cost.plain_rate:.2f}", f"{cost.rate:.2f}", change)
    return table


def _lossless(card: Any) -> str:
    return "yes" if card.lossless else f"no ({card.lossy_reason})"
