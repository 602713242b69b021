"""The overview says what is so."""

from collections.abc import Sequence
from pathlib import Path

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from corpora.open import open_corpus
from reports.measured import Measured, read_measured
from reports.sections.answer import overview
from reports.sections.overview import (
    compression_sentences,
    fairness_sentences,
    fidelity_sentences,
    who_pays,
)
from tests.reports.folders import measured_folder
from tokenize_lab.backends.simple import ByteTokenizer, CharacterTokenizer
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizer


def made(folder: Path, tokenizers: Sequence[Tokenizer], **settings: object) -> Measured:
    documents = [
        Document(f"{text} {line}", language, alignment=line)
        for language, text in (("eng", "a cheese"), ("fra", "un fromage"), ("deu", "ein Käse"))
        for line in range(1, 9)
    ]
    corpus = DocumentCorpus("made", documents, parallel=True)
    return read_measured(measured_folder(folder, [corpus], tokenizers, **settings))


def test_it_names_the_best_with_its_value_and_the_gap_to_the_next(measured: Measured) -> None:
    corpus = measured.corpora[0]
    first = compression_sentences(measured, corpus)[0].striptags()
    rates = {
        tokenizer: row["bytes_per_token"]
        for tokenizer, row in corpus.overall.items()
        if row["exact_share"] == 1
    }
    best, second = sorted(rates, key=lambda tokenizer: -rates[tokenizer])[:2]
    assert best == "mistral:tekken"
    assert first.startswith(f"mistral:tekken holds the most text per token: {rates[best]:.2f} [")
    assert f"That is {rates[best] - rates[second]:.2f} [" in first
    assert f"] more than {second}, the next." in first


def test_losing_text_is_not_compression(measured: Measured) -> None:
    """Unknown tokens swallow whole words: the lossy tokenizer has the fewest tokens of all."""
    corpus = measured.corpora[0]
    (lossy,) = corpus.losing
    rates = {tokenizer: row["bytes_per_token"] for tokenizer, row in corpus.overall.items()}
    assert max(rates, key=lambda tokenizer: float(rates[tokenizer])) == lossy
    first = compression_sentences(measured, corpus)[0].striptags()
    assert f"Not ranked, for losing text: {lossy} ({rates[lossy]:.2f})." in first
    charges = who_pays(measured, corpus, lossy)
    assert charges is not None and "do not stand for the same content" in charges
    assert lossy not in fairness_sentences(measured, corpus)[-1]


def test_it_says_who_pays_most(measured: Measured) -> None:
    corpus = measured.corpora[0]
    sentence = who_pays(measured, corpus, "mistral:v3")
    assert sentence is not None
    dearest = max(
        (row for row in corpus.rows if row["tokenizer"] == "mistral:v3"),
        key=lambda row: float(row["premium"]),
    )
    assert dearest["language"] == "amh_Ethi"
    text = sentence.striptags()
    assert text.startswith(f"Under mistral:v3, Amharic pays most: {dearest['premium']:.2f} [")
    assert f"where its bytes are {dearest['parity']:.2f} to 1." in text


def test_languages_that_pay_more_than_bytes_are_counted_by_paired_intervals(
    measured: Measured,
) -> None:
    """The ratio of premium to parity is English's bytes per token over the language's."""
    corpus = measured.corpora[0]
    sentence = who_pays(measured, corpus, "mistral:tekken")
    assert sentence is not None
    english = corpus.cells["eng_Latn", "mistral:tekken"]["bytes_per_token"]
    worse = [
        row
        for row in corpus.rows
        if row["tokenizer"] == "mistral:tekken" and row["bytes_per_token"] < english
    ]
    said = int(sentence.striptags().split(" pay more than")[0].split()[-1])
    assert 0 < said <= len(worse)  # those whose interval leaves out 1


def test_bytes_cost_what_bytes_cost(measured: Measured) -> None:
    sentence = who_pays(measured, measured.corpora[0], "byte")
    assert sentence is not None
    assert sentence.striptags().endswith("It charges every language exactly its bytes.")


