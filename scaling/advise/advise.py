"""From laws to a decision: which compression, size and data, and what another tokenizer costs.

Everything is computed for the estimate and for every bootstrap draw of the two laws at once (and
for every draw of the language's place), so that each number carries the interval of the whole
chain.
"""

from collections.abc import Iterable, Mapping
from os import PathLike

import numpy as np

from corpora.arguments import flag, listed, real, refused, whole, word
from corpora.corpus import Corpus, Texts
from corpora.errors import InputError
from scaling.advise.allocate import (
    Allocation,
    params_for_cost,
    shape_of,
    vocabulary_for_rate,
)
from scaling.advise.answer import (
    Advice,
    FrontierPoint,
    MeasuredTokenizer,
    Question,
    TokenizerPrice,
    disagreements,
    outside_notes,
)
from scaling.advise.estimate import Estimate
from scaling.advise.forecast import Forecast, forecast, joint_law_forecast, joint_law_price
from scaling.advise.laws import (
    Draws,
    FamilyLaws,
    family_laws,
    joint_law_draws,
    joint_law_range,
    language_of,
)
from scaling.advise.placement import ENGLISH, Placement, place_language, trained, trained_code
from scaling.advise.sample import curve_points, measure_sample
from scaling.advise.serving import ServingAdvice, serving_advice
from scaling.fits.results import Fits
from scaling.flops import TRAINING_FACTOR, training_days
from scaling.result import FitResult
from tokenize_lab.vocabulary_curves.job import VocabCurves

# Fits of Law I and Law II, or either: as they are, several, or by the law's name.
GivenLaws = FitResult | Fits | Iterable[FitResult | Fits] | Mapping[str, FitResult | Fits] | None
BUDGETS = (1e12, 1e30)  # FLOPs; beyond them no law here means anything
LONGEST = 1e4  # bytes per token
LARGEST_SERVED = 1e24  # bytes
EXTRAPOLATED, REFUSED = 10, 1000  # times beyond the budgets fitted: said first, and refused
FRONTIER = 2.0 ** np.arange(-1.0, 2.01, 0.5)  # rates shown, over T*


def advise(
    compute_flops: float,
    language: str = ENGLISH,
    *,
    tokenizers: object = (),
    corpus: str | PathLike[str] | Corpus | Texts | None = None,
    family: str = "latent",
    setting: str = "monolingual",
    parity: float | None = None,
    curve: VocabCurves | Iterable[tuple[int, float]] | None = None,
    laws: GivenLaws = (),
    gpu: str = "h100",
    utilisation: float = 0.4,
    gpus: int = 1,
    far: bool = False,
    serve_bytes: float = 0.0,
    serve_price: float = 1.0,
    reach: float | None = None,
) -> Advice:
    """Return what to train with a budget, and what tokenizers cost.

    A language that was never trained is placed by its parity; the answer then says that it is an
    analogy, and is less sure.

    Args:
        compute_flops: training budget C, FLOPs.
        language: its code, e.g. `hin_Deva`.
        tokenizers: one or several whose price is wanted, or a mapping of names: specs, tokenizers
            of this or other libraries (as `tl.load` takes them), or, where one was measured
            elsewhere, its name, bytes per token and vocabulary size (which may be left out) as a
            tuple.
        corpus: text in that language, to measure tokenizers on: a spec, a corpus, or strings; the
            embedded corpus by default. Its parity is used where it is parallel to English.
        family: `latent` (byte latent transformers) or `subword`.
        setting: `monolingual`, or `joint` for one model of many languages.
        parity: bytes per byte of English, for a language without runs.
        curve: (vocabulary size, bytes per token) on the corpus, or what `tl.vocab_curve` returns
            for one tokenizer and language; measured there if not given.
        laws: fits of Law I and Law II (or either) of one's own runs, in place of the shipped ones:
            what `tl.fit` returns, several of it, or a mapping from `law1` and `law2`; of several
            languages, those of `language` are taken.
        gpu, utilisation, gpus: what trains, at which share of its bf16 peak, and how many.
        serve_bytes, serve_price: bytes to be read and written once trained, and what a FLOP of that
            costs beside one of training; the budget then pays for both.
        reach: bits per byte to be reached at the least cost, serving included.
        far: answer for a budget that lies more than a thousand times beyond those fitted.

    Raises:
        InputError: a number that cannot be, an unknown name, a language that cannot be placed, or
            a budget far from any that was fitted.
    """
    compute_flops, language = real("compute_flops", compute_flops), word("language", language)
    language = trained_code(language) or language
    utilisation, gpus = real("utilisation", utilisation), whole("gpus", gpus)
    parity = None if parity is None else real("parity", parity)
    chosen = _chosen(laws, language)
    points = None if curve is None else curve_points(curve)
    measured = measure_sample(language, corpus, tokenizers, with_curve=True)
    return answer(
        Question(
            compute_flops=compute_flops,
            language=language,
            family=family,
            setting=setting,
            parity=measured.parity if parity is None else parity,
            tokenizers=measured.tokenizers,
            curve=measured.curve if points is None else points,
            gpu=gpu,
            utilisation=utilisation,
            gpus=gpus,
            law1=chosen.get("law1"),
            law2=chosen.get("law2"),
            far=flag("far", far),
            serve_bytes=real("serve_bytes", serve_bytes, 0, LARGEST_SERVED),
            serve_price=real("serve_price", serve_price, 0),
            reach=None if reach is None else real("reach", reach, 0),
        )
    )


