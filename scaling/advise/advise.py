"""What a caller asks, in whatever form they have it, made into a question and answered."""

from collections.abc import Iterable, Mapping
from os import PathLike

from corpora.arguments import flag, listed, real, refused, whole, word
from corpora.corpus import Corpus, Texts
from corpora.errors import InputError
from scaling.advise.answer import Advice, Question
from scaling.advise.answer_question import answer_question
from scaling.advise.bounds import LONGEST
from scaling.advise.laws import REST_ON, language_of
from scaling.advise.placement import ENGLISH, trained_code
from scaling.advise.sample import curve_points, measure_sample
from scaling.fits.results import Fits
from scaling.predict import GivenFit, given_fit
from scaling.result import FitResult
from tokenize_lab.vocabulary_curves.job import VocabCurves

# Fits of Law I, Law II and languages, or some: as they are, several, or by the law's name.
GivenLaws = FitResult | Fits | Iterable[FitResult | Fits] | Mapping[str, FitResult | Fits] | None
LARGEST_SERVED = 1e24  # bytes
WORST_REACHED = 8.0  # bits per byte: those of any text without a model
DEAREST_SERVED = 1e6  # of a FLOP of serving over one of training


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
    serve_bytes_per_pass: tuple[float, float] | None = None,
    reach: float | None = None,
    downstream: GivenFit | None = None,
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
            languages, those of `language` are taken. A fit of `languages` among them places the
            language, by its own runs or by parity, in place of the analogy.
        gpu, utilisation, gpus: what trains, at which share of its bf16 peak, and how many.
        serve_bytes, serve_price: bytes to be read and written once trained, and what a FLOP of that
            costs beside one of training; the budget then pays for both.
        serve_bytes_per_pass: bytes per global pass of a byte latent model that writes, and those of
            its training, where they differ: entropy patches trained at 4 come to 1.16 to 2.44
            (arXiv 2605.08044).
        reach: bits per byte to be reached at the least cost, serving included.
        downstream: a fit of the law `downstream` to task errors of one's own runs, or its file:
            what a tokenizer costs is then told in points of accuracy as well.
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
    return answer_question(
        Question(
            compute_flops=compute_flops,
            language=language,
            family=family,
            setting=setting,
            parity=measured.parity if parity is None else parity,
            tokenizers=measured.tokenizers,
            curve=measured.curve if points is None else points,
            pieces=measured.pieces,
            gpu=gpu,
            utilisation=utilisation,
            gpus=gpus,
            law1=chosen.get("law1"),
            law2=chosen.get("law2"),
            languages=chosen.get("languages"),
            far=flag("far", far),
            serve_bytes=real("serve_bytes", serve_bytes, 0, LARGEST_SERVED),
            serve_price=real("serve_price", serve_price, 0, DEAREST_SERVED),
            serve_bytes_per_pass=_per_pass(serve_bytes_per_pass),
            reach=None if reach is None else real("reach", reach, 0, WORST_REACHED),
            downstream=None if downstream is None else given_fit(downstream),
        )
    )


def _per_pass(given: tuple[float, float] | None) -> tuple[float, float] | None:
    if given is None:
        return None
    name = "serve_bytes_per_pass"
    parts = [real(name, part, 0) for part in listed(name, given)]
    if len(parts) != 2 or not (0 < parts[0] <= LONGEST and 1 <= parts[1] <= LONGEST):
        said = "/".join(f"{part:g}" for part in parts)
        raise InputError(
            f"`{name}` {said}: bytes per global pass when writing, above 0, and in"
            f" training, from 1; both at most {LONGEST:g}, as 2.05/4"
        )
    return parts[0], parts[1]


def _chosen(laws: GivenLaws, language: str) -> dict[str, FitResult]:
    """Return one fit of either law, the language's own where there are several."""
    fits: list[tuple[str, FitResult]] = []
    if laws is None:
        laws = ()
    elif isinstance(laws, FitResult | Fits):
        laws = [laws]
    named = (
        laws.items() if isinstance(laws, Mapping) else [("", part) for part in listed("laws", laws)]
    )
    for name, given in named:
        if not isinstance(given, FitResult | Fits):
            raise refused("laws", given, "what `fit` returns")
        parts = [given] if isinstance(given, FitResult) else given
        fits += ((name or fit.law, fit) for fit in parts)
    chosen = {}
    for law in dict.fromkeys(law for law, _ in fits):
        if law not in ("law1", "law2", "languages"):
            raise InputError(f"`laws`: a fit of {law}; {REST_ON}")
        same = [fit for name, fit in fits if name == law]
        if len(same) > 1 and law != "languages":
            same = [fit for fit in same if language_of(fit) == language]
        if len(same) != 1:
            raise InputError(f"`laws`: {len(same)} fits of {law} for {language}; give one")
        chosen[law] = same[0]
    return chosen
