"""Rows from counts: comparisons between languages and tokenizers, and nulls where there is none."""

import json
from typing import Any

import pytest

from corpora.bootstrap import DocumentBootstrap
from corpora.corpus import DocumentCorpus
from corpora.document import Document
from tokenize_lab.counts.batches import CountJob
from tokenize_lab.counts.fields import TextSettings
from tokenize_lab.counts.schema import merged
from tokenize_lab.measurement import count_corpora
from tokenize_lab.rates import RATES, gini
from tokenize_lab.rows import RELATIVE_RATES, MeasureRow, RowSettings, measure_rows
from tokenize_lab.tokenizer_spec import load_tokenizers

ENGLISH = ["The house is old.", "It has 12345 windows.", "Nobody lives there now."]
GERMAN = ["Das Haus ist alt.", "Es hat 12345 Fenster.", "Niemand wohnt jetzt dort, glaube ich."]
THAI = ["บ้านเก่า", "มีหน้าต่าง 12345 บาน", "ไม่มีใครอยู่ที่นั่น"]


def aligned(language: str, lines: list[str], domain: str = "") -> list[Document]:
    return [Document(text, language, domain, language, str(i), i) for i, text in enumerate(lines)]


def rows_of(
    documents: list[Document],
    *specs: object,
    group_by: tuple[str, ...] = ("language",),
    **more: Any,
) -> list[MeasureRow]:
    tokenizers = load_tokenizers(specs)
    counting = CountJob(tokenizers, TextSettings(), None)
    measurement = count_corpora([DocumentCorpus("c", documents)], counting)
    sizes = {t.name: t.vocabulary_size for t in tokenizers}
    settings = RowSettings(sizes, "whitespace", **more)
    return measure_rows(merged(measurement.counts, group_by), settings)


def by(rows: list[MeasureRow], **wanted: str) -> MeasureRow:
    (row,) = [r for r in rows if all(r[k] == v for k, v in wanted.items())]
    return row


@pytest.fixture(scope="module")
def parallel() -> list[MeasureRow]:
    documents = [
        *aligned("eng_Latn", ENGLISH),
        *aligned("deu_Latn", GERMAN),
        *aligned("tha_Thai", THAI),
    ]
    return rows_of(documents, "byte", "mistral:v3", baseline="byte")


def test_parity_and_premium_by_hand(parallel: list[MeasureRow]) -> None:
    row = by(parallel, language="deu_Latn", tokenizer="byte")
    english, german = (sum(len(x.encode()) for x in lines) for lines in (ENGLISH, GERMAN))
    assert row["parity"] == german / english
    assert row["premium"] == row["parity"]  # a byte is a token
    low, high = row["intervals"]["parity"]
    assert low < row["parity"] < high
    reference = by(parallel, language="eng_Latn", tokenizer="mistral:v3")
    assert (reference["parity"], reference["premium"]) == (1, 1)
    other = by(parallel, language="deu_Latn", tokenizer="mistral:v3")
    assert other["premium"] == other["tokens"] / reference["tokens"]
    assert other["parity"] == row["parity"]


def test_gini_is_over_the_languages_of_a_tokenizer(parallel: list[MeasureRow]) -> None:
    own = [row for row in parallel if row["tokenizer"] == "mistral:v3"]
    expected = pytest.approx(float(gini([row["tokens"] for row in own])))
    assert [row["gini"] for row in own] == [expected] * 3


def test_differences_are_to_the_baseline_on_the_same_text(parallel: list[MeasureRow]) -> None:
    row = by(parallel, language="deu_Latn", tokenizer="mistral:v3")
    difference = row["difference"]
    assert difference["baseline"] == "byte"
    assert difference["bytes_per_token"]["value"] == row["bytes_per_token"] - 1
    low, high = difference["bytes_per_token"]["interval"]
    assert 0 < low < high
    assert "difference" not in by(parallel, language="deu_Latn", tokenizer="byte")


def test_words_are_null_where_the_script_writes_no_spaces(parallel: list[MeasureRow]) -> None:
    thai = by(parallel, language="tha_Thai", tokenizer="byte")
    assert thai["words"] > 0  # counted, and not used
    assert thai["fertility"] is None
    assert thai["single_token_word_share"] is None
    assert thai["intervals"]["fertility"] is None
    assert by(parallel, language="eng_Latn", tokenizer="byte")["fertility"] is not None


def test_bytes_per_token_of_bytes_is_exactly_one(parallel: list[MeasureRow]) -> None:
    for row in parallel:
        if row["tokenizer"] == "byte":
            assert row["bytes_per_token"] == 1
            assert row["intervals"]["bytes_per_token"] == (1, 1)


def test_rows_are_strict_json_and_hold_every_measure(parallel: list[MeasureRow]) -> None:
    again = json.loads(json.dumps(parallel, allow_nan=False))
    for row in again:
        assert {*RATES, *RELATIVE_RATES} <= set(row)
        assert set(row["intervals"]) == {*RATES, *RELATIVE_RATES}