def _chosen(laws: GivenLaws, language: str) -> dict[str, FitResult]:
    """Return one fit of either law, the language's own where there are several."""
    fits: list[tuple[str, FitResult]] = []
    if isinstance(laws, FitResult | Fits):
        laws = [laws]
    named = (
        laws.items()
        if isinstance(laws, Mapping)
        else [("", part) for part in listed("laws", laws or ())]
    )
    for name, given in named:
        if not isinstance(given, FitResult | Fits):
            raise refused("laws", given, "what `fit` returns")
        parts = [given] if isinstance(given, FitResult) else given
        fits += ((name or fit.law, fit) for fit in parts)
    chosen = {}
    for law in dict.fromkeys(law for law, _ in fits):
        if law not in ("law1", "law2"):
            raise InputError(f"`laws`: a fit of {law}; give fits of law1 and law2")
        same = [fit for name, fit in fits if name == law]
        if len(same) > 1:
            same = [fit for fit in same if language_of(fit) == language]
        if len(same) != 1:
            raise InputError(f"`laws`: {len(same)} fits of {law} for {language}; give one")
        chosen[law] = same[0]
    return chosen


def answer(question: Question) -> Advice:
    """Return the answer to a question whose tokenizers are measured.

    Raises:
        InputError: a number that cannot be, an unknown name, or a language that cannot be placed.
    """
    _check(question)
    laws = family_laws(question.family, question.law1, question.law2, question.language)
    if laws.law1.of_language and laws.law2.of_language:
        placement = trained(question.language, "both laws are of the language's own runs")
    else:
        placement = place_language(question.language, question.parity, question.setting)
    ahead = forecast(question.compute_flops, laws, placement)
    rate = ahead.best_rate
    best = ahead.allocate(rate, ahead.vocabulary_size)
    days = training_days(question.compute_flops, question.gpu, question.utilisation, question.gpus)
    on = f"{question.gpus} {question.gpu} at {question.utilisation:.0%} of the peak"
    best_rate = Estimate.of(rate, "bytes per token")
    granularity, granularity_note = _granularity(question, best_rate)
    extrapolated = _extrapolation(question, laws, best)
    shipped = question.law1 is None and question.law2 is None
    joint = joint_law_draws() if question.family == "latent" and shipped else None
    second = None if joint is None else joint_law_forecast(joint, ahead)
    prices = tuple(_price(ahead, tokenizer, joint) for tokenizer in question.tokenizers)
    ours = {
        "compression_rate_opt": best_rate,
        "train_bytes_opt": Estimate.of(best.train_bytes, "bytes"),
        "bits_per_byte_opt": Estimate.of(ahead.loss(rate), "bits per byte"),
    }
    return Advice(
        question=question,
        placement=placement,
        laws=laws.note,
        cautions=(
            *extrapolated,
            *disagreements(ours, second, prices),
            *([placement.beyond] if placement.beyond else []),
        ),
        params_opt=Estimate.of(best.params, "parameters of the global module"),
        tokens=Estimate.of(best.train_bytes / rate, "tokens"),
        bytes_per_param_opt=Estimate.of(best.train_bytes / best.params, "bytes per parameter"),
        training_days=Estimate(
            days, None, None, f"days on {on}, exact for that budget and utilisation"
        ),
        inference_flops_per_byte=Estimate.of(best.forward_flops_per_byte, "FLOPs per byte"),
        shape=shape_of(float(best.params[0]), ahead.vocabulary_size),
        granularity=granularity,
        granularity_note=granularity_note,
        vocabulary_opt=vocabulary_for_rate(float(rate[0]), question.curve or ()),
        tokenizers=prices,
        frontier=_frontier(ahead.first(1)),
        second_opinion=second,
        serving=_serving(question, ahead, joint),
        outside=ahead.outside(rate),
        notes=_notes(question, placement, laws, float(rate[0])),
        **ours,
    )


def _serving(question: Question, ahead: Forecast, joint: Draws | None) -> ServingAdvice | None:
    """Return what to train when serving is paid for; None where that was not asked."""
    if not question.serve_bytes and question.reach is None:
        return None
    if joint is None:
        raise InputError(
            "`serve_bytes` and `reach` rest on the joint law, which is of the shipped runs of byte"
            " latent models: leave out `family` and `laws`"
        )
    return serving_advice(
        joint,
        ahead.first(len(joint["E"])).draws,
        joint_law_range(),
        params_for_cost,
        compute_flops=question.compute_flops,
        served_bytes=question.serve_bytes,
        served_price=question.serve_price,
        reach=question.reach,
    )


