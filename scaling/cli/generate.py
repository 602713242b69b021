"""`tokenize-lab scaling generate`: what a trained run says."""

import codecs
import re
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from corpora.cli import JsonOption
from corpora.errors import InputError
from corpora.output import emit
from scaling.cli.options import (
    DeviceOption,
    RunArgument,
    machine_settings,
    print_json,
    require_torch,
)

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
