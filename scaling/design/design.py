"""From languages, a budget and text to a tokenizer: every candidate tried, priced, the best made.

A budget in, a tokenizer out, and what it gives each language is promised before it is made and
checked on text that neither training nor the choice has seen.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from corpora.arguments import flag, listed, one_of, real, refused, whole
from corpora.corpus import Corpus
from corpora.errors import InputError
from corpora.files import write_json
from corpora.json_file import read_object
from corpora.languages import same_languages
from corpora.locks import being_written
from scaling.advise.advise import DEAREST_SERVED, LARGEST_SERVED
from scaling.advise.answer import Question
from scaling.advise.bounds import check, extrapolation
from scaling.advise.estimate import Estimate
from scaling.advise.forecast import forecast
from scaling.advise.laws import family_laws, joint_law_draws, joint_law_range
from scaling.advise.placement import place_language, trained_code
from scaling.advise.sample import embedded_parity, sample_of
from scaling.design.candidates import (
    DEFAULT_KINDS,
    DEFAULT_PATTERNS,
    KINDS,
    LARGEST,
    SMALLEST,
    candidate_curve,
    candidates_of,
    rate_interval,
    rate_of,
)
from scaling.design.choose import (
    Choice,
    Constraints,
    VocabularyOptions,
    choose,
    over_serving,
    premiums,
    separate_options,
    shared_options,
)
from scaling.design.content import Asked, Tried, content_of, sentence_of
from scaling.design.price import Budget, MixturePrice, Priced, check_left, multiplier
from scaling.design.result import Design
from scaling.design.shapes import kept_rates
from scaling.design.text import PARITY_BPE, DesignText, check_present, read_text, weights_of
from scaling.engine.newton import Array
from scaling.fits.parities import GivenParities, given_parities
from tokenize_lab.backends.mistral import mistral_versions
from tokenize_lab.patterns import PATTERNS
from tokenize_lab.progress import ReportProgress, silent
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.training.train import FILES, train_tokenizer

FAMILY = "subword"
DRAWS = 200  # of the laws, for intervals
VOCABULARIES = ("shared", "language")
TOLERANCE = 0.02  # of a promise


def design(
    corpora: Sequence[Corpus],
    languages: str | Mapping[str, float],
    compute_flops: float,
    out: Path,
    *,
    serve_bytes: float = 0.0,
    serve_price: float = 1.0,
    max_vocab: int | None = None,
    max_premium: float | None = None,
    kinds: Sequence[str] = DEFAULT_KINDS,
    patterns: Sequence[str] = DEFAULT_PATTERNS,
    vocabularies: str = "shared",
    largest: int = LARGEST,
    setting: str | None = None,
    parity: str | Mapping[str, float] | None = None,
    far: bool = False,
    progress: ReportProgress = silent,
    command: Sequence[str] = (),
) -> Design:
    """Return the best tokenizer for a budget, languages and an amount of serving, and write it.

    Args:
        corpora: text that says its languages.
        languages: the weight of each, as a mapping or `eng=.6,hin=.2,tha=.2`.
        compute_flops: C_total, FLOPs, that pay for training and serving.
        out: folder for `tokenizer.json`, its card, `design.json`, and the candidates, which another
            run into the same folder does not train again.
        serve_bytes, serve_price: as of `advise`.
        max_vocab: most ids. max_premium: most tokens over English's for the same content.
        kinds: `bpe`, `superbpe`, `unigram`. patterns: names of splitters.
        vocabularies: `shared`, or `language`: one for each.
        largest: ids of the largest vocabulary that is tried.
        setting: as of `advise`; `joint` for several languages, else `monolingual`.
        parity: bytes per byte of English, for languages without runs.
        far: as of `advise`.

    Raises:
        InputError: bad arguments, a language without text or law, nothing left to train, or no
            vocabulary that keeps to the constraints.
    """
    weights = weights_of(languages)
    budget = Budget(
        real("compute_flops", compute_flops),
        real("serve_bytes", serve_bytes, 0, LARGEST_SERVED),
        real("serve_price", serve_price, 0, DEAREST_SERVED),
    )
    constraints = Constraints(
        None if max_vocab is None else whole("max_vocab", max_vocab, SMALLEST),
        None if max_premium is None else real("max_premium", max_premium, 1),
    )
    one_of("vocabularies", vocabularies, VOCABULARIES)
    whole("largest", largest, 2 * SMALLEST, LARGEST)
    kinds, patterns = _some("kinds", kinds, KINDS), _some("patterns", patterns, PATTERNS)
    if vocabularies == "language" and kinds == [PARITY_BPE]:
        raise InputError(f"`kinds`: {PARITY_BPE} is one vocabulary of all languages; add another")
    if setting is None:
        setting = "joint" if len(weights) > 1 else "monolingual"
    asked = _asked(corpora, weights, budget, setting, _parities(parity, weights), flag("far", far))
    wanted = asked.prices.wanted(budget)
    least = np.array([list(wanted.values())]), np.array([float(SMALLEST)])
    check_left(asked.prices.first(1).of(*least, budget), budget)
    with being_written(out):
        text = read_text(corpora, weights, progress)
        found, refused_splitters = candidates_of(text, kinds, patterns, wanted)
        if vocabularies == "language":
            apart = [one for one in found if one.kind != PARITY_BPE]
            found += [one._replace(language=name) for one in apart for name in weights]
        folder = out / "candidates"
        curves = [candidate_curve(text, one, largest, folder, progress) for one in found]
        options = shared_options(curves)
        shared = len(options.makers)
        if vocabularies == "language":
            options += separate_options(curves, asked.prices, budget)
            if max_vocab is not None:
                options += separate_options(curves, asked.prices, budget, max_vocab)
        progress("pricing", 0)
        priced = asked.prices.of(options.rates, options.ids, budget)
        check_left(priced, budget)
        parities = {name: float(p.parity or 1.0) for name, p in asked.placements.items()}
        codes = [place.language for place in asked.placements.values()]
        premium = premiums(options, codes, dict(zip(codes, parities.values(), strict=True)))
        allowed = constraints.allowed(options, premium)
        choice = choose(options, priced, allowed, premium)
        served = over_serving(options, asked.prices, budget, allowed)
        files = _made(text, options, choice.best, largest, out, progress)
        asked.cautions.extend(_beyond(asked, priced, choice.best, options.rates[choice.best]))
        tried = Tried(curves, refused_splitters, options, priced, premium, choice, served)
        content = content_of(asked, budget, text, tried)
        if vocabularies == "language":
            one = int(priced.loss[0, :shared].argmin())
            lost = priced.loss[:, one] - priced.loss[:, choice.unconstrained]
            content["constraints"]["shared vocabulary"] = {
                "bits_per_byte": Estimate.of(lost, "bits per byte")._asdict()
            }
        content["best"]["files"] = files
        if content["best"]["at_the_largest"] and choice.best == choice.unconstrained:
            most = int(options.ids[choice.best].max())
            content["cautions"].append(
                f"the best is the largest vocabulary tried, {most:,} ids: a larger `largest`, or"
                " more text to learn more ids from, may be better"
            )
        content["promise"] = _promise(text, options.rates[choice.best], files, out)
        content["cautions"] += [
            f"{name}: {row['promised']:.3f} bytes per token are promised, and the"
            f" {text.sizes()[name]['check']:,} bytes held out have {row['held_out']:.3f}: more text"
            " is needed for a promise"
            for name, row in content["promise"].items()
            if not row["kept"]
        ]
        content["shipped"] = _shipped(text, asked.prices, budget, choice, folder, progress)
        content["settings"] = {
            "command": list(command), "setting": setting, "largest": largest,
            "vocabularies": vocabularies, **constraints._asdict(),
        }  # fmt: skip
        content["sentence"] = sentence_of(content)
        result = Design(content)
        result.save(out)
        return result


def _some(name: str, given: Sequence[str], known: Iterable[str]) -> list[str]:
    """Return names that are all known, each once; at least one."""
    found = list(dict.fromkeys(one_of(name, each, known) for each in listed(name, given)))
    if not found:
        raise refused(name, given, f"some of {', '.join(known)}")
    return found


def _parities(given: GivenParities, names: Iterable[str]) -> dict[str, float]:
    """Return the parities given, by what the languages are called here."""
    told = given_parities(given)
    found = {name: told[same[0]] for name in names if (same := same_languages(name, told))}
    if told and not found:
        first = ", ".join([*told][:5])
        raise InputError(f"`parity`: of {first}; the languages are {', '.join(names)}")
    return found


def _parity_of(language: str, corpora: Sequence[Corpus]) -> float | None:
    """Return the parity that the text shows, where it is parallel to English, or the embedded
    corpus; None where nothing does, and where the language needs none."""
    if trained_code(language) is not None:
        return None
    for corpus in corpora:
        if corpus.parallel:
            try:
                return sample_of(corpus, language).parity or embedded_parity(language)
            except InputError:  # it holds other languages
                continue
    return embedded_parity(language)


def _asked(
    corpora: Sequence[Corpus],
    weights: Mapping[str, float],
    budget: Budget,
    setting: str,
    parities: Mapping[str, float],
    far: bool,
) -> Asked:
    question = Question(budget.compute_flops, family=FAMILY, setting=setting, far=far)
    check(question)
    laws = family_laws(FAMILY)
    placements, cautions = {}, []
    for name in weights:
        code = trained_code(name) or name
        parity = parities.get(name)
        if parity is None:
            parity = _parity_of(code, corpora)
        if parity is None and trained_code(name) is None:  # which asks for one, if there is text
            check_present(corpora, name)
        placements[name] = place_language(code, parity, setting)
        if placements[name].beyond:
            cautions.append(placements[name].beyond)
    ahead = [forecast(budget.compute_flops, laws, place) for place in placements.values()]
    first = ahead[0].first(1)
    best = first.allocate(first.best_rate, first.vocabulary_size)
    cautions = [*extrapolation(question, laws, best), *cautions]
    prices = MixturePrice(
        list(weights), np.array(list(weights.values())), ahead, joint_law_draws()
    ).first(1 + DRAWS)
    return Asked(laws, placements, prices, cautions)


def _beyond(asked: Asked, priced: Priced, place: int, rates: Array) -> list[str]:
    """Return a caution for each language in which the answer leaves the runs of the laws."""
    fitted = {**joint_law_range(), **asked.laws.law2.fit.data_range}
    outside = asked.prices.outside(priced, place, rates, fitted)
    return [
        f"{name}: beyond the runs, "
        + ", ".join(f"{what.replace('_', ' ')} by a factor of {x:.3g}" for what, x in left.items())
        for name, left in outside.items()
    ]


def _made(
    text: DesignText,
    options: VocabularyOptions,
    place: int,
    largest: int,
    out: Path,
    progress: ReportProgress,
) -> dict[str, str]:
    """Train the chosen vocabulary, or those of the languages, and return where they lie."""
    makers, ids = options.makers[place], options.ids[place]
    if len(makers) == 1:
        settings = makers[0].settings(int(ids[0]), largest)
        train_tokenizer(text.mixture(makers[0].kind), settings, out, progress)
        return {"": FILES[settings.engine]}
    files = {}
    for maker, size in zip(makers, ids, strict=True):
        corpus, settings = text.alone(maker.language), maker.settings(int(size), largest)
        train_tokenizer(corpus, settings, out / maker.language, progress)
        files[maker.language] = f"{maker.language}/{FILES[settings.engine]}"
    return files


def _promise(
    text: DesignText, promised: Array, files: Mapping[str, str], out: Path
) -> dict[str, Any]:
    """Return bytes per token on text that neither training nor the choice has seen."""
    found = {}
    for (name, parts), rate in zip(text.parts.items(), promised.tolist(), strict=True):
        tokenizer = load_tokenizer(str(out / (files.get("") or files[name])))
        held_out, interval = rate_interval(tokenizer, parts.check)
        off = held_out / rate - 1
        found[name] = {
            "promised": rate, "held_out": held_out, "interval": interval, "off": off,
            "kept": abs(off) <= TOLERANCE,
        }  # fmt: skip
    return found


def _shipped(
    text: DesignText,
    prices: MixturePrice,
    budget: Budget,
    choice: Choice,
    folder: Path,
    progress: ReportProgress,
) -> list[dict[str, Any]]:
    """Return what the vocabularies at hand cost, the cheapest first."""
    measured = _measured(text, folder, progress)
    rates = np.array([[row[name] for name in text.parts] for row, _ in measured.values()])
    ids = np.array([[float(size)] for _, size in measured.values()])
    priced = prices.of(rates, ids, budget)
    goal = choice.loss.value or 0.0
    times = multiplier(prices, rates, ids, budget, goal)
    rows = [
        {
            "name": spec,
            "vocabulary_size": size,
            "rates": row,
            "bits_per_byte": float(priced.loss[0, i]),
            "inference_flops_per_byte": float(priced.flops_per_byte[0, i]),
            "price_bits_per_byte": float(priced.loss[0, i]) - goal,
            "compute_multiplier": float(times[i]) if np.isfinite(times[i]) else None,
        }
        for i, (spec, (row, size)) in enumerate(measured.items())
        if np.isfinite(priced.loss[0, i])
    ]
    return sorted(rows, key=lambda row: (row["bits_per_byte"], row["name"]))


def _measured(
    text: DesignText, folder: Path, progress: ReportProgress
) -> dict[str, tuple[dict[str, float], int]]:
    """Return bytes per token by language, and ids, of each vocabulary at hand; kept once known."""
    file = folder / "at-hand.json"
    specs = ["byte", "character", *(f"mistral:{version}" for version in mistral_versions())]
    key = {"text": text.sha256, "specs": specs}
    kept = read_object(file, "remove it")
    if kept is None or kept.get("of") != key:
        found = {}
        for spec in specs:
            progress(f"measuring {spec}", 0)
            tokenizer = load_tokenizer(spec)
            rates = {name: rate_of(tokenizer, part.curve) for name, part in text.parts.items()}
            found[spec] = [rates, tokenizer.vocabulary_size]
        kept = {"of": key, "measured": found}
        write_json(file, kept)
    return kept_rates(kept, file, text.parts, specs)
