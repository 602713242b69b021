"""Documents into batches and back."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.corpus import DocumentCorpus
from corpora.document import Document, Numbers, batched
from tests.corpora.reading import documents

DOCUMENTS = st.lists(
    st.builds(
        Document,
        text=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        language=st.sampled_from(["eng_Latn", "hin_Deva"]),
        domain=st.sampled_from(["", "news"]),
        document_id=st.sampled_from(["", "a", "b"]),
        alignment=st.none() | st.integers(1, 5),
    )
)


@given(DOCUMENTS, st.integers(1, 50))
def test_batches_hold_the_documents_in_order(given_documents: list[Document], size: int) -> None:
    again = []
    for batch in batched(given_documents, size):
        assert batch.texts
        for index, (text, name) in enumerate(zip(batch.texts, batch.document_ids, strict=True)):
            first = batch.first_alignment
            number = None if first is None else first + index
            again.append(Document(text, batch.language, batch.domain, batch.source, name, number))
    assert again == given_documents


def test_a_corpus_in_memory_can_be_read_twice() -> None:
    corpus = DocumentCorpus("two", [Document("a"), Document("b", "eng_Latn")])
    assert documents(corpus) == documents(corpus) == list(corpus.documents)


@given(st.integers(0, 10**6), st.integers(0, 100), st.data())
def test_numbers_are_the_names_they_stand_for(first: int, size: int, data: st.DataObject) -> None:
    numbers = Numbers(first, size)
    names = [str(n) for n in range(first, first + size)]
    assert list(numbers) == names
    assert pickle.loads(pickle.dumps(numbers)) == numbers
    bounds = st.none() | st.integers(-120, 120)
    part = slice(data.draw(bounds), data.draw(bounds))
    assert list(numbers[part]) == names[part]
    with pytest.raises(IndexError):
        numbers[size]
