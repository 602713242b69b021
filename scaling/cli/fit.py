"""`tokenize-lab scaling fit`: laws from runs."""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corpora.cli import JsonOption
from corpora.errors import InputError
from corpora.locks import being_written
from corpora.output import drawn, emit
from scaling.cli.options import YES_OR_NO, how_option, output_option, print_json
from scaling.laws.registry import LAWS, law_named
from tokenize_lab.cli import complete

if TYPE_CHECKING:
    from rich.table import Table

    from scaling.bias import FitBias
    from scaling.compare import Comparison
    from scaling.conventions import Recount

what_option = partial(typer.Option, rich_help_panel="What is fitted")
beside_option = partial(typer.Option, rich_help_panel="Beside it")


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
            help=f"{', '.join(LAWS)}; what each needs stands below",
            autocompletion=complete.words(LAWS),
        ),
    ],
    form: Annotated[
        str,
        what_option(
            help="form of "
            + ", ".join(law for law in LAWS if LAWS[law].forms)
            + "; one that a law does not have lists those that it has",
            show_default="its own",
        ),
    ] = "",
    params: Annotated[
        str,
        what_option(
            help="column to count parameters by, such as total_params",
            show_default="global_params, or what there is",
        ),
    ] = "",
    flops_convention: Annotated[
        str,
        what_option(help="of a table of several conventions of FLOPs, keep the rows of this one"),
    ] = "",
    loss: Annotated[str, what_option(help="column of losses in nats per token")] = "",
    columns: Annotated[
        list[str] | None,
        what_option(
            "--column",
            metavar="NAME=THEIRS",
            help="what the table calls a column, e.g. bits_per_byte=val_bpb; a field of a nested "
            "one is OUTER.INNER, e.g. summary.val/bpb",
        ),
    ] = None,
    budget: Annotated[list[float] | None, what_option(help="only these budgets C")] = None,
    up_to: Annotated[float | None, what_option(help="only budgets up to this C")] = None,
    keep_short: Annotated[
        bool, what_option("--keep-short", help="keep runs under 300 steps")
    ] = False,
    last: Annotated[
        bool, what_option("--last", help="of every run, only the last row of its checkpoints")
    ] = False,
    budget_tolerance: Annotated[
        float, what_option(help="budgets that agree to this fraction are one", show_default="0.01")
    ] = 0.01,
    minima: Annotated[
        str,
        how_option(help="how law2 finds optima of runs: parabola of a curve, or its lowest run"),
    ] = "parabola",
    irreducible: Annotated[
        float | None, how_option(help="loss that no compute removes, for envelope")
    ] = None,
    base: Annotated[
        str, how_option(help="FIT.json or published name of the law of fresh text, for repeated")
    ] = "",
    target: Annotated[
        str,
        what_option(
            metavar="NAME[=WEIGHT],...",
            help="languages of a mixture whose mean is minimised, for mixture",
            show_default="all alike",
        ),
    ] = "",
    error: Annotated[
        str, what_option(metavar="COLUMN", help="the table's column of task errors, for downstream")
    ] = "",
    chance: Annotated[
        float | None, how_option(help="task error of guessing, for downstream; 1 if not known")
    ] = None,
    parity: Annotated[
        str | None,
        how_option(
            metavar="LANG=X,...|FILE.json",
            help="bytes per byte of English, for languages; or what `measure --json` printed",
            show_default="the table's column, or the embedded corpus's",
        ),
    ] = None,
    compare: Annotated[
        list[str] | None,
        beside_option(
            metavar="LAW",
            help="set it beside another law, LAW or LAW:FORM, of the same runs; or beside the "
            "coefficients of a FIT.json or a published fit",
        ),
    ] = None,
    bias: Annotated[
        bool,
        beside_option(
            "--bias",
            help="what it says of runs without noise: the joint law's own losses on this design, "
            "for isoflop, isoflop-surface, law1, law2 and approach2",
        ),
    ] = False,
    bias_by: Annotated[
        Path | None,
        beside_option(metavar="FIT.json", help="--bias by this fit of the joint law"),
    ] = None,
    conventions: Annotated[
        bool,
        beside_option(
            "--conventions", help="what moves when parameters and FLOPs are counted otherwise"
        ),
    ] = False,
    intervals: Annotated[
        Intervals | None,
        how_option(
            help="bootstrap of cases or residuals, hessian, profile, or none",
            show_default="the law's own bootstrap",
        ),
    ] = None,
    draws: Annotated[
        int, how_option(min=0, max=100_000, help="bootstrap replicates; 0 for none")
    ] = 1000,
    seed: Annotated[int, how_option(min=0, help="of the draws")] = 20261121,
    level: Annotated[float, how_option(min=0.5, max=0.999, help="of the intervals")] = 0.95,
    block: Annotated[
        str,
        how_option(
            metavar="run|cell|budget|COLUMN",
            help="what is resampled whole, since its rows are not independent; `row` for each by "
            "itself",
            show_default="checkpoints by run, or the law's own",
        ),
    ] = "",
    out: Annotated[Path | None, output_option(help="folder for FIT.json and report.txt")] = None,
    as_json: JsonOption = False,
) -> None:
    """Fit a law to runs: coefficients with intervals, hold-out error, and named findings.

    A table of several languages or tokenizations is fitted to each on its own, but by languages,
    which is one fit of all of them. A fit that does not
    converge, or a part that has too few runs, is still printed and written beside the others, and
    the command ends with exit code 1.

    \b
    tokenize-lab scaling fit runs.csv --law isoflop-surface --json
    tokenize-lab scaling fit optima.csv --law law2 --form constant
    tokenize-lab scaling fit sweep/ --law joint --out out/fit
    tokenize-lab scaling fit mixtures.csv --law mixture --target eng=1,hin=2 --out out/mix
    tokenize-lab scaling fit runs.csv --law joint --compare joint-terms
    tokenize-lab scaling fit runs.csv --law isoflop-surface --bias
    """
    from scaling.bias import bias_json, bias_of
    from scaling.compare import compare_with, comparison_json
    from scaling.conventions import by_conventions
    from scaling.engine.stored import ends_of
    from scaling.fits.fit import fit as fit_law
    from scaling.load_table import load_table
    from scaling.published.conventions import with_counts
    from scaling.read_runs import read_runs
    from scaling.result import read_fit

    law_named(law)  # a slip is said before a large table is read
    with nullcontext() if out is None else being_written(out):
        loaded = load_table(runs)
        table = read_runs(
            loaded,
            columns=_columns([*(columns or []), *([f"error={error}"] if error else [])]),
            params=params,
            flops_convention=flops_convention,
            keep_short=keep_short,
            loss=loss,
            budget_tolerance=budget_tolerance,
            last=last,
        )
        method = intervals.value if intervals else ""
        bootstrap = {"intervals": method, "draws": draws, "seed": seed, "level": level}
        bootstrap["block"] = block
        shared: dict[str, Any] = {**bootstrap, "budget": budget or (), "up_to": up_to}
        told: dict[str, Any] = {**shared, "form": form, "minima": minima, "base": base or None}
        told |= {"irreducible": irreducible, "chance": chance, "parity": parity, "target": target}
        fits = fit_law(table, law, **told)
        compared = compare_with(fits, table, compare, **shared) if compare else ()
        biases: tuple[FitBias, ...] = ()
        if bias or bias_by is not None:
            by = None if bias_by is None else read_fit(bias_by)
            biases = bias_of(fits, table, by, **told)
        recounted = by_conventions(with_counts(table), law, **told) if conventions else ()
        if out is not None:
            folder = fits.write(out, loaded)
            several = f"{len(fits)} fits, their summary"
            what = "the fit and its summary" if len(fits) == 1 else several
            then = f"(then: tokenize-lab report {folder.parent})"
            typer.echo(f"{what}: {folder} {then}", err=True)
    if as_json:
        beside: dict[str, Any] = {}
        if compare:
            beside["comparison"] = [comparison_json(comparison) for comparison in compared]
        if biases:
            beside["bias"] = [bias_json(found) for found in biases]
        if conventions:
            beside["conventions"] = [
                {
                    **recount._asdict(),
                    "intervals": {name: ends_of(ends) for name, ends in recount.intervals.items()},
                }
                for recount in recounted
            ]
        print_json({**fits.json(), **beside})
    else:
        emit([fits.summary(), "\n"])
        tables = [
            *_comparison_tables(compared),
            *_bias_tables(biases),
            *_convention_tables(recounted),
        ]
        emit(drawn(tables) if tables else [])
    unusable = sum(not result.ok for result in fits)
    if unusable:
        which = "the fit is" if len(fits) == 1 else f"{unusable} of {len(fits)} fits are"
        typer.echo(f"{which} not to be used: see status and findings", err=True)
        raise typer.Exit(1)


