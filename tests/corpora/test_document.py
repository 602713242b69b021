"""Documents into batches and back."""

import pickle
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.corpus import DocumentCorpus
from corpora.document import Batch, Document, Numbers, batched, gathered
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


small_batches = st.lists(
    st.tuples(st.sampled_from("abc"), st.lists(st.text(max_size=9), min_size=1, max_size=3))
)


def as_batches(parts: list[tuple[str, list[str]]]) -> list[Batch]:
    starts = [sum(len(texts) for _, texts in parts[:n]) for n in range(len(parts))]
    return [
        Batch(texts, language, "", "s", Numbers(start, len(texts)))
        for start, (language, texts) in zip(starts, parts, strict=True)
    ]


def by_language(batches: list[Batch]) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for batch in batches:
        pairs = zip(batch.document_ids, batch.texts, strict=True)
        found.setdefault(batch.language, []).extend(pairs)
    return found


@given(parts=small_batches, enough=st.integers(1, 900), most_held=st.integers(0, 2000))
def test_every_document_comes_once_and_in_order(
    parts: list[tuple[str, list[str]]], enough: int, most_held: int
) -> None:
    batches = as_batches(parts)
    joined = list(gathered(batches, enough, most_held))
    assert by_language(joined) == by_language(batches)
    assert len(joined) <= len(batches)


def test_no_more_is_held_than_allowed() -> None:
    taken = returned = 0

    def counted() -> Iterator[Batch]:
        nonlocal taken
        for batch in as_batches([(f"{n % 50}", ["x" * 100]) for n in range(1000)]):
            taken += 1
            yield batch

    for batch in gathered(counted(), enough=10**9, most_held=10_000):
        if taken < 1000:  # at the end all that is held comes
            assert 200 * (taken - returned) <= 10_000 + 200  # the one just taken
        returned += len(batch.texts)
    assert returned == 1000


def test_aligned_batches_pass_as_they_are() -> None:
    batches = [Batch(["x"], "eng", "", "s", ["1"], n) for n in (1, 5)]
    assert list(gathered(batches)) == batches
