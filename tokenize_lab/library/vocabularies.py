"""Vocabularies made and looked at: `tl.train`, `tl.design`, `tl.vocab_curve`, `tl.audit`,
`tl.diff`, `tl.mixture`."""

import warnings
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING

from corpora.arguments import listed, one_of, path, real, single, whole
from corpora.corpus import joined
from tokenize_lab.forensics.audit import audit as audited
from tokenize_lab.forensics.diff import diff as compared
from tokenize_lab.forensics.mixture import mixture as inferred
from tokenize_lab.library.measuring import Text, corpora_of
from tokenize_lab.library.shown import SizeCurves, VocabularyFinding
from tokenize_lab.progress import progress
from tokenize_lab.tokenizer_spec import specs_of
from tokenize_lab.training.settings import ENGINES, train_settings
from tokenize_lab.training.train import Trained, train_tokenizer
from tokenize_lab.vocabulary_curves.job import vocab_curve as curves_of

if TYPE_CHECKING:
    from scaling.design.result import Design


def train(
    kind: str,
    corpus: Text,
    *,
    out: str | PathLike[str],
    vocab_size: int | None = None,
    target_compression: float | None = None,
    engine: str = "",
    pattern: str = "",
    seed: int = 0,
    stage_split: float = 0,
    superword_words: int = 0,
) -> Trained:
    """Train a tokenizer: the same text and settings give the same file, to the byte.

    Arguments:
        kind: `bpe`, `unigram`, `wordpiece`, `character`, `superbpe` or `parity-bpe`.
        corpus: text, as `measure` takes it; several are read as one.
        out: folder for the tokenizer and its card.
        vocab_size: ids, the 256 bytes included.
        target_compression: bytes per token to reach on this text, in place of `vocab_size`.
        engine: `huggingface` or `sentencepiece`, which both train `unigram`; by default the kind's.
        pattern: how text is split before merging: `gpt2`, `gpt4`, `gpt4o` (the default, which
            keeps vowel signs with their letters), `llama3`, `tekken`, `whitespace` or `none`.
        seed: of what an engine draws.
        stage_split: of SuperBPE: ids of the first stage, or below 1 their share; .5 if 0.
        superword_words: of SuperBPE: the most words a token may span; 4 if 0.

    Returns:
        Its path and card; `measure` and `load` take it as a tokenizer.

    Raises:
        InputError: a setting that cannot be, no text, a target out of reach, or `out` cannot be
            written.
    """
    recipe = train_settings(
        one_of("kind", kind, ENGINES),
        None if vocab_size is None else whole("vocab_size", vocab_size),
        None if target_compression is None else real("target_compression", target_compression),
        engine=engine,
        pattern=pattern,
        seed=whole("seed", seed),
        stage_split=real("stage_split", stage_split),
        superword_words=whole("superword_words", superword_words),
    )
    folder, text = path("out", out), joined(corpora_of(corpus))
    with progress() as bars:
        return train_tokenizer(text, recipe, folder, bars.report)


def vocab_curve(
    corpus: Text,
    tokenizers: object,
    *,
    at: Iterable[int] = (),
    language: str | None = None,
    replicates: int = 1000,
    seed: int = 0,
    jobs: int = 1,
    cache: str | PathLike[str] | None = None,
) -> SizeCurves:
    """Return bytes per token at every vocabulary size that BPEs can be cut to.

    Arguments:
        corpus: text, as `measure` takes it; several are read as one, once.
        tokenizers: one or several BPEs, as `load` takes them.
        at: sizes to give; by default a grid a quarter of an octave apart.
        language: of all the text, where it does not say.
        replicates: bootstrap resamples; 0 for no intervals.
        seed: of the resamples.
        jobs: processes to count with; 0 for one a core.
        cache: folder of counts already made.

    Raises:
        InputError: from the text; a tokenizer is no BPE, or cannot be cut to a size asked for.
    """
    text = joined(corpora_of(corpus, language=language))
    folder = None if cache is None else path("cache", cache)
    with progress() as bars:
        found = curves_of(
            text, specs_of(tokenizers), at=listed("at", at), replicates=replicates, seed=seed,
            jobs=jobs, cache=folder, progress=bars.report,
        )  # fmt: skip
    return SizeCurves(**vars(found))


def audit(
    tokenizer: object,
    corpus: Text | None = None,
    *,
    jobs: int = 1,
    cache: str | PathLike[str] | None = None,
) -> VocabularyFinding:
    """Look at every token: can it come out of a text at all; is it used, and by which languages.

    Arguments:
        tokenizer: as `load` takes it.
        corpus: text that shows which tokens are used; None to look at the vocabulary alone.
        jobs: processes to count with; 0 for one a core.
        cache: folder of counts already made.

    Raises:
        InputError: from the tokenizer or the text.
    """
    spec = single("tokenizer", specs_of(tokenizer))
    text = [] if corpus is None else corpora_of(corpus)
    folder = None if cache is None else path("cache", cache)
    with progress() as bars:
        return VocabularyFinding(audited(spec, text, jobs=jobs, cache=folder, progress=bars.report))


