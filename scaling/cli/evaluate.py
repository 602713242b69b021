"""`tokenize-lab scaling evaluate`: what a trained run is worth."""

from collections.abc import Sequence
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
