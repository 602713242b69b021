"""From laws to a decision: which compression, size and data, and what another tokenizer costs.

Everything is computed for the estimate and for every bootstrap draw of the two laws at once (and
for every draw of the language's place), so that each number carries the interval of the whole
chain.
"""

import numpy as np

from corpora.errors import InputError
from scaling.advise.allocate import params_for_cost, shape_of, vocabulary_for_rate
from scaling.advise.answer import Advice, Question, disagreements
from scaling.advise.bounds import check, extrapolation
from scaling.advise.estimate import Estimate
from scaling.advise.forecast import Forecast, forecast, joint_law_forecast
from scaling.advise.laws import (
    Draws,
    FamilyLaws,
    family_laws,
    joint_law_draws,
    joint_law_estimate,
    joint_law_range,
)
from scaling.advise.place_by_fit import place_by_fit
from scaling.advise.placement import Placement, place_language, trained
from scaling.advise.serving import ServingAdvice, served_by_form, serving_advice
from scaling.advise.serving_case import ServingCase, serving_case
from scaling.advise.tokenizer_price import (
    TaskErrors,
    capped,
    frontier,
    task_errors,
    tokenizer_price,
)
from scaling.flops import TRAINING_FACTOR, training_days

OTHER_FORM = "widening"  # of the joint law: nearer to runs far from the best size, held out or not
_POINTS_OF_TRAINING = (
    "points of accuracy are of a budget that trains alone, as all prices are that do not say served"
)


def answer_question(question: Question) -> Advice:
    """Return the answer to a question whose tokenizers are measured.

    Raises:
        InputError: a number that cannot be, an unknown name, a language that cannot be placed, or
            laws of the user's that tell nothing of that budget.
    """
    check(question)
    own = (question.law1, question.law2, question.languages, question.downstream)
    # A draw of such a law that overflows is no number, and leaves an interval out; ours do not.
    with np.errstate(all=None if own == (None,) * 4 else "ignore"):
        return _answer(question)


def _answer(question: Question) -> Advice:
    laws = family_laws(question.family, question.law1, question.law2, question.language)
    if laws.law1.of_language and laws.law2.of_language:
        placement = trained(question.language, "both laws are of the language's own runs")
    elif question.languages is not None:
        placement = place_by_fit(
            question.languages, question.language, question.parity, question.setting
        )
    else:
        placement = place_language(question.language, question.parity, question.setting)
    ahead = forecast(question.compute_flops, laws, placement)
    rate = ahead.best_rate
    best = ahead.allocate(rate, ahead.vocabulary_size)
    loss = ahead.loss(rate)
    found = np.array([part[0] for part in (rate, best.params, best.train_bytes, loss)])
    if not (np.isfinite(found) & (found > 0)).all():
        raise InputError(
            f"`laws`: those given tell no T*, N*, B* or loss of {question.compute_flops:g} FLOPs;"
            " fit again, or leave them out"
        )
    days = training_days(question.compute_flops, question.gpu, question.utilisation, question.gpus)
    on = f"{question.gpus} {question.gpu} at {question.utilisation:.0%} of the peak"
    best_rate = Estimate.of(rate, "bytes per token")
    granularity, granularity_note = _granularity(question, best_rate)
    extrapolated = extrapolation(question, laws, best)
    shipped = question.law1 is None and question.law2 is None
    joint = joint_law_draws() if question.family == "latent" and shipped else None
    second = None if joint is None else joint_law_forecast(joint, ahead)
    errors = None if question.downstream is None else task_errors(question.downstream)
    case = _serving_case(question, ahead, joint)
    prices = tuple(
        tokenizer_price(ahead, part, joint, errors, case) for part in question.tokenizers
    )
    serving = _serving(question, ahead, case, errors)
    wanted = None if serving is None else serving.compression_rate_opt.value
    wanted = float(rate[0]) if wanted is None else wanted
    ours = {
        "compression_rate_opt": best_rate,
        "train_bytes_opt": Estimate.of(best.train_bytes, "bytes"),
        "bits_per_byte_opt": Estimate.of(loss, "bits per byte"),
    }
    return Advice(
        question=question,
        placement=placement,
        laws=laws.note,
        cautions=(
            *extrapolated,
            *disagreements(ours, second, prices),
            *([placement.beyond] if placement.beyond else []),
            *capped(question, wanted),
            *([] if errors is None else errors.cautions(loss, question.language)),
            *([] if serving is None else serving.cautions()),
        ),
        params_opt=Estimate.of(best.params, "parameters of the global module"),
        tokens=Estimate.of(best.train_bytes / rate, "tokens"),
        bytes_per_param_opt=Estimate.of(best.train_bytes / best.params, "bytes per parameter"),
        training_days=Estimate(
            days, None, None, f"days on {on}, exact for that budget and utilisation"
        ),
        inference_flops_per_byte=Estimate.of(best.forward_flops_per_byte, "FLOPs per byte"),
        error_opt=None if errors is None else errors.at(loss),
        shape=shape_of(float(best.params[0]), ahead.vocabulary_size),
        granularity=granularity,
        granularity_note=granularity_note,
        vocabulary_opt=vocabulary_for_rate(float(rate[0]), question.curve or ()),
        tokenizers=prices,
        frontier=frontier(ahead.first(1)),
        second_opinion=second,
        serving=serving,
        outside=ahead.outside(rate),
        notes=(
            *_notes(question, placement, laws, float(rate[0])),
            *([] if errors is None else [errors.note]),
            *([] if errors is None or case is None else [_POINTS_OF_TRAINING]),
        ),
        **ours,
    )


