"""A question about what to train, and its answer."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from scaling.advise.placement import ENGLISH, Placement
from scaling.result import FitResult


class Tokenized(NamedTuple):
    """A tokenizer as measured on the corpus in question.

    Attributes:
        name: of the tokenizer.
        bytes_per_token: measured there.
        vocabulary_size: V, for what its embedding and head cost; None for the family's default.
    """

    name: str
    bytes_per_token: float
    vocabulary_size: int | None = None


class Question(NamedTuple):
    """What is asked.

    Attributes:
        compute_flops: budget C.
        language: its code.
        family: `latent` or `subword`.
        setting: `monolingual`, or `joint` for one model of many languages.
        parity: measured bytes per English byte, for a language without runs.
        tokenizers: those whose price is asked.
        curve: (vocabulary size, bytes per token) on the corpus, from which the vocabulary that
            gives T* is read; None where it was not measured.
        gpu, utilisation, gpus: what trains.
        law1, law2: own fits, in place of the shipped laws.
    """

    compute_flops: float
    language: str = ENGLISH
    family: str = "latent"
    setting: str = "monolingual"
    parity: float | None = None
    tokenizers: Sequence[Tokenized] = ()
    curve: Sequence[tuple[int, float]] | None = None
    gpu: str = "h100"
    utilisation: float = 0.4
    gpus: int = 1
    law1: FitResult | None = None
    law2: FitResult | None = None


class Estimate(NamedTuple):
    """A number, the ends of its interval (None where there is none), and its unit."""

    value: float | None
    low: float | None
    high: float | None
    unit: str


class Point(NamedTuple):
    """One rate of the frontier between training and serving.

    Attributes:
        compression_rate: T. bits_per_byte: reached there by the budget.
        params, train_bytes: what the budget trains there.
        inference_flops_per_byte: what serving it costs.
        efficient: whether no other rate shown is at least as good in both.
    """

    compression_rate: float
    bits_per_byte: float
    params: float
    train_bytes: float
    inference_flops_per_byte: float
    efficient: bool


class TokenizerPrice(NamedTuple):
    """What keeping a tokenizer costs.

    Attributes:
        name, bytes_per_token: as measured.
        rate_over_best: its bytes per token over T*.
        price_bits_per_byte: bits per byte lost against T* at this budget.
        compute_multiplier: of the budget that would buy them back; None and a note where nothing
            within a millionfold does.
        bits_per_byte: reached with it.
        inference_flops_per_byte: what serving costs with it.
        joint_price_bits_per_byte: the same price by the joint law; None for a family it was not
            fitted to.
        note: why a number is missing, or how far the rate lies outside the fitted ones.
    """

    name: str
    bytes_per_token: float
    rate_over_best: Estimate
    price_bits_per_byte: Estimate
    compute_multiplier: Estimate
    bits_per_byte: Estimate
    inference_flops_per_byte: Estimate
    joint_price_bits_per_byte: Estimate | None
    note: str


class SecondOpinion(NamedTuple):
    """What the joint law, fitted to every run, says of the same question."""

    compression_rate_opt: Estimate
    train_bytes_opt: Estimate
    bits_per_byte_opt: Estimate


class Advice(NamedTuple):
    """The answer.

    Attributes:
        question: as asked. placement: where the language lies. laws: what the answer stands on.
        compression_rate_opt .. inference_flops_per_byte: T*, N* (global module), B*, tokens, rho*,
            L*, training days, and what serving costs.
        granularity: the patch size, or vocabulary, that gives T*.
        tokenizers: the price of each one asked about.
        frontier: better loss against cheaper serving.
        second_opinion: T*, B* and L* by the joint law; None for a family it was not fitted to.
        outside: by what factor the answer leaves the fitted data, by input.
        notes: what is assumed.
    """

    question: Question
    placement: Placement
    laws: str
    compression_rate_opt: Estimate
    params_opt: Estimate
    train_bytes_opt: Estimate
    tokens: Estimate
    bytes_per_param_opt: Estimate
    bits_per_byte_opt: Estimate
    training_days: Estimate
    inference_flops_per_byte: Estimate
    granularity: Estimate
    granularity_note: str
    tokenizers: tuple[TokenizerPrice, ...]
    frontier: tuple[Point, ...]
    second_opinion: SecondOpinion | None
    outside: dict[str, float]
    notes: tuple[str, ...]


def advice_json(advice: Advice) -> dict[str, Any]:
    """Return the answer as the command prints it."""
    question = advice.question._asdict()
    for law in ("law1", "law2"):
        fit = question[law]
        question[law] = None if fit is None else fit.data
    question["tokenizers"] = [one._asdict() for one in advice.question.tokenizers]
    plain = {
        name: value._asdict() if isinstance(value, Estimate) else value
        for name, value in advice._asdict().items()
    }
    return {
        **plain,
        "question": question,
        "placement": advice.placement._asdict(),
        "tokenizers": [_nested(one) for one in advice.tokenizers],
        "frontier": [one._asdict() for one in advice.frontier],
        "second_opinion": None if advice.second_opinion is None else _nested(advice.second_opinion),
    }


def _nested(one: TokenizerPrice | SecondOpinion) -> dict[str, Any]:
    return {
        name: value._asdict() if isinstance(value, Estimate) else value
        for name, value in one._asdict().items()
    }
