"""`tokenize-lab scaling advise`: what to train with a budget, and what a tokenizer costs."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpora.cli import JsonOption
from corpora.errors import InputError
from corpora.output import emit
from scaling.cli.options import how_option, named_number, print_json
from tokenize_lab.cli import complete

if TYPE_CHECKING:
    from scaling.advise.answer import MeasuredTokenizer

law_option = partial(typer.Option, rich_help_panel="Laws")
serving_option = partial(typer.Option, rich_help_panel="Serving")
mixture_option = partial(typer.Option, rich_help_panel="A mixture of texts")
_OF_MIXTURES = {"mixture", "caps", "weights", "train_bytes", "text_bytes", "as_json"}


class ModelFamily(StrEnum):
    """Which models."""

    LATENT = "latent"
    SUBWORD = "subword"


class LanguageSetting(StrEnum):
    """One model of one language, or of many."""

    MONOLINGUAL = "monolingual"
    JOINT = "joint"


def advise(
    context: typer.Context,
    compute_flops: Annotated[
        float | None,
        typer.Option("--compute", help="training budget C, FLOPs", show_default="required"),
    ] = None,
    language: Annotated[str, typer.Option(help="code, e.g. hin_Deva")] = "eng_Latn",
    family: Annotated[ModelFamily, typer.Option(help="kind of model")] = ModelFamily.LATENT,
    setting: Annotated[
        LanguageSetting, typer.Option(help="one language, or one model of many")
    ] = LanguageSetting.MONOLINGUAL,
    parity: Annotated[
        float | None, typer.Option(help="bytes per byte of English, for a language without runs")
    ] = None,
    corpus: Annotated[
        str | None,
        typer.Option(
            help="text in that language, to measure -t on; its parity is used where it is "
            "parallel to English",
            show_default="the embedded corpus",
        ),
    ] = None,
    tokenizers: Annotated[
        list[str] | None,
        typer.Option(
            "--tokenizer",
            "-t",
            metavar="[NAME=]SPEC",
            autocompletion=complete.tokenizers,
            help="a tokenizer whose price is wanted, as for measure",
        ),
    ] = None,
    bytes_per_token: Annotated[
        list[str] | None,
        typer.Option(help="NAME=X or NAME=X/V: a tokenizer measured elsewhere, and its V"),
    ] = None,
    serve_bytes: Annotated[
        float,
        serving_option(help="bytes to be read and written once trained: the budget pays for both"),
    ] = 0.0,
    serve_price: Annotated[
        float,
        serving_option(help="of a FLOP of serving over one of training; 3 to 30 are usual"),
    ] = 1.0,
    serve_bytes_per_pass: Annotated[
        str | None,
        serving_option(
            metavar="X/T",
            help="bytes per global pass of a model that writes, of one trained at T: 2.05/4",
            show_default="those of training",
        ),
    ] = None,
    reach: Annotated[
        float | None,
        serving_option(help="bits per byte to be reached at the least cost, serving included"),
    ] = None,
    gpu: Annotated[str, how_option(help="a100, h100, h200, b200")] = "h100",
    utilisation: Annotated[float, how_option(help="share of its bf16 peak")] = 0.4,
    gpus: Annotated[int, how_option(help="how many")] = 1,
    law1: Annotated[Path | None, law_option(help="FIT.json of one's own runs")] = None,
    law2: Annotated[Path | None, law_option(help="FIT.json of one's own runs")] = None,
    languages: Annotated[
        Path | None,
        law_option(
            help="FIT.json of the law languages, of one's own runs: places the language by them,"
            " not by analogy"
        ),
    ] = None,
    downstream: Annotated[
        Path | None,
        law_option(
            help="FIT.json of the law downstream, to one's own task errors: prices in points of"
            " accuracy"
        ),
    ] = None,
    mixture: Annotated[
        Path | None,
        mixture_option(
            metavar="FIT.json",
            help="fit of the law mixture: answer which mixture of its texts to train instead",
        ),
    ] = None,
    caps: Annotated[
        list[str] | None,
        mixture_option(
            "--cap",
            metavar="TEXT=EPOCHS",
            help="how often a text may be read",
            show_default="4 epochs of each whose size is known",
        ),
    ] = None,
    weights: Annotated[
        list[str] | None,
        mixture_option(
            "--weights",
            metavar="LANGUAGE=X",
            help="how much a language counts; the others count as in the fit",
        ),
    ] = None,
    train_bytes: Annotated[
        float | None,
        mixture_option(
            "--bytes", help="bytes to be trained on, repeats counted", show_default="as the runs"
        ),
    ] = None,
    text_bytes: Annotated[
        list[str] | None,
        mixture_option(
            metavar="TEXT=BYTES",
            help="size of a text",
            show_default="the table's unique_bytes:TEXT",
        ),
    ] = None,
    far: Annotated[
        bool,
        typer.Option("--far", help="answer for a budget 1,000 times beyond those of the laws"),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Advise: T*, N*, B*, tokens, loss and days for a budget, and the price of other tokenizers.

    A language that was never trained is placed by its parity; the answer then says that it is an
    analogy, and is less sure. Where there are runs of several languages, --languages places it.

    \b
    tokenize-lab scaling advise --compute 1e21 --language hin_Deva -t mistral:tekken
    tokenize-lab scaling advise --compute 1e21 --language hin_Deva --corpus hindi.txt -t my.json
    tokenize-lab scaling advise --compute 1e21 --serve-bytes 1e12 --serve-price 10
    tokenize-lab scaling advise --compute 1e21 -t my.json --downstream out/laws/downstream.json
    tokenize-lab scaling advise --compute 1e22 --family subword --bytes-per-token mine=4.1/128000
    tokenize-lab scaling advise --mixture out/mix/FIT.json --cap eng=4 --weights hin=2
    """
    if mixture is not None:
        _of_a_mixture_alone(context)
        _advise_mixture(mixture, caps, weights, train_bytes, text_bytes, as_json)
        return
    of_mixtures = {
        "caps": caps, "weights": weights, "train_bytes": train_bytes, "text_bytes": text_bytes
    }  # fmt: skip
    for name, value in of_mixtures.items():
        if value is not None:
            raise InputError(f"`{name}`: is for a mixture; give `mixture=FIT.json`")
    if compute_flops is None:
        raise InputError("`compute_flops`: give the training budget in FLOPs, as 1e21")
    from scaling.advise.advise import advise as run
    from scaling.result import read_fit

    fits = {"law1": law1, "law2": law2, "languages": languages}
    advice = run(
        compute_flops,
        language,
        tokenizers=[*(tokenizers or ()), *(_measured(text) for text in bytes_per_token or ())],
        corpus=corpus,
        family=family.value,
        setting=setting.value,
        parity=parity,
        laws={law: read_fit(path) for law, path in fits.items() if path is not None},
        gpu=gpu,
        utilisation=utilisation,
        gpus=gpus,
        serve_bytes=serve_bytes,
        serve_price=serve_price,
        serve_bytes_per_pass=_per_pass(serve_bytes_per_pass),
        reach=reach,
        downstream=downstream,
        far=far,
    )
    for tokenizer in advice.question.tokenizers:
        if tokenizer.warning:
            typer.echo(f"warning: {tokenizer.name}: {tokenizer.warning}", err=True)
    if parity is not None and advice.placement.basis not in ("analogy", "line"):
        why = f"{language} is placed by runs of its own"
        typer.echo(f"warning: --parity {parity:g} is not used: {why}", err=True)
    if as_json:
        print_json(advice.to_json())
    else:
        emit([advice.summary(), "\n"])


