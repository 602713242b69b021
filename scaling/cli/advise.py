"""`tokenize-lab scaling advise`: what to train with a budget, and what a tokenizer costs."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpora.errors import InputError
from corpora.output import emit
from scaling.cli.output import HOW, AsJson, print_json

if TYPE_CHECKING:
    from scaling.advise.answer import Advice, Estimate, Tokenized

_LAWS = "Laws"
CURVE_TOKENIZER = "mistral:tekken"  # its merges, cut at sizes, where -t has none to cut


class ModelFamily(StrEnum):
    """Which models."""

    LATENT = "latent"
    SUBWORD = "subword"


class Setting(StrEnum):
    """One model of one language, or of many."""

    MONOLINGUAL = "monolingual"
    JOINT = "joint"


def advise(
    compute: Annotated[float, typer.Option(help="training budget C, FLOPs")],
    language: Annotated[str, typer.Option(help="code, e.g. hin_Deva")] = "eng_Latn",
    family: Annotated[ModelFamily, typer.Option(help="kind of model")] = ModelFamily.LATENT,
    setting: Annotated[
        Setting, typer.Option(help="one language, or one model of many")
    ] = Setting.MONOLINGUAL,
    parity: Annotated[
        float | None,
        typer.Option(help="bytes per byte of English, for a language without runs"),
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
            metavar="SPEC",
            help="a tokenizer whose price is wanted, as for measure",
        ),
    ] = None,
    bytes_per_token: Annotated[
        list[str] | None,
        typer.Option(help="NAME=X or NAME=X/V: a tokenizer measured elsewhere, and its V"),
    ] = None,
    gpu: Annotated[str, typer.Option(help="a100, h100, h200, b200", rich_help_panel=HOW)] = "h100",
    utilisation: Annotated[
        float, typer.Option(help="share of its bf16 peak", rich_help_panel=HOW)
    ] = 0.4,
    gpus: Annotated[int, typer.Option(help="how many", rich_help_panel=HOW)] = 1,
    law1: Annotated[
        Path | None, typer.Option(help="FIT.json of one's own runs", rich_help_panel=_LAWS)
    ] = None,
    law2: Annotated[
        Path | None, typer.Option(help="FIT.json of one's own runs", rich_help_panel=_LAWS)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Advise: T*, N*, B*, tokens, loss and days for a budget, and the price of other tokenizers.

    A language that was never trained is placed by its parity; the answer then says that it is an
    analogy, and is less sure.

    \b
    tokenize-lab scaling advise --compute 1e21 --language hin_Deva -t mistral:tekken
    tokenize-lab scaling advise --compute 1e21 --language hin_Deva --corpus hindi.txt -t my.json
    tokenize-lab scaling advise --compute 1e22 --family subword --bytes-per-token mine=4.1/128000
    """
    from scaling.advise.advise import advise as run
    from scaling.advise.answer import Question, advice_json
    from scaling.cli.fit import read_fit

    measured, curve, found = _measured(language, corpus, tokenizers or [], family)
    question = Question(
        compute_flops=compute,
        language=language,
        family=family.value,
        setting=setting.value,
        parity=found if parity is None else parity,
        tokenizers=[*measured, *(_tokenized(one) for one in bytes_per_token or ())],
        curve=curve,
        gpu=gpu,
        utilisation=utilisation,
        gpus=gpus,
        law1=None if law1 is None else read_fit(law1),
        law2=None if law2 is None else read_fit(law2),
    )
    advice = run(question)
    if parity is not None and advice.placement.basis != "analogy":
        typer.echo(
            f"warning: --parity {parity:g} is not used: {language} is placed by runs of its own",
            err=True,
        )
    if as_json:
        print_json(advice_json(advice))
    else:
        emit([advice_text(advice), "\n"])


