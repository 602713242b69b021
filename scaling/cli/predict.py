"""`tokenize-lab scaling predict`: what a fitted law says of a budget, a rate, a size or data."""

from typing import TYPE_CHECKING, Annotated

import typer

from corpora.cli import JsonOption
from corpora.errors import InputError
from corpora.output import drawn, emit
from scaling.cli.options import print_json

if TYPE_CHECKING:
    from scaling.predict import Predictions

_Numbers = list[float] | None


def predict(
    fit: Annotated[
        str,
        typer.Argument(metavar="FIT", help="FIT.json of `fit --out`, or a published name"),
    ],
    compute_flops: Annotated[_Numbers, typer.Option("--compute", help="budget C, FLOPs")] = None,
    compression_rate: Annotated[_Numbers, typer.Option(help="T, bytes per token")] = None,
    params: Annotated[
        _Numbers, typer.Option("--parameters", help="N, counted as in the fit")
    ] = None,
    train_bytes: Annotated[_Numbers, typer.Option("--bytes", help="B, training bytes")] = None,
    tokens: Annotated[_Numbers, typer.Option("--tokens", help="D, training tokens")] = None,
    others: Annotated[
        list[str] | None,
        typer.Option("--at", metavar="NAME=X", help="another input that the law takes"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Predict from a fit: everything that the inputs given decide, with intervals.

    Every option may be given several times; all combinations are predicted. An input that the law
    does not take lists those it takes. A fit not to be used ends with exit code 1.

    \b
    tokenize-lab scaling predict out/laws/law2.json --compute 1e22 --compression-rate 4
    tokenize-lab scaling predict out/laws/law1.json --at latent_flops=1e21 --compression-rate 4
    tokenize-lab scaling predict hoffmann-approach3 --parameters 7e10 --tokens 1.4e12 --json
    """
    from scaling.predict import predict as run

    given = {
        "compute_flops": list(compute_flops or ()),
        "compression_rate": list(compression_rate or ()),
        "params": list(params or ()),
        "train_bytes": list(train_bytes or ()),
        "tokens": list(tokens or ()),
    }
    _add_others(given, others or [])
    found = run(fit, **{name: values for name, values in given.items() if values})
    if as_json:
        print_json(found.json())
    else:
        _print(found)
    if not found.fit.ok:
        typer.echo("the fit is not to be used: see its status and findings", err=True)
        raise typer.Exit(1)


def _add_others(given: dict[str, list[float]], pairs: list[str]) -> None:
    for pair in pairs:
        name, _, value = pair.partition("=")
        try:
            given.setdefault(name, []).append(float(value if name else ""))
        except ValueError as error:
            raise InputError(f"--at {pair}: give NAME=X, e.g. unique_tokens=1e9") from error


def _print(found: "Predictions") -> None:
    """Print a table of the predictions, what is to be known first above it."""
    from scaling.result import context_text
    from tokenize_lab.cli.tables import text_table

    emit([f"caution: {said}\n" for said in found.cautions])
    names = list(dict.fromkeys(name for row in found.rows for name in row.inputs))
    rows = []
    for row in found.rows:
        ends = "" if row.low is None else f"[{row.low:.4g}, {row.high:.4g}]"
        beyond = ", ".join(f"{name} x {factor:.3g}" for name, factor in row.outside.items())
        cells = [f"{row.inputs[name]:g}" if name in row.inputs else "" for name in names]
        value = "unknown" if row.value is None else f"{row.value:.5g}"
        rows.append([row.quantity, *cells, value, ends, row.unit, beyond])
    level = f"{found.fit.level:.0%} interval"
    heads = ["quantity", *names, "value", level, "unit", "beyond the data"]
    filled = [i for i in range(len(heads)) if i <= len(names) + 1 or any(r[i] for r in rows)]
    where = context_text(found.fit.context)
    title = f"{found.fit.law} ({found.fit.form}){f', {where}' if where else ''}"
    table = text_table(
        title,
        [heads[i] for i in filled],
        [[row[i] for i in filled] for row in rows],
        left=("unit", "beyond the data"),
        caption="" if any(row.low is not None for row in found.rows) else _why(found),
    )
    emit(drawn([table]))


def _why(found: "Predictions") -> str:
    reason = found.fit.interval_reason
    return f"no interval: {reason}" if reason else ""
