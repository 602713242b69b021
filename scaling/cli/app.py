"""`tokenize-lab scaling`: what a model costs, what its runs obey, and what to do about it.

The commands have a file each, but for `flops`, which needs no file and stands here.
"""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corpora.cli import JsonOption
from corpora.errors import InputError, did_you_mean
from corpora.output import emit
from scaling.cli.advise import advise
from scaling.cli.design import design
from scaling.cli.evaluate import evaluate
from scaling.cli.fit import columns_needed, fit
from scaling.cli.flop_equivalent import flop_equivalent
from scaling.cli.generate import generate
from scaling.cli.options import how_option, print_json, shown
from scaling.cli.plan import plan
from scaling.cli.predict import predict
from scaling.cli.reproduce import reproduce
from scaling.cli.status import collect, status
from scaling.cli.sweep import sweep
from scaling.cli.train import train, train_entropy_model

if TYPE_CHECKING:
    from scaling.flops import Shape


class FlopsFamily(StrEnum):
    """Which models."""

    BLT = "blt"
    BPE = "bpe"
    CHARACTER = "character"
    SUPERBPE = "superbpe"


_LARGEST = 1 << 48  # of a shape; its FLOPs are floats, which have an end


def flops(
    family: Annotated[FlopsFamily, typer.Option(help="kind of model")],
    layers: Annotated[
        int, typer.Option(min=1, max=_LARGEST, help="global layers L; the paper's d is 128 L")
    ],
    compression_rate: Annotated[float, typer.Option(help="T, bytes per token or patch")],
    dim: Annotated[
        int | None, how_option(min=1, max=_LARGEST, help="d of a micro shape", show_default="128 L")
    ] = None,
    local_layers: Annotated[
        int, how_option(min=1, max=_LARGEST, help="l of a micro blt (with --dim)")
    ] = 1,
    local_dim: Annotated[
        int, how_option(min=1, max=_LARGEST, help="h of a micro blt (with --dim)")
    ] = 128,
    cross_factor: Annotated[
        int, how_option(min=1, max=_LARGEST, help="k of a micro blt (with --dim)")
    ] = 2,
    vocabulary_size: Annotated[
        int | None,
        typer.Option(min=1, max=_LARGEST, help="V of a subword model", show_default="the paper's"),
    ] = None,
    context_bytes: Annotated[int, how_option(min=1, max=_LARGEST, help="attention context")] = 8192,
    window_bytes: Annotated[
        int, how_option(min=1, max=_LARGEST, help="local attention window")
    ] = 512,
    convention: Annotated[str, how_option(help="what counts as a FLOP")] = "full",
    compute: Annotated[
        float | None, typer.Option(help="budget C, to print the bytes it trains on")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Count the parameters and the FLOPs per byte of one model, by every convention.

    \b
    tokenize-lab scaling flops --family blt --layers 16 --compression-rate 4
    """
    from scaling.flops import (
        CONVENTIONS,
        PAPER_VOCABULARIES,
        TRAINING_FACTOR,
        CostContext,
        SubwordShape,
        forward_flops_per_byte,
        latent_share,
        micro_blt,
        paper_blt,
    )

    if not 1 <= compression_rate < float("inf"):
        raise InputError(
            f"`compression_rate` {compression_rate:g}: bytes per token are at least 1, and finite"
        )
    if convention not in CONVENTIONS:
        hint = did_you_mean(convention, CONVENTIONS)
        raise InputError(f"`convention` {convention}: unknown{hint} ({', '.join(CONVENTIONS)})")
    setting = CostContext(compression_rate, context_bytes, window_bytes)
    shape: Shape
    if family is FlopsFamily.BLT:
        shape = (
            paper_blt(layers)
            if dim is None
            else micro_blt(layers, dim, local_layers, local_dim, cross_factor)
        )
    else:
        size = vocabulary_size or PAPER_VOCABULARIES[family.value]
        shape = SubwordShape(layers, dim or 128 * layers, size)
    forward = forward_flops_per_byte(shape, setting, convention)
    answer: dict[str, Any] = {
        "family": family.value,
        "shape": shape._asdict(),
        "compression_rate": compression_rate,
        "convention": convention,
        "global_params": shape.global_params,
        "local_params": shape.local_params,
        "total_params": shape.total_params,
        "forward_flops_per_byte": forward,
        "training_flops_per_byte": TRAINING_FACTOR * forward,
        "latent_share": latent_share(shape, setting),
        "forward_flops_per_byte_by_convention": {
            name: forward_flops_per_byte(shape, setting, name) for name in CONVENTIONS
        },
    }
    if compute is not None:
        if not 0 < compute < float("inf"):
            raise InputError(f"`compute` {compute:g}: a budget is a positive number of FLOPs")
        answer["compute_flops"] = compute
        answer["train_bytes"] = compute / (TRAINING_FACTOR * forward)
    if as_json:
        print_json(answer)
        return
    lines = [f"{name}: {shown(value)}" for name, value in answer.items()]
    emit(["\n".join(lines), "\n"])


app = typer.Typer(
    name="scaling",
    no_args_is_help=True,
    help="Price and train models, fit scaling laws in bytes per parameter, and decide.",
)
app.command()(flops)
app.command()(train)
app.command()(train_entropy_model)
app.command()(plan)
app.command()(sweep)
app.command()(status)
app.command()(collect)
app.command()(evaluate)
app.command()(generate)
app.command(epilog=columns_needed())(fit)
app.command()(predict)
app.command()(reproduce)
app.command()(advise)
app.command()(flop_equivalent)
app.command()(design)