def _measured(
    language: str, corpus: str | None, specs: list[str], family: ModelFamily
) -> "tuple[list[Tokenized], list[tuple[int, float]] | None, float | None]":
    """Return the tokenizers as measured, the vocabulary curve, and the language's parity."""
    from scaling.advise.sample import (
        EMBEDDED,
        embedded_parity,
        sample_of,
        tokenized,
        vocabulary_curve,
    )
    from tokenize_lab.load import load_tokenizer, load_tokenizers

    if corpus is None and not specs:
        return [], None, embedded_parity(language)
    if corpus is None and embedded_parity(language) is None:
        raise InputError(f"the embedded corpus has no {language}; give --corpus, text in it")
    sample = sample_of(corpus or EMBEDDED, language)
    loaded = load_tokenizers(specs)
    curve = None
    if family is ModelFamily.SUBWORD:
        curves = (vocabulary_curve(sample, one) for one in loaded)
        known = next((one for one in curves if one is not None), None)
        curve = known or vocabulary_curve(sample, load_tokenizer(CURVE_TOKENIZER))
    parity = embedded_parity(language) if sample.parity is None else sample.parity
    return tokenized(sample, loaded), curve, parity


def _tokenized(text: str) -> "Tokenized":
    from scaling.advise.answer import Tokenized

    name, _, measured = text.partition("=")
    rate, _, size = measured.partition("/")
    try:
        return Tokenized(name, float(rate), int(size) if size else None)
    except ValueError as error:
        raise InputError(
            f"--bytes-per-token {text}: give NAME=X or NAME=X/V, e.g. mine=4.1/128000"
        ) from error


def advice_text(advice: "Advice") -> str:
    """Return the answer for people."""
    question, place = advice.question, advice.placement
    lines = [
        f"{question.compute_flops:g} FLOPs, {place.language} ({place.basis}), "
        f"{question.family} models, {question.setting}"
    ]
    for label, one in (
        ("compression rate T*", advice.compression_rate_opt),
        ("parameters N*", advice.params_opt),
        ("training bytes B*", advice.train_bytes_opt),
        ("tokens", advice.tokens),
        ("bytes per parameter", advice.bytes_per_param_opt),
        ("loss L*", advice.bits_per_byte_opt),
        ("training", advice.training_days),
        ("serving", advice.inference_flops_per_byte),
        ("granularity", advice.granularity),
    ):
        lines.append(f"  {label:<22}{_shown(one)}")
    lines.append(f"  {advice.granularity_note}")
    if advice.second_opinion is not None:
        second = advice.second_opinion
        lines.append("by the joint law of all runs:")
        lines.append(f"  {'compression rate T*':<22}{_shown(second.compression_rate_opt)}")
        lines.append(f"  {'training bytes B*':<22}{_shown(second.train_bytes_opt)}")
        lines.append(f"  {'loss L*':<22}{_shown(second.bits_per_byte_opt)}")
    for price in advice.tokenizers:
        lines.append(f"{price.name}: {price.bytes_per_token:.4g} bytes per token")
        lines.append(f"  {'distance':<22}{_shown(price.rate_over_best)}")
        lines.append(f"  {'price':<22}{_shown(price.price_bits_per_byte)}")
        lines.append(f"  {'bought back by':<22}{_shown(price.compute_multiplier)}")
        lines.append(f"  {'serving':<22}{_shown(price.inference_flops_per_byte)}")
        if price.joint_price_bits_per_byte is not None:
            lines.append(f"  {'price, joint law':<22}{_shown(price.joint_price_bits_per_byte)}")
        if price.note:
            lines.append(f"  {price.note}")
    lines.append("loss against serving (rate, bits per byte, FLOPs per byte):")
    for point in advice.frontier:
        mark = "" if point.efficient else "  (beaten)"
        lines.append(
            f"  {point.compression_rate:8.2f}{point.bits_per_byte:10.4f}"
            f"{point.inference_flops_per_byte:12.3g}{mark}"
        )
    for name, factor in advice.outside.items():
        lines.append(f"{name} lies outside the fitted data by a factor of {factor:.3g}")
    return "\n".join([*lines, *advice.notes])


def _shown(one: "Estimate") -> str:
    if one.value is None:
        return f"unknown ({one.unit})"
    ends = "" if one.low is None and one.high is None else f" [{_end(one.low)}, {_end(one.high)}]"
    return f"{one.value:.4g}{ends} {one.unit}"


def _end(value: float | None) -> str:
    return "unbounded" if value is None else f"{value:.4g}"
