"""`tokenize-lab scaling evaluate`: what a trained run is worth.

`tokenize-lab scaling generate`: what a trained run says.
"""

import codecs
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from corpora.cli import JsonOption
from corpora.errors import InputError
from corpora.output import drawn, emit
from corpora.readers.settings import Unit
from scaling.cli.options import (
    DeviceOption,
    RunArgument,
    how_option,
    machine_settings,
    output_option,
    print_json,
    require_torch,
)
from tokenize_lab.progress import progress

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
        int, typer.Option(min=4, help="first bytes of each document, with --exact")
    ] = 100,
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

    \b
    tokenize-lab scaling evaluate out/train/runs/RUN_ID embedded
    tokenize-lab scaling evaluate out/train/runs/RUN_ID novel.txt --exact
    """
    if not 0 < level < 1:
        raise InputError(f"`level` {level:g}: must lie between 0 and 1, as 0.95")
    require_torch()
    import tempfile

    from corpora.files import write_json
    from corpora.open import open_corpus
    from scaling.evaluate.evaluate_text import evaluate as evaluated
    from scaling.evaluate.trained_run import open_run

    machine = machine_settings(device)
    chosen = machine.torch_device()
    opened = open_run(run, chosen)
    unit: Unit = "file" if whole_files else "line"
    corpora = [
        open_corpus(spec, language=language, text_field=text_field, unit=unit) for spec in corpus
    ]
    with (
        tempfile.TemporaryDirectory(prefix="tokenize-lab-") as folder,
        progress(bytes=False) as bars,
    ):
        dtype, limit = machine.autocast(chosen), exact_bytes if exact else None
        found = evaluated(
            opened, corpora, Path(folder), bars.stage, chosen, dtype, exact_bytes=limit
        )
        answer = found.to_json(opened, level, draws)
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
    emit(drawn(tables))


def _ends(interval: Sequence[float] | None, digits: int) -> str:
    return "" if interval is None else f"{interval[0]:.{digits}f}–{interval[1]:.{digits}f}"


# What a terminal would obey, not show. Newlines and tabs stay.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def generate(
    run: RunArgument,
    prompt: Annotated[
        str, typer.Argument(help="text to go on with; - reads stdin", show_default=False)
    ],
    size: Annotated[int, typer.Option("--bytes", min=1, help="how many")] = 200,
    temperature: Annotated[
        float, typer.Option(help="0 takes the likeliest byte or token each time")
    ] = 0.0,
    top_p: Annotated[float, typer.Option(help="draw from the likeliest of this probability")] = 1.0,
    top_k: Annotated[int | None, typer.Option(help="draw from so many likeliest")] = None,
    seed: Annotated[int, typer.Option(help="of the draws")] = 0,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Let a trained run go on with a prompt; what it adds is printed as it comes.

    Bytes that are no UTF-8, and control characters, are shown as U+FFFD; --json keeps the latter.

    \b
    tokenize-lab scaling generate out/train/runs/RUN_ID "It was" --temperature 0.8
    """
    require_torch()
    from scaling.evaluate.generate import Sampling, continue_text
    from scaling.evaluate.trained_run import open_run

    sampling = Sampling(temperature, top_p, top_k, seed)
    chosen = machine_settings(device).torch_device()
    opened = open_run(run, chosen)
    text = _stdin() if prompt == "-" else prompt
    pieces = continue_text(opened, text, size, sampling)
    if as_json:
        added = b"".join(pieces)
        print_json(
            {
                "run_id": opened.spec.run_id,
                "prompt": text,
                "text": added.decode("utf-8", "replace"),
                "bytes": len(added),
                **asdict(sampling),
            }
        )
        return
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for piece in pieces:
        emit([shown_text(decoder.decode(piece))])
    emit([decoder.decode(b"", final=True), "\n"])


def shown_text(text: str) -> str:
    """Return text with U+FFFD for control characters, but newlines and tabs."""
    return _CONTROLS.sub("\ufffd", text)


def _stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"stdin, byte {error.start}: invalid UTF-8; give text") from error
