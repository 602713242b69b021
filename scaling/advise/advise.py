"""From laws to a decision: which compression, size and data, and what another tokenizer costs.

Everything is computed for the estimate and for every bootstrap draw of the two laws at once (and
for every draw of the language's place), so that each number carries the interval of the whole
chain.
"""

import numpy as np

from corpora.errors import InputError
from scaling.advise.allocate import price, vocabulary_for_rate
from scaling.advise.answer import Advice, Estimate, Point, Question, Tokenized, TokenizerPrice
from scaling.advise.forecast import (
    Desk,
    estimate,
    interval,
    joint_cloud,
    joint_price,
    second_opinion,
    set_out,
)
from scaling.advise.laws import Cloud, FamilyLaws, anchor_spread, family_laws
from scaling.advise.placement import Placement, place, trained
from scaling.engine.newton import Array
from scaling.flops import TRAINING_FACTOR, training_days
from scaling.published import tables

BUDGETS = (1e12, 1e30)  # FLOPs; beyond them no law here means anything
LONGEST = 1e4  # bytes per token
FRONTIER = 2.0 ** np.arange(-1.0, 2.01, 0.5)  # rates shown, over T*


def advise(question: Question) -> Advice:
    """Return the decision for a budget, a language and a family.

    Raises:
        InputError: a number that cannot be, an unknown name, or a language that cannot be placed.
    """
    _check(question)
    laws = family_laws(question.family, question.law1, question.law2, question.language)
    if laws.own1 and laws.own2:
        placement = trained(question.language, "both laws are of the language's own runs")
    else:
        placement = place(
            tables.table(tables.LANGUAGES),
            question.language,
            question.parity,
            question.setting,
            anchor_spread(),
        )
    desk = set_out(question, laws, placement)
    rate = desk.best_rate
    best = desk.spend(rate, desk.vocabulary)
    days = training_days(question.compute_flops, question.gpu, question.utilisation, question.gpus)
    size, size_note = _granularity(question, rate)
    shipped = question.law1 is None and question.law2 is None
    joint = joint_cloud() if question.family == "latent" and shipped else None
    return Advice(
        question=question,
        placement=placement,
        laws=laws.note,
        compression_rate_opt=estimate(rate, "bytes per token"),
        params_opt=estimate(best.params, "parameters of the global module"),
        train_bytes_opt=estimate(best.train_bytes, "bytes"),
        tokens=estimate(best.train_bytes / rate, "tokens"),
        bytes_per_param_opt=estimate(best.train_bytes / best.params, "bytes per parameter"),
        bits_per_byte_opt=estimate(desk.loss(rate), "bits per byte"),
        training_days=Estimate(
            days,
            None,
            None,
            f"days on {question.gpus} {question.gpu} at {question.utilisation:.0%} of the peak, "
            "exact for that budget and utilisation",
        ),
        inference_flops_per_byte=estimate(best.forward_flops_per_byte, "FLOPs per byte"),
        granularity=size,
        granularity_note=size_note,
        tokenizers=tuple(_price(desk, one, joint) for one in question.tokenizers),
        frontier=_frontier(desk),
        second_opinion=None if joint is None else second_opinion(joint, desk),
        outside=desk.outside(rate),
        notes=_notes(question, placement, laws, float(rate[0])),
    )


def _check(question: Question) -> None:
    low, high = BUDGETS
    if not low <= question.compute_flops <= high:
        raise InputError(
            f"--compute {question.compute_flops:g}: a positive number of FLOPs, {low:g} to {high:g}"
        )
    names = [one.name for one in question.tokenizers]
    for one in question.tokenizers:
        if not 1 <= one.bytes_per_token <= LONGEST:
            raise InputError(
                f"{one.name}: {one.bytes_per_token} bytes per token cannot be (1 to {LONGEST:g})"
            )
        if one.vocabulary_size is not None and one.vocabulary_size < 1:
            raise InputError(f"{one.name}: a vocabulary of {one.vocabulary_size} ids cannot be")
        if names.count(one.name) > 1:
            raise InputError(f"{one.name}: two tokenizers of that name; name them apart")


