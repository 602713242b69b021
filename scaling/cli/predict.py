"""`tokenize-lab scaling predict`: what a fitted law says of a budget, a rate, a size or data; a
mixture law, of the mixtures in a table."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpora.cli import JsonOption
from corpora.errors import InputError
from corpora.output import drawn, emit
from scaling.cli.options import named_number, output_option, print_json

if TYPE_CHECKING:
    from scaling.mixtures.result import MixtureLaw
    from scaling.predict import Predictions

_Numbers = list[float] | None


def predict(
    fit: Annotated[
        str,
        typer.Argument(metavar="FIT", help="FIT.json of `fit --out`, or a published name"),
    ],
    table: Annotated[
        Path | None,
        typer.Argument(
            metavar="[TABLE]",
            help="of a mixture law: .csv or .parquet with a column share:TEXT each",
        ),
    ] = None,
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
    downstream: Annotated[
        str | None,
        typer.Option(
            metavar="FIT.json", help="fit of the law downstream: the task error at every loss, too"
        ),
    ] = None,
    arm: Annotated[
        str,
        typer.Option(
            help="of a mixture law of several tokenizers, whose runs predict",
            show_default="each row's",
        ),
    ] = "",
    out: Annotated[
        Path | None, output_option(help="write TABLE with a column predicted, .csv")
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
    tokenize-lab scaling predict out/mix/FIT.json mixtures.csv --out predicted.csv
    """
    from scaling.mixtures.predict import mixture_law
    from scaling.predict import predict as run

    given = {
        "compute_flops": list(compute_flops or ()),
        "compression_rate": list(compression_rate or ()),
        "params": list(params or ()),
        "train_bytes": list(train_bytes or ()),
        "tokens": list(tokens or ()),
    }
    for pair in others or ():
        name, number = named_number("at", pair, "NAME=X, e.g. unique_tokens=1e9")
        given.setdefault(name, []).append(number)
    law = mixture_law(fit)
    if law is not None:
        if any(given.values()) or downstream is not None:
            raise InputError(f"{fit}: a mixture law predicts the mixtures of a TABLE, nothing else")
        _predict_table(law, table, arm, out, as_json)
        return
    if table is not None or arm or out is not None:
        raise InputError(f"{fit}: TABLE, --arm and --out are for a fit of the law mixture")
    found = run(
        fit, downstream=downstream, **{name: values for name, values in given.items() if values}
    )
    if as_json:
        print_json(found.json())
    else:
        _print(found)
    if not found.fit.ok:
        typer.echo("the fit is not to be used: see its status and findings", err=True)
        raise typer.Exit(1)


def _predict_table(
    law: "MixtureLaw", table: Path | None, arm: str, out: Path | None, as_json: bool
) -> None:
    from corpora.files import write_text
    from scaling.mixtures.predict import predict_table, prediction_errors

    if table is None:
        raise InputError(
            "a mixture law predicts mixtures: name a TABLE with a column share:TEXT of each of"
            f" {', '.join(law.texts)}"
        )
    found = predict_table(law, table, arm)
    errors = prediction_errors(law, found)
    if out is not None:
        write_text(out, found.write_csv())
        typer.echo(f"{found.height} rows: {out}", err=True)
    if as_json:
        print_json(
            {
                "law": law.law,
                "form": law.form,
                "target": law.target,
                "data": law.data,
                **errors,
                "predictions": found.to_dicts(),
            }
        )
    elif out is None:
        emit([found.write_csv()])
    else:
        said = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in errors.items())
        emit([f"{law.name} by {law.form}: {said or 'the table has no losses to set beside'}\n"])


def _print(found: "Predictions") -> None:
    """Print a table of the predictions, what is to be known first above it."""
    from corpora.bootstrap import bounds_text
    from scaling.laws.registry import asked_as
    from scaling.result import context_text
    from tokenize_lab.cli.tables import text_table

    emit([f"caution: {said}\n" for said in found.cautions])
    values: dict[str, dict[float, None]] = {}  # of each input, in the order given
    beyond: dict[str, float] = {}
    for row in found.rows:
        for name, value in row.inputs.items():
            values.setdefault(name, {})[value] = None
        for name, factor in row.outside.items():
            beyond[name] = max(factor, beyond.get(name, 0.0))
    several = [name for name, given in values.items() if len(given) > 1]
    rows = []
    for row in found.rows:
        ends = f" {bounds_text(row.low, row.high, 4)}" if row.has_interval else ""
        cells = [f"{row.inputs[name]:g}" if name in row.inputs else "" for name in several]
        shown = "unknown" if row.value is None else f"{row.value:.4g}{ends}"
        rows.append([row.quantity, *cells, shown, row.unit])
    bare = not any(row.has_interval for row in found.rows)
    at = [f"{name} {next(iter(given)):g}" for name, given in values.items() if len(given) == 1]
    where = context_text(found.fit.context)
    title = f"{asked_as(found.fit.law)} ({found.fit.form}){f', {where}' if where else ''}"
    notes = [
        f"{name}: {factor:.3g} times beyond the data fitted" for name, factor in beyond.items()
    ]
    if bare and found.fit.interval_reason:
        notes.append(f"no interval: {found.fit.interval_reason}")
    table = text_table(
        f"{title} at {', '.join(at)}" if at else title,
        ["quantity", *several, _heading(bare, found.fit.level), "unit"],
        rows,
        left=("unit",),
    )
    emit(drawn([table]))
    emit([f"{note}\n" for note in notes])


def _heading(bare: bool, level: float) -> str:
    return "value" if bare else f"value [{level:.0%} interval]"
