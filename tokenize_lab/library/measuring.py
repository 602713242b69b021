"""`tl.load` and `tl.measure`: bytes per token of any text under any tokenizers.

What a program has at hand, as corpora: strings, paths, names, corpora of its own.
"""

import warnings
from collections.abc import Iterable, Mapping
from os import PathLike
from os.path import exists
from typing import Any, cast

from corpora import arguments
from corpora.arguments import flag, has_values, word
from corpora.corpus import Corpus, corpus_of
from corpora.errors import InputError
from corpora.open import open_corpus
from tokenize_lab.library.shown import Measurement
from tokenize_lab.measurement import measure as measured
from tokenize_lab.progress import progress
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizers, specs_of

# Also a list of strings, of paths, or of corpora.
Text = str | PathLike[str] | Corpus | Mapping[str, Iterable[str]] | Iterable[Any]


def corpora_of(
    text: Text,
    *,
    language: str | None = None,
    parallel: bool | None = None,
) -> list[Corpus]:
    """Return text as corpora.

    Arguments:
        text: the spec or path of a corpus; a corpus; several paths or corpora; a list of strings,
            each a document; or a mapping from language (`hin_Deva`) to its documents.
        language: of all the text, where it does not say.
        parallel: whether the documents of all languages are translations of one another, one by
            one; by default they are if all have as many, as of a folder of files.

    Raises:
        InputError: there is no such corpus or no text, or parallel languages differ in length.
    """
    if language is not None:
        word("language", language)
    if parallel is not None:
        flag("parallel", parallel)
    if isinstance(text, str | PathLike):
        return [_opened(text, language, parallel)]
    if hasattr(text, "batches"):
        return [cast("Corpus", text)]
    if isinstance(text, Mapping):
        documents = {label: _listed(label, group) for label, group in text.items()}
        if parallel is None:
            parallel = len(documents) > 1 and len({len(d) for d in documents.values()}) == 1
        return [corpus_of(documents, parallel=parallel)]
    if hasattr(type(text), "columns"):
        kind = type(text).__name__
        raise InputError(f'`text`: a {kind}; give the column that has it, as frame["text"]')
    if not has_values(text):
        raise InputError(f"`text`: {type(text).__name__}; give a list of strings, a path or a name")
    items: list[Any] = list(text)
    if items and not any(isinstance(item, str) for item in items):
        paths = [isinstance(item, PathLike) for item in items]
        if all(path or hasattr(item, "batches") for path, item in zip(paths, items, strict=True)):
            return [
                _opened(item, language, parallel) if path else item
                for path, item in zip(paths, items, strict=True)
            ]
    elif items and all(isinstance(item, str) and exists(item) for item in items):
        said = "`text`: each is taken as text, though a file has its name; a path is a pathlib.Path"
        warnings.warn(said, stacklevel=3)
    return [corpus_of(items) if language is None else corpus_of(items, language=language)]


def _opened(spec: str | PathLike[str], language: str | None, parallel: bool | None) -> Corpus:
    try:
        name = spec if isinstance(spec, str) else str(arguments.path("text", spec))
        return open_corpus(name, language=language, parallel=parallel)
    except InputError as error:
        if isinstance(spec, str) and any(c.isspace() for c in spec):
            raise InputError(f"{error}; text itself is given in a list: [text]") from error
        raise


def _listed(language: str, documents: Iterable[str]) -> list[str]:
    word("language", language)
    if isinstance(documents, str) or not has_values(documents):
        kind = "single string" if isinstance(documents, str) else type(documents).__name__
        raise InputError(f"`text`: {language} has a {kind}; give a list, one a document")
    return list(documents)


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
