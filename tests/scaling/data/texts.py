"""What the tests of shards share: small corpora, and what shards say they hold."""

import numpy as np
from hypothesis import strategies as st

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from scaling.data.shards import Stream

LANGUAGES = ("eng_Latn", "hin_Deva", "amh_Ethi")


def corpus_of(
    texts: list[str], language: str = "eng_Latn", name: str = "planted"
) -> DocumentCorpus:
    """Return the texts as documents of one language."""
    return DocumentCorpus(name, [Document(text, language) for text in texts])


def mixed_corpora(min_documents: int = 1) -> st.SearchStrategy[DocumentCorpus]:
    """Draw corpora of short documents in up to three languages, with empty ones and repeats."""
    # Few different letters and short texts, so that whole documents repeat by chance.
    text = st.text("ab ह", max_size=6) | st.text(max_size=30)
    document = st.builds(Document, text.filter(is_utf8), st.sampled_from(LANGUAGES))
    return st.builds(
        lambda documents: DocumentCorpus("drawn", documents),
        st.lists(document, min_size=min_documents, max_size=40),
    )


def is_utf8(text: str) -> bool:
    """Return whether the text has a UTF-8 form: surrogates have none."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def documents_of(stream: Stream, languages: tuple[str, ...]) -> list[tuple[bytes, str]]:
    """Return each document's bytes and language, of a stream of bytes."""
    return [
        (np.asarray(stream.document(i)).tobytes(), languages[stream.languages[i]])
        for i in range(stream.document_count)
    ]


def sentences(count: int, seed: int = 0) -> list[str]:
    """Return different sentences of made-up words, some short and some long."""
    rng = np.random.default_rng(seed)
    words = [
        "".join(chr(97 + c) for c in rng.integers(0, 26, rng.integers(1, 9))) for _ in range(300)
    ]
    return [
        f"{i} " + " ".join(words[w] for w in rng.integers(0, 300, rng.integers(1, 60)))
        for i in range(count)
    ]
