"""`tokenize-lab scaling generate`: what a trained run says, and what writing it took."""

import codecs
import re
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer

from corpora.cli import JsonOption
from corpora.errors import InputError
from corpora.files import piped_text
from corpora.output import emit
from scaling.cli.options import (
    DeviceOption,
    RunArgument,
    how_option,
    machine_settings,
    print_json,
    require_torch,
    shown,
)
from tokenize_lab.progress import progress

DECODINGS = "ar, speculate:K, diffuse:B or verify:B"

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
    decode: Annotated[
        str, how_option(metavar="HOW", help=f"of a byte latent model: {DECODINGS}")
    ] = "ar",
    reuse: Annotated[
        bool,
        how_option("--reuse/--no-reuse", help="keep latents of the pass that judges guesses"),
    ] = True,
    unmask: Annotated[
        str | None,
        how_option(
            metavar="RULE",
            help="how blocks are filled: confidence:P, entropy:NATS or once",
            show_default="confidence:0.7 of diffuse, once of verify",
        ),
    ] = None,
    bytewise: Annotated[
        bool,
        how_option("--bytewise", help="of a subword model: byte by byte, over all encodings"),
    ] = False,
    until: Annotated[
        str | None, typer.Option(help="stop where this text has been written", show_default=False)
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="of the prompt: where each language has an entropy threshold of its own",
        ),
    ] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Let a trained run go on with a prompt; what it adds is printed as it comes.

    Bytes that are no UTF-8, and control characters, are shown as U+FFFD; --json keeps the latter.

    A subword model goes on at a token's beginning. With --bytewise it is asked for one byte after
    the other, over all ways of cutting text into tokens, so a prompt may end inside a token, as
    "It wa" does; this takes seconds a byte for large vocabularies.

    A byte latent model can write faster. With --decode speculate:8 its decoder guesses 8 bytes
    ahead, which one pass of the whole model then judges (BLT-S): greedy text is the same, sampled
    text has the same distribution. A run that was trained with diffusion_block = 8 has learnt to
    fill blocks of masked bytes: diffuse:8 writes those (BLT-D), verify:8 takes them as guesses
    (BLT-DV), whose greedy text is that of plain decoding by the same run.

    What writing took is said on stderr: bytes per pass of the global module, the share of guesses
    that were kept, passes, and the gigabytes of weights that these read at two bytes a parameter.

    \b
    tokenize-lab scaling generate out/train/runs/RUN_ID "It was" --temperature 0.8
    tokenize-lab scaling generate out/train/runs/RUN_ID "It was" --decode speculate:8
    tokenize-lab scaling generate out/train/runs/RUN_ID "It was" --decode diffuse:8 --unmask once
    """
    end = _end(until)
    require_torch()
    from scaling.evaluate.decoding import DecodingMethod, Passes
    from scaling.evaluate.generate import continue_text, cut_after
    from scaling.evaluate.sampling import Sampling
    from scaling.evaluate.trained_run import open_run
    from scaling.flops import BltShape

    sampling = Sampling(temperature, top_p, top_k, seed)
    decoding, passes = DecodingMethod.parse(decode, reuse=reuse, unmask=unmask), Passes()
    chosen = machine_settings(device).torch_device()
    whole = open_run(run, chosen)
    run_id, opened = whole.spec.run_id, whole.in_language(language)
    text = piped_text() if prompt == "-" else prompt
    begun = time.perf_counter()
    pieces = continue_text(opened, text, size, sampling, decoding, passes, bytewise=bytewise)
    if end is not None:
        pieces = cut_after(pieces, end)
    written = bytearray()

    def cost() -> dict[str, Any] | None:
        if not isinstance(shape := opened.spec.model.shape, BltShape):
            return None
        how = {"decode": str(decoding), "reuse": reuse}
        if decoding.fills_blocks:
            how["unmask"] = str(decoding.unmasking)
        taken = passes.to_json(shape, len(written))
        return {**how, **taken, "seconds": time.perf_counter() - begun}

    if as_json:
        with progress() as bars:
            advance = bars.stage("writing", size)
            for piece in pieces:
                written += piece
                advance(len(piece))
        print_json(
            {
                "run_id": run_id,
                "prompt": text,
                "text": written.decode("utf-8", "replace"),
                "bytes": len(written),
                **asdict(sampling),
                "cost": cost(),
            }
        )
        return
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    try:
        for piece in pieces:
            written += piece
            if not emit([shown_text(decoder.decode(piece))]):
                break
    finally:  # after Ctrl-C, too
        if written:
            emit([decoder.decode(b"", final=True), "\n"])
    if (taken := cost()) is not None:
        typer.echo(cost_line(taken), err=True)


def cost_line(cost: Mapping[str, Any]) -> str:
    """Return what writing took, as a line."""
    parts = [
        cost["decode"],
        _part(cost["bytes_per_global_pass"], "{:.3g} bytes per global pass"),
        _part(cost["acceptance"], "{:.1%} of guesses kept"),
        f"{cost['decoder_passes']:,} decoder and {cost['global_passes']:,} global passes",
        f"{shown(cost['gigabytes'])} GB, {shown(cost['bytes_read'])} bytes read",
        f"{cost['seconds']:.2f} s",
    ]
    return ", ".join(filter(None, parts))


def _part(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def shown_text(text: str) -> str:
    """Return text with U+FFFD for control characters, but newlines and tabs."""
    return _CONTROLS.sub("\ufffd", text)


def _end(until: str | None) -> bytes | None:
    """Return the bytes to stop at."""
    if until == "":
        raise InputError("`until`: is empty; give text to stop at")
    try:
        return None if until is None else until.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"`until`: is not UTF-8 ({error.reason}); give text") from error