def test_twins_are_not_told_apart(tmp_path: Path) -> None:
    twins = made(tmp_path, [ByteTokenizer(), ByteTokenizer(name="twin"), CharacterTokenizer()])
    corpus = twins.corpora[0]
    best = compression_sentences(twins, corpus)[0].striptags()
    assert best.startswith("character holds the most text per token")
    paid = [sentence.striptags() for sentence in fairness_sentences(twins, corpus)]
    assert any(sentence.startswith("Under byte and twin, French pays most") for sentence in paid)


def test_nothing_is_ranked_where_all_are_equal(tmp_path: Path) -> None:
    equal = made(tmp_path, [ByteTokenizer(), ByteTokenizer(name="twin")])
    corpus = equal.corpora[0]
    first, second = (one.striptags() for one in compression_sentences(equal, corpus))
    assert "not told apart from it: twin" in first and "holds the most" not in first
    assert second == "Under byte, no language is told apart from another by bytes per token."
    assert fairness_sentences(equal, corpus)[-1] == (
        "No tokenizer is told apart from another by how evenly its tokens fall."
    )


def test_without_intervals_it_says_that_it_may_be_chance(tmp_path: Path) -> None:
    bare = made(tmp_path, [ByteTokenizer(), CharacterTokenizer()], replicates=0)
    first = compression_sentences(bare, bare.corpora[0])[0].striptags()
    assert first.endswith("Without intervals this may be chance.")
    assert "[" not in first
    page = overview(bare).body
    assert "No intervals were asked for" in page and "95" not in page


def test_a_corpus_without_the_reference_makes_no_claim_about_it(tmp_path: Path) -> None:
    other = made(tmp_path, [ByteTokenizer(), CharacterTokenizer()], reference="jpn")
    assert who_pays(other, other.corpora[0], "byte") is None


def test_what_is_lost_is_said_with_its_reason(measured: Measured) -> None:
    corpus = measured.corpora[0]
    sentences = [sentence.striptags() for sentence in fidelity_sentences(measured, corpus)]
    (lossy,) = (t["name"] for t in measured.provenance["tokenizers"] if not t["lossless"])
    row = corpus.overall[lossy]
    lost = row["documents"] - row["exact_documents"]
    assert lost > 0
    assert any(s.startswith(f"{lossy} loses text: {lost:,} of 1,200 texts") for s in sentences)
    exact = next(s for s in sentences if "byte for byte" in s)
    assert lossy not in exact and "mistral:tekken" in exact


def test_a_tokenizer_of_real_vocabulary_on_a_corpus_of_one_text(tmp_path: Path) -> None:
    """One text allows no interval, and the sentences do without."""
    corpus = DocumentCorpus("one", [Document("Hello, world")])
    tokenizers = [load_tokenizer("mistral:v3"), ByteTokenizer()]
    one = read_measured(measured_folder(tmp_path, [corpus], tokenizers))
    assert one.corpora[0].with_intervals == ""
    (sentence,) = compression_sentences(one, one.corpora[0])
    assert "Without intervals" in sentence.striptags()
    assert fairness_sentences(one, one.corpora[0]) == []


def test_counts_by_document_give_the_same_rates_and_intervals(tmp_path: Path) -> None:
    """Measured with --group-by document, every line is a group; the report makes them units."""
    embedded = open_corpus("embedded")
    tokenizers: list[Tokenizer] = [ByteTokenizer(), CharacterTokenizer()]
    by_line = read_measured(
        measured_folder(tmp_path / "a", [embedded], tokenizers, group_by=["document"])
    )
    plain = read_measured(measured_folder(tmp_path / "b", [embedded], tokenizers))
    for a, b in zip(by_line.corpora[0].rows, plain.corpora[0].rows, strict=True):
        for key in ("language", "tokens", "bytes_per_token", "premium", "gini", "intervals"):
            assert a[key] == b[key], key
