"""`tl.design`: the best tokenizer for languages, a budget and an amount of serving."""

import warnings
from collections.abc import Iterable, Mapping
from os import PathLike

from corpora.arguments import listed, path
from scaling.design.candidates import DEFAULT_KINDS, DEFAULT_PATTERNS, LARGEST
from scaling.design.design import design as designed
from scaling.design.result import Design
from tokenize_lab.library.measuring import Text, corpora_of
from tokenize_lab.progress import progress


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
    kinds: str | Iterable[str] = DEFAULT_KINDS,
    patterns: str | Iterable[str] = DEFAULT_PATTERNS,
    vocabularies: str = "shared",
    largest: int = LARGEST,
    setting: str | None = None,
    parity: str | Mapping[str, float] | None = None,
    far: bool = False,
) -> Design:
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
