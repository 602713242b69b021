"""Synthetic sources have the entropy they declare."""

from collections import Counter
from math import log2
from pathlib import Path

import pytest

from corpora.errors import InputError
from corpora.open import corpus_relative_to, open_corpus
from corpora.synthetic import MarkovSource, SyntheticCorpus, ZipfSource
from tests.corpora.reading import documents, texts


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
