"""What the tests of readers share."""

from pathlib import Path

import pytest

from corpora.corpus import Corpus
from corpora.document import Document
from corpora.errors import InputError
from corpora.open import open_corpus


def documents(corpus: Corpus) -> list[Document]:
    """Return every document, in the order read."""
    found = []
    for batch in corpus.batches():
        for index, (text, name) in enumerate(zip(batch.texts, batch.document_ids, strict=True)):
            number = None if batch.first_alignment is None else batch.first_alignment + index
            found.append(Document(text, batch.language, batch.domain, batch.source, name, number))
    return found


def texts(corpus: Corpus) -> list[str]:
    """Return every document's text, in the order read."""
    return [document.text for document in documents(corpus)]


def refusal(path: Path | str, **options: object) -> str:
    """Return the one line with which opening and reading `path` is refused."""
    with pytest.raises(InputError) as caught:
        documents(open_corpus(str(path), **options))  # type: ignore[arg-type]  # any mix of options
    message = str(caught.value)
    assert "\n" not in message
    return message
