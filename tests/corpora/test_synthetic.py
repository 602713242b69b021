"""Synthetic sources have the entropy they declare; inflation is exact and undone."""

from collections import Counter
from math import log2
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.corpus import (
    DocumentCorpus,
    InflatedCorpus,
    deflated_bytes,
    deflated_text,
    inflated_bytes,
    inflated_text,
)
from corpora.document import Document
from corpora.errors import InputError
from corpora.open import corpus_relative_to, open_corpus
from corpora.synthetic import MarkovSource, SyntheticCorpus, ZipfSource
from tests.corpora.reading import documents, texts

WORDS = st.text(st.characters(exclude_categories=["Cs"]))


def block_entropy(documents: list[str], length: int) -> float:
    """Return the plug-in entropy in bits of substrings of that length."""
    counts = Counter(d[i : i + length] for d in documents for i in range(len(d) - length + 1))
    total = sum(counts.values())
    return -sum(n / total * log2(n / total) for n in counts.values())


@pytest.mark.parametrize(
    ("order", "alphabet"), [(1, "ab"), (1, "abcdefgh "), (2, "abcde"), (3, "01")]
)
def test_markov_text_has_its_declared_entropy_rate(order: int, alphabet: str) -> None:
    source = MarkovSource(order, alphabet, concentration=1, seed=3, document_bytes=2000)
    drawn = texts(SyntheticCorpus("markov", source, 400))
    assert sum(map(len, drawn)) == 800_000
    # The chain rule: what the next letter adds, given the last `order`.
    estimate = block_entropy(drawn, order + 1) - block_entropy(drawn, order)
    assert estimate == pytest.approx(source.entropy_rate, rel=0.01)
    # A shorter memory sees more surprise, a longer one no less.
    assert block_entropy(drawn, 1) > source.entropy_rate
    longer = block_entropy(drawn, order + 2) - block_entropy(drawn, order + 1)
    assert longer == pytest.approx(source.entropy_rate, rel=0.01)


def test_markov_documents_start_in_the_stationary_distribution() -> None:
    source = MarkovSource(1, "abc", seed=1, document_bytes=50)
    drawn = texts(SyntheticCorpus("markov", source, 20_000))
    for position in (0, 1, 49):
        counts = Counter(text[position] for text in drawn)
        for letter, probability in zip("abc", source.stationary, strict=True):
            assert counts[letter] / len(drawn) == pytest.approx(probability, abs=0.015)


def test_markov_rate_of_a_known_chain() -> None:
    # Two letters: the rate is pi_a H(p) + pi_b H(q), with pi_a = q / (p + q).
    source = MarkovSource(1, "ab", seed=5)
    p, q = float(source.transitions[0, 1]), float(source.transitions[1, 0])
    entropy = [-x * log2(x) - (1 - x) * log2(1 - x) for x in (p, q)]
    expected = (q * entropy[0] + p * entropy[1]) / (p + q)
    assert source.entropy_rate == pytest.approx(expected, rel=1e-12)


def test_zipf_text_has_its_declared_entropy_rate() -> None:
    source = ZipfSource(vocabulary=300, exponent=1.1, seed=2, document_words=500)
    assert len(set(source.words)) == 300
    drawn = texts(SyntheticCorpus("zipf", source, 1000))
    words = [word for text in drawn for word in text.split(" ")[:-1]]
    assert len(words) == 500_000
    total = len(words)
    bits = -sum(n / total * log2(n / total) for n in Counter(words).values())
    estimate = bits * total / sum(map(len, drawn))
    assert estimate == pytest.approx(source.entropy_rate, rel=0.01)


def test_zipf_without_exponent_is_uniform() -> None:
    source = ZipfSource(vocabulary=16, exponent=0)
    length = sum(map(len, source.words)) / 16
    assert source.entropy_rate == pytest.approx(4 / length, rel=1e-12)


@pytest.mark.parametrize("source", [MarkovSource(document_bytes=100), ZipfSource(document_words=9)])
def test_synthetic_corpora_repeat_and_grow_at_the_end_only(
    source: MarkovSource | ZipfSource,
) -> None:
    first = documents(SyntheticCorpus("s", source, 700))
    assert first == documents(SyntheticCorpus("s", source, 700))
    assert documents(SyntheticCorpus("s", source, 1100))[:700] == first
    assert len({d.text for d in first}) > 690
    assert [d.document_id for d in first] == [str(n) for n in range(1, 701)]


