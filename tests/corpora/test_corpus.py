"""Mixtures hold each corpus in its share, to the batch; inflation is exact and undone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora.corpus import DocumentCorpus, InflatedCorpus, MixedCorpus, inflated_text
from corpora.document import Document
from corpora.errors import InputError
from corpora.open import open_corpus
from tests.corpora.reading import documents

WORDS = st.text(st.characters(exclude_categories=["Cs"]))


def corpus(name: str, size: int, count: int) -> DocumentCorpus:
    return DocumentCorpus(name, [Document(name * size, name) for _ in range(count)])


def bytes_of(mixed: MixedCorpus) -> dict[str, int]:
    found: dict[str, int] = {}
    for batch in mixed.batches():
        size = sum(len(text.encode()) for text in batch.texts)
        found[batch.language] = found.get(batch.language, 0) + size
    return found


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=4), st.data())
def test_shares_hold(weights: list[float], data: st.DataObject) -> None:
    sizes = [data.draw(st.integers(1, 50)) for _ in weights]
    mixed = MixedCorpus([corpus("abcd"[i], size, 20_000) for i, size in enumerate(sizes)], weights)
    found, largest = bytes_of(mixed), 0
    for part in mixed.corpora:
        for batch in part.batches():
            largest = max(largest, sum(len(text.encode()) for text in batch.texts))
    scaled = [found.get("abcd"[i], 0) / weight for i, weight in enumerate(weights)]
    assert max(scaled) - min(scaled) <= 2 * largest / min(weights)
    assert bytes_of(mixed) == found


def test_it_ends_with_the_first_that_is_used_up() -> None:
    found = bytes_of(MixedCorpus([corpus("a", 10, 1), corpus("b", 10, 500_000)], (1, 1)))
    assert found["a"] == 10
    assert found.get("b", 0) < 5_000_000


def test_weights_are_one_each_and_positive() -> None:
    single = corpus("a", 1, 1)
    for weights in ((1,), (1, 0), (1, -1)):
        with pytest.raises(InputError, match="one weight above 0 for each"):
            MixedCorpus([single, single], weights)


def test_the_standard_library_is_a_corpus() -> None:
    library = open_corpus("stdlib")
    batch = next(library.batches())
    assert batch.domain == "code" and "import" in "".join(batch.texts)
    size = library.size_bytes
    assert size is not None and size > 3_000_000


@given(WORDS, st.integers(1, 5))
def test_inflated_text_has_exactly_the_bytes_and_comes_back(text: str, factor: int) -> None:
    inflated = inflated_text(text, factor)
    assert len(inflated.encode()) == factor * len(text.encode())
    place = 0
    for character in text:
        dummies = (factor - 1) * len(character.encode())
        assert inflated[place : place + 1 + dummies] == character + "_" * dummies
        place += 1 + dummies
    assert place == len(inflated)


def test_inflation_puts_dummies_after_every_byte() -> None:
    assert inflated_text("abc") == "a_b_c_"
    assert inflated_text("aé€", 2) == "a_é__€___"
    with pytest.raises(ValueError, match="must be 1 or more"):
        inflated_text("a", 0)


def test_a_corpus_can_be_inflated() -> None:
    plain = DocumentCorpus(
        "pair",
        [Document("ab", "eng_Latn", alignment=1), Document("é", "fra_Latn", alignment=1)],
        parallel=True,
    )
    inflated = InflatedCorpus(plain, 2)
    assert (inflated.name, inflated.parallel, inflated.size_bytes) == ("pair x2", True, None)
    assert [(d.text, d.language, d.alignment) for d in documents(inflated)] == [
        ("a_b_", "eng_Latn_x2", 1),
        ("é__", "fra_Latn_x2", 1),
    ]
