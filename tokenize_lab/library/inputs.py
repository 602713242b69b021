"""What a program has at hand, as corpora: strings, paths, names, corpora of its own."""

import warnings
from collections.abc import Iterable, Mapping
from os import PathLike, fspath
from os.path import exists
from typing import Any, cast

from corpora.arguments import flag, word
from corpora.corpus import Corpus
from corpora.errors import InputError
from corpora.memory import corpus_of
from corpora.open import open_corpus

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
    if hasattr(text, "columns"):
        kind = type(text).__name__
        raise InputError(f'`text`: a {kind}; give the column that has it, as frame["text"]')
    if not isinstance(text, Iterable):
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


def one_corpus(text: Text, *, language: str | None = None) -> Corpus:
    """Return text as one corpus; as `corpora_of`.

    Raises:
        InputError: also where several are given.
    """
    corpora = corpora_of(text, language=language)
    if len(corpora) != 1:
        raise InputError(f"`text`: {len(corpora)} corpora; give one")
    return corpora[0]


def _opened(spec: str | PathLike[str], language: str | None, parallel: bool | None) -> Corpus:
    try:
        return open_corpus(fspath(spec), language=language, parallel=parallel)
    except InputError as error:
        if isinstance(spec, str) and any(c.isspace() for c in spec):
            raise InputError(f"{error}; text itself is given in a list: [text]") from error
        raise


def _listed(language: str, documents: Iterable[str]) -> list[str]:
    word("language", language)
    if isinstance(documents, str) or not isinstance(documents, Iterable):
        kind = "single string" if isinstance(documents, str) else type(documents).__name__
        raise InputError(f"`text`: {language} has a {kind}; give a list, one a document")
    return list(documents)
