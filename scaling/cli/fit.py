"""`tokenize-lab scaling fit`: laws from runs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from corpora.errors import InputError
from corpora.output import emit
from scaling.cli.options import HOW, OUTPUT, AsJson, print_json
from scaling.laws.registry import LAWS

_WHAT = "What is fitted"


class Intervals(StrEnum):
    """Where intervals come from: replicates of the whole fit, or the objective at its optimum."""

    CASES = "cases"
    RESIDUALS = "residuals"
    HESSIAN = "hessian"
    PROFILE = "profile"
    NONE = "none"


def fit(
    runs: Annotated[
        Path,
        typer.Argument(help=".csv or .parquet of runs or optima; a sweep; a folder of records"),
    ],
    law: Annotated[
        str,
        typer.Option(help=f"{', '.join(LAWS)}; one that does not exist lists those that do"),
    ],
    form: Annotated[
        str,
        typer.Option(
            help="form of "
            + ", ".join(law for law in LAWS if LAWS[law].forms)
            + "; one that a law does not have lists those that it has",
            show_default="its own",
            rich_help_panel=_WHAT,
        ),
    ] = "",
    params: Annotated[
        str,
        typer.Option(
            help="column to count parameters by, such as total_params",
            show_default="global_params, or what there is",
            rich_help_panel=_WHAT,
        ),
    ] = "",
    flops_convention: Annotated[
        str,
        typer.Option(
            help="of a table of several conventions of FLOPs, keep the rows of this one",
            rich_help_panel=_WHAT,
        ),
    ] = "",
    loss: Annotated[
        str,
        typer.Option(help="column of losses in nats per token", rich_help_panel=_WHAT),
    ] = "",
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="NAME=THEIRS",
            help="what the table calls a column, e.g. bits_per_byte=val_bpb",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    budget: Annotated[
        list[float] | None, typer.Option(help="only these budgets C", rich_help_panel=_WHAT)
    ] = None,
    up_to: Annotated[
        float | None, typer.Option(help="only budgets up to this C", rich_help_panel=_WHAT)
    ] = None,
    keep_short: Annotated[
        bool, typer.Option("--keep-short", help="keep runs under 300 steps", rich_help_panel=_WHAT)
    ] = False,
    minima: Annotated[
        str,
        typer.Option(
            help="how law2 finds optima of runs: parabola of a curve, or its lowest run",
            rich_help_panel=HOW,
        ),
    ] = "parabola",
    irreducible: Annotated[
        float | None,
        typer.Option(help="loss that no compute removes, for envelope", rich_help_panel=HOW),
    ] = None,
    base: Annotated[
        str,
        typer.Option(
            help="FIT.json or published name of the law of fresh text, for repeated",
            rich_help_panel=HOW,
        ),
    ] = "",
    intervals: Annotated[
        Intervals | None,
        typer.Option(
            help="bootstrap of cases or residuals, hessian, profile, or none",
            show_default="the law's own bootstrap",
            rich_help_panel=HOW,
        ),
    ] = None,
    draws: Annotated[
        int,
        typer.Option(
            min=0, max=100_000, help="bootstrap replicates; 0 for none", rich_help_panel=HOW
        ),
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="of the draws", rich_help_panel=HOW)] = 20261121,
    level: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="of the intervals", rich_help_panel=HOW)
    ] = 0.95,
    out: Annotated[
        Path | None, typer.Option(help="folder for FIT.json and report.txt", rich_help_panel=OUTPUT)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fit a law to runs: coefficients with intervals, hold-out error, and named findings.

    A table of several languages or tokenizations is fitted to each on its own. A fit that does not
    converge, or a part that has too few runs, is still printed and written beside the others, and
    the command ends with exit code 1.

    \b
    tokenize-lab scaling fit runs.csv --law isoflop-surface --json
    tokenize-lab scaling fit optima.csv --law law2 --form constant
    tokenize-lab scaling fit sweep/ --law joint --out out/fit
    """
    from scaling.fits.fit import fit as fit_law
    from scaling.load_table import load_table
    from scaling.read_runs import read_runs

    loaded = load_table(runs)
    table = read_runs(
        loaded,
        columns=_columns(columns or []),
        params=params,
        flops_convention=flops_convention,
        keep_short=keep_short,
        loss=loss,
    )
    fits = fit_law(
        table,
        law,
        form=form,
        minima=minima,
        irreducible=irreducible,
        base=base or None,
        intervals=intervals.value if intervals else "",
        draws=draws,
        seed=seed,
        level=level,
        budget=budget or (),
        up_to=up_to,
    )
    if out is not None:
        folder = fits.write(out, loaded)
        typer.echo(
            f"{len(fits)} fits and their report: {folder} (then: tokenize-lab report {out})",
            err=True,
        )
    if as_json:
        print_json(fits.json())
    else:
        emit([fits.summary(), "\n"])
    unusable = sum(not result.ok for result in fits)
    if unusable:
        which = "the fit is" if len(fits) == 1 else f"{unusable} of {len(fits)} fits are"
        typer.echo(f"{which} not to be used: see status and findings", err=True)
        raise typer.Exit(1)


def _columns(pairs: list[str]) -> dict[str, str]:
    columns = {}
    for pair in pairs:
        name, equals, theirs = pair.partition("=")
        if not (name and equals and theirs):
            raise InputError(f"--column {pair}: give NAME=THEIRS, e.g. bits_per_byte=val_bpb")
        columns[name] = theirs
    return columns