def columns_needed() -> str:
    """Return what help says below the options: the columns of a table that each law needs."""
    width = max(map(len, LAWS)) + 2
    lines = [
        textwrap.fill(f"{name:{width}}{', '.join(law.columns)}", 76, subsequent_indent=" " * width)
        for name, law in LAWS.items()
    ]
    text = "\n".join(lines)
    return f"Columns of a table that each law needs (--column NAME=THEIRS renames):\n\n\b\n{text}"


def _columns(pairs: list[str]) -> dict[str, str]:
    columns = {}
    for pair in pairs:
        name, equals, theirs = pair.partition("=")
        if not (name and equals and theirs):
            raise InputError(f"--column {pair}: give NAME=THEIRS, e.g. bits_per_byte=val_bpb")
        columns[name] = theirs
    return columns


def _comparison_tables(compared: "Sequence[Comparison]") -> "Iterator[Table]":
    from scaling.result import context_text
    from tokenize_lab.cli.tables import text_table

    for comparison in compared:
        where = context_text(comparison.context) and f" ({context_text(comparison.context)})"
        if comparison.laws:
            title = f"Laws of the same runs, lowest AICc first{where}"
            heads = ["law", "form", "coefficients", "RMSE", "hold-out RMSE", "AICc", "above best"]
            rows = []
            for law in comparison.laws:
                numbers = (law.rmse, law.holdout_rmse, law.aicc, law.delta_aicc)
                rows.append([law.law, law.form, str(law.coefficients), *map(_number, numbers)])
            yield text_table(title, heads, rows, left=["form"])
        for name, coefficients in comparison.coefficients.items():
            heads = ["coefficient", "ours", "theirs", "difference", "in ours", "in theirs"]
            rows = []
            for row in coefficients:
                inside = (YES_OR_NO[row.in_first], YES_OR_NO[row.in_second])
                figures = (_number(row.first), _number(row.second), f"{row.difference:+.2g}")
                rows.append([row.name, *figures, *inside])
            caption = "in ours: our interval holds their estimate; in theirs: theirs holds ours"
            yield text_table(f"Beside {name}{where}", heads, rows, caption=caption)


