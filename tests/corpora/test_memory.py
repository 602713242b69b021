"""Strings as a corpus."""

import pytest

from corpora.corpus import corpus_of
from corpora.errors import InputError


def test_a_list_of_strings() -> None:
    corpus = corpus_of(["one", "two", ""], name="mine", domain="news")
    (batch,) = corpus.batches()
    assert list(batch.texts) == ["one", "two", ""] and list(batch.document_ids) == ["1", "2", "3"]
    assert (batch.language, batch.domain, batch.source) == ("und", "news", "mine")
    assert batch.first_alignment is None and not corpus.parallel
    assert list(corpus.batches()) == [batch]  # as often as needed


def test_a_list_for_each_language() -> None:
    corpus = corpus_of({"deu_Latn": iter(["eins", "zwei"]), "eng_Latn": ["one", "two"]})
    assert [(b.language, len(b.texts)) for b in corpus.batches()] == [
        ("deu_Latn", 2),
        ("eng_Latn", 2),
    ]
    aligned = corpus_of({"deu_Latn": ["eins"], "eng_Latn": ["one"]}, parallel=True)
    assert aligned.parallel and {b.first_alignment for b in aligned.batches()} == {1}


def test_what_is_no_corpus() -> None:
    for texts, said in (
        ("text", "a single string"),
        ({"eng": "text"}, "eng has a single string"),
        ([], "no text"),
        (["a", b"b"], "document 2 of und: bytes, not a string"),
        (["a\ud800"], "document 1 of und: character 1 is a surrogate"),
    ):
        with pytest.raises(InputError, match=said):
            corpus_of(texts)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="hin has 1 documents, but eng has 2"):
        corpus_of({"eng": ["a", "b"], "hin": ["a"]}, parallel=True)
