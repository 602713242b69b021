"""`tokenize-lab scaling evaluate` and `generate`: what a trained run is worth, and what it says."""

import codecs
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corpora.errors import InputError
from corpora.output import drawn, emit
from scaling.cli.options import HOW, OUTPUT, AsJson, print_json, require_torch
from tokenize_lab.progress import progress

if TYPE_CHECKING:
    from scaling.evaluate.evaluate_text import Evaluation
    from scaling.evaluate.score import Scores
    from scaling.evaluate.trained_run import TrainedRun

ALL = "all"
_TEXT = "Text"
# What a terminal would obey, not show. Newlines and tabs stay.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

Run = Annotated[Path, typer.Argument(help="folder of a trained run", show_default=False)]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:N or auto", rich_help_panel=HOW)]


def evaluate(
    run: Run,
    corpus: Annotated[list[str], typer.Argument(help="text, as `measure` takes it")],
    language: Annotated[
        str | None, typer.Option(help="of all of the text", rich_help_panel=_TEXT)
    ] = None,
    text_field: Annotated[str, typer.Option(help="of records", rich_help_panel=_TEXT)] = "text",
    whole_files: Annotated[
        bool, typer.Option("--whole-files", help="a file, not a line", rich_help_panel=_TEXT)
    ] = False,
    level: Annotated[float, typer.Option(help="of intervals", rich_help_panel=HOW)] = 0.95,
    draws: Annotated[
        int, typer.Option(min=1, max=100_000, help="of the bootstrap", rich_help_panel=HOW)
    ] = 1000,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact", help="also sum over all encodings of a text, not only the tokenizer's own"
        ),
    ] = False,
    exact_bytes: Annotated[
        int, typer.Option(min=4, help="first bytes of each document, with --exact")
    ] = 100,
    device: Device = "auto",
    out: Annotated[
        Path | None, typer.Option(help="file for the JSON, too", rich_help_panel=OUTPUT)
    ] = None,
    as_json: AsJson = False,
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
    tokenize-lab scaling evaluate out/train/runs/RUN_ID novel.txt --exact --exact-bytes 60
    """
    if not 0 < level < 1:
        raise InputError(f"--level {level:g}: must lie between 0 and 1, as 0.95")
    require_torch()
    import tempfile

    from corpora.files import write_json
    from corpora.open import open_corpus
    from scaling.evaluate.evaluate_text import evaluate as evaluated
    from scaling.evaluate.trained_run import open_run
    from scaling.train.machine import MachineSettings

    machine = MachineSettings(device=device)
    chosen = machine.torch_device()
    opened = open_run(run, chosen)
    unit = "file" if whole_files else "line"
    corpora = [
        open_corpus(spec, language=language, text_field=text_field, unit=unit)  # type: ignore[arg-type]
        for spec in corpus
    ]
    with (
        tempfile.TemporaryDirectory(prefix="tokenize-lab-") as folder,
        progress(bytes=False) as bars,
    ):
        found = evaluated(
            opened,
            corpora,
            Path(folder),
            bars.stage,
            chosen,
            machine.autocast(chosen),
            exact_bytes=exact_bytes if exact else None,
        )
        answer = evaluation_json(opened, found, level, draws)
    if exact:
        answer["exact_bytes"] = exact_bytes
    if out is not None:
        write_json(out, answer)
    if as_json:
        print_json(answer)
    else:
        _print_table(answer)
        if exact:
            _print_exact(answer)


def generate(
    run: Run,
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
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Let a trained run go on with a prompt; what it adds is printed as it comes.

    Bytes that are no UTF-8, and control characters, are shown as U+FFFD; --json keeps the latter.

    \b
    tokenize-lab scaling generate out/train/runs/RUN_ID "It was" --temperature 0.8
    """
    require_torch()
    from scaling.evaluate.evaluate_text import continue_text
    from scaling.evaluate.generate import Sampling
    from scaling.evaluate.trained_run import open_run
    from scaling.train.machine import MachineSettings

    sampling = Sampling(temperature, top_p, top_k, seed)
    chosen = MachineSettings(device=device).torch_device()
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
                "temperature": temperature,
                "top_p": top_p,
                "top_k": top_k,
                "seed": seed,
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