def test_text_that_is_not_aligned_has_no_parity_and_no_gini() -> None:
    documents = [
        Document(text, language, "", language, str(i))
        for language, lines in (("eng_Latn", ENGLISH), ("deu_Latn", GERMAN))
        for i, text in enumerate(lines)
    ]
    for row in rows_of(documents, "byte"):
        assert (row["parity"], row["premium"], row["gini"]) == (None, None, None)


def test_a_language_that_lacks_lines_is_compared_over_those_it_has() -> None:
    documents = [
        *aligned("eng_Latn", ENGLISH),
        *aligned("deu_Latn", GERMAN[:2]),
        *aligned("tha_Thai", THAI),
    ]
    rows = rows_of(documents, "byte")
    german = by(rows, language="deu_Latn")
    have, reference = (sum(len(x.encode()) for x in lines[:2]) for lines in (GERMAN, ENGLISH))
    assert german["parity"] == have / reference
    assert german["intervals"]["parity"] is not None
    # Its tokens are not of the whole text, so it is no part of the Gini of those that are.
    assert german["gini"] is None
    thai = by(rows, language="tha_Thai")
    pair = [row["tokens"] for row in rows if row["language"] != "deu_Latn"]
    assert thai["gini"] == pytest.approx(float(gini(pair)))


def test_domains_of_a_parallel_corpus_compare_within_themselves() -> None:
    documents = [*aligned("eng_Latn", ENGLISH, "news"), *aligned("deu_Latn", GERMAN, "news")]
    more = [
        d._replace(domain="chat", text=d.text * 2, alignment=(d.alignment or 0) + 3)
        for d in documents
    ]
    both = sorted([*documents, *more], key=lambda d: (d.language, d.alignment))
    rows = rows_of(both, "byte", group_by=("language", "domain"))
    one = by(rows, language="deu_Latn", domain="news")
    two = by(rows, language="deu_Latn", domain="chat")
    assert one["parity"] == two["parity"]
    # Twice the text in every line: the same resamples, the same interval.
    assert one["intervals"]["parity"] == pytest.approx(two["intervals"]["parity"])


def test_a_single_document_has_no_interval_and_zero_replicates_none_at_all() -> None:
    (row,) = rows_of(aligned("eng_Latn", ENGLISH[:1]), "byte")
    assert set(row["intervals"].values()) == {None}
    (row,) = rows_of(aligned("eng_Latn", ENGLISH), "byte", bootstrap=DocumentBootstrap(0))
    assert set(row["intervals"].values()) == {None}
    assert row["bytes_per_token"] == 1


def test_what_was_not_counted_is_null() -> None:
    (row,) = rows_of(
        aligned("eng_Latn", ["no numbers here"]), "byte", bootstrap=DocumentBootstrap(10)
    )
    for name in ("graphemes_per_token", "digit_grouping_f1", "indentation_bytes_per_token"):
        assert row[name] is None
    assert row["bytes_per_pretoken"] is None  # bytes are not split first


class Words:
    """Knows one word; every other is an unknown token, and white space is dropped."""

    name = "words"
    token_bytes = (b"", b"house", b"1234567")

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        known = {"house": 1, "1234567": 2}
        return [[known.get(word, 0) for word in text.split()] for text in texts]


def test_lost_text_is_marked_and_ranked_apart() -> None:
    documents = [*aligned("eng_Latn", ["house"] * 3), *aligned("tha_Thai", ["บ้าน"] * 3)]
    rows = rows_of(documents, Words(), "byte", "mistral:v3", baseline="byte")
    thai = by(rows, language="tha_Thai", tokenizer="words")
    assert thai["lost_share"] == 1 and thai["bytes_per_token"] == 12 and thai["rank"] is None
    assert thai["intervals"]["lost_share"] == (1, 1)
    english = by(rows, language="eng_Latn", tokenizer="words")
    assert english["lost_share"] == 0 and english["rank"] == 1
    assert [r["rank"] for r in rows if r["language"] == "eng_Latn"] == [1, 3, 1]
    assert [r["rank"] for r in rows if r["language"] == "tha_Thai"] == [None, 2, 1]


@pytest.mark.parametrize(("exact", "measured"), [(0, False), (1, False), (2, True), (18, True)])
def test_what_rests_on_too_little_of_the_text_is_null(exact: int, measured: bool) -> None:
    """Words are known in exact documents alone; below a tenth of them nothing is said."""
    lines = ["house"] * exact + ["hut"] * (18 - exact)
    (row,) = rows_of(aligned("eng_Latn", lines), Words())
    assert row["comparable_word_share"] == exact / 18
    assert row["single_token_word_share"] == (1 if measured else None)
    assert measured or row["intervals"]["single_token_word_share"] is None
    lines = ["1234567"] * exact + ["7654321"] * (18 - exact)
    (row,) = rows_of(aligned("eng_Latn", lines), Words())
    assert row["comparable_share"] == exact / 18
    assert row["digit_grouping_f1"] == (0 if measured else None)