def _advise_mixture(
    fit: Path,
    caps: list[str] | None,
    weights: list[str] | None,
    train_bytes: float | None,
    text_bytes: list[str] | None,
    as_json: bool,
) -> None:
    from scaling.mixtures.advise import advise_mixture
    from scaling.mixtures.predict import mixture_law
    from scaling.result import read_fit

    law = mixture_law(fit)
    if law is None:
        raise InputError(f"`mixture`: {fit} is a fit of {read_fit(fit).law}; give one of mixture")
    advice = advise_mixture(
        law,
        caps=_by_name("cap", caps),
        weights=_by_name("weights", weights),
        train_bytes=train_bytes,
        text_bytes=_by_name("text-bytes", text_bytes),
    )
    if as_json:
        print_json(advice.to_json())
    else:
        emit([advice.summary(), "\n"])


def _of_a_mixture_alone(context: typer.Context) -> None:
    """Refuse what was asked for beside a mixture and has no part in its answer."""
    for option in context.command.params:
        name = option.name or ""
        source = context.get_parameter_source(name)
        if name not in _OF_MIXTURES and source is not None and source.name == "COMMANDLINE":
            what = "; its budget is --bytes" if name == "compute_flops" else ""
            raise InputError(
                f"{option.opts[0]}: has no part in a mixture's answer{what}; leave it out"
            )


def _by_name(option: str, given: list[str] | None) -> dict[str, float]:
    found: dict[str, float] = {}
    for pair in (part for text in given or () for part in text.split(",")):
        name, number = named_number(option, pair, "NAME=X, as hin=2")
        if name in found:
            raise InputError(f"--{option} {pair}: {name} is named twice; give one number")
        found[name] = number
    return found


def _per_pass(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    written, _, trained = text.partition("/")
    try:
        return float(written), float(trained)
    except ValueError as error:
        raise InputError(
            f"--serve-bytes-per-pass {text}: give X/T, bytes per global pass when the model writes"
            " and in training, e.g. 2.05/4"
        ) from error


def _measured(text: str) -> "MeasuredTokenizer":
    from scaling.advise.answer import MeasuredTokenizer

    name, _, measured = text.partition("=")
    rate, _, size = measured.partition("/")
    try:
        return MeasuredTokenizer(name, float(rate), int(size) if size else None)
    except ValueError as error:
        raise InputError(
            f"--bytes-per-token {text}: give NAME=X or NAME=X/V, e.g. mine=4.1/128000"
        ) from error
