"""`tokenize-lab scaling flop-equivalent`: tokenizers compared with what serving them saves."""

from pathlib import Path
from typing import Annotated

import typer

from corpora.cli import JsonOption
from corpora.output import drawn, emit
from scaling.cli.options import named_number, print_json


def flop_equivalent(
    runs: Annotated[
        Path,
        typer.Argument(
            help=".csv or .parquet of runs, with columns tokenization (the arm), compute_flops and "
            "bits_per_byte: a ladder of budgets for each arm"
        ),
    ],
    reference: Annotated[str, typer.Option(metavar="ARM", help="the arm whose serving costs 1")],
    reference_flops: Annotated[
        float, typer.Option("--at", help="C_ref, training FLOPs at which arms are compared")
    ],
    relative_costs: Annotated[
        list[str] | None,
        typer.Option(
            "--relative-cost",
            metavar="ARM=R",
            help="FLOPs of serving a byte with that arm over the reference's",
        ),
    ] = None,
    served_share: Annotated[
        float, typer.Option(help="s, compute spent on serving over that on training")
    ] = 1.0,
    as_json: JsonOption = False,
) -> None:
    """Compare arms by FLOP-equivalent bits per byte, the ad hoc rule of the marin project.

    What an arm saves in serving is taken to be spent on its training: its loss is read at
    C_ref (1 + s (1 - r)), from E + A C^-a through its runs. `advise --serve-bytes` answers the same
    question by the laws: how large a model, at which rate, for so many bytes served.

    \b
    tokenize-lab scaling flop-equivalent runs.csv --reference base --relative-cost new=.8 --at 1e18
    """
    from scaling.advise.flop_equivalent import flop_equivalents
    from scaling.read_runs import read_runs
    from tokenize_lab.cli.tables import text_table

    wanted = "ARM=R, e.g. new=.816"
    costs = dict(named_number("relative-cost", pair, wanted) for pair in relative_costs or ())
    found = flop_equivalents(read_runs(runs), reference, costs, reference_flops, served_share)
    if as_json:
        print_json([row._asdict() for row in found])
        return
    table = text_table(
        f"FLOP-equivalent bits per byte at {reference_flops:g} FLOPs",
        [
            "arm",
            "runs",
            "relative cost",
            "read at",
            "FLOP-equivalent",
            "over reference",
            "at C_ref",
        ],
        [
            [
                row.arm,
                str(row.runs),
                f"{row.relative_cost:.3g}",
                f"{row.compute_flops:.4g}",
                f"{row.flop_equivalent_bits_per_byte:.4f}",
                f"{row.difference:+.4f}",
                f"{row.bits_per_byte:.4f}",
            ]
            for row in found
        ],
    )
    emit(drawn([table]))