def _price(desk: Desk, tokenizer: Tokenized, joint: Cloud | None) -> TokenizerPrice:
    rate = np.full_like(desk.best_rate, tokenizer.bytes_per_token)
    cost = price(desk.law2, desk.budget, rate / desk.rate_ratio, desk.loss_ratio)
    vocabulary = desk.vocabulary
    if vocabulary is not None and tokenizer.vocabulary_size is not None:
        vocabulary = tokenizer.vocabulary_size
    served = desk.spend(rate, vocabulary).forward_flops_per_byte
    notes = [
        f"{name} lies outside the fitted data by a factor of {factor:.3g}"
        for name, factor in desk.outside(rate).items()
    ]
    if not np.isfinite(cost.multiplier[0]):
        notes.append("no budget a million times as large reaches the best rate's bits per byte")
    second = None
    if joint is not None:
        second = estimate(joint_price(joint, desk, tokenizer.bytes_per_token), "bits per byte")
    return TokenizerPrice(
        name=tokenizer.name,
        bytes_per_token=tokenizer.bytes_per_token,
        rate_over_best=estimate(rate / desk.best_rate, "of T*"),
        price_bits_per_byte=estimate(cost.bits_per_byte, "bits per byte"),
        compute_multiplier=estimate(cost.multiplier, "times the budget"),
        bits_per_byte=estimate(desk.loss(rate), "bits per byte"),
        inference_flops_per_byte=estimate(served, "FLOPs per byte"),
        joint_price_bits_per_byte=second,
        note="; ".join(notes),
    )


def _frontier(desk: Desk) -> tuple[Point, ...]:
    """Return better loss against cheaper serving, at rates around T*."""
    alone = desk.alone()
    points = []
    for factor in FRONTIER:
        rate = alone.best_rate * factor
        if rate[0] < 1:
            continue  # no token is shorter than a byte
        spent = alone.spend(rate, desk.vocabulary)
        points.append(
            Point(
                float(rate[0]),
                float(alone.loss(rate)[0]),
                float(spent.params[0]),
                float(spent.train_bytes[0]),
                float(spent.forward_flops_per_byte[0]),
                True,
            )
        )
    return tuple(one._replace(efficient=not _beaten(one, points)) for one in points)


def _beaten(one: Point, points: list[Point]) -> bool:
    return any(
        other.bits_per_byte <= one.bits_per_byte
        and other.inference_flops_per_byte < one.inference_flops_per_byte
        for other in points
    )


def _granularity(question: Question, rate: Array) -> tuple[Estimate, str]:
    """Return the patch size, or the vocabulary, that gives T* on the corpus."""
    if question.family == "latent":
        return estimate(rate, "bytes per patch"), "patches of T* bytes; entropy patches on average"
    nothing = Estimate(None, None, None, "ids")
    if question.curve is None:
        return nothing, "needs a corpus, and a tokenizer whose vocabulary can be cut to sizes"
    sizes = [
        None if one is None else vocabulary_for_rate(one, question.curve)
        for one in (float(rate[0]), *interval(rate))
    ]
    if sizes[0] is None:
        ends = [one for _, one in question.curve]
        note = (
            f"T* {rate[0]:.3g} lies outside what its vocabularies reach on this corpus, "
            f"{min(ends):.3g} to {max(ends):.3g} bytes per token"
        )
        return nothing, note
    return Estimate(sizes[0], sizes[1], sizes[2], "ids"), "read off the vocabulary curve at T*"


def _notes(
    question: Question, placement: Placement, laws: FamilyLaws, best_rate: float
) -> tuple[str, ...]:
    notes = [laws.note, placement.note]
    if best_rate < 1:
        notes.append(f"T* of {best_rate:.3g} lies outside what a tokenizer can be: 1 byte or more")
    if question.tokenizers and question.family == "latent":
        notes.append(
            "the latent law is of byte patches; `--family subword` asks that of subword tokenizers"
        )
    if laws.own1 != laws.own2:
        own, other = ("Law I", "Law II") if laws.own1 else ("Law II", "Law I")
        notes.append(
            f"{own} is of the language's own runs; "
            f"its ratios to English are applied to {other} only"
        )
    elif placement.basis != "runs":
        notes.append("T*'s drift, Law I's exponents and the shape of the price are English's")
    if placement.basis != "runs" and question.family == "subword":
        notes.append("the language's ratios to English are those of byte latent models")
    if question.law1 is not None:
        # A fit does not hold its runs' shapes, and small grids keep their local modules small.
        notes.append(
            "N*, B* and serving are of the paper's shapes, whose local modules take most of a "
            "small budget; runs of other shapes have other ones"
        )
    notes.append(
        f"training costs {TRAINING_FACTOR} times the forward FLOPs of the paper's shapes; "
        "intervals are of the laws, not of a single training run"
    )
    return tuple(notes)
