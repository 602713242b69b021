"""`tokenize-lab scaling fit`: laws from runs."""

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpora.errors import InputError, did_you_mean
from corpora.output import emit
from scaling.cli.options import HOW, OUTPUT, AsJson, print_json

if TYPE_CHECKING:
    from scaling.load_table import LoadedTable
    from scaling.result import FitResult

_WHAT = "What is fitted"
LAWS_FOLDER = "laws"  # within --out, beside what `measure` may have written there


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
        typer.Option(
            help="isoflop, isoflop-surface, law1, law2, joint, joint-terms, chinchilla, "
            "approach1, approach2, envelope, overtraining, vocabulary or repeated"
        ),
    ],
    form: Annotated[
        str,
        typer.Option(
            help="form of the law; one that it does not have lists those that it has",
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
    from scaling.compare import fit_json
    from scaling.engine.bootstrap import RESAMPLING, Bootstrap
    from scaling.fits.fit import LAWS, Options
    from scaling.fits.fit import fit as run
    from scaling.load_table import load_table
    from scaling.read_runs import read_runs

    if law not in LAWS:
        raise InputError(f"--law {law}: unknown{did_you_mean(law, LAWS)} ({', '.join(LAWS)})")
    loaded = load_table(runs)
    table = read_runs(
        loaded,
        columns=_columns(columns or []),
        params=params,
        flops_convention=flops_convention,
        keep_short=keep_short,
        loss=loss,
    )
    if budget:
        compute = table.column("compute_flops", law)
        table = table.only(sum(compute == one for one in budget) > 0)
        if not len(table):
            known = ", ".join(f"{one:g}" for one in sorted(set(compute.tolist())))
            raise InputError(f"{runs}: no run at that --budget; it has {known}")
    if up_to is not None:
        table = table.only(table.column("compute_flops", law) <= up_to)
        if not len(table):
            raise InputError(f"{runs}: no run up to --up-to {up_to:g}")
    own = LAWS[law].bootstrap
    kind = intervals.value if intervals else own.kind
    if draws == 0 and kind in RESAMPLING:
        kind = "none"
    resampling = Bootstrap(kind, draws if kind in RESAMPLING else 0, seed, level)
    options = Options(form, minima, irreducible, _base(base) if base else None)
    results = run(table, law, options, resampling)
    if out is not None:
        _write(out, loaded, law, results)
    if as_json:
        print_json(fit_json(law, results))
    else:
        emit(["\n\n".join(result.report() for result in results), "\n"])
    unusable = sum(not result.ok for result in results)
    if unusable:
        which = "the fit is" if len(results) == 1 else f"{unusable} of {len(results)} fits are"
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


def _base(name: str) -> dict[str, float]:
    """Return the coefficients of a Chinchilla law, from a file or by a published name."""
    from scaling.published.coefficients import PUBLISHED

    known = PUBLISHED.get(name)
    estimates = known.estimates if known is not None else read_fit(Path(name)).estimates
    wanted = ("E", "A", "B", "alpha", "beta")
    if any(one not in estimates for one in wanted):
        raise InputError(f"--base {name}: holds {', '.join(estimates)}, not {', '.join(wanted)}")
    return {one: estimates[one] for one in wanted}


def read_fit(path: Path) -> "FitResult":
    """Read a `FitResult` that `scaling fit --out` wrote.

    Raises:
        InputError: no such file, or not a fit.
    """
    from pydantic import ValidationError

    from scaling.result import FitResult

    if not path.is_file():
        raise InputError(f"{path}: no such fit; `scaling fit --out DIR` writes one")
    try:
        return FitResult.from_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: not a fit ({where}: {first['msg']})") from error


def _write(out: Path, table: "LoadedTable", law: str, results: "list[FitResult]") -> None:
    """Write the fits, their report and the table they are of to `out/laws`."""
    from corpora.files import write_text, written_whole

    folder = out / LAWS_FOLDER
    fits = {
        f"{law}.json" if len(results) == 1 else f"{law}-{number}.json": result
        for number, result in enumerate(results, start=1)
    }
    for name, result in fits.items():
        write_text(folder / name, result.to_json() + "\n")
    for path in folder.iterdir():  # a report would draw what an earlier fit of this law left
        if re.fullmatch(rf"{re.escape(law)}(-\d+)?\.json", path.name) and path.name not in fits:
            path.unlink()
    write_text(folder / f"{law}.txt", "\n\n".join(result.report() for result in results) + "\n")
    if table.content:
        # As it was read, byte for byte: the fits name it by its hash, and reports draw its points.
        with written_whole(folder / f"{table.sha256[:12]}{table.suffix}") as temporary:
            temporary.write_bytes(table.content)
    typer.echo(
        f"{len(results)} fits and their report: {folder} (then: tokenize-lab report {out})",
        err=True,
    )