def evaluation_json(
    run: "TrainedRun", found: "Evaluation", level: float, draws: int
) -> dict[str, Any]:
    """Return the answer of `evaluate` as plain JSON: a row for each language, and one for all."""
    by_language = found.scores.by_language(found.languages)
    if len(by_language) > 1:
        by_language[ALL] = found.scores
    rows = [_row(run, language, scores, level, draws) for language, scores in by_language.items()]
    if found.exact is not None:
        for row in rows:
            row["exact"] = _exact(found, row["language"], level, draws)
    return {
        "run_id": run.spec.run_id,
        "name": run.spec.name,
        "text": found.text,
        "level": level,
        "entropy_model_flops_per_byte": (
            0.0 if run.byte_model is None else run.byte_model.reading_flops
        ),
        "rows": rows,
    }


def _row(
    run: "TrainedRun", language: str, scores: "Scores", level: float, draws: int
) -> dict[str, Any]:
    from scaling.evaluate.evaluate_text import inference_flops_per_byte
    from scaling.evaluate.score import interval

    rate = scores.compression_rate
    return {
        "language": language,
        "bits_per_byte": scores.bits_per_byte,
        "interval": interval(scores, level, draws),
        "nats": scores.nats,
        "documents": len(scores.document_bytes),
        "bytes": scores.bytes,
        "tokens": scores.patches or scores.units,
        "compression_rate": rate,
        "forward_flops_per_byte": inference_flops_per_byte(run, rate),
    }


def _exact(found: "Evaluation", language: str, level: float, draws: int) -> dict[str, Any]:
    from corpora.bootstrap import DocumentBootstrap

    assert found.exact is not None
    chosen = found.exact if language == ALL else found.exact.of(found.languages.index(language))
    canonical, exact = chosen.bits_per_byte()
    return {
        "documents": len(chosen.document_bytes),
        "bytes": int(chosen.document_bytes.sum()),
        "canonical_bits_per_byte": canonical,
        "exact_bits_per_byte": exact,
        "given_away": canonical - exact,
        "given_away_interval": chosen.given_away(DocumentBootstrap(draws, level=level)),
    }


def _print_exact(answer: dict[str, Any]) -> None:
    from rich.table import Table

    title = f"The first {answer['exact_bytes']} bytes of each document, in bits per byte"
    table = Table(title=title, title_justify="left")
    heads = ("the tokenizer's encoding", "all encodings", "given away")
    for column in ("language", *heads, f"{answer['level']:.0%} interval", "bytes"):
        table.add_column(column, justify="left" if column == "language" else "right")
    for row in answer["rows"]:
        exact = row["exact"]
        ends = exact["given_away_interval"]
        table.add_row(
            row["language"],
            f"{exact['canonical_bits_per_byte']:.4f}",
            f"{exact['exact_bits_per_byte']:.4f}",
            f"{exact['given_away']:.4f}",
            "" if ends is None else f"{ends[0]:.4f}–{ends[1]:.4f}",
            f"{exact['bytes']:,}",
        )
    emit(drawn([table]))


def _print_table(answer: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(title=f"Bits per byte of run {answer['run_id']}", title_justify="left")
    columns = ("language", "bits per byte", f"{answer['level']:.0%} interval", "bytes")
    for column in (*columns, "bytes per token", "FLOPs per byte"):
        left = column == "language"
        table.add_column(column, justify="left" if left else "right", no_wrap="%" in column)
    for row in answer["rows"]:
        ends = row["interval"]
        table.add_row(
            row["language"],
            f"{row['bits_per_byte']:.4f}",
            "" if ends is None else f"{ends[0]:.3f}–{ends[1]:.3f}",
            f"{row['bytes']:,}",
            f"{row['compression_rate']:.3f}",
            f"{row['forward_flops_per_byte']:.2e}",
        )
    emit(drawn([table]))


def _stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"stdin, byte {error.start}: invalid UTF-8; give text") from error