def test_seeds_differ() -> None:
    assert MarkovSource(seed=0).texts(1, 0) != MarkovSource(seed=1).texts(1, 0)
    assert ZipfSource(seed=0).texts(1, 0) != ZipfSource(seed=1).texts(1, 0)


@pytest.mark.parametrize(
    "wrong",
    [{"order": 0}, {"concentration": 0}, {"alphabet": "aab"}, {"alphabet": "aé"}, {"order": 6}],
)
def test_markov_sources_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        MarkovSource(**wrong)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("wrong", [{"vocabulary": 0}, {"exponent": -1}, {"document_words": 0}])
def test_zipf_sources_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="vocabulary must be"):
        ZipfSource(**wrong)


@given(st.binary(), st.integers(1, 5), st.binary(min_size=1, max_size=1))
def test_inflated_bytes_come_back(data: bytes, factor: int, dummy: bytes) -> None:
    inflated = inflated_bytes(data, factor, dummy)
    assert len(inflated) == factor * len(data)
    assert deflated_bytes(inflated, factor, dummy) == data


@given(WORDS, st.integers(1, 5))
def test_inflated_text_has_exactly_the_bytes_and_comes_back(text: str, factor: int) -> None:
    inflated = inflated_text(text, factor)
    assert len(inflated.encode()) == factor * len(text.encode())
    assert deflated_text(inflated, factor) == text
    if text.isascii():
        assert inflated.encode() == inflated_bytes(text.encode(), factor)


def test_inflation_puts_dummies_after_every_byte() -> None:
    assert inflated_bytes(b"abc") == b"a_b_c_"
    assert inflated_text("aé€", 2) == "a_é__€___"


@pytest.mark.parametrize("foreign", ["a_b", "abc", "_"])
def test_what_was_not_inflated_is_not_deflated(foreign: str) -> None:
    with pytest.raises(ValueError, match="not text inflated"):
        deflated_text(foreign)
    with pytest.raises(ValueError, match="not text inflated"):
        deflated_bytes(foreign.encode())


@pytest.mark.parametrize(("factor", "dummy"), [(0, "_"), (2, ""), (2, "é"), (2, "ab")])
def test_inflation_out_of_range_is_refused(factor: int, dummy: str) -> None:
    with pytest.raises(ValueError, match="the factor must be"):
        inflated_text("a", factor, dummy)
    with pytest.raises(ValueError, match="the factor must be"):
        inflated_bytes(b"a", factor, dummy.encode())


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


def test_a_source_is_a_corpus_by_name(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "corpora"):
        corpus = open_corpus("synthetic:markov:order=1,bytes=2e4,seed=7,document_bytes=500")
    assert corpus.name.startswith("synthetic:markov:order=1") and corpus.size_bytes == 20_000
    source = MarkovSource(1, seed=7, document_bytes=500)
    assert texts(corpus) == texts(SyntheticCorpus("other", source, 40))
    assert f"entropy rate {source.entropy_rate:.4f} bits per byte" in caplog.text
    zipf = open_corpus("synthetic:zipf", language="eng", domain="toy")
    assert {(b.language, b.domain) for b in zipf.batches()} == {("eng", "toy")}
    assert sum(len(text) for text in texts(zipf)) == pytest.approx(1e6, rel=0.01)
    assert corpus_relative_to(Path("/else/where"), "synthetic:zipf") == "synthetic:zipf"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("synthetic:markof", "no source 'markof'; did you mean 'markov'?"),
        ("synthetic:zipf:exponen=1", "no setting 'exponen'; did you mean 'exponent'?"),
        ("synthetic:zipf:seed=1.5", "seed is '1.5'; it must be a whole number, 0 or more"),
        ("synthetic:zipf:exponent=nan", "exponent is 'nan'; it must be a number, 0 or more"),
        ("synthetic:markov:order", "order is ''; it must be a whole number"),
        ("synthetic:markov:order=9", "states; lower order or alphabet"),
    ],
)
def test_a_source_that_is_none(spec: str, said: str) -> None:
    with pytest.raises(InputError, match=f"^{spec}: .*{said}".replace("?", r"\?")):
        open_corpus(spec)
