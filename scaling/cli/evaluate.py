"""`tokenize-lab scaling evaluate`: what a trained run is worth."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corpora.cli import JsonOption
from corpora.errors import InputError
from corpora.locks import SCRATCH, scratch_folder
from corpora.output import drawn, emit
from corpora.readers.settings import MAX_DOCUMENT_BYTES, Unit
from scaling.cli.options import (
    DeviceOption,
    RunArgument,
    how_option,
    machine_settings,
    output_option,
    print_json,
    require_torch,
)
from tokenize_lab.cli.reading import MaxDocumentBytes
from tokenize_lab.progress import progress

if TYPE_CHECKING:
    from rich.table import Table

decode_option = partial(typer.Option, rich_help_panel="Writing")
text_option = partial(typer.Option, rich_help_panel="Text")


def evaluate(
    run: RunArgument,
    corpus: Annotated[list[str], typer.Argument(help="text, as `measure` takes it")],
    language: Annotated[str | None, text_option(help="of all of the text")] = None,
    text_field: Annotated[str, text_option(help="of records")] = "text",
    whole_files: Annotated[bool, text_option("--whole-files", help="a file, not a line")] = False,
    level: Annotated[float, how_option(help="of intervals")] = 0.95,
    draws: Annotated[int, how_option(min=1, max=100_000, help="of the bootstrap")] = 1000,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact", help="also sum over all encodings of a text, not only the tokenizer's own"
        ),
    ] = False,
    exact_bytes: Annotated[
        int, typer.Option(min=4, help="first bytes of each document, with --exact or --with")
    ] = 100,
    beside: Annotated[
        Path | None,
        typer.Option(
            "--with",
            metavar="RUN",
            help="also average another run's probabilities with this one's, byte by byte",
            show_default=False,
        ),
    ] = None,
    words: Annotated[
        bool, typer.Option("--words", help="also ask for whole words, by how common they are")
    ] = False,
    shards: Annotated[
        Path | None,
        typer.Option(
            help="folder of the training text's shards, with --words",
            show_default="shards beside the run's folder",
        ),
    ] = None,
    decode: Annotated[
        list[str] | None,
        decode_option(
            metavar="HOW",
            help="also write text so, as `generate`; several, or speculate:4,8,16",
            show_default=False,
        ),
    ] = None,
    unmask: Annotated[
        str | None, decode_option(metavar="RULE", help="as `generate`", show_default=False)
    ] = None,
    reuse: Annotated[bool, decode_option("--reuse/--no-reuse", help="as `generate`")] = True,
    prompts: Annotated[int, decode_option(min=1, help="documents to go on with")] = 8,
    prompt_bytes: Annotated[int, decode_option(min=0, help="first bytes of each")] = 64,
    write_bytes: Annotated[int, decode_option(min=1, help="written after each")] = 200,
    max_document_bytes: MaxDocumentBytes = MAX_DOCUMENT_BYTES,
    device: DeviceOption = "auto",
    out: Annotated[Path | None, output_option(help="file for the JSON, too")] = None,
    columns: Annotated[
        str,
        output_option(metavar="A,B,...", help="only these columns of the rows, with --json too"),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Score text with a trained run, in bits per byte of the raw text.

    The text is cut into tokens or patches as the run does it. A row for each language and one for
    all, with the interval of a bootstrap over documents, the bytes per token or patch that the text
    came to, and the forward FLOPs that reading a byte of it costs.

    With --exact, a model of tokens is also asked for the probability of the bytes themselves, the
    first of each document, over every way of cutting them into tokens; what the tokenizer's own
    encoding gives away is set beside it. This takes a while: seconds a document for large
    vocabularies.

    With --with, another run reads the first bytes of each document as well, whatever it cuts text
    into: bits per byte of both, and of the average of what they say of each byte.

    With --words, of how many words greedy decoding writes the whole, given the true text before, in
    tenths of the words by how often the training text has them.

    With --decode, greedy text is written after the beginnings of documents, plainly and in each way
    asked for: bytes per pass of the global module, the share of guesses that were kept and of which
    class of byte they were, passes, gigabytes of weights read and seconds, beside bits per byte.

    \b
    tokenize-lab scaling evaluate out/train/runs/RUN_ID embedded
    tokenize-lab scaling evaluate out/train/runs/RUN_ID novel.txt --decode speculate:4,8,16
    tokenize-lab scaling evaluate out/train/runs/RUN_ID novel.txt --exact
    """
    if not 0 < level < 1:
        raise InputError(f"`level` {level:g}: must lie between 0 and 1, as 0.95")
    require_torch()
    import tempfile

    from corpora.files import write_json
    from corpora.open import open_corpus
    from scaling.evaluate.evaluate_text import evaluate as evaluated
    from scaling.evaluate.evaluate_text import training_text
    from scaling.evaluate.trained_run import open_run

    writing = None
    if decode or unmask is not None:
        from scaling.evaluate.compare_decoders import WritingTask
        from scaling.evaluate.decoding import decodings

        ways = decodings(decode or ["ar"], reuse=reuse, unmask=unmask)
        writing = WritingTask(ways, prompts, prompt_bytes, write_bytes)
    machine = machine_settings(device)
    chosen = machine.torch_device()
    opened = open_run(run, chosen)
    other = open_run(beside, chosen) if beside is not None else None
    unit: Unit = "file" if whole_files else "line"
    corpora = [
        open_corpus(
            spec,
            language=language,
            text_field=text_field,
            unit=unit,
            max_document_bytes=max_document_bytes,
        )
        for spec in corpus
    ]
    with (
        scratch_folder(Path(tempfile.gettempdir()), SCRATCH) as folder,
        progress(bytes=False) as bars,
    ):
        dtype, limit = machine.autocast(chosen), exact_bytes if exact else None
        found = evaluated(
            *(opened, corpora, folder, bars.stage, chosen, dtype),
            exact_bytes=limit,
            writing=writing,
            beside=other,
            beside_bytes=exact_bytes,
            words_of=training_text(opened, shards) if words else None,
        )
        answer = found.to_json(opened, level, draws)
    if other is not None:
        answer["with"] = other.spec.run_id
    if out is not None:
        write_json(out, answer)
    if columns:
        from tokenize_lab.cli.tables import chosen_rows

        emit(chosen_rows(answer["rows"], columns, as_json=as_json, as_csv=False))
    elif as_json:
        print_json(answer)
    else:
        _print_tables(answer)