def _extrapolation(question: Question, laws: FamilyLaws, best: Allocation) -> list[str]:
    """Return that the budget is an extrapolation, where it is ten times beyond those fitted.

    Raises:
        InputError: it is a thousand times beyond them, and not asked for as such.
    """
    cautions = []
    latent = float(6 * best.params[0] * best.train_bytes[0] / best.compression_rate[0])
    for name, law, key, spent in (
        ("Law II", laws.law2, "compute_flops", question.compute_flops),
        ("Law I", laws.law1, "latent_flops", latent),
    ):
        low, high = law.fit.data_range.get(key, (spent, spent))
        factor, side, end = max((spent / high, "largest", high), (low / spent, "smallest", low))
        if factor <= EXTRAPOLATED:
            continue
        what = "FLOPs" if key == "compute_flops" else "FLOPs of the latent module"
        where = (
            f"{spent:.3g} {what} is {factor:,.0f} times {'above' if side == 'largest' else 'below'}"
            f" the {side} that {name} was fitted to, {end:.3g}"
        )
        if factor > REFUSED and not question.far:
            raise InputError(
                f"`compute_flops`: {where}; no law is known to hold so far, and `far` answers all"
                " the same"
            )
        cautions.append(f"an extrapolation: {where}; intervals do not hold what may change beyond")
    return cautions


def _check(question: Question) -> None:
    low, high = BUDGETS
    if not low <= question.compute_flops <= high:
        raise InputError(
            f"`compute_flops` {question.compute_flops:g}: a positive number of FLOPs, {low:g} to"
            f" {high:g}"
        )
    names = [tokenizer.name for tokenizer in question.tokenizers]
    for name, bytes_per_token, size, _ in question.tokenizers:
        if not 1 <= bytes_per_token <= LONGEST:
            what = f"{bytes_per_token} bytes per token cannot be (1 to {LONGEST:g})"
            raise InputError(f"{name}: {what}")
        if size is not None and size < 1:
            raise InputError(f"{name}: a vocabulary of {size} ids cannot be")
        if names.count(name) > 1:
            raise InputError(f"{name}: two tokenizers of that name; name them apart")


def _price(ahead: Forecast, tokenizer: MeasuredTokenizer, joint: Draws | None) -> TokenizerPrice:
    rate = np.full_like(ahead.best_rate, tokenizer.bytes_per_token)
    cost = ahead.price(rate)
    vocabulary_size = ahead.vocabulary_size
    if vocabulary_size is not None and tokenizer.vocabulary_size is not None:
        vocabulary_size = tokenizer.vocabulary_size
    served = ahead.allocate(rate, vocabulary_size).forward_flops_per_byte
    notes = [*filter(None, [tokenizer.warning]), *outside_notes(ahead.outside(rate))]
    if not np.isfinite(cost.multiplier[0]):
        notes.append("no budget a million times as large reaches the best rate's bits per byte")
    joint_price = None
    if joint is not None:
        lost = joint_law_price(joint, ahead, tokenizer.bytes_per_token)
        joint_price = Estimate.of(lost, "bits per byte")
    return TokenizerPrice(
        name=tokenizer.name,
        bytes_per_token=tokenizer.bytes_per_token,
        rate_over_best=Estimate.of(rate / ahead.best_rate, "of T*"),
        price_bits_per_byte=Estimate.of(cost.bits_per_byte, "bits per byte"),
        compute_multiplier=Estimate.of(cost.multiplier, "times the budget"),
        bits_per_byte=Estimate.of(ahead.loss(rate), "bits per byte"),
        inference_flops_per_byte=Estimate.of(served, "FLOPs per byte"),
        joint_price_bits_per_byte=joint_price,
        note="; ".join(notes),
    )


def _frontier(ahead: Forecast) -> tuple[FrontierPoint, ...]:
    """Return better loss against cheaper serving, at rates around T*."""
    points = []
    for factor in FRONTIER:
        rate = ahead.best_rate * factor
        if rate[0] < 1:
            continue  # no token is shorter than a byte
        chosen = ahead.allocate(rate, ahead.vocabulary_size)
        points.append(
            FrontierPoint(
                compression_rate=float(rate[0]),
                bits_per_byte=float(ahead.loss(rate)[0]),
                params=float(chosen.params[0]),
                train_bytes=float(chosen.train_bytes[0]),
                inference_flops_per_byte=float(chosen.forward_flops_per_byte[0]),
            )
        )

    def beaten(point: FrontierPoint) -> bool:
        return any(
            other.bits_per_byte <= point.bits_per_byte
            and other.inference_flops_per_byte < point.inference_flops_per_byte
            for other in points
        )

    return tuple(point._replace(efficient=not beaten(point)) for point in points)


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
