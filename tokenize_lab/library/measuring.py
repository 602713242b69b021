"""`tl.load` and `tl.measure`: bytes per token of any text under any tokenizers."""

import warnings
from collections.abc import Iterable
from os import PathLike

from corpora import arguments
from tokenize_lab.library.inputs import Text, corpora_of
from tokenize_lab.library.shown import Measurement
from tokenize_lab.measurement import measure as measured
from tokenize_lab.progress import progress
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizers, specs_of


def load(tokenizer: object) -> Tokenizer:
    """Return a tokenizer whose tokens are raw bytes.

    One of your own needs `encode_batch(texts)`, which returns a list of ids for each text, and
    `token_bytes`, the raw bytes of each id, in a list or a dict from id; an id that no text gives
    has `b""`. A `name` for tables is welcome:

        class Bytes:
            name = "bytes"
            token_bytes = [bytes([i]) for i in range(256)]

            def encode_batch(self, texts):
                return [list(text.encode()) for text in texts]

        tl.measure(["some text"], Bytes())

    Arguments:
        tokenizer: a spec as of the command's `-t` (`byte`, `mistral:v3`, `mine=my/tokenizer.json`,
            `truncated:4096:SPEC`), a path, or an object: a `tokenizers.Tokenizer`, a
            `tiktoken.Encoding`, a `sentencepiece.SentencePieceProcessor`, or one of your own.
            `{"mine": tokenizer}` gives it a name.

    Raises:
        InputError: there is no such tokenizer, it has no way back to bytes, or there are several.
    """
    return load_tokenizers([arguments.single("tokenizer", specs_of(tokenizer))])[0]


def measure(
    text: Text,
    tokenizers: object = ("byte",),
    *,
    language: str | None = None,
    parallel: bool | None = None,
    baseline: str | None = None,
    reference: str = "eng",
    group_by: str | Iterable[str] = "language",
    words: str = "whitespace",
    graphemes: bool = False,
    replicates: int = 1000,
    seed: int = 0,
    jobs: int = 1,
    cache: str | PathLike[str] | None = None,
) -> Measurement:
    """Measure bytes per token, and what it does to languages.

    Where no aligned language is the `reference`, there is no premium, and a `UserWarning` says so.

    Arguments:
        text: a list of strings, a mapping from language to one, a path, the name of a declared
            corpus, or corpora; see `tokenize_lab.library.inputs.corpora_of`.
        tokenizers: one or several, as `load` takes them; `{"mine": tokenizer}` names them.
        language: of all the text, where it does not say, as `hin_Deva`.
        parallel: whether documents of all languages are translations of one another, one by one.
        baseline: name of the tokenizer that differences are taken to; by default the first.
        reference: language of parity and premium, or how its code begins.
        group_by: one row for each `language`, `domain`, `document`, or several of them.
        words: how words are told apart: `whitespace` or `uax29`.
        graphemes: whether grapheme clusters are counted too, which is slower.
        replicates: bootstrap resamples for the intervals; 0 for none.
        seed: of the resamples.
        jobs: processes; 0 for one a core. A script that asks for more than 1 has its own work under
            `if __name__ == "__main__":`, as `multiprocessing` says.
        cache: folder of counts already made, so that the same text is not encoded twice.

    Raises:
        InputError: from the text or a tokenizer; a value that cannot be.
    """
    corpora = corpora_of(text, language=language, parallel=parallel)
    with progress() as bars:
        results = measured(
            corpora,
            specs_of(tokenizers),
            baseline=baseline,
            reference=reference,
            group_by=arguments.listed("group_by", group_by),
            words=words,
            graphemes=graphemes,
            replicates=replicates,
            seed=seed,
            jobs=jobs,
            cache=None if cache is None else arguments.path("cache", cache),
            progress=bars.report,
        )
    for line in results.missing_reference():
        warnings.warn(line, stacklevel=2)
    return Measurement(results.counts, results.provenance, results.samples)