def _serving_case(question: Question, ahead: Forecast, joint: Draws | None) -> ServingCase | None:
    """Return the budget that pays for serving, with its optimum; None where that was not asked."""
    if not question.serve_bytes and question.reach is None:
        if question.serve_bytes_per_pass is not None:
            raise InputError("`serve_bytes_per_pass` counts bytes served: give `serve_bytes`, too")
        if question.serve_price != 1:
            raise InputError("`serve_price` is of bytes served: give `serve_bytes`, too")
        return None
    if joint is None:
        raise InputError(
            "`serve_bytes` and `reach` rest on the joint law, which is of the shipped runs of byte"
            " latent models: leave out `family` and laws of your own"
        )
    case = _case_by(joint, question, ahead)
    case.check()
    return case


def _case_by(joint: Draws, question: Question, ahead: Forecast) -> ServingCase:
    return serving_case(
        joint,
        ahead.first(len(joint["E"])).draws,
        compute_flops=question.compute_flops,
        served_bytes=question.serve_bytes,
        served_price=question.serve_price,
        reach=question.reach,
        bytes_per_pass=question.serve_bytes_per_pass,
    )


def _serving(
    question: Question, ahead: Forecast, case: ServingCase | None, errors: TaskErrors | None
) -> ServingAdvice | None:
    if case is None:
        return None
    task_error = None if errors is None else errors.at
    other = _case_by(joint_law_estimate(OTHER_FORM), question, ahead)
    told = serving_advice(case, joint_law_range(), params_for_cost, question.reach, task_error)
    rate = told.compression_rate_opt.value or 0.0
    return told._replace(
        vocabulary_opt=vocabulary_for_rate(rate, question.curve or ()),
        other_form=served_by_form(OTHER_FORM, other),
    )


def _granularity(question: Question, rate: Estimate) -> tuple[Estimate, str]:
    """Return the patch size, or the vocabulary, that gives T* on the corpus."""
    if question.family == "latent":
        note = "patches of T* bytes; entropy patches on average"
        return rate._replace(unit="bytes per patch"), note
    nothing = Estimate(None, None, None, "ids")
    if question.curve is None:
        return nothing, "needs a corpus, and a tokenizer whose vocabulary can be cut to sizes"
    size, low, high = (
        None if end is None else vocabulary_for_rate(end, question.curve)
        for end in (rate.value, rate.low, rate.high)
    )
    if size is None:
        reached = [bytes_per_token for _, bytes_per_token in question.curve]
        return nothing, (
            f"T* {rate.value:.3g} lies outside what its vocabularies reach on this corpus, "
            f"{min(reached):.3g} to {max(reached):.3g} bytes per token"
        )
    return Estimate(size, low, high, "ids"), "read off the vocabulary curve at T*"


def _notes(
    question: Question, placement: Placement, laws: FamilyLaws, best_rate: float
) -> tuple[str, ...]:
    notes = [laws.note, placement.note]
    if best_rate < 1:
        notes.append(f"T* of {best_rate:.3g} lies outside what a tokenizer can be: 1 byte or more")
    if question.tokenizers and question.family == "latent":
        notes.append(
            "the latent law is of byte patches; the family `subword` is of subword tokenizers"
        )
    if laws.law1.of_language != laws.law2.of_language:
        names = ("Law I", "Law II") if laws.law1.of_language else ("Law II", "Law I")
        notes.append(
            f"{names[0]} is of the language's own runs; "
            f"its ratios to English are applied to {names[1]} only"
        )
    elif placement.basis != "runs":
        notes.append("T*'s drift, Law I's exponents and the shape of the price are English's")
    if placement.basis in ("measured", "analogy") and question.family == "subword":
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
