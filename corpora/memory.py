"""Text held in memory as a corpus: a list of strings, or one for each language."""

from collections.abc import Iterable, Mapping

from corpora.corpus import DocumentCorpus
from corpora.document import UNKNOWN_LANGUAGE, Document
from corpora.errors import InputError

Texts = Iterable[str] | Mapping[str, Iterable[str]]


def corpus_of(
    texts: Texts,
    *,
    name: str = "text",
    language: str = UNKNOWN_LANGUAGE,
    domain: str = "",
    parallel: bool = False,
) -> DocumentCorpus:
    """Return strings as a corpus; each is a document, which is encoded by itself.

    Args:
        texts: the documents, or a mapping from language (as `hin_Deva`) to its documents.
        name: what tables call the corpus.
        language: of documents that are not in a mapping.
        domain: of all of them; `code` has code measures.
        parallel: whether the documents of all languages, in order, are translations of one another.

    Raises:
        InputError: there is no text, something is no string or holds a surrogate (which has no
            UTF-8 form), or the languages of a parallel corpus differ in number of documents.
    """
    if isinstance(texts, str):
        raise InputError(f"{name}: a single string; give a list of strings, one a document")
    by_language = texts if isinstance(texts, Mapping) else {language: texts}
    documents: list[Document] = []
    counts: dict[str, int] = {}
    for label, group in by_language.items():
        if isinstance(group, str):
            raise InputError(f"{name}: {label} has a single string; give a list, one a document")
        found = [
            Document(
                _checked(text, f"{name}: document {number} of {label}"),
                label,
                domain,
                name,
                str(number),
                number if parallel else None,
            )
            for number, text in enumerate(group, 1)
        ]
        counts[label] = len(found)
        documents += found
    if not documents:
        raise InputError(f"{name}: no text; give at least one document")
    for label, count in counts.items() if parallel else ():
        first = next(iter(counts))
        if count != counts[first]:
            raise InputError(
                f"{name}: {label} has {count} documents, but {first} has {counts[first]}; those of"
                " a parallel corpus are translations one by one (else say `parallel=False`)"
            )
    return DocumentCorpus(name, documents, parallel)


def _checked(text: object, place: str) -> str:
    if not isinstance(text, str):
        raise InputError(f"{place}: {type(text).__name__}, not a string")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"{place}: character {error.start} is a surrogate, which no UTF-8 text has"
        ) from error
    return text