def _print_tables(answer: dict[str, Any]) -> None:
    from tokenize_lab.cli.tables import text_table

    interval, rows = f"{answer['level']:.0%} interval", answer["rows"]
    columns = ("language", "bits per byte", interval, "bytes", "bytes per token", "FLOPs per byte")
    cells = [
        (
            row["language"],
            f"{row['bits_per_byte']:.4f}",
            _ends(row["interval"], 3),
            f"{row['bytes']:,}",
            f"{row['compression_rate']:.3f}",
            f"{row['forward_flops_per_byte']:.2e}",
        )
        for row in rows
    ]
    tables = [text_table(f"Bits per byte of run {answer['run_id']}", columns, cells)]
    if "exact_bytes" in answer:
        title = f"The first {answer['exact_bytes']} bytes of each document, in bits per byte"
        heads = ("the tokenizer's encoding", "all encodings", "given away", interval, "bytes")
        names = ("canonical_bits_per_byte", "exact_bits_per_byte", "given_away")
        exact_cells = []
        for language, exact in ((row["language"], row["exact"]) for row in rows):
            bits = [f"{exact[name]:.4f}" for name in names]
            ends = _ends(exact["given_away_interval"], 4)
            exact_cells.append((language, *bits, ends, f"{exact['bytes']:,}"))
        tables.append(text_table(title, ("language", *heads), exact_cells))
    if "with" in answer:
        tables.append(_average_table(answer))
    if any("words" in row for row in rows):
        tables.append(_word_table(rows))
    if "decoders" in answer:
        tables += _decoder_tables(answer["decoders"])
    emit(drawn(tables))


def _average_table(answer: Mapping[str, Any]) -> "Table":
    from tokenize_lab.cli.tables import text_table

    names = ("bits_per_byte", "with_bits_per_byte", "average_bits_per_byte", "gain")
    cells = []
    for row in answer["rows"]:
        found = row["average"]
        bits = [f"{found[name]:.4f}" for name in names]
        ends = _ends(found["gain_interval"], 4)
        cells.append((row["language"], *bits, ends, f"{found['bytes']:,}"))
    heads = ("this run", answer["with"], "average", "gain on the better", "interval", "bytes")
    title = "The first bytes of each document, in bits per byte"
    return text_table(title, ("language", *heads), cells)


def _word_table(rows: Sequence[Mapping[str, Any]]) -> "Table":
    from tokenize_lab.cli.tables import text_table

    cells = []
    for row in rows:
        found = row["words"]
        if found is None:
            cells.append((row["language"], "no words between spaces", "", "", "", ""))
            continue
        for part in ({"tenth": "all", **found}, *found["by_frequency"]):
            counts = f"{part['least']:,} to {part['most']:,}" if "least" in part else ""
            place = (row["language"], str(part["tenth"]), counts, f"{part['words']:,}")
            cells.append((*place, f"{part['right']:.1%}", _ends(part["interval"], 3)))
    heads = ("language", "tenth", "times in training", "words", "right", "interval")
    return text_table("Whole words, given the text before, rarest tenth first", heads, cells)


def _decoder_tables(rows: Sequence[Mapping[str, Any]]) -> "list[Table]":
    from scaling.evaluate.decoding import BYTE_CLASSES
    from tokenize_lab.cli.tables import text_table

    cells = [
        (
            " ".join(filter(None, (row["decode"], row["unmask"]))),
            f"{row['bytes_per_global_pass']:.2f}",
            _share(row["acceptance"]),
            f"{row['decoder_passes']:,}",
            f"{row['global_passes']:,}",
            f"{row['gigabytes']:.3g}",
            f"{row['bytes_read_per_byte']:,.0f}",
            f"{row['seconds']:.2f}",
            _share(row["same_as_plain"]),
        )
        for row in rows
    ]
    heads = ("bytes per global pass", "kept", "decoder", "global", "GB", "read per byte", "seconds")
    first = rows[0]
    after = f"{first['texts']:,} prompt{'' if first['texts'] == 1 else 's'}"
    title = f"Writing {first['bytes']:,} bytes in all after {after}"
    tables = [text_table(title, ("decode", *heads, "as plain"), cells)]
    judged = [row for row in rows if row["acceptance_by_class"]]
    if judged:
        classes = [
            (
                " ".join(filter(None, (row["decode"], row["unmask"]))),
                *(_kept(row["acceptance_by_class"].get(name)) for name in BYTE_CLASSES),
            )
            for row in judged
        ]
        title = "Guesses that were looked at, and kept, by the byte that is right"
        tables.append(text_table(title, ("decode", *BYTE_CLASSES), classes))
    return tables


def _kept(counts: Mapping[str, int] | None) -> str:
    if counts is None:
        return ""
    return f"{counts['accepted'] / counts['judged']:.0%} of {counts['judged']:,}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _ends(interval: Sequence[float] | None, digits: int) -> str:
    return "" if interval is None else f"{interval[0]:.{digits}f}–{interval[1]:.{digits}f}"