def diff(
    first: object,
    second: object,
    corpus: Text | None = None,
    *,
    jobs: int = 1,
    cache: str | PathLike[str] | None = None,
) -> VocabularyFinding:
    """Compare two tokenizers: what they do to text, which tokens they share, and how they cut.

    Arguments:
        first, second: as `load` takes them.
        corpus: text to be cut by both; None to compare the vocabularies alone.
        jobs: processes to cut it in; 0 for one a core.
        cache: folder of counts already made.

    Raises:
        InputError: from the tokenizers or the text.
    """
    one, other = (single("tokenizer", specs_of(tokenizer)) for tokenizer in (first, second))
    text = [] if corpus is None else corpora_of(corpus)
    kept = None if cache is None else path("cache", cache)
    with progress() as bars:
        return VocabularyFinding(
            compared(one, other, text, jobs=jobs, cache=kept, progress=bars.report)
        )


def mixture(
    tokenizer: object,
    corpus: Text,
    *,
    merges: int = 1000,
    most_bytes: int = 4_000_000,
    replicates: int = 0,
    seed: int = 0,
    jobs: int = 1,
) -> VocabularyFinding:
    """Infer how much of each language a BPE was trained on, from the order of its merges.

    Arguments:
        tokenizer: as `load` takes it.
        corpus: text of every language it may be of.
        merges: how many of the first merges to read.
        most_bytes: text to use of each language, bytes.
        replicates: resamples for intervals; 0 for none.
        seed: of the resamples.
        jobs: processes to split text in; 0 for one a core.

    Raises:
        InputError: from the tokenizer or the text; fewer than two languages; no BPE.
    """
    spec = single("tokenizer", specs_of(tokenizer))
    with progress() as bars:
        found = inferred(
            spec, corpora_of(corpus), merges=merges, most_bytes=most_bytes,
            replicates=replicates, seed=seed, jobs=jobs, progress=bars.report,
        )  # fmt: skip
    for line in found.remarks():
        warnings.warn(line, stacklevel=2)
    return VocabularyFinding(found)


def design(
    corpus: Text,
    languages: str | Mapping[str, float],
    compute_flops: float,
    *,
    out: str | PathLike[str],
    serve_bytes: float = 0.0,
    serve_price: float = 1.0,
    max_vocab: int | None = None,
    max_premium: float | None = None,
    kinds: str | Iterable[str] = ("bpe", "superbpe"),
    patterns: str | Iterable[str] = ("gpt4o", "gpt4"),
    vocabularies: str = "shared",
    largest: int = 1 << 17,
    setting: str | None = None,
    parity: str | Mapping[str, float] | None = None,
    far: bool = False,
) -> "Design":
    """Design a tokenizer: try splitters, kinds and sizes, price each by the laws, make the best.

    A splitter that caps a language below its best rate is not tried. What is promised is checked on
    text kept apart; where it is off by more than 2 %, a `UserWarning` says so.

    Arguments:
        corpus: text that says its languages, as `measure` takes it.
        languages: the weight of each, which sum to 1: `{"eng": .6, "hin": .4}` or `eng=.6,hin=.4`.
        compute_flops: budget of training and serving, FLOPs.
        out: folder for the tokenizer, its card, `design.json` (which `tokenize-lab report` reads)
            and the candidates, which another call does not train again.
        serve_bytes: to be read and written once trained. serve_price: of a FLOP of that over one of
            training.
        max_vocab: most ids. max_premium: most tokens of a language over English's for the same
            content. What each costs is in the answer.
        kinds: of `bpe`, `superbpe`, `parity-bpe` (of aligned text) and `unigram`.
        patterns: splitters, as of `train`.
        vocabularies: `shared`, or `language` for one of each as well.
        largest: ids of the largest vocabulary that is tried.
        setting: whose laws, `monolingual` or `joint`; by default `joint` for several languages.
        parity: bytes per byte of English, for languages without runs.
        far: whether to answer for a budget 1,000 times beyond those of the laws.

    Returns:
        The answer, ready for JSON, with `.frame()`, `.summary()` and `.tokenizers`, paths.

    Raises:
        InputError: weights that do not sum to 1, a language without text or law, nothing left to
            train, no vocabulary that keeps to the constraints.
    """
    from scaling.design.design import design as designed

    with progress() as bars:
        found = designed(
            corpora_of(corpus),
            languages,
            compute_flops,
            path("out", out),
            serve_bytes=serve_bytes,
            serve_price=serve_price,
            max_vocab=max_vocab,
            max_premium=max_premium,
            kinds=listed("kinds", kinds),
            patterns=listed("patterns", patterns),
            vocabularies=vocabularies,
            largest=largest,
            setting=setting,
            parity=parity,
            far=far,
            progress=bars.report,
        )
    for name, row in found["promise"].items():
        if not row["kept"]:
            said = f"{name}: {row['promised']:.3f} bytes per token were promised, and held-out text"
            warnings.warn(f"{said} has {row['held_out']:.3f}", stacklevel=2)
    return found