def _bias_tables(biases: "Sequence[FitBias]") -> "Iterator[Table]":
    from tokenize_lab.cli.tables import text_table

    if not biases:
        return
    names = dict.fromkeys(name for found in biases for name in found.context)
    several = [name for name in names if len({found.context.get(name) for found in biases}) > 1]
    rows = []
    for found in biases:
        where = [_shown(found.context.get(name)) for name in several]
        for row in found.rows:
            if row.bias is None or row.noise_free is None:
                continue
            share = "" if row.of_half_width is None else f"{row.of_half_width:+.0%}"
            figures = map(_number, (row.estimate, row.noise_free, row.law))
            rows.append([row.name, *where, *figures, f"{row.bias:+.2g}", share])
    yield text_table(
        f"On runs without noise, by {biases[0].by}",
        ["quantity", *several, "of the runs", "noise-free", "the law", "bias", "of half interval"],
        rows,
        caption="bias: noise-free less the law; of design and method, and in no interval",
    )


def _shown(value: float | str | None) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value or "")


def _convention_tables(recounted: "Sequence[Recount]") -> "Iterator[Table]":
    from scaling.result import context_text
    from tokenize_lab.cli.tables import text_table

    several = len({context_text(row.context) for row in recounted if row.context}) > 1
    title, left = "The same runs, counted otherwise", ["FLOPs", "of"]
    missing = "; ".join(f"{row.params}, {row.flops}: {row.why}" for row in recounted if row.why)
    for names in dict.fromkeys(tuple(row.estimates) for row in recounted if row.estimates):
        rows = []
        for row in recounted:
            if tuple(row.estimates) == names:
                counted = [row.params, row.flops.removeprefix("compute_flops_")]
                of = [context_text(row.context)] if several else []
                rows.append([*counted, *of, *map(_number, row.estimates.values())])
        heads = ["parameters", "FLOPs", *(["of"] if several else []), *names]
        yield text_table(title, heads, rows, left=left, caption=missing)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.5g}"
